"""Ours beside the unified cloud: what points fixed to the hand see of the observed cloud, and the
cloud encoded once.

A grid of probes reaches from the palm to beyond the fingertips. Each sees, in the hand's frame, the
vector to its nearest observed point, and whether it lies before the observed surface, behind it, or
beside the outline, as the camera looks: what is before or beside is free, what is behind may be the
object. The first points of the cloud are encoded by a PointNet++ that all grasps share, and each
grasp joins it by its pose; probes look at all points, which costs them nothing. So a hand's
surroundings need not be searched, rotations need not be learned, and a step costs little more than
the last layers.
"""

from hashlib import blake2b

import numpy as np
import torch
from torch import nn

from graspbook import pose
from graspbook.graspnet.nearest_table import join, nearest_points, tabulate
from graspbook.graspnet.pointnet2 import Grouper, PointNet2, layers, linear, scaled
from graspbook.training import multiplies_bfloat16

_CONTEXT, _LAYERS = 512, (3072, 3072, 1024)  # times the width
_REACH, _OUTLINE = 0.02, 0.01  # metres at which a distance counts half
_POSE = 12


def _grid(x, y, z):
    return np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)


# (182, 3) in the grasp frame: around the fingers and what they close on, and in the palm.
PROBES = np.concatenate(
    [
        _grid(np.linspace(-0.06, 0.06, 9), [-0.012, 0.0, 0.012], np.linspace(0.06, 0.125, 6)),
        _grid([-0.095, -0.05, 0.0, 0.05, 0.095], [-0.02, 0.02], [0.02, 0.05]),
    ]
)


class Probes(nn.Module):
    """Features (C, G, size) of grasps (C, G, 4, 4) on clouds (C, N, 3) in metres, in their
    `frame.object_frame`.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.cloud = PointNet2(settings, 3)
        context, sizes = scaled(_CONTEXT, settings), [scaled(size, settings) for size in _LAYERS]
        self.context = linear(self.cloud.size, context)
        self.layers = layers(5 * len(PROBES) + 3 + context + _POSE, *sizes)
        self.size = sizes[-1]

    def encode(self, points, levels, roll=None):
        """The shared features (C, 1, context) of the clouds; roll (C, 3, 3): rotations that they
        are seen under.
        """
        seen = points[:, : self.settings.points]
        seen = seen if roll is None else seen @ roll.mT
        return self.context(self.cloud(seen, levels, seen / self.settings.length_unit)).relu()

    def prepare(self, points, groups):
        """Groups with the clouds encoded, for inference."""
        tables, levels, _ = groups
        return tables, levels, self.encode(points, levels)

    def forward(self, points, groups, grasps, roll=None):
        """groups: of a `Preparer` (the clouds are encoded here, with their gradient) or of
        `prepare`.

        roll (C, 3, 3): rotations about the camera's axis to see the clouds under, for training.
        They change nothing that probes see, only what the shared part does.
        """
        tables, levels, context = groups
        if context is None:
            context = self.encode(points, levels, roll)
        rotation, translation = grasps[..., :3, :3], grasps[..., :3, 3]
        if roll is not None:
            rotation, translation = roll[:, None] @ rotation, translation @ roll.mT
        placed = torch.cat([rotation.flatten(-2), translation / self.settings.length_unit], dim=-1)
        features = [
            observe(grasps, points, tables),
            context.expand(-1, grasps.shape[1], -1),
            placed,
        ]
        kind = points.device.type
        with torch.autocast(
            kind,
            torch.bfloat16,
            self.settings.precision == "bfloat16" and multiplies_bfloat16(kind),
        ):
            return self.layers(torch.cat(features, dim=-1)).to(points.dtype)


def observe(grasps, points, tables):
    """What the probes of grasps (C, G, 4, 4) see of clouds (C, N, 3): (C, G, 5·182 + 3).

    Of each probe the vector v to the nearest point, in the hand's frame, as v / (2 cm + |v|); how
    far it lies behind the surface point nearest in the image, likewise; and that point's distance
    in the image. Last the direction of view, in the hand's frame.
    """
    rotation = grasps[..., :3, :3]
    probes = pose.transform(
        grasps, torch.as_tensor(PROBES, dtype=grasps.dtype, device=grasps.device)
    )
    space, image = nearest_points(probes.detach().flatten(1, 2), points, tables)
    vector = (space.view_as(probes) - probes) @ rotation
    beside, behind = (probes - image.view_as(probes)).split([2, 1], dim=-1)
    outline = (beside.square().sum(-1, keepdim=True) + 1e-10).sqrt()
    vector = vector / (_REACH + vector.norm(dim=-1, keepdim=True))
    seen = [vector, behind / (_REACH + behind.abs()), outline / (_OUTLINE + outline)]
    return torch.cat([part.flatten(-2) for part in seen] + [rotation[..., 2, :]], dim=-1)


class Preparer:
    """Tables, groups and no context yet of clouds (C, N, 3): what no weight decides.

    It remembers up to `limit` clouds, since training comes back to each view often: some 150 KB for
    what is 12 cm long, as much again for every doubling of the box around it.
    """

    def __init__(self, settings, limit=8192):
        self.grouper, self.points, self.limit, self.known = (
            Grouper(settings, limit),
            settings.points,
            limit,
            {},
        )

    def __call__(self, points):
        """The `groups` of `Probes.forward`."""
        return (
            join([self._tables(cloud) for cloud in points], points.shape[1]),
            self.grouper(points[:, : self.points]),
            None,
        )

    def _tables(self, cloud):
        key = blake2b(cloud.cpu().numpy().tobytes(), digest_size=16).digest()
        tables = self.known.get(key) or tabulate(cloud)
        if len(self.known) < self.limit:
            self.known[key] = tables
        return tables
