"""What one view does not show of an object that stands on a table, guessed in two steps.

What is round about an upright axis, as cups, bowls and bottles, is turned about it. All that is
then still hidden is filled from the points down to the table.
"""

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from graspbook.perception.sight import Sight, depth_at
from graspbook.perception.solid_grid import Nodes
from graspbook.perception.view import View
from graspbook.pose import inverse, rotation_about, transform

_CLOSED = 0.006  # gaps between points that are closed, metres
_STEEP = 0.3  # horizontal part of a normal that tells something about the axis
_OFF = 0.003  # metres between the axis and the normal of a round part
_ROUND = 0.25  # of the points with such normals are round parts, for an object to be
_TURNS = 32  # copies of the points
_MOST = 10_000  # points that are turned
_BEYOND = 0.25  # of the length of what was seen, by which the axis may lie outside of it
_FREE = 0.005  # metres in front of what was measured: free space
_REFUTED = 0.1  # of the turned points, at most, in free space
_STEPS = 20  # of the search for the axis


def revolved(
    points: np.ndarray, normals: np.ndarray, view: View
) -> tuple[np.ndarray, np.ndarray] | None:
    """Points and normals (M, 3) of an object that is round about an upright axis; None if it is
    not.

    The normals of a round part meet its axis. For a round object, two things are asked. A quarter
    of the normals that are not upright pass the axis within 3 mm. The camera saw through less than
    a tenth of the turned points. These are left out. A handle is not round, and is not turned.

    points, normals: (M, 3) of what was seen, z up, metres.
    view: of the same frame.
    """
    flat = np.linalg.norm(normals[:, :2], axis=1)
    steep = flat > _STEEP
    if steep.sum() < 50:
        return None
    across = np.stack([-normals[:, 1], normals[:, 0]], axis=1) / np.maximum(flat, 1e-9)[:, None]
    offset = np.einsum("ij,ij->i", across, points[:, :2])
    weight, axis = np.ones(steep.sum()), np.zeros(2)
    for _ in range(_STEPS):
        rows = across[steep] * weight[:, None]
        axis = np.linalg.lstsq(rows, offset[steep] * weight, rcond=None)[0]
        apart = across[steep] @ axis - offset[steep]
        weight = 1 / np.sqrt(1 + (apart / _OFF) ** 2)
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    beyond = _BEYOND * (high - low).max()
    if (axis < low - beyond).any() or (axis > high + beyond).any():
        return None
    off = np.abs(across @ axis - offset)
    if (off[steep] < _OFF).mean() < _ROUND:
        return None
    part = np.flatnonzero(~steep | (off < _OFF))
    part = np.random.default_rng(0).permutation(part)[:_MOST]
    found, refuted = [], []
    for angle in 2 * np.pi * np.arange(1, _TURNS) / _TURNS:
        turn = rotation_about([0, 0, 1], angle)
        middle = np.array([*axis, 0])
        turned = (points[part] - middle) @ turn.T + middle
        free = in_free_space(turned, view)
        refuted.append(free.mean())
        found.append((turned[~free], normals[part][~free] @ turn.T))
    if np.mean(refuted) > _REFUTED:
        return None
    more = [np.concatenate(arrays) for arrays in zip(*found, strict=True)]
    return more[0], more[1]


def in_free_space(points: np.ndarray, view: View) -> np.ndarray:
    """Whether a camera saw more than 5 mm behind points, (M,) bool.

    points: (M, 3) in the view's world frame, metres.
    view: with its image.
    """
    seen = transform(inverse(view.world_T_camera), points).astype(np.float32)
    return seen[:, 2] < depth_at(view, seen) - np.float32(_FREE)


def filled(sight: Sight, points: np.ndarray, nodes: Nodes) -> Sight:
    """The same sight, where hidden nodes under points are hidden, and all others free.

    sight: of one view.
    points: (M, 3) on the object, in the frame of the nodes, metres.
    nodes: of a grid with z up.
    """
    count = nodes.shape[:2]
    cells = np.rint((points[:, :2] - nodes.low[:2]) / nodes.spacing).astype(int)
    inside = ((cells >= 0) & (cells < count)).all(axis=1)
    top = np.full(count, -np.inf)
    np.maximum.at(top, tuple(cells[inside].T), points[inside, 2])
    size = 2 * int(np.ceil(_CLOSED / nodes.spacing / 2)) + 1
    top = minimum_filter(maximum_filter(top, size), size)
    heights = nodes.low[2] + nodes.spacing * np.arange(nodes.shape[2])
    under = heights <= top[:, :, None]
    return Sight(sight.free | (sight.hidden & ~under), sight.hidden & under)
