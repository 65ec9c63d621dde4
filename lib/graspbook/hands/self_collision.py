"""How deep the parts of a hand are inside each other.

GraspIt!'s planner, which made the high-DOF paper's data, visits only states in which the hand
collides with nothing, itself included.

Two capsules are compared exactly. A polyhedron is compared with balls inside the other part, by
its distance field.
"""

from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch

from graspbook.hands.articulated import Hand, carry
from graspbook.hands.balls import Balls, part_balls
from graspbook.hands.shape import part_mesh
from graspbook.objects.distance import Fields, lookup, signed_distance_grid, stack

ALLOWED = 0.002  # metres that parts of a hand may be inside each other, in any grasp
_SLACK = {True: 0.001, False: 0.003}  # metres of a capsule or polyhedron outside its balls
_NODES = 48  # of a polyhedron's distance field, per side
_POSES, _NEVER = 2000, 0.01  # what stays so far apart in so many poses is not compared
_TINY = 1e-12


class Solid(NamedTuple):
    """A polyhedron of a hand, and what it is compared with.

    link: that carries it, by index.
    field: its distance field, in the link's frame.
    balls: of other parts.
    around: middle (3,) and radius of a ball around it.
    """

    link: int
    field: Fields
    balls: Balls
    around: tuple[np.ndarray, float]


class Shapes(NamedTuple):
    """What is compared in a hand.

    ends: (2, C, 3), of the axes of its capsules, in the frames of their links.
    radii: (C,), of the capsules, metres.
    links: (C,), of the capsules, by index.
    pairs: (2, P), capsules that can meet.
    solids: its polyhedra.
    """

    ends: np.ndarray
    radii: np.ndarray
    links: np.ndarray
    pairs: np.ndarray
    solids: tuple[Solid, ...]


def self_depths(hand: Hand, links: Any) -> Any:
    """How deep parts of a hand are inside each other (M, P), torch, differentiable.

    Metres, negative where they are apart; a row has one value per pair of capsules, and one per
    ball that is compared with a polyhedron. Parts of one link are not compared. Nor are parts of a
    link and of the next link above it that has a shape: they overlap at their joint.

    hand: whose parts.
    links: poses (M, L, 4, 4) of its links, see `Hand.forward`.
    """
    found = shapes(hand)
    return torch.cat([_capsule_depths(found, links), *_solid_depths(found, links)], dim=1)


def deepest_self(hand: Hand, links: Any) -> Any:
    """The largest of `self_depths` (M,), 0 where no parts overlap.

    hand: whose parts.
    links: poses (M, L, 4, 4) of its links.
    """
    depths = self_depths(hand, links)
    return torch.nn.functional.pad(depths, (1, 0)).amax(dim=1)


@cache
def links_apart(hand: Hand) -> np.ndarray:
    """Whether the parts of links i and j are compared, (L, L) bool.

    hand: of the links.
    """
    shaped = {part.link for part in hand.parts}
    parents = {link.name: link.parent for link in hand.tree}

    def above(name):
        name = parents[name]
        while name is not None and name not in shaped:
            name = parents[name]
        return name

    return np.array(
        [
            [
                {a, b} <= shaped
                and a != b
                and above(a) != b
                and above(b) != a
                and frozenset((a, b)) not in hand.may_touch
                for b in hand.links
            ]
            for a in hand.links
        ]
    )


@cache
def compared_links(hand: Hand) -> np.ndarray:
    """The two links (P, 2), by index, of each column of `self_depths`.

    hand: of the links.
    """
    found = shapes(hand)
    of_solids = [
        np.stack([np.full(len(solid.balls.links), solid.link), solid.balls.links], axis=1)
        for solid in found.solids
    ]
    return np.concatenate([found.links[found.pairs.T], *of_solids])


@cache
def shapes(hand: Hand) -> Shapes:
    """The Shapes of a hand, without what no pose brings near each other.

    hand: whose parts.
    """
    links = np.array([hand.links.index(part.link) for part in hand.parts])
    poses, middles = _random_poses(hand), [part.core.mean(axis=0) for part in hand.parts]
    around = np.array(
        [
            np.linalg.norm(part.core - middle, axis=1).max() + part.radius
            for part, middle in zip(hand.parts, middles, strict=True)
        ]
    )
    places = carry(poses, np.array(middles), links).numpy()
    meet = links_apart(hand)[links[:, None], links] & _ever_near(places, around)
    round_ones = [index for index, part in enumerate(hand.parts) if part.radius]
    pairs = [
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(round_ones), 2)
        if meet[one, other]
    ]
    solids = []
    filled = cache(
        lambda index: part_balls(hand.parts[index], _SLACK[hand.parts[index].radius > 0])
    )
    for index, part in enumerate(hand.parts):
        # Of two polyhedra the later one counts as balls.
        others = [
            other
            for other, its in enumerate(hand.parts)
            if meet[index, other] and (its.radius or other > index)
        ]
        if part.radius or not others:
            continue
        rows = [(*filled(other), links[other]) for other in others]
        balls = Balls(
            np.concatenate([centres for centres, _, _ in rows]),
            np.concatenate([radii for _, radii, _ in rows]),
            np.concatenate([np.full(len(radii), link) for _, radii, link in rows]),
        )
        field = stack([signed_distance_grid(part_mesh(part), _NODES)])
        solids.append(Solid(links[index], field, balls, (middles[index], around[index])))
    found = Shapes(
        np.array([hand.parts[i].core for i in round_ones]).reshape(-1, 2, 3).swapaxes(0, 1),
        np.array([hand.parts[i].radius for i in round_ones]),
        np.array([links[i] for i in round_ones], int),
        np.array(pairs, int).reshape(-1, 2).T,
        tuple(solids),
    )
    return _without_far(found, poses)


