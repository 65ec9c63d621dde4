"""What every kind of sampler and of evaluator offers to those who train and use it.

A new kind is a class in a module of its own and one row in `sampler.CONDITIONINGS` or
`evaluator.REPRESENTATIONS`. What it leaves as it is here suits a network over PointNet++.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.grouping import Grouper

# Clouds (C, N, 3) -> what a network needs to know of them, whatever the grasps and its weights.
Grouping = Callable[[Tensor], Any]


class Kind(nn.Module):
    """What samplers and evaluators have in common.

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
        """A function of clouds to their groups, which remembers the clouds it has seen.

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
        """What `encode` and `decode` take of clouds; as it is here, the arguments themselves.

        points: (C, N, 3), metres.
        groups: what `grouper` made of them.
        """
        return points, groups

    def encode(self, seen: Any, grasps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (C, G, latent) of the latents of grasps on observed clouds.

        seen: what `observe` returned.
        grasps: (C, G, 4, 4), metres.
        """
        raise NotImplementedError

    def decode(self, seen: Any, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Grasps (C, G, 4, 4) of latents on observed clouds, in metres, and confidences (C, G),
        ones where it has none.

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
        """What all grasps on clouds share, to be used in place of `groups` while the weights stay
        as they are; as it is here, the groups.

        points: (C, N, 3), metres.
        groups: what `grouper` made of them.
        """
        return groups

    def forward(
        self, points: Tensor, groups: Any, grasps: Tensor, roll: Tensor | None = None
    ) -> Tensor:
        """Features (C, G, size) of grasps.

        points: (C, N, 3), metres.
        groups: what `grouper` or `prepare` made of them.
        grasps: (C, G, 4, 4), metres.
        roll: (C, 3, 3), rotations to see the clouds under in training, for a kind that `rolls`.
        """
        raise NotImplementedError
