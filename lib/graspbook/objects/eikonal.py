"""Distances from the nodes of a grid to a triangle mesh: the Eikonal equation |∇d| = 1, d = 0 on
the surface.

Near the surface distances are exact. From there closest points are handed on from node to node by
fast sweeping (Zhao 2005); a distance is always one to a point of the surface, so it is never too
short, and measured at most 0.2 too long. Everything is in units of the grid: nodes at 0 … size - 1.
"""

from itertools import product

import numpy as np

from graspbook.objects.winding import boxes

BAND = 1.25  # how far distances are exact; any point of the surface has a node nearer than that
LONGEST = 4.0  # edge of the triangles to work on: larger ones have too many nodes in their boxes
_CHUNK = 100_000  # pairs of a node and a triangle at once


def distances(
    triangles: np.ndarray, inside: np.ndarray, *, overlapping: bool = False
) -> np.ndarray:
    """Distances (n, n, n) float32 of the nodes to the boundary of a solid.

    Across a hole of the mesh the inside changes from one node to the next without a triangle
    between. There the boundary runs half way between the two.

    triangles: (F, 3, 3) the solid's surface, as `split` gives it.
    inside: (n, n, n) bool.
    overlapping: whether triangles may lie within the solid, as where bodies overlap. What lies in
        cells whose corners are all inside is then no boundary.
    """
    hidden = np.zeros_like(inside)
    if overlapping:
        cells = np.lib.stride_tricks.sliding_window_view(inside, (2, 2, 2))
        hidden[:-1, :-1, :-1] = cells.all(axis=(3, 4, 5))
    square, closest = _near(triangles, hidden)
    _close_holes(square, closest, inside)
    _sweep(square, closest)
    return np.sqrt(square)


def split(triangles: np.ndarray) -> np.ndarray:
    """Triangles (G, 3, 3) that cover the same surface, no edge longer than LONGEST.

    Longest edges are halved until then.

    triangles: (F, 3, 3) corners, metres.
    """
    done = []
    while len(triangles):
        lengths = np.linalg.norm(np.roll(triangles, -1, axis=1) - triangles, axis=2)
        long = lengths.max(axis=1) > LONGEST
        done.append(triangles[~long])
        turn = (lengths[long].argmax(axis=1)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(triangles[long], turn[..., None], axis=1).swapaxes(0, 1)
        middle = (a + b) / 2
        halves = np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)
        triangles = np.concatenate(halves)
    return np.concatenate(done)


def closest_on_triangles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The closest points (N, 3) of triangles, each to its own point.

    points: (N, 3) in the frame of the triangles.
    triangles: (N, 3, 3) corners, one triangle per point.
    """
    a = triangles[:, 0]
    edges = np.roll(triangles, -1, axis=1) - triangles
    relative = points[:, None] - triangles
    square = np.maximum(np.einsum("nij,nij->ni", edges, edges), 1e-30)
    along = np.einsum("nij,nij->ni", relative, edges) / square
    feet = triangles + along.clip(0, 1)[..., None] * edges
    away = points[:, None] - feet
    on_edges = feet[np.arange(len(feet)), np.einsum("nij,nij->ni", away, away).argmin(axis=1)]
    # Barycentric coordinates of the projection; where all are positive it is the closest point.
    first, second = edges[:, 0], -edges[:, 2]
    arm = relative[:, 0]
    pairs = (first, first), (first, second), (second, second), (arm, first), (arm, second)
    d00, d01, d11, d20, d21 = (np.einsum("ni,ni->n", *pair) for pair in pairs)
    area = d00 * d11 - d01 * d01
    s, t = d11 * d20 - d01 * d21, d00 * d21 - d01 * d20
    within = (s > 0) & (t > 0) & (s + t < area)
    area = np.where(within, area, 1)
    projection = a + (s / area)[:, None] * first + (t / area)[:, None] * second
    return np.where(within[:, None], projection, on_edges)


def _near(triangles, hidden):
    """Squared distances (n, n, n) and closest points (3, n, n, n); infinite beyond BAND."""
    size = len(hidden)
    triangles = triangles.astype(np.float32)
    square = np.full(size**3, np.inf, np.float32)
    closest = np.full((3, size**3), np.inf, np.float32)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    low = np.ceil(triangles.min(axis=1) - BAND).clip(0).astype(np.int32)
    high = np.floor(triangles.max(axis=1) + BAND).clip(max=size - 1).astype(np.int32)
    pairs = np.cumsum((high - low + 1).prod(axis=1))
    cuts = np.searchsorted(pairs, np.arange(_CHUNK, pairs[-1], _CHUNK))
    for part in np.split(np.arange(len(triangles)), cuts):
        owner, (i, j, k) = boxes(low[part], high[part])
        owner, node = part[owner], (i * size + j) * size + k
        points = np.stack([i, j, k], axis=1).astype(np.float32)
        height = np.einsum("ni,ni->n", points - triangles[owner, 0], normals[owner])
        near = np.abs(height) <= BAND
        owner, points, node = owner[near], points[near], node[near]
        feet = closest_on_triangles(points, triangles[owner])
        distance = ((points - feet) ** 2).sum(axis=1)
        # A foot on the border of cells is hidden if those on both sides of it are.
        cells = [tuple((feet + side).astype(np.int32).clip(0).T) for side in (-1e-3, 1e-3)]
        near = (distance <= BAND**2) & ~(hidden[cells[0]] & hidden[cells[1]])
        node, feet, distance = node[near], feet[near], distance[near]
        np.minimum.at(square, node, distance)
        best = distance == square[node]
        closest[:, node[best]] = feet[best].T
    return square.reshape((size,) * 3), closest.reshape(3, *(size,) * 3)


def _close_holes(square, closest, inside):
    """Put a boundary point between neighbours of which one is inside, where no triangle is."""
    for axis in range(3):
        first, second = ((slice(None),) * axis + (s,) for s in (np.s_[:-1], np.s_[1:]))
        apart = np.sqrt(square[first]) + np.sqrt(square[second]) > 1.01
        where = np.argwhere((inside[first] != inside[second]) & apart)
        for end in (0, 1):
            node = where.copy()
            node[:, axis] += end
            index = tuple(node[square[tuple(node.T)] > 0.25].T)
            square[index] = 0.25
            closest[(slice(None), *index)] = np.array(index, np.float32)
            closest[(axis, *index)] += 0.5 - end


def _sweep(square, closest):
    """Hand closest points on along the six directions.

    Each layer takes them from the nine nearest nodes of the layer before it.
    """
    size = len(square)
    for axis, way in product(range(3), (1, -1)):
        layers = np.moveaxis(square, axis, 0)[::way]
        points = np.moveaxis(closest, axis + 1, 0)[::way]
        nodes = np.insert(np.indices((size, size), np.float32), axis, 0, axis=0)
        for k in range(1, size):
            nodes[axis] = k if way > 0 else size - 1 - k
            before = np.pad(points[k - 1], ((0, 0), (1, 1), (1, 1)), mode="edge")
            for di, dj in product(range(3), repeat=2):
                _improve(layers[k], points[k], nodes, before[:, di : di + size, dj : dj + size])


def _improve(square, closest, nodes, candidate):
    """Take the candidates (3, …) for closest points where they are closer to the nodes (3, …)."""
    x, y, z = candidate - nodes
    distance = x * x + y * y + z * z
    better = distance < square
    np.copyto(square, distance, where=better)
    np.copyto(closest, candidate, where=better)
