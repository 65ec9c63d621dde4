"""The evaluator's other input of section 3.2: the grasp's pose attached to every point of the
observed cloud.

"The first, simple approach", which the paper found poor beside the unified cloud of object and
gripper (`unified`).
"""

import torch
from torch import nn

from graspbook.graspnet.pointnet2 import PointNet2


class PoseCloud(nn.Module):
    """Features (C, G, size) of PointNet++ over the cloud, whose every point carries the flattened 4
    × 4 pose of a grasp.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.backbone = PointNet2(settings, 3, 16)
        self.size = self.backbone.size

    def prepare(self, points, groups):
        """Groups as they are: poses reach every point, so grasps share nothing more."""
        return groups

    def forward(self, points, groups, grasps):
        """Of grasps (C, G, 4, 4) on clouds (C, N, 3), in metres; groups: those that `group` makes
        of the points.
        """
        unit = self.settings.length_unit
        placed = torch.cat(
            [grasps[..., :3], torch.cat([grasps[..., :3, 3:] / unit, grasps[..., 3:, 3:]], dim=-2)],
            dim=-1,
        )
        return self.backbone(points, groups, points / unit, placed.flatten(-2))
