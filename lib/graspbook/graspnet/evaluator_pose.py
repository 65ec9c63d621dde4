"""The evaluator's other input of section 3.2: the grasp's pose attached to every point of the
observed cloud.

The paper calls it "the first, simple approach". It found it worse than the unified cloud of object
and gripper (`evaluator_unified`).
"""

from typing import Any

import torch
from torch import Tensor

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.network_kinds import Body
from graspbook.graspnet.pointnet2 import PointNet2


class PoseCloud(Body):
    """PointNet++ over the cloud; every point has the flattened 4 × 4 pose of a grasp."""

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__(settings)
        self.backbone = PointNet2(settings, 3, 16)
        self.size = self.backbone.size

    def forward(
        self, points: Tensor, groups: Any, grasps: Tensor, roll: Tensor | None = None
    ) -> Tensor:
        """Features (C, G, size) of grasps.

        points, groups, grasps, roll: as for `network_kinds.Body`; groups by `grouping.group`.
        """
        unit = self.settings.length_unit
        place = torch.cat([grasps[..., :3, 3:] / unit, grasps[..., 3:, 3:]], dim=-2)
        placed = torch.cat([grasps[..., :3], place], dim=-1)
        return self.backbone(points, groups, points / unit, placed.flatten(-2))
