"""A solid from depth images by a truncated signed distance (Curless and Levoy 1996)."""

from collections.abc import Sequence

import numpy as np

from graspbook.perception.sight import depth_at
from graspbook.perception.solid_grid import Nodes, SolidGrid
from graspbook.perception.view import View
from graspbook.pose import inverse

TRUNCATION = 0.005  # metres


def tsdf_solid(views: Sequence[View], nodes: Nodes, *, truncation: float = TRUNCATION) -> SolidGrid:
    """The solid whose distances along the rays are the mean of all views'.

    Nodes that no camera saw are inside. What one camera saw through is not, unless others measured
    a surface near it.

    views: in the frame of the grid.
    nodes: of the grid.
    truncation: the largest distance that counts, metres.
    """
    points = nodes.points()
    total, count = np.zeros(len(points), np.float32), np.zeros(len(points), np.float32)
    for view in views:
        camera_T_world = inverse(view.world_T_camera).astype(np.float32)
        seen = points @ camera_T_world[:3, :3].T + camera_T_world[:3, 3]
        distance = depth_at(view, seen) - seen[:, 2]
        known = distance > -np.float32(truncation)
        total[known] += np.clip(distance[known] / np.float32(truncation), -1, 1)
        count += known
    values = np.where(count > 0, -total / np.maximum(count, 1), np.float32(1))
    return SolidGrid(nodes, values.reshape(nodes.shape))
