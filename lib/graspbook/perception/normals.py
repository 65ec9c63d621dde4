"""Surface normals and axes of curvature of observed clouds, from each point's neighbours."""

import numpy as np
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError

_MOST = 64  # neighbours of a Darboux frame


def checked_cloud(points: np.ndarray, fewest: int = 1) -> np.ndarray:
    """A cloud (M, 3) as float64.

    Raises CaptureError if it has a wrong shape, points that are not finite, or too few.

    points: (M, 3).
    fewest: points that it must have.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 3:
        raise CaptureError(f"the point cloud has shape {points.shape}, expected (M, 3)")
    if not np.isfinite(points).all():
        count = int((~np.isfinite(points)).any(axis=1).sum())
        raise CaptureError(f"the point cloud has {count} points that are not finite, expected none")
    if len(points) < fewest:
        raise CaptureError(f"the point cloud has {len(points)} points, expected at least {fewest}")
    return points


def estimate_normals(
    points: np.ndarray,
    neighbours: int = 30,
    *,
    viewpoint: tuple[float, float, float] | np.ndarray = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """Unit normals (M, 3) of a cloud, by local principal components, towards a viewpoint.

    Raises CaptureError for a cloud of a wrong shape, with points that are not finite, or with fewer
    points than neighbours.

    points: (M, 3).
    neighbours: nearest points, itself among them; a point's normal is their direction of least
        variance.
    viewpoint: (3,); the camera's origin if omitted.
    """
    points = checked_cloud(points, neighbours)
    near = points[cKDTree(points).query(points, neighbours)[1].reshape(len(points), neighbours)]
    near = near - near.mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(near.swapaxes(1, 2) @ near)[1][..., 0]
    away = np.einsum("ij,ij->i", normals, viewpoint - points) < 0
    return np.where(away[:, None], -normals, normals)


def darboux_frames(
    points: np.ndarray, normals: np.ndarray, chosen: np.ndarray, radius: float = 0.01
) -> np.ndarray:
    """Darboux frames (S, 3, 3) of some points of a cloud (ten Pas et al. 2017).

    Columns: surface normal, direction of the major curvature (the third × the first), axis of the
    minor curvature. Along the axis normals change least; its sign is arbitrary. Normal and axis are
    the eigenvectors with the largest and the smallest eigenvalue of Σ n nᵀ. The sum is over the
    points near by, at most the 64 nearest.

    points: (M, 3) metres.
    normals: (M, 3).
    chosen: (S,) numbers of the points.
    radius: of the neighbourhood of a point, metres.
    """
    most = min(_MOST, len(points))
    distance, near = cKDTree(points).query(points[chosen], most, distance_upper_bound=radius)
    # A neighbour that is not there has the index M.
    around = np.concatenate([normals, np.zeros((1, 3))])[near.reshape(len(chosen), most)]
    vectors = np.linalg.eigh(around.swapaxes(1, 2) @ around)[1]
    normal, axis = vectors[..., 2], vectors[..., 0]
    normal = np.where(np.einsum("ij,ij->i", normal, normals[chosen])[:, None] < 0, -normal, normal)
    return np.stack([normal, np.cross(axis, normal), axis], axis=-1)
