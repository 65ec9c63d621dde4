"""Planes and clusters of measured points."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError, cKDTree

PLANE_DISTANCE = 0.006  # of noise around a plane, metres
_HYPOTHESES, _SAMPLE = 500, 8000  # of the search for a plane


def dominant_plane(points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """The largest plane: unit normal (3,) towards the origin, offset, and share of the points.

    n · p + offset is 0 on the plane. RANSAC with 500 hypotheses on at most 8000 of the points, then
    least squares on those of them that lie within 6 mm of the best plane.

    points: (K, 3) metres.
    rng: draws hypotheses.
    """
    if len(points) < 3:
        return np.array([0, 0, 1.0]), 0.0, 0.0
    few = points[rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)]
    a, b, c = few[rng.integers(len(few), size=(3, _HYPOTHESES))]
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals /= np.maximum(length, 1e-12)[:, None]
    on_plane = np.abs(few @ normals.T - np.einsum("ij,ij->i", normals, a)) < PLANE_DISTANCE
    # A point drawn twice, or three in a line, span no plane, yet every point would lie on it.
    on_plane &= length > 1e-10
    if not on_plane.any():
        return np.array([0, 0, 1.0]), 0.0, 0.0
    best = few[on_plane[:, np.argmax(on_plane.sum(axis=0))]]
    centre = best.mean(axis=0)
    normal = np.linalg.svd(best - centre, full_matrices=False)[2][2]
    normal *= np.sign(-centre @ normal) or 1.0
    return normal, -float(centre @ normal), len(best) / len(few)


def clusters(points: np.ndarray, gap: float = 0.02) -> np.ndarray:
    """Label (M,) of the connected cluster of each point.

    Points are sorted into voxels of gap / 2.5. Voxels within the gap belong together.

    points: (M, D) metres.
    gap: the largest distance within a cluster, about, metres.
    """
    if not len(points):
        return np.zeros(0, int)
    cells = np.floor(points / (gap / 2.5)).astype(int)
    cells -= cells.min(axis=0)
    sizes = cells.max(axis=0) + 1
    if np.prod(sizes.astype(float)) < 2**62:  # one number per voxel, in the order of its cells
        numbers = np.ravel_multi_index(tuple(cells.T), tuple(sizes))
        _, first, voxel_of_point = np.unique(numbers, return_index=True, return_inverse=True)
        voxels = cells[first]
    else:
        voxels, voxel_of_point = np.unique(cells, axis=0, return_inverse=True)
    pairs = cKDTree(voxels).query_pairs(2.5, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(voxels), len(voxels)))
    return connected_components(graph, directed=False)[1][voxel_of_point.ravel()]


def footprint(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Coordinates (M, 2) of points along a plane.

    points: (M, 3) metres.
    normal: (3,) of the plane.
    """
    return points @ np.linalg.svd(normal[None])[2][1:].T


def hull(flat: np.ndarray) -> tuple[np.ndarray, float]:
    """Half-planes (F, 3) n·x + d <= 0 of the convex hull of a footprint, and its area.

    flat: (M, 2) metres.

    Points in a line have no half-planes and no area.
    """
    try:
        found = ConvexHull(flat)
    except (QhullError, ValueError):
        return np.zeros((0, 3)), 0.0
    return found.equations, float(found.volume)


def depth_inside(flat: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How far (M,) points lie inside a convex outline, metres, negative outside.

    flat: (M, 2) metres.
    faces: (F, 3) of `hull`.
    """
    if not len(faces):
        return np.full(len(flat), -np.inf)
    return -(flat @ faces[:, :2].T + faces[:, 2]).max(axis=1)
