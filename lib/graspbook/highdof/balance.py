"""Our search for grasps that hold: a few contact points of the hand go to the surface, where their
forces can cancel.

The contact points can be random ones, or the same fingertips in every grasp. Random ones give more
kinds of grasps. With the same ones, the grasps of an object resemble each other, so that a network
can learn them.

DexGraspNet (arXiv:2210.02697, section III) also descends an energy of force closure, distance and
penetration over a few contact points. Here the normals are the hand's, so the energy has a gradient
in each joint. The weights of the contacts are the best ones, instead of equal ones.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, carry, carry_normals
from graspbook.hands.balls import inner_balls
from graspbook.hands.self_collision import self_depths
from graspbook.highdof.adam import Adam
from graspbook.highdof.losses import units
from graspbook.objects.distance import Fields, cubes, lookup, lookup_gradient

CHOICES = ("random", "fingertips")
_SLACK = 0.006  # metres, of the balls that are kept out of the object
_LEAST = 0.5  # least weight of a contact, as a share of the mean one
_TINY = 1e-6
_OUTER = 1 / 3  # a finger's innermost contact points, as a share, are not chosen
_CENTIMETRE = 100.0


@dataclass(frozen=True)
class BalanceSettings:
    """Settings of the search.

    steps: of Adam.
    rate: length of the first step, rad or 0.1 m; later ones are shorter.
    choice: of the contact points: "random", or "fingertips", the same ones in each grasp.
    contacts: chosen contact points, on different fingers or the palm.
    palm: share of the choices that have a point of the palm.
    gap: least and largest distance of the palm from the surface at the start, metres.
    distance: energy per centimetre of a contact point from the surface, mean over the points.
    facing: energy of a contact whose normal is at a right angle to the surface's.
    closure: energy of forces of which nothing cancels, and of a joint 1 rad beyond its limit.
    overlap: energy per centimetre that a ball of the hand is inside the object, or a part of the
        hand inside another.
    rest: energy of a joint that is 1 rad from its rest. Joints that hold nothing agree so.
    """

    steps: int = 80
    rate: float = 0.05
    choice: str = "random"
    contacts: int = 4
    palm: float = 0.3
    gap: tuple[float, float] = (0.005, 0.05)
    distance: float = 3.0
    facing: float = 0.6
    closure: float = 10.0
    overlap: float = 3.0
    rest: float = 0.02

    def __post_init__(self) -> None:
        shares = 0 <= self.palm <= 1 and 0 <= self.gap[0] <= self.gap[1]
        if self.choice not in CHOICES:
            raise ParameterError(
                f"choice {self.choice!r} of contact points, expected one of {', '.join(CHOICES)}"
            )
        if self.steps < 1 or not self.rate > 0 or self.contacts < 2 or not shares:
            raise ParameterError(
                f"{self}: expected at least one step, a positive rate, at least two contacts, a"
                " palm share of 0 to 1, and a gap from a least to a largest distance"
            )


@cache
def fingers(hand: Hand) -> dict[str, tuple[int, ...]]:
    """Indices of the contact points of each finger's outer part, and of the palm, by first link.

    A finger is what is beyond one link that is fixed to the palm or moves against it.

    hand: with a layout "default" of contact points.
    """
    parents, palm = {link.name: link.parent for link in hand.tree}, hand.links[0]
    points: dict[str, list[int]] = {}
    for index, link in enumerate(hand.contacts["default"].links):
        name = hand.links[link]
        while parents[name] not in (None, palm):
            name = parents[name]
        points.setdefault(name, []).append(index)
    return {
        name: tuple(own if name == palm else own[int(_OUTER * len(own)) :])
        for name, own in points.items()
    }


def choose_contacts(
    hand: Hand, count: int, settings: BalanceSettings, rng: np.random.Generator
) -> np.ndarray:
    """Contact points (count, C) of the layout "default", by index.

    Each random one is on another finger, or on the palm. A finger that faces the others, such as a
    thumb, is always among them. If there are fewer fingers than contacts, the palm has the rest.
    The choice "fingertips" has the middle point of the last link of such a finger and of the first
    others, and fewer than C of them if the hand has fewer fingers.

    hand: the hand.
    count: choices.
    settings: with the number of contacts and the palm's share.
    rng: generator.
    """
    by_finger, palm = fingers(hand), hand.links[0]
    names = [name for name in by_finger if name != palm]
    thumbs = _thumbs(hand, names)
    others = [name for name in names if name not in thumbs]
    if settings.choice == "fingertips":
        tips = [_tip(hand, by_finger[name]) for name in [*thumbs, *others][: settings.contacts]]
        return np.tile(tips, (count, 1))
    chosen = np.zeros((count, settings.contacts), int)
    for row in chosen:
        used = [*thumbs, *rng.permutation(others)][: settings.contacts]
        if palm in by_finger:
            used += [palm] * (settings.contacts - len(used))
            if rng.uniform() < settings.palm:
                used[-1] = palm
        used += list(rng.choice(names, settings.contacts - len(used)))
        row[:] = [rng.choice(by_finger[name]) for name in used]
    return chosen


def _tip(hand, points):
    """Of a finger's contact points, by index, the one in the middle of those of its last link."""
    contacts, index = hand.contacts["default"], np.array(points)
    last = index[contacts.links[index] == contacts.links[index].max()]
    away = contacts.points[last] - contacts.points[last].mean(axis=0)
    return int(last[np.linalg.norm(away, axis=1).argmin()])


