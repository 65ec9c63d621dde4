"""A hand as balls inside its parts: what a distance field can be asked about fast.

A ball of centre c and radius r overlaps an object exactly where the object is nearer to c than r.
Unlike points on the surface, balls also notice walls that are thinner than the gaps between points.
"""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from graspbook.hands.articulated import Hand
from graspbook.hands.parts import Part
from graspbook.hands.shape import part_distance, part_mesh, thin
from graspbook.storage import atomic_path, cache_dir, code_hash, content_hash

_APART = 1.0  # largest distance of the balls of a capsule, in radii
_GRID = 0.003  # metres between the candidate centres in a polyhedron
_FINE = 0.35  # distance of the samples of a polyhedron's faces, as a share of the slack


class Balls(NamedTuple):
    """Balls inside a hand.

    centres: (S, 3), in the frames of their links.
    radii: (S,), metres.
    links: (S,) indices of their links.
    """

    centres: np.ndarray
    radii: np.ndarray
    links: np.ndarray


@cache
def inner_balls(hand: Hand, slack: float = 0.004) -> Balls:
    """The Balls of a hand.

    hand: whose parts they fill.
    slack: no point of a part's surface is further outside all of them, metres.
    """
    rows = []
    for index, link in enumerate(hand.links):
        for part in (part for part in hand.parts if part.link == link):
            centres, radii = part_balls(part, slack)
            rows.append((centres, radii, np.full(len(radii), index)))
    return Balls(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def part_balls(part: Part, slack: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres (S, 3), in the link's frame, and radii (S,) of balls inside a part.

    part: to fill.
    slack: no point of its surface is further outside all of them, metres.
    """
    if part.radius:
        return _along(part, slack)
    core = np.asarray(part.core, float)
    return _cover_once(core.tobytes(), slack)  # fingers have the same shapes


@lru_cache(maxsize=500)
def _cover_once(core, slack):
    """As `_cover`, from a file where one process has found the balls before."""
    key = content_hash(np.frombuffer(core), slack, code_hash(__name__))
    file = cache_dir() / "balls" / f"{key}.npy"
    if not file.is_file():
        found = _cover(Part("", np.frombuffer(core).reshape(-1, 3)), slack)
        with atomic_path(file) as temporary:
            np.save(temporary, np.column_stack(found))
    balls = np.load(file)
    return balls[:, :3], balls[:, 3]


def _along(part, slack):
    """Balls of a capsule, evenly along its axis: halfway between two, its surface is √(r² + d²/4) -
    r outside them.
    """
    length, radius = np.linalg.norm(part.core[1] - part.core[0]), part.radius
    apart = min(_APART * radius, 2 * np.sqrt((radius + slack) ** 2 - radius**2))
    share = np.linspace(0, 1, int(np.ceil(length / apart)) + 1)[:, None]
    return part.core[0] + share * (part.core[1] - part.core[0]), np.full(len(share), radius)


def _cover(part, slack):
    """Balls in a polyhedron: greedily, the one next to the most surface that is left; some on edges
    and corners have radius 0.
    """
    faces, gap = _faces(part, _FINE * slack), 0.75 * _FINE * slack
    samples = np.concatenate([points for _, points in faces])
    low, high = part.core.min(axis=0), part.core.max(axis=0)
    axes = [
        np.linspace(a, b, int((b - a) / _GRID) + 2)[1:-1] for a, b in zip(low, high, strict=True)
    ]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    radii = -part_distance(part, centres)
    small = samples[thin(samples, slack - gap)]
    centres, radii = (
        np.concatenate([centres[radii > 0], small]),
        np.concatenate([radii[radii > 0], np.zeros(len(small))]),
    )
    near = _next_to(centres, radii, faces, slack, gap)
    balls_of, gain, left, chosen = near.T.tocsr(), near.sum(axis=1), np.ones(len(samples), bool), []
    while left.any():
        chosen.append(int(gain.argmax()))
        found = near.indices[near.indptr[chosen[-1]] : near.indptr[chosen[-1] + 1]]
        newly = found[left[found]]
        gain = gain - balls_of[newly].sum(axis=0)
        left[newly] = False
    return centres[chosen], radii[chosen]


def _next_to(centres, radii, faces, slack, gap):
    """Sparse (balls, samples): 1 where the face around a sample, up to `gap`, is no further than
    `slack` outside a ball.
    """
    balls, samples, start = [], [], 0
    for normal, points in faces:
        height = (centres - points[0]) @ normal
        reach = np.sqrt(np.clip((radii + slack) ** 2 - height**2, 0, None)) - gap
        some = np.flatnonzero(reach >= 0)
        feet = centres[some] - height[some, None] * normal
        found = cKDTree(points).query_ball_point(feet, reach[some] + 1e-9)
        balls.append(np.repeat(some, [len(one) for one in found]))
        samples.append(start + np.concatenate([*found, []]))
        start += len(points)
    balls, samples = np.concatenate(balls), np.concatenate(samples).astype(int)
    return csr_array((np.ones(len(balls), int), (balls, samples)), shape=(len(centres), start))


def _faces(part, spacing):
    """Outward normal (3,) and samples (N, 3) of each triangle of a polyhedron: a square lattice,
    and its edges.
    """
    mesh, found = part_mesh(part), []
    for corners, normal in zip(mesh.triangles, mesh.face_normals, strict=True):
        edges = np.roll(corners, -1, axis=0) - corners
        along = edges[0] / np.linalg.norm(edges[0])
        flat = (corners - corners[0]) @ np.stack([along, np.cross(normal, along)]).T
        x, y = (
            np.arange(a, b, spacing)
            for a, b in zip(flat.min(axis=0), flat.max(axis=0), strict=True)
        )
        lattice = corners[0] + (
            x[:, None, None] * along + y[:, None] * np.cross(normal, along)
        ).reshape(-1, 3)
        inside = (np.cross(edges, lattice[:, None] - corners) @ normal >= 0).all(axis=1)
        sides = [
            start + np.linspace(0, 1, int(np.linalg.norm(edge) / spacing) + 2)[:-1, None] * edge
            for start, edge in zip(corners, edges, strict=True)
        ]
        found.append((normal, np.concatenate([lattice[inside], *sides])))
    return found
