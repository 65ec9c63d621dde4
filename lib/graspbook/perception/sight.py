"""What several depth cameras saw of a piece of space."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graspbook.perception.solid_grid import Nodes
from graspbook.perception.view import View
from graspbook.pose import inverse

BEFORE, FAR, BEHIND = 0.003, 0.005, 0.005  # in front of a surface and behind it, metres


class Sight(NamedTuple):
    """What is known of the nodes of a grid, (X, Y, Z) bool.

    free: cameras saw something more than 3 mm behind, or one saw something more than 5 mm behind.
    hidden: for every camera, something is more than 5 mm in front, or nothing was measured.
    """

    free: np.ndarray
    hidden: np.ndarray


def sight_of(views: Sequence[View], nodes: Nodes, *, fewest: int = 1) -> Sight:
    """What cameras saw of the nodes of a grid.

    views: in the frame of the grid.
    nodes: of the grid.
    fewest: cameras that must see something more than 3 mm behind a node for it to be free.
    """
    points = nodes.points()
    count, hidden = np.zeros(len(points), np.uint8), np.ones(len(points), bool)
    free = np.zeros(len(points), bool)
    for view in views:
        camera_T_world = inverse(view.world_T_camera).astype(np.float32)
        seen = points @ camera_T_world[:3, :3].T + camera_T_world[:3, 3]
        depth = depth_at(view, seen)
        count += seen[:, 2] < depth - np.float32(BEFORE)
        free |= seen[:, 2] < depth - np.float32(FAR)
        hidden &= ~(seen[:, 2] < depth + np.float32(BEHIND))
    free |= count >= fewest
    return Sight(free.reshape(nodes.shape), hidden.reshape(nodes.shape))


def depth_at(view: View, seen: np.ndarray) -> np.ndarray:
    """Depth (M,) float32 that a view measured in the direction of points, NaN for none.

    view: with its image.
    seen: (M, 3) float32 points in the camera's frame, metres.
    """
    K = view.K.astype(np.float32)
    height, width = view.depth.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.rint(seen[:, 0] / seen[:, 2] * K[0, 0] + K[0, 2])
        v = np.rint(seen[:, 1] / seen[:, 2] * K[1, 1] + K[1, 2])
        inside = (seen[:, 2] > 0) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    depth = np.full(len(seen), np.nan, np.float32)
    depth[inside] = view.depth[v[inside].astype(np.int32), u[inside].astype(np.int32)]
    return depth
