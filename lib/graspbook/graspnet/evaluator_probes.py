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


# Tables and levels of clouds, and the clouds encoded (C, 1, context), None where that is to come.
Prepared = tuple[Tables, Groups, Tensor | None]


class Probes(Body):
    """What probes see of the cloud, in its `frame.object_frame`, joined with the cloud encoded."""

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

        points: (C, N, 3), metres, of which the first are encoded.
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
        groups: of a `Preparer`, and the clouds are encoded here with their gradient, or of
            `prepare`.
        roll: (C, 3, 3), rotations about the camera's axis to see the clouds under, for training.
            They change nothing that probes see, only what the shared part does.
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
    """What the probes of grasps see of clouds: (C, G, 5·182 + 3).

    Of each probe the vector v to the nearest point, in the hand's frame, as v / (2 cm + |v|); how
    far it lies behind the surface point nearest in the image, likewise; and that point's distance
    in the image. Last the direction of view, in the hand's frame.

    grasps: (C, G, 4, 4), metres.
    points: (C, N, 3), metres.
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
    """Tables, groups and no context yet of clouds: what no weight decides.

    It remembers up to `limit` clouds, since training comes back to each view often: some 150 KB for
    what is 12 cm long, as much again for every doubling of the box around it.
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
