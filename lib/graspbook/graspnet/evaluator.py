"""The grasp evaluator: probability that a grasp holds, from the unified cloud of object and gripper (section 3.2, equation 4).

The gripper's cloud is its six control points, as in the released code; a binary feature is 1 on the object, 0 on it.
"""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.dataset import check_points, evaluator_batch, examples_hash
from graspbook.graspnet.pointnet2 import QUICK, BackboneSettings, PointNet2, group, linear, scaled, settings_of, take
from graspbook.hands.franka import CONTROL_POINTS
from graspbook.training import load_model, train_to_file

CENTROIDS = ("literal", "object_and_gripper")
REPRESENTATIONS = ("unified", "probes")
_LAYER = 1024
_REACH = 0.02


def _probe_grid():
    """Points (162, 3) in the grasp frame: across the fingers and what they close on, from the palm to beyond the tips."""
    grid = np.meshgrid(np.linspace(-0.06, 0.06, 9), [-0.012, 0.0, 0.012], np.linspace(0.06, 0.125, 6), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3)


PROBES = _probe_grid()


@dataclass(frozen=True)
class EvaluatorSettings:
    """The evaluator's choices; the defaults are the paper's.

    representation: "unified", the paper's PointNet++ over the cloud of object and gripper; or "probes", ours, where a
    grid of points fixed to the hand takes the gripper cloud's place, each sees the vector to its nearest observed point in the
    hand's frame, and two fully connected layers take all of them. It need not learn rotations, nor search neighbourhoods,
    and trains in seconds.
    centroids of the unified cloud: "literal", farthest points of each grasp's own; or "object_and_gripper", where the gripper's
    points are always centroids and the rest are farthest points of the object, chosen once a cloud. What is then
    common to all grasps of a cloud is computed once, and no gripper point is lost to a full neighbourhood.
    """

    representation: str = "unified"
    centroids: str = "literal"
    backbone: BackboneSettings = field(default_factory=BackboneSettings)

    def __post_init__(self):
        for name, known in (("representation", REPRESENTATIONS), ("centroids", CENTROIDS)):
            if getattr(self, name) not in known:
                raise ParameterError(f"evaluator {name} {getattr(self, name)!r}, expected one of {', '.join(known)}")


PRESETS = {
    "paper": EvaluatorSettings(),
    "released": EvaluatorSettings(backbone=BackboneSettings(normalisation="batch")),
    "quick": EvaluatorSettings("probes", backbone=QUICK),
}


def object_groups(points, settings):
    """What an evaluator needs to know of clouds (C, N, 3) once, whatever the grasps: None for probes and literal centroids."""
    if settings.representation == "probes" or settings.centroids == "literal":
        return None
    counts = tuple(count - len(CONTROL_POINTS) for count in settings.backbone.centroids)
    return group(points, replace(settings.backbone, centroids=counts))


class Evaluator(nn.Module):
    """P(S | g, X): two logits, failure and success, of grasps (C, G, 4, 4) on clouds (C, N, 3), in metres: (C, G, 2)."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.body = UnifiedCloud(settings) if settings.representation == "unified" else NearestPoints(settings)
        self.logits = nn.Linear(self.body.size, 2)

    def forward(self, points, groups, grasps):
        """`groups` is what `object_groups` made of the points."""
        return self.logits(self.body(points, groups, grasps))


class NearestPoints(nn.Module):
    """Features (C, G, size) of the vectors from each probe to its nearest observed point, in the hand's frame.

    A vector v enters as v / (2 cm + |v|), so what is out of reach looks alike.
    """

    def __init__(self, settings):
        super().__init__()
        self.size = scaled(_LAYER, settings.backbone)
        self.layers = nn.Sequential(linear(PROBES.size, self.size), nn.ReLU(), linear(self.size, self.size), nn.ReLU())

    def forward(self, points, groups, grasps):
        probes = pose.transform(grasps, torch.as_tensor(PROBES, dtype=grasps.dtype, device=grasps.device))
        nearest = nearest_points(probes.detach().flatten(1, 2), points)
        offsets = (take(points, nearest).view_as(probes) - probes) @ grasps[..., :3, :3]
        return self.layers((offsets / (_REACH + offsets.norm(dim=-1, keepdim=True))).flatten(-2))


def nearest_points(queries, points):
    """Index (C, Q) of the nearest of the points (C, N, 3) to each query (C, Q, 3)."""
    if queries.is_cuda:
        return torch.cdist(queries, points).argmin(dim=-1)
    # On the processor a tree is 2.5 times faster than all distances.
    return torch.stack([torch.from_numpy(cKDTree(p).query(q)[1]) for q, p in zip(queries, points, strict=True)])


class UnifiedCloud(nn.Module):
    """Features (C, G, size) of PointNet++ over X ∪ X_g."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings.backbone
        self.backbone = PointNet2(settings.backbone, 4)
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


def evaluator_loss(evaluator, batch, generator):
    """Cross-entropy (equation 4) of an `EvaluatorBatch`, with its accuracy; `generator` is not used."""
    logits = evaluator(batch.points, batch.groups, batch.grasps)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.success.flatten().long())
    correct = (logits.argmax(-1) == batch.success.long()).float().mean()
    return loss, {"accuracy": float(correct)}


def success_probability(logits):
    """P(S) (...) of logits (..., 2)."""
    return logits.softmax(-1)[..., 1]


@torch.no_grad()
def score(evaluator, cloud, grasps, chunk=64):
    """Success probabilities (K,) of grasps (K, 4, 4) on a cloud (N, 3), both in the graspnet object frame."""
    groups = object_groups(cloud[None], evaluator.settings)
    return torch.cat([success_probability(evaluator(cloud[None], groups, part[None]))[0] for part in grasps.split(chunk)])


def train_evaluator(examples, settings, train_settings, weights_path, checkpoint_path, clouds=1, device="cpu"):
    """Train an evaluator on batches of `clouds` views with 64 grasps each, write its weights, and return the history.

    Weights already there that were made from the same settings and examples are kept; a checkpoint of theirs is resumed.
    Raises ParameterError for examples whose clouds are not of the network's size.
    """
    check_points(examples, settings.backbone.points)

    def batch_of(step):
        return evaluator_batch(examples, lambda points: object_groups(points, settings), train_settings.seed, step, clouds,
                               device=device)

    parameters = {"network": "evaluator", "evaluator": asdict(settings), "clouds": clouds, "examples": examples_hash(examples)}
    return train_to_file(weights_path, checkpoint_path, lambda: Evaluator(settings).to(device), batch_of, evaluator_loss,
                         train_settings, parameters, "evaluator")


def load_evaluator(path):
    """The evaluator in a weights file. Raises WeightsError if it is missing, of another network, or does not fit."""
    return load_model(path, lambda parameters: Evaluator(settings_of(path, parameters, "evaluator", EvaluatorSettings)))[0]
