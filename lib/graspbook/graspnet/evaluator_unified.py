"""PointNet++ over the unified cloud of object and gripper, X ∪ X_g (section 3.2).

The gripper's cloud is its six control points, as in the released code. A binary feature is 1 on the
object and 0 on the gripper.

Suppose that all gripper points are centroids, and that the other centroids are chosen on the object
alone. Most of the computation is then the same for every grasp of a cloud. A point's features
change only if its neighbourhood has a gripper point, or another point whose features change.
`prepare` computes the features without a gripper once. A grasp then only costs its own pairs.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.grouping import Grouper, Groups, Level, group, real_pairs
from graspbook.graspnet.network_kinds import Body, Grouping
from graspbook.graspnet.pointnet2 import PointNet2
from graspbook.graspnet.segment_max import segment_max
from graspbook.hands.parallel_jaw import FRANKA

# A repeated point changes no maximum.
_DISTINCT = np.unique(FRANKA.control_points, axis=0)


def object_backbone(settings: BackboneSettings) -> BackboneSettings:
    """Settings with the number of object centroids, if the gripper's points are centroids too.

    settings: of the unified cloud.

    Raises ParameterError for normalisation "batch".
    """
    if settings.normalisation == "batch":
        raise ParameterError(
            "centroids 'object_and_gripper' with normalisation 'batch': the part that grasps share"
            " is computed once, so it has no batch statistics; expected normalisation 'none', or"
            " centroids 'literal'"
        )
    first, second = (count - len(FRANKA.control_points) for count in settings.centroids)
    return replace(settings, centroids=(first, second))


@dataclass(frozen=True)
class Alone:
    """A set abstraction over the object without a gripper.

    points (N, 3) in length units and features (N, F); centroids (M,) among them and their pooled
    features (M, H); centroid and neighbour (E,) of each pair, and the pairs' values (E, H).
    """

    points: Tensor
    features: Tensor
    centroids: Tensor
    pooled: Tensor
    centre: Tensor
    point: Tensor
    values: Tensor


@dataclass(frozen=True)
class Rows:
    """The points of G grasps' unified clouds: N of the object and P of the gripper.

    points (R, 3) in length units and features (R, F), the first N those of the object alone; index
    (G, N + P): each point's row.
    """

    points: Tensor
    features: Tensor
    index: Tensor


Prepared = list[list[Alone]]  # of each cloud, its two set abstractions


class UnifiedCloud(Body):
    """PointNet++ over X ∪ X_g."""

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__(settings)
        self.backbone = PointNet2(settings, 4)
        self.size = self.backbone.size

    @classmethod
    def grouper(cls, settings: Any) -> Grouping:
        """A function of clouds to the groups of the object. It gives None if centroids are literal,
        since each grasp then has its own groups.

        settings: `evaluator.EvaluatorSettings`.
        """
        if settings.centroids == "literal":
            return _no_groups
        return Grouper(object_backbone(settings.backbone), cls.remembered)

    def prepare(self, points: Tensor, groups: Groups | None) -> Any:
        """The part that all grasps on clouds share.

        points, groups: as for `network_kinds.Body`.
        """
        return groups and [
            self._alone(cloud, [Level(*(index[c] for index in level)) for level in groups])
            for c, cloud in enumerate(points)
        ]

    def _alone(self, points, groups):
        points = points / self.settings.length_unit
        features, found = torch.cat([points, torch.ones_like(points[:, :1])], dim=-1), []
        for level, (centroids, neighbours) in zip(self.backbone.levels[:2], groups, strict=True):
            _, centre, point = real_pairs(neighbours[None])
            parts = level.point_part(points, features), level.centre_part(points[centroids])
            values = level.rest(parts[0][point] + parts[1][centre])
            base = values.new_zeros(len(centroids), values.shape[-1])
            pooled = segment_max(values.__getitem__, centre, base)
            found.append(Alone(points, features, centroids, pooled, centre, point, values))
            points, features = points[centroids], pooled
        return found

    def forward(
        self,
        points: Tensor,
        groups: Groups | Prepared | None,
        grasps: Tensor,
        roll: Tensor | None = None,
    ) -> Tensor:
        """Features (C, G, size) of grasps.

        points, grasps, roll: as for `network_kinds.Body`.
        groups: None, if every grasp has its own cloud and centroids. Otherwise the result of
            `group` with the settings of `object_backbone`, or of `prepare`.
        """
        if groups is None:
            return self._literal(points, _placed(grasps, FRANKA.control_points))
        prepared = groups if isinstance(groups, list) else self.prepare(points, groups)
        gripper = _placed(grasps, _DISTINCT) / self.settings.length_unit
        found = [self._shared(*pair) for pair in zip(prepared, gripper, strict=True)]
        return self.backbone.head(torch.stack(found))

    def _literal(self, points, gripper):
        """Features (C, G, size): each grasp has a cloud and groups of its own."""
        clouds, grasps = gripper.shape[:2]
        tiled = points[:, None].expand(-1, grasps, -1, -1)
        unified = torch.cat([tiled, gripper], dim=2).flatten(0, 1)
        label = torch.ones_like(unified[..., :1])
        label[:, points.shape[1] :] = 0
        features = torch.cat([unified / self.settings.length_unit, label], dim=-1)
        found = self.backbone(unified, group(unified, self.settings), features)
        return found.view(clouds, grasps, -1)

    def _shared(self, alone, gripper):
        """Pooled features (G, H) of the grasps of one cloud with gripper points (G, P, 3) in length
        units.
        """
        flat, n = gripper.flatten(0, 1), len(alone[0].points)
        every = torch.arange(n + len(flat), device=flat.device)
        own = every[:n].expand(len(gripper), -1), every[n:].view(len(gripper), -1)
        labelled = torch.cat([flat, torch.zeros_like(flat[:, :1])], dim=-1)
        rows = Rows(
            torch.cat([alone[0].points, flat]),
            torch.cat([alone[0].features, labelled]),
            torch.cat(own, dim=1),
        )
        levels = self.backbone.levels
        for level, radius, objects in zip(levels[:2], self.settings.radii, alone, strict=True):
            rows = _abstracted(level, radius / self.settings.length_unit, rows, objects)
        return _pooled(levels[2], rows)


def _no_groups(points):
    return None


def _placed(grasps, points):
    return pose.transform(grasps, torch.as_tensor(points, dtype=grasps.dtype, device=grasps.device))


def _abstracted(level, radius, rows, alone):
    """A set abstraction: the Rows of the centroids, which are M of the object's N points and all P
    of the gripper's.

    Pairs of two object points are those of `alone`. Pairs with a gripper point are all those within
    the radius, in length units.
    """
    m, n, centre, point = len(alone.pooled), len(alone.points), alone.centre, alone.point
    renewed = (rows.index[:, :n] >= n)[:, point]
    grasp, own_centre, own_point = _own_pairs(rows, alone, radius, renewed)
    # Features pooled without a gripper are valid for centroids without a renewed neighbour. The
    # others are pooled again.
    lost = torch.ones(len(renewed), m + len(_DISTINCT), dtype=torch.bool, device=centre.device)
    lost[:, :m] = False
    lost[renewed.nonzero()[:, 0], centre[renewed.nonzero()[:, 1]]] = True
    touched = lost.clone()
    touched[grasp, own_centre] = True
    owner = touched.flatten().cumsum(0).view_as(touched) - 1
    base = torch.where(lost, m, torch.arange(lost.shape[1], device=centre.device))[touched]
    base = torch.cat([alone.pooled, torch.zeros_like(alone.pooled[:1])]).index_select(0, base)
    kept_grasp, kept = (lost[:, centre] & ~renewed).nonzero(as_tuple=True)
    base = segment_max(
        lambda pairs: alone.values.index_select(0, kept[pairs]),
        owner[kept_grasp, centre[kept]],
        base,
    )

    centres = torch.cat([rows.index[:, alone.centroids], rows.index[:, n:]], dim=1)
    parts = level.point_part(rows.points, rows.features), level.centre_part(rows.points)
    pairs = rows.index[grasp, own_point], centres[grasp, own_centre]
    features = level.pool(parts, pairs, owner[grasp, own_centre], base)
    index = torch.where(touched, m + owner, torch.arange(touched.shape[1], device=centre.device))
    places = torch.cat([alone.points[alone.centroids], rows.points[centres[touched]]])
    return Rows(places, torch.cat([alone.pooled, features]), index)


@torch.no_grad()
def _own_pairs(rows, alone, radius, renewed):
    """Grasp, centroid and point (3, E) of the pairs with a point that differs from `alone`; the
    gripper's come last.

    renewed (G, O): which of the object's own pairs have such a point.
    """
    m, n = len(alone.pooled), len(alone.points)
    gripper = rows.points[rows.index[:, n:]]
    near = _within(gripper, alone.points.expand(len(gripper), -1, -1), radius)
    grasp, pair = renewed.nonzero(as_tuple=True)
    return torch.cat(
        [
            _triples(near[:, :, alone.centroids].transpose(1, 2), 0, n),
            torch.stack([grasp, alone.centre[pair], alone.point[pair]]),
            _triples(near, m, 0),
            _triples(_within(gripper, gripper, radius), m, n),
        ],
        dim=1,
    )


def _within(a, b, radius):
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") <= radius


def _triples(mask, centre, point):
    """Indices (3, E) of the true elements of a mask (G, centroids, points), counted from a first
    centre and point.
    """
    return mask.nonzero().T + torch.tensor([[0], [centre], [point]], device=mask.device)


def _pooled(level, rows):
    """The third set abstraction, of all points: features (G, H)."""
    n = rows.index.shape[1] - len(_DISTINCT)
    values = level.rest(level.point_part(rows.points, rows.features) + level.first.bias)
    own, base = values[n:], values.new_zeros(len(rows.index), values.shape[-1])
    grasp, point = (rows.index < n).nonzero(as_tuple=True)
    base = segment_max(lambda points: values.index_select(0, point[points]), grasp, base)
    return segment_max(own.__getitem__, (rows.index >= n).nonzero()[:, 0], base)
