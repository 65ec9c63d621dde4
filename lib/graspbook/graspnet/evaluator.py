"""The grasp evaluator: the probability that a grasp holds, from one observed cloud (section 3.2,
equation 4).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import QUICK, BackboneSettings, settings_of
from graspbook.graspnet.batches import EvaluatorBatch, evaluator_batch, random_roll
from graspbook.graspnet.evaluator_pose import PoseCloud
from graspbook.graspnet.evaluator_probes import Probes
from graspbook.graspnet.evaluator_unified import UnifiedCloud
from graspbook.graspnet.fitting import Learner
from graspbook.graspnet.network_kinds import Body, Grouping
from graspbook.weights_files import load_model

CENTROIDS = ("literal", "object_and_gripper")
REPRESENTATIONS: dict[str, type[Body]] = {
    "unified": UnifiedCloud,
    "pose": PoseCloud,
    "probes": Probes,
}


@dataclass(frozen=True)
class EvaluatorSettings:
    """The evaluator's choices; the defaults are the paper's.

    representation: of cloud and grasp, one of `REPRESENTATIONS`. "unified" is the paper's
        PointNet++ over the cloud of object and gripper. "pose" is the alternative that it rejects.
        "probes" is ours.
    centroids: of the unified cloud. "literal": farthest points of each grasp's own cloud.
        "object_and_gripper": the gripper's points are always centroids, and the rest are farthest
        points of the object, chosen once per cloud. Everything that the grasps of a cloud share is
        then computed once, and a full neighbourhood loses no gripper point.
    backbone: of its PointNet++.
    probed: observed points that probes look up; the backbone encodes the first of them.
    """

    representation: str = "unified"
    centroids: str = "literal"
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    probed: int = 2048

    def __post_init__(self) -> None:
        for name, known in (("representation", REPRESENTATIONS), ("centroids", CENTROIDS)):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"evaluator {name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )

    @property
    def kind(self) -> type[Body]:
        """The class of the representation."""
        return REPRESENTATIONS[self.representation]

    @property
    def points(self) -> int:
        """Points of the clouds that the evaluator takes."""
        return self.kind.points(self)

    def grouper(self) -> Grouping:
        """A function of clouds (C, N, 3) to all that an evaluator needs of them, independent of
        grasps and weights. It remembers the clouds that it has seen.
        """
        return self.kind.grouper(self)


PRESETS = {
    "paper": EvaluatorSettings(),
    "released": EvaluatorSettings(backbone=BackboneSettings(normalisation="batch")),
    "paper_shared": EvaluatorSettings(centroids="object_and_gripper"),
    "ours": EvaluatorSettings("probes", backbone=QUICK),
}


class Evaluator(nn.Module):
    """P(S | g, X): two logits, failure and success, from the features of its body."""

    def __init__(self, settings: EvaluatorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.body = settings.kind(settings.backbone)
        self.logits = nn.Linear(self.body.size, 2)

    def forward(
        self, points: Tensor, groups: Any, grasps: Tensor, roll: Tensor | None = None
    ) -> Tensor:
        """Logits (C, G, 2) of grasps.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: what `settings.grouper()` or `prepare` made of the points.
        grasps: (C, G, 4, 4) poses of the hand, G per cloud, in its frame.
        roll: (C, 3, 3), see `network_kinds.Body`.
        """
        return self.logits(self.body(points, groups, grasps, roll))

    @torch.no_grad()
    def prepare(self, points: Tensor) -> Any:
        """The part of scores that all grasps on clouds share, computed once; for inference only.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        """
        return self.body.prepare(points, self.settings.grouper()(points))


def evaluator_loss(
    evaluator: Evaluator, batch: EvaluatorBatch, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy (equation 4), with the accuracy.

    evaluator: the trained network that scores grasps.
    batch: views and their grasps; in training they are rolled if the kind `rolls`.
    generator: of the rolls.
    """
    rolled = evaluator.settings.kind.rolls and evaluator.training
    roll = random_roll(len(batch.points), generator) if rolled else None
    logits = evaluator(batch.points, batch.groups, batch.grasps, roll)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.success.flatten().long())
    correct = (logits.argmax(-1) == batch.success.long()).float().mean()
    return loss, {"accuracy": float(correct)}


def success_probability(logits: Tensor) -> Tensor:
    """P(S) (...).

    logits: (..., 2) of failure and success.
    """
    return logits.softmax(-1)[..., 1]


@torch.no_grad()
def score(evaluator: Evaluator, cloud: Tensor, grasps: Tensor, chunk: int = 256) -> Tensor:
    """Success probabilities (K,) of grasps on a cloud, both in the graspnet object frame.

    evaluator: the trained network that scores grasps.
    cloud: (N, 3), in the frame of the grasps, metres.
    grasps: (K, 4, 4) poses of the hand in the frame of the cloud.
    chunk: grasps scored together.
    """
    groups = evaluator.prepare(cloud[None])
    parts = [
        success_probability(evaluator(cloud[None], groups, part[None]))[0]
        for part in grasps.split(chunk)
    ]
    return torch.cat(parts)


EVALUATOR = Learner("evaluator", Evaluator, evaluator_batch, evaluator_loss)


def load_evaluator(path: Path | str) -> Evaluator:
    """The evaluator in a weights file.

    path: of the file.

    Raises WeightsError if it is missing, of another network, or does not fit.
    """

    def make(parameters):
        return Evaluator(settings_of(path, parameters, "evaluator", EvaluatorSettings))

    return load_model(path, make)[0]
