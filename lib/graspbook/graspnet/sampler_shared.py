"""The sampler with `conditioning: shared`, ours. The cloud is encoded once, and grasps and latents
query it by attention.

Encoder and decoder share one PointNet++. Its second set abstraction gives a feature at each of some
32 places of the cloud. A grasp (in the encoder) or a latent (in the decoder) attends to these
places (scaled dot products, Vaswani et al. 2017). The decoder's translation is an offset from the
mean of these places. Loss and latents are the paper's.
"""

from typing import Any

import torch
from torch import Tensor, nn

from graspbook import pose
from graspbook.graspnet.backbone import scaled
from graspbook.graspnet.grouping import Groups
from graspbook.graspnet.network_kinds import Sampler
from graspbook.graspnet.pointnet2 import PointNet2, layers, linear
from graspbook.hands.parallel_jaw import FRANKA

_FEATURES, _HIDDEN, _HEADS = 128, 1024, 4  # features of a head and hidden ones are times the width
_POSE = 15
# Places (C, M, 3), their features (C, M, F), and those of the whole (C, 1, F).
Seen = tuple[Tensor, Tensor, Tensor]


class SharedSampler(Sampler):
    """Grasps and latents query places of the cloud, which is encoded once."""

    rolls = True

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        backbone, latent = settings.backbone, settings.latent
        size, hidden = _HEADS * scaled(_FEATURES, backbone), scaled(_HIDDEN, backbone)
        self.cloud = PointNet2(backbone, 3)
        place = self.cloud.place_size + 3
        self.whole = layers(self.cloud.size, size)
        self.ask_grasp = layers(_POSE + size, size)
        self.ask_latent = layers(latent + size, hidden, size)
        self.attend_encoder, self.attend_decoder = Attention(place, size), Attention(place, size)
        self.encoder = layers(2 * size + _POSE, hidden, hidden)
        self.decoder = layers(latent + 2 * size, hidden, hidden)
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.quaternion, self.translation = nn.Linear(hidden, 4), nn.Linear(hidden, 3)

    def observe(self, points: Tensor, groups: Groups) -> Seen:
        """The places that grasps and latents query.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: of `grouping.group`.
        """
        places, features = self.cloud.places(
            points, groups, points / self.settings.backbone.length_unit
        )
        pooled = self.cloud.head(self.cloud.pool(places, features[0]))
        return places, torch.cat([features[0], places], dim=-1), self.whole(pooled)[:, None]

    def encode(self, seen: Seen, grasps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (C, G, latent) of the latents of grasps on observed clouds.

        seen, grasps: as for `network_kinds.Sampler`.
        """
        places, features, whole = seen
        unit, count = self.settings.backbone.length_unit, grasps.shape[1]
        wrist, approach = grasps[..., :3, 3], grasps[..., :3, 2]
        pads = wrist + FRANKA.pad_z * approach
        numbers = torch.cat([grasps[..., :3, :3].flatten(-2), wrist / unit, pads / unit], dim=-1)
        whole = whole.expand(-1, count, -1)
        found, _ = self.attend_encoder(
            self.ask_grasp(torch.cat([numbers, whole], dim=-1)), features, places
        )
        hidden = self.encoder(torch.cat([found, numbers, whole], dim=-1))
        return self.mean(hidden), self.log_variance(hidden)

    def decode(self, seen: Seen, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Grasps (C, G, 4, 4) of latents on observed clouds, in metres, and confidences of one.

        seen, latents: as for `network_kinds.Sampler`.
        """
        places, features, whole = seen
        whole = whole.expand(-1, latents.shape[1], -1)
        found, place = self.attend_decoder(
            self.ask_latent(torch.cat([latents, whole], dim=-1)), features, places
        )
        hidden = self.decoder(torch.cat([latents, found, whole], dim=-1))
        rotation = pose.quat_wxyz_to_matrix_torch(self.quaternion(hidden))
        between = (place + self.translation(hidden)) * self.settings.backbone.length_unit
        grasps = pose.from_rt_torch(rotation, between - FRANKA.pad_z * rotation[..., 2])
        return grasps, torch.ones_like(grasps[..., 0, 0])


class Attention(nn.Module):
    """Queries to places, in heads (scaled dot products)."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.keys, self.values = linear(inputs, size), linear(inputs, size)

    def forward(self, questions: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Answers (C, G, F), and the mean of the queried places (C, G, 3).

        questions: (C, G, F).
        features: (C, M, D), of the places.
        places: (C, M, 3).
        """
        ask, keys, values = (
            part.unflatten(-1, (_HEADS, -1)).transpose(1, 2)
            for part in (questions, self.keys(features), self.values(features))
        )
        weights = (ask @ keys.mT / ask.shape[-1] ** 0.5).softmax(dim=-1)
        return (weights @ values).transpose(1, 2).flatten(-2), weights.mean(dim=1) @ places
