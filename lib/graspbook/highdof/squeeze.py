"""How a closed hand squeezes an object: targets for its motors, with contact forces that cancel.

A grasp is three joint vectors: the pregrasp is a little open, the grasp touches the object, and the
squeeze is where the motors are sent, beyond the grasp.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from graspbook.errors import ParameterError
from graspbook.hands import mjcf
from graspbook.hands.articulated import Hand, carry
from graspbook.hands.balls import inner_balls
from graspbook.highdof.closing import APART, SLACK, TOUCH, moves
from graspbook.highdof.object_field import Target
from graspbook.objects.distance import Fields, lookup, lookup_gradient
from graspbook.quality import balanced_forces

_OPENINGS = (0.02, 0.04, 0.06, 0.09, 0.12, 0.16, 0.2, 0.25, 0.3)  # shares of a joint's range
_CLEAR = 0.003  # metres between a pregrasp and the object
_LEAST_SLOPE = 0.3


@dataclass(frozen=True)
class SqueezeSettings:
    """Settings of a squeeze.

    rule: "balanced": joint torques of contact forces that cancel; "press": each closing joint
        presses with the same share of its effort; "doubled": as far beyond the grasp as the
        pregrasp is before it, as in BODex.
    total: sum of the balanced contacts' normal forces, N. Less where a joint's effort is too small.
    press: share of its effort with which each closing joint presses, on top of balanced torques.
    friction: Coulomb's, of the cones of balanced forces.
    contacts: largest number per link, of which forces are balanced.
    near: metres between hand and object that count as a contact: the squeeze closes small gaps.
    """

    rule: str = "balanced"
    total: float = 100.0
    press: float = 0.25
    friction: float = 0.4
    contacts: int = 3
    near: float = 0.003

    def __post_init__(self) -> None:
        possible = self.total > 0 and 0 <= self.press <= 1 and self.friction >= 0
        if self.rule not in ("balanced", "press", "doubled") or not possible or self.contacts < 1:
            raise ParameterError(
                f"{self}: expected the rule balanced, press or doubled, a positive total, a press"
                " of 0 to 1, no negative friction and at least one contact"
            )


SQUEEZES: dict[str, SqueezeSettings] = {
    "balanced": SqueezeSettings(),
    "press": SqueezeSettings("press", press=0.5),
    "doubled": SqueezeSettings("doubled"),
}


class Stages(NamedTuple):
    """N grasps as joint vectors (N, J) each, for palms that stay where they are.

    pregrasp: a little open, so that what opens touches nothing.
    grasp: closed on the object.
    squeeze: targets of the motors. They may lie beyond the limits of the joints, as far as a motor
        with its largest torque reaches.
    imbalance: (N,), length of the net wrench of the balanced forces, as a share of their sum, with
        torques over the object's length. 0 where they cancel, 1 without contacts.
    """

    pregrasp: np.ndarray
    grasp: np.ndarray
    squeeze: np.ndarray
    imbalance: np.ndarray


class Contacts(NamedTuple):
    """Contacts of N hands with an object, in the object frame, at most P per hand.

    points: (N, P, 3), on the object's surface.
    normals: (N, P, 3), unit, into the object.
    links: (N, P), of the hand, by index.
    there: (N, P) bool, whether there is such a contact; the rest fills rows up.
    """

    points: np.ndarray
    normals: np.ndarray
    links: np.ndarray
    there: np.ndarray


def stages(
    hand: Hand,
    target: Target,
    wrist: torch.Tensor | np.ndarray,
    joints: torch.Tensor | np.ndarray,
    settings: SqueezeSettings = SQUEEZES["balanced"],
) -> Stages:
    """The Stages of closed hands.

    hand: of all of them.
    target: the object.
    wrist: (N, 4, 4), in the object frame.
    joints: (N, J), closed.
    settings: of the squeeze.
    """
    grasp = np.asarray(joints, float).reshape(-1, len(hand.joints))
    wrist, joints = (torch.as_tensor(array, dtype=torch.float32) for array in (wrist, joints))
    before = pregrasp(hand, target.fields, wrist, joints)
    most, near = settings.contacts, settings.near
    found = contacts(hand, target.fields, wrist, joints, most=most, near=near)
    size = target.com, target.length
    forces = balanced_forces(*found[:2], found.there, *size, friction=settings.friction)
    arms = (found.points - target.com) / target.length
    net = np.concatenate([forces, np.cross(arms, forces)], axis=2).sum(axis=1)
    imbalance = np.where(found.there.any(axis=1), np.linalg.norm(net, axis=1), 1.0)
    torques = np.zeros_like(grasp)
    if settings.rule == "balanced":
        poses = hand.forward(joints, wrist).double().numpy()
        torques = joint_torques(hand, poses, found, settings.total * forces)
        excess = np.max(np.abs(torques) / hand.efforts, axis=1, keepdims=True)
        torques /= excess.clip(min=1)
    if settings.rule == "doubled":
        torques = (grasp - before) * mjcf.stiffness(hand)
    else:
        torques = torques + settings.press * hand.efforts * hand.closing
    torques = np.clip(torques, -hand.efforts, hand.efforts)
    return Stages(before, grasp, grasp + torques / mjcf.stiffness(hand), imbalance)


def pregrasp(hand: Hand, fields: Fields, wrist: torch.Tensor, joints: torch.Tensor) -> np.ndarray:
    """Joint values (N, J) of hands that are opened until what moves is 3 mm clear of an object.

    All closing joints open by the same share of their ranges, at most 0.3. What an opening of 0.3
    leaves nearer than 3 mm does not count.

    hand: of all of them.
    fields: of the object alone.
    wrist, joints: (N, 4, 4) and (N, J), closed.
    """
    balls = inner_balls(hand, SLACK)
    moved = moves(hand)[hand.closing != 0].any(axis=0)[balls.links]
    low, high = hand.limits.T
    shares = np.array(_OPENINGS)[:, None, None]
    closed = np.asarray(joints, float)
    opened = closed - shares * hand.closing * (high - low)
    opened = np.clip(opened, np.minimum(low, closed), np.maximum(high, closed))
    links = hand.forward(torch.as_tensor(opened, dtype=wrist.dtype), wrist)
    centres = carry(links, balls.centres[moved], balls.links[moved])
    distances = lookup(fields, centres.flatten(0, 1)[None], torch.tensor([0]))
    gaps = distances[0].numpy().reshape(centres.shape[:-1]) - balls.radii[moved]
    # What the widest opening does not clear cannot be cleared, such as a knuckle.
    clear = ((gaps > _CLEAR) | (gaps[-1:] <= _CLEAR)).all(axis=2)
    chosen = clear.argmax(axis=0)
    return opened[chosen, np.arange(len(chosen))]


def contacts(
    hand: Hand,
    fields: Fields,
    wrist: torch.Tensor,
    joints: torch.Tensor,
    *,
    most: int = 3,
    near: float = TOUCH,
) -> Contacts:
    """The Contacts of hands with an object.

    As `closing.touching`, for all hands at once and with few contacts per link: first the nearest,
    then those furthest from the ones before.

    hand: of all of them.
    fields: of the object alone.
    wrist, joints: (N, 4, 4) and (N, J).
    most: contacts per link.
    near: metres from the surface that count as touching.
    """
    surface, balls, count = hand.surface, inner_balls(hand, SLACK), len(joints)
    only, rows = torch.tensor([0]), np.arange(count)
    poses = hand.forward(joints, wrist)
    centres = carry(poses, balls.centres, balls.links)
    gaps = lookup(fields, centres.flatten(0, 1)[None], only)[0].numpy().reshape(count, -1)
    close = np.zeros((count, len(hand.links)), bool)  # links, of which only some points can touch
    who, ball = np.nonzero(gaps - balls.radii < SLACK + near)
    close[who, balls.links[ball]] = True
    placed, asked = carry(poses, surface.points, surface.links), close[:, surface.links]
    distances = np.full(asked.shape, np.inf)
    distances[asked] = lookup(fields, placed[torch.as_tensor(asked)][None], only)[0].numpy()
    placed, chosen, there = placed.numpy(), [], []
    for link in np.flatnonzero(close.any(axis=0)):
        own = np.flatnonzero(surface.links == link)
        points, touches = placed[:, own], distances[:, own] < near
        if not touches.any():
            continue
        first, gap = distances[:, own].argmin(axis=1), np.full(touches.shape, np.inf)
        for _ in range(most):
            chosen.append(own[first])
            there.append(touches[rows, first] & (gap[rows, first] >= APART))
            away = points - points[rows, first, None]
            gap = np.minimum(gap, np.sqrt(np.einsum("npc,npc->np", away, away)))
            first = np.where(touches, gap, -1.0).argmax(axis=1)
    if not chosen:
        nothing = np.zeros((count, 0))
        return Contacts(
            np.zeros((count, 0, 3)), np.zeros((count, 0, 3)), nothing.astype(int), nothing > 0
        )
    picked, found = np.stack(chosen, axis=1), np.stack(there, axis=1)
    order = np.argsort(~found, axis=1, kind="stable")[:, : found.sum(axis=1).max()]
    picked, found = (np.take_along_axis(array, order, axis=1) for array in (picked, found))
    points = np.take_along_axis(placed, picked[..., None], axis=1).astype(float)
    answer = lookup_gradient(fields, torch.as_tensor(points).flatten(0, 1)[None], only)
    gradients = answer[1][0].numpy().reshape(points.shape)
    slopes = np.linalg.norm(gradients, axis=2)
    inwards = -gradients / slopes.clip(1e-9)[..., None]
    points = points + answer[0][0].numpy().reshape(slopes.shape)[..., None] * inwards
    return Contacts(points, inwards, surface.links[picked], found & (slopes > _LEAST_SLOPE))


def joint_torques(hand: Hand, poses: np.ndarray, found: Contacts, forces: np.ndarray) -> np.ndarray:
    """Torques (N, J) of the motors, N·m (N of slides), that push with forces: τ = JᵀF.

    The torques of coupled joints count at the joint that they follow.

    hand: of all of them.
    poses: (N, L, 4, 4), of its links.
    found: contacts.
    forces: (N, P, 3), of the hand on the object.
    """
    below, links, axes, slides, coupling = _tree(hand)
    count = len(forces)
    whole = np.concatenate([forces, np.cross(found.points, forces)], axis=2)
    wrenches = np.zeros((count, len(hand.links), 6))
    np.add.at(wrenches, (np.arange(count)[:, None], found.links), whole)
    force, moment = np.split(below @ wrenches, 2, axis=2)
    own = poses[:, links]
    turned = np.einsum("nlij,lj->nli", own[..., :3, :3], axes)
    moment = moment - np.cross(own[..., :3, 3], force)
    torques = (turned * np.where(slides[:, None], force, moment)).sum(axis=2)
    return torques @ coupling.T


@cache
def _tree(hand):
    """Of `all_joints`: which links each moves (A, L), its own link, its axis there (A, 3), whether
    it slides, and how it follows `joints` (J, A).
    """
    parents = {link.name: link.parent for link in hand.tree}
    index = [[link.joint for link in hand.tree].index(joint) for joint in hand.all_joints]
    below = np.zeros((len(index), len(hand.links)))
    for column, name in enumerate(hand.links):
        while name is not None:
            below[[hand.links[i] == name for i in index], column] = 1.0
            name = parents[name]
    axes = np.array([hand.tree[i].axis for i in index], float).reshape(-1, 3)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    slides = np.array([hand.tree[i].slides for i in index], bool)
    own = np.eye(len(hand.joints))
    return below, index, axes, slides, hand.expand(own) - hand.expand(0 * own)
