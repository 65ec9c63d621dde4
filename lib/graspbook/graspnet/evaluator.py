"""The grasp evaluator: probability that a grasp holds, from the cloud of the object and the grasp (section 3.2, equation 4)."""

from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.dataset import check_points, evaluator_batch, examples_hash
from graspbook.graspnet.pointnet2 import QUICK, BackboneSettings, group, linear, scaled, settings_of, take
from graspbook.graspnet.unified import UnifiedCloud, object_backbone
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
    return group(points, object_backbone(settings.backbone))


class Evaluator(nn.Module):
    """P(S | g, X): two logits, failure and success, of grasps (C, G, 4, 4) on clouds (C, N, 3), in metres: (C, G, 2)."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.body = UnifiedCloud(settings.backbone) if settings.representation == "unified" else NearestPoints(settings)
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
