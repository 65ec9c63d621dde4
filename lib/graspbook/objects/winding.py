"""Generalised winding numbers of a triangle mesh at the nodes of a grid: above a half is inside.

The winding number of a point is the signed number of surfaces that a ray from it leaves, averaged
over all directions (Jacobson et al. 2013). Where the mesh is closed every direction gives the same
whole number, also for overlapping bodies and for bodies in cavities; where it has holes the mean
tells which side of a hole is inside. Rays along the grid's own lines and diagonals serve all nodes
on their way at once. Triangles are in units of the grid: nodes at 0 … size - 1.
"""

from itertools import product

import numpy as np

# Lebedev's rule of 26 points on the sphere, by the number of coordinates that are not zero: axes,
# edges, corners of a cube.
_WEIGHTS = {1: 1 / 21, 2: 4 / 105, 3: 9 / 280}
# Moves vertices off the grid's lines, by a millionth of its spacing: no ray then meets an edge or a
# vertex.
_OFFSET = np.array([2.9e-7, 4.3e-7, 7.1e-7])


def winding_numbers(triangles: np.ndarray, size: int) -> np.ndarray:
    """Winding numbers (size, size, size) float32 of the nodes.

    Exact along one direction where the mesh is closed, otherwise the mean of 26 directions.

    triangles: (F, 3, 3) within the grid.
    size: nodes along each side of the grid.
    """
    triangles = triangles + _OFFSET
    if _is_closed(triangles):
        return _along(triangles, size, 0, 0, 0)[0]
    total = np.zeros((size,) * 3, np.float32)
    for direction in product((-1, 0, 1), repeat=3):
        axis = next((i for i in range(3) if direction[i]), None)
        if axis is None or direction[axis] < 0:
            continue  # `_along` gives both ways
        slopes = direction[(axis + 1) % 3], direction[(axis + 2) % 3]
        forward, backward = _along(triangles, size, axis, *slopes)
        total += _WEIGHTS[sum(map(abs, direction))] * (forward + backward)
    return total


def boxes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Every integer point of boxes: the box of each (N,), and the points, D arrays (N,).

    low, high: (M, D) corners, both included.
    """
    sides = np.maximum(high - low + 1, 0)
    counts = sides.prod(axis=1)
    owner = np.repeat(np.arange(len(low)), counts)
    rest = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = []
    for axis in reversed(range(low.shape[1])):
        side = sides[owner, axis]
        points.append(low[owner, axis] + rest % side)
        rest = rest // side
    return owner, points[::-1]


def _is_closed(triangles):
    """Whether every edge is walked as often one way as the other."""
    _, vertex = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)
    start = vertex.reshape(-1, 3)
    end = np.roll(start, -1, axis=1)
    edge = np.minimum(start, end) * len(vertex) + np.maximum(start, end)
    _, edge = np.unique(edge, return_inverse=True)
    return not np.bincount(edge.ravel(), np.where(start < end, 1, -1).ravel()).any()


def _along(triangles, size, axis, a, b):
    """Signed crossings of the rays from each node along one family of lines, one way and the other.

    Two arrays (size, size, size) float32. A line goes one node along `axis` while it goes a and b
    nodes along the next two axes.
    """
    order = [axis, (axis + 1) % 3, (axis + 2) % 3]
    height = triangles[..., order[0]]
    # Lines are the points with whole coordinates here.
    flat = triangles[..., order[1:]] - height[..., None] * [a, b]
    low, high = np.ceil(flat.min(axis=1)).astype(int), np.floor(flat.max(axis=1)).astype(int)
    owner, (u, v) = boxes(low, high)
    x, y = flat[owner, :, 0].T - u, flat[owner, :, 1].T - v
    areas = np.stack(
        [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    )
    hit = (areas > 0).all(axis=0) | (areas < 0).all(axis=0)
    areas, u, v = areas[:, hit], u[hit], v[hit]
    total = areas.sum(axis=0)
    below = np.floor((areas * height[owner[hit]].T).sum(axis=0) / total).astype(int)
    results = []
    for node, sign in ((below, np.sign(total)), (below + 1, -np.sign(total))):
        i, j = u + a * node, v + b * node
        kept = (node >= 0) & (node < size) & (i >= 0) & (i < size) & (j >= 0) & (j < size)
        index = (node[kept] * size + i[kept]) * size + j[kept]
        counts = np.bincount(index, sign[kept], size**3)
        results.append(counts.astype(np.float32).reshape((size,) * 3))
    _add_on_the_way(results[0][::-1], -a, -b)
    _add_on_the_way(results[1], a, b)
    return [np.moveaxis(result, (0, 1, 2), order) for result in results]


def _add_on_the_way(hits, a, b):
    """Add to each layer the one before it, moved by a and b nodes."""
    size = len(hits)
    target = np.s_[max(a, 0) : size + min(a, 0), max(b, 0) : size + min(b, 0)]
    source = np.s_[max(-a, 0) : size + min(-a, 0), max(-b, 0) : size + min(-b, 0)]
    for before, layer in zip(hits[:-1], hits[1:], strict=True):
        layer[target] += before[source]
