"""The sampler with `conditioning: per_point`, the paper's. Pose and latent enter at every point of
the cloud (section 3.1, figure 4).
"""

from typing import Any

import torch
from torch import Tensor, nn

from graspbook import pose
from graspbook.graspnet.grouping import Groups
from graspbook.graspnet.network_kinds import Sampler
from graspbook.graspnet.pointnet2 import PointNet2


class PerPointSampler(Sampler):
    """Encoder and decoder are each a PointNet++ over the cloud."""

    confident = True

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.encoder = PointNet2(settings.backbone, 3, 16)
        self.mean = nn.Linear(self.encoder.size, settings.latent)
        self.log_variance = nn.Linear(self.encoder.size, settings.latent)
        self.decoder = PointNet2(settings.backbone, 3, settings.latent)
        self.quaternion = nn.Linear(self.decoder.size, 4)
        self.translation = nn.Linear(self.decoder.size, 3)
        if settings.confidence:
            self.confidence = nn.Linear(self.decoder.size, 1)

    def encode(self, seen: tuple[Tensor, Groups], grasps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (C, G, latent) of the latents of grasps on observed clouds.

        seen, grasps: as for `network_kinds.Sampler`.
        """
        points, groups = seen
        unit = self.settings.backbone.length_unit
        numbers = torch.cat([grasps[..., :3, :3], grasps[..., :3, 3:] / unit], dim=-1)
        numbers = torch.cat([numbers, grasps[..., 3:, :]], dim=-2).flatten(-2)
        features = self.encoder(points, groups, points / unit, numbers)
        return self.mean(features), self.log_variance(features)

    def decode(self, seen: tuple[Tensor, Groups], latents: Tensor) -> tuple[Tensor, Tensor]:
        """Grasps (C, G, 4, 4) of latents on observed clouds, in metres, and confidences (C, G),
        ones without that output.

        seen, latents: as for `network_kinds.Sampler`.
        """
        points, groups = seen
        unit = self.settings.backbone.length_unit
        features = self.decoder(points, groups, points / unit, latents)
        rotation = pose.quat_wxyz_to_matrix_torch(self.quaternion(features))
        grasps = pose.from_rt_torch(rotation, self.translation(features) * unit)
        if not self.settings.confidence:
            return grasps, torch.ones_like(grasps[..., 0, 0])
        return grasps, self.confidence(features).sigmoid()[..., 0]