def _thumbs(hand, names):
    """The finger whose contact normals, with the hand open, are least like the mean of all."""
    contacts, opened = hand.contacts["default"], torch.as_tensor(hand.open, dtype=torch.float64)
    placed = carry_normals(hand.forward(opened), contacts.normals, contacts.links).numpy()
    means = np.array([placed[list(fingers(hand)[name])].mean(axis=0) for name in names])
    means /= np.linalg.norm(means, axis=1, keepdims=True).clip(1e-9)
    if len(names) < 3:
        return []
    likeness = (means @ means.T).sum(axis=1)
    return [names[int(likeness.argmin())]]


def rest(hand: Hand) -> np.ndarray:
    """Joint values (J,) of a hand at rest: closing joints are a third closed, others as when open.

    hand: the hand.
    """
    low, high = hand.limits.T
    ends = np.where(hand.closing > 0, high, low)
    return np.where(hand.closing != 0, hand.open + (ends - hand.open) / 3, hand.open)


def balance(
    hand: Hand,
    fields: Fields,
    which: torch.Tensor,
    states: torch.Tensor,
    *,
    chosen: np.ndarray,
    settings: BalanceSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pose vectors (N, 7 + J) after the descent, within limits, and energies (steps, N) before each
    step.

    The hand may still be a little inside the object; see `refinement.adjust`.

    hand: of all of them.
    fields: of the objects.
    which: (N,), the object of each pose.
    states: (N, 7 + J), at the start.
    chosen: (N, C), contact points by index, see `choose_contacts`.
    settings: of the descent.
    """
    unit, low, high = units(states), *(states.new_tensor(limit) for limit in hand.limits.T)
    moved = (states / unit).requires_grad_()
    adam = Adam(moved)
    history = states.new_zeros(settings.steps, len(states))
    for step in range(settings.steps):
        energies = energy(hand, fields, which, moved * unit, chosen=chosen, settings=settings)
        history[step] = energies.detach()
        gradient = torch.autograd.grad(energies.sum(), moved)[0]
        adam.step(gradient, settings.rate * (1 - step / settings.steps))
    found = (moved * unit).detach()
    found = torch.cat([found[:, :7], found[:, 7:].clamp(low, high)], dim=1)
    return pose_vector.normalise(found), history


def energy(
    hand: Hand,
    fields: Fields,
    which: torch.Tensor,
    states: torch.Tensor,
    *,
    chosen: np.ndarray,
    settings: BalanceSettings,
) -> torch.Tensor:
    """The energy (N,) of pose vectors, see BalanceSettings; differentiable.

    hand: of all of them.
    fields: of the objects.
    which: (N,), the object of each pose.
    states: (N, 7 + J).
    chosen: (N, C), contact points by index.
    settings: with the weights.
    """
    wrist, joints = pose_vector.split(states)
    links, (centre, half) = hand.forward(joints, wrist), cubes(fields)
    contacts, balls = hand.contacts["default"], inner_balls(hand, _SLACK)
    rows = torch.arange(len(states), device=states.device)[:, None]
    columns = torch.as_tensor(chosen, device=states.device)
    points = carry(links, contacts.points, contacts.links)[rows, columns]
    normals = carry_normals(links, contacts.normals, contacts.links)[rows, columns]
    centres = carry(links, balls.centres, balls.links)
    distances = lookup(fields, torch.cat([points, centres], dim=1), which)
    from_surface, of_balls = distances.split([points.shape[1], len(balls.radii)], dim=1)
    gradients = lookup_gradient(fields, points.detach(), which)[1]
    outward = torch.nn.functional.normalize(gradients, dim=-1)
    facing = (1 + (normals * outward).sum(dim=-1)).mean(dim=1)
    # Torques of forces that cancel are the same about any point.
    net = imbalance(points - centre[which, None], normals, half[which])
    inside = (states.new_tensor(balls.radii) - of_balls).clamp(min=0).sum(dim=1)
    crossed = self_depths(hand, links).clamp(min=0).sum(dim=1)
    low, high = (states.new_tensor(limit) for limit in hand.limits.T)
    beyond = (low - joints).clamp(min=0) + (joints - high).clamp(min=0)
    apart = (joints - states.new_tensor(rest(hand))).square().sum(dim=1)
    return (
        _CENTIMETRE * settings.distance * from_surface.abs().mean(dim=1)
        + settings.facing * facing
        + settings.closure * net
        + _CENTIMETRE * settings.overlap * (inside + crossed)
        + settings.closure * beyond.sum(dim=1)
        + settings.rest * apart
    )


def imbalance(arms: torch.Tensor, normals: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Squared net wrench (N,) of forces along normals with the best weights; differentiable.

    The weights add up to 1, and none is below half the mean. How they change with the contacts
    changes the least wrench only to second order, so they count as constant in gradients.

    arms: (N, C, 3), contact points from a point of the object, metres.
    normals: (N, C, 3), unit.
    length: (N,), metres, by which torques are divided.
    """
    wrenches = torch.cat(
        [normals, torch.linalg.cross(arms, normals) / length[:, None, None]], dim=2
    )
    weights = _weights(wrenches.detach())
    return (weights[..., None] * wrenches).sum(dim=1).square().sum(dim=1)


def _weights(wrenches):
    """Weights (N, C), exactly: of all sets of contacts that weigh more than the least, the best."""
    products, count = wrenches @ wrenches.mT, wrenches.shape[1]
    least = _LEAST / count
    rest_of = 1 - _LEAST  # weights are least + rest_of · v, and v adds up to 1
    more = wrenches.new_tensor(list(product((0.0, 1.0), repeat=count))[1:])
    matrix = wrenches.new_zeros(len(wrenches), len(more), count + 1, count + 1)
    inner = rest_of * products[:, None] * more[:, :, None] * more[:, None]
    matrix[..., :count, :count] = inner + torch.diag_embed(1 - more + _TINY)
    matrix[..., :count, count] = matrix[..., count, :count] = more
    right = -least * products.sum(dim=2)[:, None] * more
    right = torch.cat([right, torch.ones_like(right[..., :1])], dim=2)
    found = torch.linalg.solve(matrix, right)[..., :count]
    weights = least + rest_of * found
    values = ((weights @ products) * weights).sum(dim=2)
    values = torch.where((found >= -_TINY).all(dim=2), values, torch.inf)
    return weights[torch.arange(len(weights)), values.argmin(dim=1)]
