"""The object in a scene: the plane it stands on is removed, the rest falls into clusters."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError

# A cloud no longer than this is an object alone, and no cluster longer than this is one object.
OBJECT_EXTENT = 0.4
FEWEST_POINTS = 50
PLANE_DISTANCE = 0.006  # of noise around a plane, metres
_HYPOTHESES, _SAMPLE = 500, 8000  # of the search for a plane


def extract_object(points: np.ndarray) -> np.ndarray:
    """Points (M, 3) of the object that stands on the dominant plane of a scene.

    The largest plane (RANSAC, then least squares) and all behind it, seen from the camera, are
    removed if it holds a fifth of the points. The rest falls into clusters wherever there is a gap
    of about 2 cm. Clusters longer than 0.4 m or of fewer than 50 points are not objects. Of those
    with at least a quarter of the points of the largest, the one nearest the optical axis is taken:
    the camera was pointed at it. Raises CaptureError when none is left.

    points: (K, 3) of the scene, camera frame, metres.
    """
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    above = points[points @ normal + offset > PLANE_DISTANCE] if share > 0.2 else points
    labels = clusters(above)
    found = []
    for label in range(labels.max(initial=-1) + 1):
        cluster = above[labels == label]
        if len(cluster) >= FEWEST_POINTS and np.ptp(cluster, axis=0).max() <= OBJECT_EXTENT:
            found.append(cluster)
    if not found:
        raise CaptureError(
            f"no object of {FEWEST_POINTS} points or more stands out among {len(points)} points"
        )
    return found[most_central(found)]


def most_central(found: list[np.ndarray]) -> int:
    """The place in a list of the cloud that is nearest the optical axis.

    Clouds of fewer points than a quarter of the largest are passed over.

    found: clouds (M, 3) in the camera frame, metres.
    """
    largest = max(len(cluster) for cluster in found)
    centres = [cluster.mean(axis=0) for cluster in found]
    off_axis = [
        np.hypot(*centre[:2]) / centre[2] if len(cluster) >= largest / 4 else np.inf
        for centre, cluster in zip(centres, found, strict=True)
    ]
    return int(np.argmin(off_axis))


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

    Voxels of gap / 2.5 belong together within the gap.

    points: (M, 3) metres.
    gap: metres.
    """
    if not len(points):
        return np.zeros(0, int)
    cells = np.floor(points / (gap / 2.5)).astype(int)
    voxels, voxel_of_point = np.unique(cells, axis=0, return_inverse=True)
    pairs = cKDTree(voxels).query_pairs(2.5, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(voxels), len(voxels)))
    return connected_components(graph, directed=False)[1][voxel_of_point.ravel()]
