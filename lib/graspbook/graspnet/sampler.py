"""The variational grasp sampler: encoder, decoder, and the loss of equations 1-3.

Equation 2 as printed subtracts α·KL from a loss that is minimised. This would drive the encoder
away from N(0, I). The released code (NVlabs/6dof-graspnet) adds the term, as does this module.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import QUICK, BackboneSettings, settings_of
from graspbook.graspnet.batches import SamplerBatch, random_roll, sampler_batch
from graspbook.graspnet.fitting import Learner
from graspbook.graspnet.network_kinds import Grouping, Sampler
from graspbook.graspnet.sampler_per_point import PerPointSampler
from graspbook.graspnet.sampler_shared import SharedSampler
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.weights_files import load_model

LATENTS = ("normal", "uniform")
CONDITIONINGS: dict[str, type[Sampler]] = {"per_point": PerPointSampler, "shared": SharedSampler}
RECONSTRUCTIONS = ("plain", "nearest_symmetric")


@dataclass(frozen=True)
class SamplerSettings:
    """The sampler's choices; the defaults are the paper's.

    latent: number of dimensions of z.
    kl_weight: α of equation 2.
    confidence: a second output c that weighs the reconstruction loss and costs -log c (released
        code, not in the paper).
    conditioning: where pose and latent enter, one of `CONDITIONINGS`. "per_point" is the paper's.
        "shared" is ours: the cloud is encoded once and all of its grasps query it.
    reconstruction: "plain" (equation 3), or "nearest_symmetric": the nearer of the grasp and its
        image turned by 180° about the approach axis. For a parallel-jaw hand these are the same
        grasp.
    backbone: of its PointNet++.
    """

    latent: int = 2
    kl_weight: float = 0.01
    confidence: bool = False
    conditioning: str = "per_point"
    reconstruction: str = "plain"
    backbone: BackboneSettings = field(default_factory=BackboneSettings)

    def __post_init__(self) -> None:
        for name, known in (("conditioning", CONDITIONINGS), ("reconstruction", RECONSTRUCTIONS)):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"sampler {name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        if self.confidence and not self.kind.confident:
            able = ", ".join(repr(name) for name, kind in CONDITIONINGS.items() if kind.confident)
            raise ParameterError(
                f"sampler confidence True: possible only with conditioning {able}, as in the"
                " released code"
            )

    @property
    def kind(self) -> type[Sampler]:
        """The class of the conditioning."""
        return CONDITIONINGS[self.conditioning]

    @property
    def points(self) -> int:
        """Points of the clouds that the sampler takes."""
        return self.kind.points(self)

    def grouper(self) -> Grouping:
        """A function of clouds to their groups, with a memory of clouds."""
        return self.kind.grouper(self)


PRESETS = {
    "paper": SamplerSettings(),
    "released": SamplerSettings(confidence=True, backbone=BackboneSettings(normalisation="batch")),
    "paper_shared": SamplerSettings(),
    "ours": SamplerSettings(
        conditioning="shared", reconstruction="nearest_symmetric", backbone=QUICK
    ),
}


def make_sampler(settings: SamplerSettings) -> Sampler:
    """An untrained sampler.

    settings: its choices.
    """
    return settings.kind(settings)


def control_point_distance(
    grasps: Tensor, targets: Tensor, reconstruction: str = "plain"
) -> Tensor:
    """L(g, ĝ) of equation 3 in metres (...): summed over x, y, z and averaged over the control
    points.

    grasps, targets: (..., 4, 4), metres.
    reconstruction: one of `RECONSTRUCTIONS`.
    """
    points = torch.as_tensor(FRANKA.control_points, dtype=grasps.dtype, device=grasps.device)
    placed = pose.transform(grasps, points)
    distance = (placed - pose.transform(targets, points)).abs().sum(-1).mean(-1)
    if reconstruction == "plain":
        return distance
    turned = pose.transform(targets, points * points.new_tensor([-1.0, -1.0, 1.0]))
    return torch.minimum(distance, (placed - turned).abs().sum(-1).mean(-1))


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """D_KL[N(mean, exp(log_variance)), N(0, I)] (...), summed over the dimensions.

    mean, log_variance: (..., latent).
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)


def sampler_loss(
    sampler: Sampler, batch: SamplerBatch, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """L_vae (equation 2), with its parts as plain numbers.

    sampler: the trained network that draws grasps.
    batch: views and their grasps; in training they are rolled if the kind `rolls`.
    generator: of rolls and of the latents' noise.
    """
    settings = sampler.settings
    points, targets = batch.points, batch.grasps
    if sampler.rolls and sampler.training:
        roll = random_roll(len(points), generator)
        turn = pose.from_rt_torch(roll, torch.zeros_like(roll[:, 0]))[:, None]
        points, targets = points @ roll.mT, turn @ targets
    seen = sampler.observe(points, batch.groups)
    mean, log_variance = sampler.encode(seen, targets)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    grasps, confidence = sampler.decode(seen, mean + noise * (0.5 * log_variance).exp())
    distance = control_point_distance(grasps, targets, settings.reconstruction)
    reconstruction, kl = distance.mean(), kl_divergence(mean, log_variance).mean()
    loss = (distance * confidence).mean() + settings.kl_weight * kl
    if settings.confidence:
        loss = loss - confidence.clamp_min(1e-6).log().mean()
    return loss, {"reconstruction": float(reconstruction.detach()), "kl": float(kl.detach())}


def draw_latents(
    n: int, dimensions: int, generator: torch.Generator, latents: str = "normal"
) -> Tensor:
    """Latents (n, dimensions).

    n, dimensions: their number, and numbers per latent.
    generator: of torch, on the CPU.
    latents: "normal" from N(0, I) (section 3.1) or "uniform" from [-2, 2] (released code).
    """
    if latents not in LATENTS:
        raise ParameterError(f"latents {latents!r}, expected one of {', '.join(LATENTS)}")
    if latents == "normal":
        return torch.randn(n, dimensions, generator=generator)
    return 4 * torch.rand(n, dimensions, generator=generator) - 2


@torch.no_grad()
def sample(
    sampler: Sampler,
    cloud: Tensor,
    n: int,
    generator: torch.Generator,
    *,
    latents: str = "normal",
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    """Grasps (n, 4, 4) for a cloud, in its frame, and their latents (n, latent).

    sampler: the trained network that draws grasps.
    cloud: (N, 3), metres, in the graspnet object frame.
    n: number of grasps.
    generator: of the latents.
    latents: see `draw_latents`.
    chunk: grasps decoded together.
    """
    settings = sampler.settings
    drawn = draw_latents(n, settings.latent, generator, latents).to(cloud.device)
    seen = sampler.observe(cloud[None], settings.grouper()(cloud[None]))
    parts = [sampler.decode(seen, part[None])[0][0] for part in drawn.split(chunk)]
    return torch.cat(parts), drawn


SAMPLER = Learner("sampler", make_sampler, sampler_batch, sampler_loss)


def load_sampler(path: Path | str) -> Sampler:
    """The sampler in a weights file.

    path: of the file.

    Raises WeightsError if it is missing, of another network, or does not fit.
    """

    def make(parameters):
        return make_sampler(settings_of(path, parameters, "sampler", SamplerSettings))

    return load_model(path, make)[0]
