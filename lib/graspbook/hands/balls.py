"""A hand as balls inside its parts: what a distance field can be asked about fast.

A ball of centre c and radius r overlaps an object exactly where the object is nearer to c than r. Unlike points on the
surface, balls also notice walls that are thinner than the gaps between points.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from graspbook.hands.shape import SPACING, dense, part_distance, thin

_APART = 1.0  # distance of the balls of a capsule, in radii
_GRID = 0.004  # metres between the candidate centres in a polyhedron


class Balls(NamedTuple):
    """Balls inside a hand: centres (S, 3) in the frames of their links, given by index (S,), and radii (S,), metres."""

    centres: np.ndarray
    radii: np.ndarray
    links: np.ndarray


@cache
def inner_balls(hand, slack=0.004):
    """The Balls of a hand: no point of its surface is further than `slack` metres outside all of them."""
    rows = []
    for index, link in enumerate(hand.links):
        for part in (part for part in hand.parts if part.link == link):
            centres, radii = _along(part) if part.radius else _cover(part, slack)
            rows.append((centres, radii, np.full(len(radii), index)))
    return Balls(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _along(part):
    """Balls of a capsule, evenly along its axis: their waists are 13 % of the radius deep."""
    length = np.linalg.norm(part.core[1] - part.core[0])
    share = np.linspace(0, 1, int(np.ceil(length / (_APART * part.radius))) + 1)[:, None]
    return part.core[0] + share * (part.core[1] - part.core[0]), np.full(len(share), part.radius)


def _cover(part, slack):
    """Balls in a polyhedron: greedily, the one next to the most surface that is left; corners end as balls of radius 0."""
    low, high = part.core.min(axis=0), part.core.max(axis=0)
    axes = [np.linspace(a, b, int((b - a) / _GRID) + 2)[1:-1] for a, b in zip(low, high, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    radii = -part_distance(part, centres)
    centres, radii = centres[radii > 0], radii[radii > 0]
    surface = dense(part)[0]
    surface = surface[thin(surface, SPACING)]
    near = cdist(surface, centres) <= radii + slack
    gain, left, chosen = near.sum(axis=0), np.ones(len(surface), bool), []
    while gain.max(initial=0) > 1:
        chosen.append(int(gain.argmax()))
        newly = left & near[:, chosen[-1]]
        gain -= near[newly].sum(axis=0)
        left &= ~newly
    return np.concatenate([centres[chosen], surface[left]]), np.concatenate([radii[chosen], np.zeros(left.sum())])
