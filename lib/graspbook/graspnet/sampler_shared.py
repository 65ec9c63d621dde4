"""The sampler with `conditioning: shared`, ours: the cloud is encoded once, grasps and latents ask
it by attention.

Encoder and decoder share one PointNet++, whose second set abstraction leaves a feature at each of
some 32 places of the cloud. A grasp (in the encoder) or a latent (in the decoder) attends to these
places (scaled dot products, Vaswani et al. 2017); the decoder's translation is an offset from the
mean of the places it attends to. Loss and latents are the paper's.
"""

import torch
from torch import nn

from graspbook import pose
from graspbook.graspnet.pointnet2 import PointNet2, layers, linear, scaled
from graspbook.hands.franka import PAD_CENTRE_Z

_FEATURES, _HIDDEN, _HEADS = 128, 1024, 4  # features of a head and hidden ones are times the width
_POSE = 15


class SharedSampler(nn.Module):
    """Encoder Q(z | X, g) and decoder of g from X and z, as `sampler.Sampler`."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        backbone, latent = settings.backbone, settings.latent
        size, hidden = _HEADS * scaled(_FEATURES, backbone), scaled(_HIDDEN, backbone)
        self.cloud = PointNet2(backbone, 3)
        place = self.cloud.place_size + 3
        self.whole = layers(self.cloud.size, size)
        self.ask_grasp, self.ask_latent = (
            layers(_POSE + size, size),
            layers(latent + size, hidden, size),
        )
        self.attend_encoder, self.attend_decoder = Attention(place, size), Attention(place, size)
        self.encoder, self.decoder = (
            layers(2 * size + _POSE, hidden, hidden),
            layers(latent + 2 * size, hidden, hidden),
        )
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.quaternion, self.translation = nn.Linear(hidden, 4), nn.Linear(hidden, 3)

    def observe(self, points, groups):
        """What grasps and latents ask of clouds (C, N, 3): places (C, M, 3), their features (C, M,
        F), of the whole (C, 1, F).
        """
        places, features = self.cloud.places(
            points, groups, points / self.settings.backbone.length_unit
        )
        pooled = self.cloud.head(self.cloud.pool(places, features[0]))
        return places, torch.cat([features[0], places], dim=-1), self.whole(pooled)[:, None]

    def encode(self, seen, grasps):
        """Mean and log variance (C, G, latent) of the latents of grasps (C, G, 4, 4), in metres, on
        observed clouds.
        """
        places, features, whole = seen
        unit, count = self.settings.backbone.length_unit, grasps.shape[1]
        wrist, approach = grasps[..., :3, 3], grasps[..., :3, 2]
        numbers = [
            grasps[..., :3, :3].flatten(-2),
            wrist / unit,
            (wrist + PAD_CENTRE_Z * approach) / unit,
        ]
        whole, numbers = whole.expand(-1, count, -1), torch.cat(numbers, dim=-1)
        found, _ = self.attend_encoder(
            self.ask_grasp(torch.cat([numbers, whole], dim=-1)), features, places
        )
        hidden = self.encoder(torch.cat([found, numbers, whole], dim=-1))
        return self.mean(hidden), self.log_variance(hidden)

    def decode(self, seen, latents):
        """Grasps (C, G, 4, 4) in metres of latents (C, G, latent) on observed clouds, and a
        confidence of one for each.
        """
        places, features, whole = seen
        whole = whole.expand(-1, latents.shape[1], -1)
        found, place = self.attend_decoder(
            self.ask_latent(torch.cat([latents, whole], dim=-1)), features, places
        )
        hidden = self.decoder(torch.cat([latents, found, whole], dim=-1))
        rotation = pose.quat_wxyz_to_matrix_torch(self.quaternion(hidden))
        between = (place + self.translation(hidden)) * self.settings.backbone.length_unit
        grasps = pose.from_rt_torch(rotation, between - PAD_CENTRE_Z * rotation[..., 2])
        return grasps, torch.ones_like(grasps[..., 0, 0])


class Attention(nn.Module):
    """Questions (C, G, F) to places (C, M, 3) with features (C, M, D): answers (C, G, F), and the
    mean place asked (C, G, 3).
    """

    def __init__(self, inputs, size):
        super().__init__()
        self.keys, self.values = linear(inputs, size), linear(inputs, size)

    def forward(self, questions, features, places):
        ask, keys, values = (
            part.unflatten(-1, (_HEADS, -1)).transpose(1, 2)
            for part in (questions, self.keys(features), self.values(features))
        )
        weights = (ask @ keys.mT / ask.shape[-1] ** 0.5).softmax(dim=-1)
        return (weights @ values).transpose(1, 2).flatten(-2), weights.mean(dim=1) @ places
