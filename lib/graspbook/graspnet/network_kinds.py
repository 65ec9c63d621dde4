"""The interface of every kind of sampler and evaluator.

A new kind is a class in a module of its own, and one row in `sampler.CONDITIONINGS` or
`evaluator.REPRESENTATIONS`. The defaults here suit a network over PointNet++.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.grouping import Grouper

# Clouds (C, N, 3) -> all that a network needs of them, independent of grasps and weights.
Grouping = Callable[[Tensor], Any]


class Kind(nn.Module):
    """The common base of samplers and evaluators.

    rolls: whether it is trained on clouds turned by random angles about the camera's axis.
    remembered: clouds whose groups are kept.
    """

    rolls = False
    remembered = 1024

    @staticmethod
    def points(settings: Any) -> int:
        """Points of the clouds that the network takes.

        settings: `sampler.SamplerSettings` or `evaluator.EvaluatorSettings`.
        """
        return settings.backbone.points

    @classmethod
    def grouper(cls, settings: Any) -> Grouping:
        """A function of clouds to their groups, with a memory of clouds.

        settings: as for `points`.
        """
        return Grouper(settings.backbone, cls.remembered)


class Sampler(Kind):
    """Encoder Q(z | X, g) and decoder of g from X and z (section 3.1).

    confident: whether it can have the released code's confidence.
    """

    confident = False
    remembered = 8192

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def observe(self, points: Tensor, groups: Any) -> Any:
        """The input of `encode` and `decode` for clouds; by default the arguments themselves.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: what `grouper` made of them.
        """
        return points, groups

    def encode(self, seen: Any, grasps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (C, G, latent) of the latents of grasps on observed clouds.

        seen: what `observe` returned.
        grasps: (C, G, 4, 4) poses of the hand, G per cloud, in its frame.
        """
        raise NotImplementedError

    def decode(self, seen: Any, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Grasps (C, G, 4, 4) of latents on observed clouds, in metres, and confidences (C, G), or
        ones without that output.

        seen: what `observe` returned.
        latents: (C, G, latent).
        """
        raise NotImplementedError


class Body(Kind):
    """All of an evaluator but its last layer: features (C, G, size) of grasps on clouds."""

    size: int

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__()
        self.settings = settings

    def prepare(self, points: Tensor, groups: Any) -> Any:
        """The part that all grasps on clouds share, used in place of `groups` while the weights do
        not change. By default the groups.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: what `grouper` made of them.
        """
        return groups

    def forward(
        self, points: Tensor, groups: Any, grasps: Tensor, roll: Tensor | None = None
    ) -> Tensor:
        """Features (C, G, size) of grasps.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: what `grouper` or `prepare` made of them.
        grasps: (C, G, 4, 4) poses of the hand, G per cloud, in its frame.
        roll: (C, 3, 3), rotations of the clouds in training, for a kind that `rolls`.
        """
        raise NotImplementedError
