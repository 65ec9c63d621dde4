"""Objects that stand close together are told apart by their outlines on the table."""

import numpy as np
from scipy.ndimage import distance_transform_edt, label
from scipy.spatial import cKDTree

from graspbook.perception.planes import footprint

_GAP = 0.01  # between the outlines of different objects, metres
_CELL = 0.0025  # of the image of an outline, metres
_SHARE, _FEWEST = 0.1, 50  # of a cluster's points, and points, that make an object
_MOST_CELLS = 4_000_000


def objects_in(cluster: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Number (M,) from 0 of the object that each point of a cluster belongs to.

    Outlines more than 10 mm apart, or three times the spacing of the points, are different objects.
    What is too small to be an object goes to the nearest one.

    cluster: (M, 3) metres.
    normal: (3,) of the plane that it stands on.
    """
    flat = footprint(cluster, normal)
    few = flat[np.random.default_rng(0).permutation(len(flat))[:500]]
    spacing = float(np.median(cKDTree(flat).query(few, 2)[0][:, 1]))
    cell, gap = max(_CELL, spacing), max(_GAP, 3 * spacing)
    rim = int(np.ceil(gap / cell)) + 1
    at = np.floor((flat - flat.min(axis=0)) / cell).astype(int) + rim
    shape = at.max(axis=0) + rim + 1
    if np.prod(shape.astype(float)) > _MOST_CELLS:
        return np.zeros(len(cluster), int)
    seen = np.zeros(shape, bool)
    seen[tuple(at.T)] = True
    labels = label(distance_transform_edt(~seen) * cell <= gap / 2, np.ones((3, 3)))[0]
    own = labels[tuple(at.T)]
    large = np.flatnonzero(np.bincount(own) >= max(_SHARE * len(cluster), _FEWEST))
    if len(large) < 2:
        return np.zeros(len(cluster), int)
    nearest = distance_transform_edt(
        ~np.isin(labels, large), return_distances=False, return_indices=True
    )
    return np.searchsorted(large, labels[tuple(nearest)][tuple(at.T)])
