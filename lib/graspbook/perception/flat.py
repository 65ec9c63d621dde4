"""Objects of a few millimetres on a table: what is higher than the noise of its plane."""

import numpy as np

from graspbook.perception.planes import PLANE_DISTANCE, clusters, dominant_plane, footprint

TALL = 0.01  # what is higher, metres, needs no search for flat objects
_DEVIATIONS = 4  # of the noise, above which a point is not the plane's
_FEWEST, _NARROWEST = 300, 0.012  # points and metres of a flat object
_LEAST_NOISE = 3e-4  # metres
_ON_PLANE = 0.4  # share of the points, where there is a table
_GAP = 0.008  # metres between flat objects


def noise_of_plane(points: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Standard deviation (M,) of the heights of a plane's points, which grows with z squared.

    points: (M, 3) camera frame, metres.
    heights: (M,) above the plane, metres.
    """
    squared = points[:, 2] ** 2
    near = np.abs(heights) < PLANE_DISTANCE
    deviation = 1.4826 * np.median(np.abs(heights[near]) / squared[near])
    return np.maximum(deviation * squared, _LEAST_NOISE)


def flat_objects(
    points: np.ndarray,
) -> tuple[list[tuple[np.ndarray, float]], np.ndarray, float]:
    """What is flat on the largest plane: (points (M, 3), typical height) of each object.

    Points are those higher than four standard deviations of the plane's noise, at least 1.5 mm.
    Also the plane's normal (3,), and the height above which something would be found, metres.

    points: (K, 3) of the scene, camera frame, metres.
    """
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    heights = points @ normal + offset
    if share < _ON_PLANE or len(points) < _FEWEST:
        return [], normal, PLANE_DISTANCE
    # Least squares again: without what is on the plane, but with all of it.
    for _ in range(3):
        on = np.abs(heights) < 2.5 * noise_of_plane(points, heights)
        centre = points[on].mean(axis=0)
        turned = np.linalg.eigh(np.cov(points[on].T))[1][:, 0]
        normal = turned if turned @ normal > 0 else -turned
        heights = (points - centre) @ normal
    limit = np.maximum(_DEVIATIONS * noise_of_plane(points, heights), 0.0015)
    least = float(np.median(limit))
    if least >= PLANE_DISTANCE:
        return [], normal, least
    high = heights > limit
    above, found = points[high], []
    labels = clusters(above, _GAP)
    for i in np.flatnonzero(np.bincount(labels) >= _FEWEST):
        part = above[labels == i]
        flat = footprint(part, normal)
        across = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2]
        if np.percentile(flat @ across[1], 95) - np.percentile(flat @ across[1], 5) > _NARROWEST:
            found.append((part, float(np.median(heights[high][labels == i]))))
    return found, normal, least
