"""The grasp evaluator: probability that a grasp holds, from one observed cloud (section 3.2,
equation 4).
"""

from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from graspbook.errors import ParameterError
from graspbook.graspnet import evaluator_probes
from graspbook.graspnet.dataset import (
    check_points,
    evaluator_batch,
    examples_hash,
    held_out_figures,
    random_roll,
)
from graspbook.graspnet.evaluator_pose import PoseCloud
from graspbook.graspnet.evaluator_unified import UnifiedCloud, object_backbone
from graspbook.graspnet.pointnet2 import QUICK, BackboneSettings, Grouper, settings_of
from graspbook.training import load_model, train_to_file

CENTROIDS = ("literal", "object_and_gripper")
REPRESENTATIONS = {"unified": UnifiedCloud, "pose": PoseCloud, "probes": evaluator_probes.Probes}


@dataclass(frozen=True)
class EvaluatorSettings:
    """The evaluator's choices; the defaults are the paper's.

    representation: "unified", the paper's PointNet++ over the cloud of object and gripper; "pose",
    the alternative it rejects, see `pose_cloud`; or "probes", ours, see `probes`. centroids of the
    unified cloud: "literal", farthest points of each grasp's own; or "object_and_gripper", where
    the gripper's points are always centroids and the rest are farthest points of the object, chosen
    once a cloud. What is then common to all grasps of a cloud is computed once, and no gripper
    point is lost to a full neighbourhood. probed: the observed points that probes look up, of which
    the backbone encodes the first ones.
    """

    representation: str = "unified"
    centroids: str = "literal"
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    probed: int = 2048

    @property
    def points(self):
        """Points of the clouds that the evaluator takes."""
        return (
            max(self.probed, self.backbone.points)
            if self.representation == "probes"
            else self.backbone.points
        )

    def __post_init__(self):
        for name, known in (("representation", REPRESENTATIONS), ("centroids", CENTROIDS)):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"evaluator {name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )


PRESETS = {
    "paper": EvaluatorSettings(),
    "released": EvaluatorSettings(backbone=BackboneSettings(normalisation="batch")),
    "paper_shared": EvaluatorSettings(centroids="object_and_gripper"),
    "ours": EvaluatorSettings("probes", backbone=QUICK),
}


def object_grouper(settings):
    """A function of clouds (C, N, 3) to what an evaluator of these settings needs to know of them,
    whatever the grasps and its weights; it remembers the clouds it has seen.
    """
    if settings.representation == "probes":
        return evaluator_probes.Preparer(settings.backbone)
    if settings.representation == "pose":
        return Grouper(settings.backbone)
    return (
        _no_groups
        if settings.centroids == "literal"
        else Grouper(object_backbone(settings.backbone))
    )


def _no_groups(points):
    """Literal centroids: each grasp has groups of its own."""
    return None


def object_groups(points, settings):
    """What `object_grouper` makes of clouds (C, N, 3), once."""
    return object_grouper(settings)(points)


class Evaluator(nn.Module):
    """P(S | g, X): two logits, failure and success, of grasps (C, G, 4, 4) on clouds (C, N, 3), in
    metres: (C, G, 2).
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.body = REPRESENTATIONS[settings.representation](settings.backbone)
        self.logits = nn.Linear(self.body.size, 2)

    def forward(self, points, groups, grasps, roll=None):
        """`groups` is what `object_groups` or `prepare` made of the points; `roll`, for probes
        alone: see `Probes.forward`.
        """
        inputs = (points, groups, grasps) if roll is None else (points, groups, grasps, roll)
        return self.logits(self.body(*inputs))

    @torch.no_grad()
    def prepare(self, points):
        """All that the scores of any grasps on clouds (C, N, 3) share: computed once, for inference
        alone.
        """
        return self.body.prepare(points, object_groups(points, self.settings))


def evaluator_loss(evaluator, batch, generator):
    """Cross-entropy (equation 4) of an `EvaluatorBatch`, with its accuracy; probes' clouds are
    rolled by the `generator`.
    """
    rolled = evaluator.settings.representation == "probes" and evaluator.training
    roll = random_roll(len(batch.points), generator) if rolled else None
    logits = evaluator(batch.points, batch.groups, batch.grasps, roll)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.success.flatten().long())
    correct = (logits.argmax(-1) == batch.success.long()).float().mean()
    return loss, {"accuracy": float(correct)}


def success_probability(logits):
    """P(S) (...) of logits (..., 2)."""
    return logits.softmax(-1)[..., 1]


@torch.no_grad()
def score(evaluator, cloud, grasps, chunk=256):
    """Success probabilities (K,) of grasps (K, 4, 4) on a cloud (N, 3), both in the graspnet object
    frame.
    """
    groups = evaluator.prepare(cloud[None])
    return torch.cat(
        [
            success_probability(evaluator(cloud[None], groups, part[None]))[0]
            for part in grasps.split(chunk)
        ]
    )


def train_evaluator(
    examples,
    settings,
    train_settings,
    weights_path,
    checkpoint_path,
    clouds=1,
    device="cpu",
    held_out=(),
    init=None,
):
    """Train an evaluator on batches of `clouds` views with 64 grasps each, write its weights, and
    return the history.

    Weights already there that were made from the same settings and examples are kept; a checkpoint
    of theirs is resumed. held_out: examples to stop early by, see `training.train`. init: weights
    to start from. Raises ParameterError for examples whose clouds have fewer points than the
    network takes.
    """
    check_points([*examples, *held_out], settings.points)
    prepare, shape = (
        object_grouper(settings),
        {"points": settings.points, "clouds": clouds, "device": device},
    )

    def batch_of(step):
        return evaluator_batch(examples, prepare, train_settings.seed, step, **shape)

    def validate(model):
        return held_out_figures(
            model, lambda step: evaluator_batch(held_out, prepare, 0, step, **shape), evaluator_loss
        )

    parameters = {
        "network": "evaluator",
        "evaluator": asdict(settings),
        "clouds": clouds,
        "examples": examples_hash(examples),
        "held_out": examples_hash(held_out),
    }
    return train_to_file(
        weights_path,
        checkpoint_path,
        lambda: Evaluator(settings).to(device),
        batch_of,
        evaluator_loss,
        train_settings,
        parameters,
        "evaluator",
        validate=validate if held_out else None,
        init=init,
    )


def load_evaluator(path):
    """The evaluator in a weights file. Raises WeightsError if it is missing, of another network, or
    does not fit.
    """
    return load_model(
        path,
        lambda parameters: Evaluator(settings_of(path, parameters, "evaluator", EvaluatorSettings)),
    )[0]
