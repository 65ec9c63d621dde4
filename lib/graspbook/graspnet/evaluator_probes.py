"""Our alternative to the unified cloud: probes fixed to the hand look at the observed cloud, which
is encoded once.

A grid of probes reaches from the palm to beyond the fingertips. Each probe sees the vector to its
nearest observed point, in the hand's frame. It also sees whether it is in front of the observed
surface, behind it, or outside of the outline, as the camera looks. Space in front or outside is
free, and space behind may be the object.

A PointNet++ that all grasps share encodes the first points of the cloud, and each grasp adds its
pose. Probes look at all points, at no extra cost. The network therefore neither searches a hand's
surroundings nor learns rotations. A step costs little more than the last layers.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graspbook import pose
from graspbook.graspnet.backbone import BackboneSettings, scaled
from graspbook.graspnet.grouping import Grouper, Groups
from graspbook.graspnet.nearest_table import Tables, join, nearest_points, tabulate
from graspbook.graspnet.network_kinds import Body
from graspbook.graspnet.pointnet2 import PointNet2, layers, linear
from graspbook.training import multiplies_bfloat16

_CONTEXT, _LAYERS = 512, (3072, 3072, 1024)  # times the width
_REACH, _OUTLINE = 0.02, 0.01  # metres at which a distance counts as one half
_POSE = 12


def _grid(x, y, z):
    return np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)


# (182, 3) in the grasp frame: around the fingers, in the closing region, and in the palm.
PROBES = np.concatenate(
    [
        _grid(np.linspace(-0.06, 0.06, 9), [-0.012, 0.0, 0.012], np.linspace(0.06, 0.125, 6)),
        _grid([-0.095, -0.05, 0.0, 0.05, 0.095], [-0.02, 0.02], [0.02, 0.05]),
    ]
)


# Tables and levels of clouds, and the encoded clouds (C, 1, context); None if not yet encoded.
Prepared = tuple[Tables, Groups, Tensor | None]


class Probes(Body):
    """The probes' view of the cloud, in its `frame.object_frame`, joined with the encoded cloud."""

    rolls = True

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__(settings)
        self.cloud = PointNet2(settings, 3)
        context, sizes = scaled(_CONTEXT, settings), [scaled(size, settings) for size in _LAYERS]
        self.context = linear(self.cloud.size, context)
        self.layers = layers(5 * len(PROBES) + 3 + context + _POSE, *sizes)
        self.size = sizes[-1]

    @staticmethod
    def points(settings: Any) -> int:
        """Points of the clouds that the network takes: those that probes look up.

        settings: `evaluator.EvaluatorSettings`.
        """
        return max(settings.probed, settings.backbone.points)

    @classmethod
    def grouper(cls, settings: Any) -> "Preparer":
        """A function of clouds to their tables and groups, which remembers the clouds.

        settings: `evaluator.EvaluatorSettings`.
        """
        return Preparer(settings.backbone)

    def encode(self, points: Tensor, levels: Groups, roll: Tensor | None = None) -> Tensor:
        """The shared features (C, 1, context) of clouds.

        points: (C, N, 3), metres; the first of them are encoded.
        levels: the groups of these.
        roll: (C, 3, 3), rotations that they are seen under.
        """
        seen = points[:, : self.settings.points]
        seen = seen if roll is None else seen @ roll.mT
        return self.context(self.cloud(seen, levels, seen / self.settings.length_unit)).relu()

    def prepare(self, points: Tensor, groups: Prepared) -> Prepared:
        """Groups with the clouds encoded, for inference.

        points, groups: as for `network_kinds.Body`.
        """
        tables, levels, _ = groups
        return tables, levels, self.encode(points, levels)

    def forward(
        self, points: Tensor, groups: Prepared, grasps: Tensor, roll: Tensor | None = None
    ) -> Tensor:
        """Features (C, G, size) of grasps.

        points, grasps: as for `network_kinds.Body`.
        groups: of a `Preparer`: the clouds are then encoded here, with gradients. Or of `prepare`.
        roll: (C, 3, 3), rotations of the clouds about the camera's axis, for training. They change
            the shared part only, not what probes see.
        """
        tables, levels, context = groups
        if context is None:
            context = self.encode(points, levels, roll)
        rotation, translation = grasps[..., :3, :3], grasps[..., :3, 3]
        if roll is not None:
            rotation, translation = roll[:, None] @ rotation, translation @ roll.mT
        placed = torch.cat([rotation.flatten(-2), translation / self.settings.length_unit], dim=-1)
        shared = context.expand(-1, grasps.shape[1], -1)
        features = [observe(grasps, points, tables), shared, placed]
        kind = points.device.type
        reduced = self.settings.precision == "bfloat16" and multiplies_bfloat16(kind)
        with torch.autocast(kind, torch.bfloat16, enabled=reduced):
            return self.layers(torch.cat(features, dim=-1)).to(points.dtype)


def observe(grasps: Tensor, points: Tensor, tables: Tables) -> Tensor:
    """The probes' view of clouds for each grasp: (C, G, 5·182 + 3).

    Each probe gives the vector v to its nearest point, in the hand's frame, as v / (2 cm + |v|). It
    gives, in the same form, its depth behind the surface point that is nearest in the image. It
    also gives the distance to that point in the image. The last three numbers are the direction of
    view, in the hand's frame.

    grasps: (C, G, 4, 4) poses of the hand, G per cloud, in its frame.
    points: (C, N, 3) of C clouds, in the object frame, metres.
    tables: of the points.
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
    """Tables and groups of clouds, without context: everything that does not depend on weights.

    It remembers up to `limit` clouds, since training uses each view often. A cloud 12 cm long takes
    some 150 KB. Every doubling of the box around it adds as much again.
    """

    def __init__(self, settings: BackboneSettings, limit: int = 8192) -> None:
        self.grouper, self.points = Grouper(settings, limit), settings.points
        self.limit, self.known = limit, dict[bytes, Tables]()

    def __call__(self, points: Tensor) -> Prepared:
        """The `groups` of `Probes.forward`, of clouds (C, N, 3)."""
        tables = join([self._tables(cloud) for cloud in points], points.shape[1])
        return tables, self.grouper(points[:, : self.points]), None

    def _tables(self, cloud):
        key = blake2b(cloud.cpu().numpy().tobytes(), digest_size=16).digest()
        tables = self.known.get(key) or tabulate(cloud)
        if len(self.known) < self.limit:
            self.known[key] = tables
        return tables
