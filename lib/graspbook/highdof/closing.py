"""Closing a hand on an object, and its contacts: GraspIt! does this before it reports a quality."""

from functools import lru_cache

import numpy as np
import torch

from graspbook.hands.articulated import Hand, carry
from graspbook.hands.balls import inner_balls
from graspbook.hands.self_collision import ALLOWED, compared_links, self_depths
from graspbook.hands.shape import thin
from graspbook.highdof.object_field import Target
from graspbook.objects.distance import Fields, lookup, lookup_gradient
from graspbook.quality import epsilon

_STEPS = (0.04, 0.01, 0.0025)  # shares of a joint's range
SLACK = 0.002  # metres, of the balls that measure penetration
_LEAST_SLOPE = 0.3
TOUCH = 0.0015  # metres from the surface that count as touching
APART = 0.006  # metres between contacts of one link


def close(
    hand: Hand, fields: Fields, which: torch.Tensor, wrist: torch.Tensor, joints: torch.Tensor
) -> torch.Tensor:
    """Joint values (N, J) of hands that have closed on objects.

    All closing joints turn at once, each over its range in the same time. A joint stops at its
    limit, or where a link that it moves would overlap the object. It also stops where it would
    bring a link more than 2 mm into another part of the hand. Links further out continue by their
    own joints. The joints of a link that overlaps the object from the start do not move.

    hand: of all of them.
    fields: of the objects.
    which: (N,), the object of each.
    wrist: (N, 4, 4), in the objects' frames.
    joints: (N, J), values at the start.
    """
    balls, moved = inner_balls(hand, SLACK), torch.as_tensor(moves(hand))
    radii = torch.as_tensor(balls.radii, dtype=joints.dtype)
    low, high = (torch.as_tensor(limit, dtype=joints.dtype) for limit in hand.limits.T)
    rate = torch.as_tensor(hand.closing, dtype=joints.dtype) * (high - low)
    beyond = moved[:, torch.as_tensor(balls.links)]  # (J, S): the balls that a joint moves
    first, second = torch.as_tensor(compared_links(hand).T)
    between = moved[:, first] != moved[:, second]  # (J, P): the pairs that a joint turns apart

    def blocked(rows, proposed):
        links = hand.forward(proposed, wrist[rows])
        depth = lookup(fields, carry(links, balls.centres, balls.links), which[rows]) - radii
        crossed = (self_depths(hand, links) > ALLOWED).to(joints.dtype)
        found = (depth < 0).to(joints.dtype) @ beyond.to(joints.dtype).T
        return found + crossed @ between.to(joints.dtype).T > 0

    joints = joints.clone()
    for step in _STEPS:
        free = (rate != 0).expand_as(joints).clone()
        while len(moving := torch.nonzero(free.any(dim=1))[:, 0]):
            rows = moving
            while len(rows):  # where a joint stops, what the others do then is asked again
                before = joints[rows]
                proposed = torch.clamp(before + step * rate * free[rows], low, high)
                stops = free[rows] & (blocked(rows, proposed) | (proposed == before))
                free[rows] = free[rows] & ~stops
                rows = rows[stops.any(dim=1)]
            joints[moving] = torch.clamp(joints[moving] + step * rate * free[moving], low, high)
    return joints


@lru_cache
def moves(hand: Hand) -> np.ndarray:
    """Whether joint j moves link l, (J, L) bool.

    hand: the hand.
    """
    parents = {link.name: link.parent for link in hand.tree}
    own = {link.name: hand.coupling.get(link.joint, (link.joint,))[0] for link in hand.tree}
    found = np.zeros((len(hand.joints), len(hand.links)), bool)
    for index, link in enumerate(hand.links):
        while link is not None:
            if own[link]:
                found[hand.joints.index(own[link]), index] = True
            link = parents[link]
    return found


def touching(
    hand: Hand, fields: Fields, which: int, wrist: torch.Tensor, joints: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contacts of one hand with an object, in the object frame.

    Returns contacts (P, 3) on the object's surface, unit normals (P, 3) into it, and the index (P,)
    of the link that touches. Surface points of the hand nearer than 1.5 mm count. Contacts of one
    link are at least 6 mm apart, and the nearest come first.

    hand: the hand.
    fields: of objects.
    which: the object, by index.
    wrist, joints: (4, 4) and (J,).
    """
    surface = hand.surface
    points = carry(hand.forward(joints, wrist), surface.points, surface.links)
    found = lookup_gradient(fields, points[None], torch.tensor([which]))
    distances, gradients, points = found[0][0].numpy(), found[1][0].numpy(), points.numpy()
    # 1 except at ridges, as in the middle of a thin wall, where no side is nearer.
    slopes = np.linalg.norm(gradients, axis=1)
    touches, parts = (distances < TOUCH) & (slopes > _LEAST_SLOPE), [np.zeros(0, int)]
    for link in range(len(hand.links)):
        near = np.flatnonzero((surface.links == link) & touches)
        near = near[np.argsort(distances[near], kind="stable")]
        if len(near):
            parts.append(near[thin(points[near], APART)])
    chosen = np.concatenate(parts)
    inwards = -gradients[chosen] / slopes[chosen, None]
    return points[chosen] + distances[chosen, None] * inwards, inwards, surface.links[chosen]


def closed_epsilon(
    hand: Hand, target: Target, wrist: torch.Tensor, joints: torch.Tensor
) -> np.ndarray:
    """The ε-metric (N,) of hands that have closed on an object.

    hand: of all of them.
    target: the object.
    wrist, joints: (N, 4, 4) and (N, J), closed.
    """
    contacts = [
        touching(hand, target.fields, 0, *closed) for closed in zip(wrist, joints, strict=True)
    ]
    return np.array(
        [epsilon(points, normals, target.com, target.length) for points, normals, _ in contacts]
    )