def _random_poses(hand):
    """Poses (M, L, 4, 4) of the links; half of all joint values are at a limit."""
    rng = np.random.default_rng(0)
    share = rng.uniform(size=(_POSES, len(hand.joints)))
    share = np.where(rng.uniform(size=share.shape) < 0.5, share.round(), share)
    low, high = hand.limits.T
    return hand.forward(torch.as_tensor(low + share * (high - low), dtype=torch.float32))


def _ever_near(places, radii):
    """Whether balls (P,) at places (M, P, 3) come near each other in any of M poses, (P, P)."""
    gaps = [
        np.linalg.norm(places - places[:, i, None], axis=2).min(axis=0) for i in range(len(radii))
    ]
    return np.array(gaps) - radii[:, None] - radii < _NEVER


def _without_far(found, links):
    """The Shapes without what stays far apart in all poses of the links."""
    near = (_capsule_depths(found, links).amax(dim=0) > -_NEVER).numpy()
    solids = []
    for solid, depths in zip(found.solids, _solid_depths(found, links), strict=True):
        some = (depths.amax(dim=0) > -_NEVER).numpy()
        if some.any():
            solids.append(solid._replace(balls=Balls(*(array[some] for array in solid.balls))))
    return found._replace(pairs=found.pairs[:, near], solids=tuple(solids))


def _capsule_depths(found, links):
    start, end = (carry(links, points, found.links) for points in found.ends)
    radii = torch.as_tensor(found.radii, dtype=links.dtype, device=links.device)
    first, second = torch.as_tensor(found.pairs, device=links.device)
    distances = segment_distances(start[:, first], end[:, first], start[:, second], end[:, second])
    return radii[first] + radii[second] - distances


def _solid_depths(found, links):
    """Per polyhedron, how deep each of its balls is inside it (M, S)."""
    for solid in found.solids:
        centres = carry(links, solid.balls.centres, solid.balls.links)
        pose = links[:, solid.link]
        local = (centres - pose[:, None, :3, 3]) @ pose[:, :3, :3]
        field = Fields(*(values.to(links) for values in solid.field))
        radii = torch.as_tensor(solid.balls.radii, dtype=links.dtype, device=links.device)
        # Most balls are outside a ball around the polyhedron: the way to it is enough.
        middle = torch.as_tensor(solid.around[0], dtype=links.dtype, device=links.device)
        depths = radii + solid.around[1] - (local - middle).square().sum(-1).clamp(min=_TINY).sqrt()
        row, ball = torch.nonzero(depths > -_NEVER, as_tuple=True)
        if len(row):
            near = radii[ball] - lookup(field, local[row, ball][None])[0]
            depths = depths.index_put((row, ball), near)
        yield depths


def segment_distances(
    start: torch.Tensor, end: torch.Tensor, other_start: torch.Tensor, other_end: torch.Tensor
) -> torch.Tensor:
    """Distances (...) of segments from others, differentiable.

    start, end: (..., 3).
    other_start, other_end: (..., 3).
    """
    with torch.no_grad():  # how the nearest points slide along the segments changes no distance
        along, other, between = end - start, other_end - other_start, start - other_start
        a, e = (vector.square().sum(-1).clamp(min=_TINY) for vector in (along, other))
        b, c, f = (along * other).sum(-1), (along * between).sum(-1), (other * between).sum(-1)
        s = ((b * f - c * e) / (a * e - b * b).clamp(min=_TINY)).clamp(0, 1)
        t = ((b * s + f) / e).clamp(0, 1)
        s = ((b * t - c) / a).clamp(0, 1)
    nearest = start + s[..., None] * (end - start)
    other_nearest = other_start + t[..., None] * (other_end - other_start)
    return (nearest - other_nearest).square().sum(-1).clamp(min=_TINY).sqrt()
