"""Surface normals and axes of curvature of observed clouds, from each point's neighbours."""

import numpy as np
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError


def checked_cloud(points, fewest=1):
    """A cloud (M, 3) as float64; CaptureError if it has a wrong shape, points that are not finite,
    or fewer than `fewest`.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 3:
        raise CaptureError(f"point cloud of shape {points.shape}, expected (M, 3)")
    if not np.isfinite(points).all():
        raise CaptureError(
            f"point cloud has {int((~np.isfinite(points)).any(axis=1).sum())} points that are not"
            " finite"
        )
    if len(points) < fewest:
        raise CaptureError(f"point cloud of {len(points)} points, expected at least {fewest}")
    return points


def estimate_normals(points, neighbours=30, viewpoint=(0.0, 0.0, 0.0)):
    """Unit normals (M, 3) of a cloud (M, 3), by local principal components, towards the viewpoint
    (the camera's origin).

    neighbours: nearest points, itself among them, whose direction of least variance a point's
    normal is. Raises CaptureError for a cloud of a wrong shape, with points that are not finite, or
    with fewer points than neighbours.
    """
    points = checked_cloud(points, neighbours)
    near = points[cKDTree(points).query(points, neighbours)[1].reshape(len(points), neighbours)]
    near = near - near.mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(near.swapaxes(1, 2) @ near)[1][..., 0]
    away = np.einsum("ij,ij->i", normals, viewpoint - points) < 0
    return np.where(away[:, None], -normals, normals)


def darboux_frames(points, normals, chosen, radius=0.01, most=64):
    """Darboux frames (S, 3, 3) of the points numbered `chosen` (S,), of a cloud (M, 3) with normals
    (M, 3).

    Columns: surface normal, direction of the major curvature (the third × the first), axis of the
    minor curvature, along which normals change least and whose sign is arbitrary. Normal and axis
    are the eigenvectors with the largest and the smallest eigenvalue of Σ n nᵀ over the points
    within `radius` metres, at most the `most` nearest (ten Pas et al. 2017).
    """
    most = min(most, len(points))
    distance, near = cKDTree(points).query(points[chosen], most, distance_upper_bound=radius)
    # A neighbour that is not there has the index M.
    around = np.concatenate([normals, np.zeros((1, 3))])[near.reshape(len(chosen), most)]
    vectors = np.linalg.eigh(around.swapaxes(1, 2) @ around)[1]
    normal, axis = vectors[..., 2], vectors[..., 0]
    normal = np.where(np.einsum("ij,ij->i", normal, normals[chosen])[:, None] < 0, -normal, normal)
    return np.stack([normal, np.cross(axis, normal), axis], axis=-1)
