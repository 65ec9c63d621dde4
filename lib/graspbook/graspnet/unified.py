"""PointNet++ over the unified cloud of object and gripper, X ∪ X_g (section 3.2).

The gripper's cloud is its six control points, as in the released code; a binary feature is 1 on the object, 0 on it.
"""

from dataclasses import replace

import torch
from torch import nn

from graspbook import pose
from graspbook.graspnet.pointnet2 import PointNet2, group
from graspbook.hands.franka import CONTROL_POINTS


def object_backbone(settings):
    """The backbone's settings for the centroids that are left to the object when the gripper's points are centroids too."""
    return replace(settings, centroids=tuple(count - len(CONTROL_POINTS) for count in settings.centroids))


class UnifiedCloud(nn.Module):
    """Features (C, G, size) of PointNet++ over X ∪ X_g."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.backbone = PointNet2(settings, 4)
        self.size = self.backbone.size

    def forward(self, points, groups, grasps):
        gripper = pose.transform(grasps, torch.as_tensor(CONTROL_POINTS, dtype=grasps.dtype, device=grasps.device))
        if groups is None:
            return self._literal(points, gripper)
        pooled = [self._shared(points[c], [type(level)(*(i[c] for i in level)) for level in groups], gripper[c])
                  for c in range(len(points))]
        return self.backbone.head(torch.stack(pooled))

    def _literal(self, points, gripper):
        """Features (C, G, size): each grasp has a cloud and groups of its own."""
        clouds, grasps = gripper.shape[:2]
        unified = torch.cat([points[:, None].expand(-1, grasps, -1, -1), gripper], dim=2).flatten(0, 1)
        label = torch.ones_like(unified[..., :1])
        label[:, points.shape[1]:] = 0
        features = torch.cat([unified / self.settings.length_unit, label], dim=-1)
        return self.backbone(unified, group(unified, self.settings), features).view(clouds, grasps, -1)

    def _shared(self, points, groups, gripper):
        """Pooled features (G, H) of the grasps of one cloud (N, 3) with gripper points (G, 6, 3)."""
        settings = self.settings
        points, gripper = points / settings.length_unit, gripper / settings.length_unit
        features = torch.cat([points, torch.ones_like(points[:, :1])], dim=-1)[None]
        gripper_features = torch.cat([gripper, torch.zeros_like(gripper[..., :1])], dim=-1)
        for level, radius, (centroids, neighbours) in zip(self.backbone.levels[:2], settings.radii, groups, strict=True):
            centres = points[centroids]
            features, gripper_features = unified_level(level, radius / settings.length_unit, points, centres, neighbours, gripper,
                                                       features, gripper_features)
            points = centres
        every = torch.cat([points.expand(len(gripper), -1, -1), gripper], dim=1)
        return self.backbone.pool(every, torch.cat([features, gripper_features], dim=1))


def unified_level(level, radius, points, centres, neighbours, gripper, features, gripper_features):
    """A set abstraction over X ∪ X_g whose centroids are object points `centres` (M, 3) and all gripper points (G, P, 3).

    points (N, 3), in length units like `radius`; neighbours (M, K) of the centres among them; features (G or 1, N, F),
    gripper_features (G, P, F). Returns features (G, M, H) and (G, P, H). Pairs of two object points are taken from
    `neighbours`, and once for all grasps where their features are; every pair with a gripper point in it is taken.
    """
    grasps, count, size = len(gripper), len(centres), gripper.shape[1]
    shared = level(points[neighbours][None] - centres[None, :, None], features[:, None], neighbours[None])[:, 0]
    object_part, gripper_part = level.point_part(features), level.point_part(gripper_features)
    every_centre = torch.cat([centres.expand(grasps, -1, -1), gripper], dim=1)
    every_point = torch.cat([points.expand(grasps, -1, -1), gripper], dim=1)
    every_part = torch.cat([object_part.expand(grasps, -1, -1), gripper_part], dim=1)
    with torch.no_grad():
        near = torch.cdist(every_centre, every_point, compute_mode="donot_use_mm_for_euclid_dist") <= radius
        near[:, :count, :len(points)] = False
        grasp, centre, point = near.nonzero(as_tuple=True)
    values = level.pair_values(every_point[grasp, point] - every_centre[grasp, centre], every_part[grasp, point]).relu()
    pooled = torch.cat([shared.expand(grasps, -1, -1), shared.new_zeros(grasps, size, shared.shape[-1])], dim=1).flatten(0, 1)
    owner = (grasp * (count + size) + centre)[:, None].expand_as(values)
    pooled = pooled.scatter_reduce(0, owner, values, "amax").view(grasps, count + size, -1)
    return pooled[:, :count], pooled[:, count:]
