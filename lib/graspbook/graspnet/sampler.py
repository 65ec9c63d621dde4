"""The variational grasp sampler: encoder, decoder, and the loss of equations 1-3.

Equation 2 as printed subtracts α·KL from a loss that is minimised, which would drive the encoder
away from N(0, I); the released code (NVlabs/6dof-graspnet) adds it, and so does this.
"""

from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.dataset import (
    check_points,
    examples_hash,
    held_out_figures,
    random_roll,
    sampler_batch,
)
from graspbook.graspnet.pointnet2 import (
    QUICK,
    BackboneSettings,
    Grouper,
    PointNet2,
    group,
    settings_of,
)
from graspbook.graspnet.sampler_shared import SharedSampler
from graspbook.hands.franka import CONTROL_POINTS
from graspbook.training import load_model, train_to_file

LATENTS = ("normal", "uniform")
CONDITIONINGS = ("per_point", "shared")
RECONSTRUCTIONS = ("plain", "nearest_symmetric")


@dataclass(frozen=True)
class SamplerSettings:
    """The sampler's choices; the defaults are the paper's.

    latent: dimensions of z. kl_weight: α of equation 2. confidence: a second output c that weighs
    the reconstruction loss and costs -log c (released code, not in the paper). conditioning: where
    pose and latent enter, "per_point" (the paper) or "shared" (ours: the cloud is encoded once and
    all of its grasps ask it, see `attention`; seen under random rolls in training). reconstruction:
    "plain" (equation 3) or "nearest_symmetric", the nearer of the grasp and its image turned by
    180° about the approach axis, which is the same grasp of a parallel-jaw hand.
    """

    latent: int = 2
    kl_weight: float = 0.01
    confidence: bool = False
    conditioning: str = "per_point"
    reconstruction: str = "plain"
    backbone: BackboneSettings = field(default_factory=BackboneSettings)

    def __post_init__(self):
        for name, known in (("conditioning", CONDITIONINGS), ("reconstruction", RECONSTRUCTIONS)):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"sampler {name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        if self.confidence and self.conditioning == "shared":
            raise ParameterError(
                "sampler confidence True: only with conditioning 'per_point', as in the released"
                " code"
            )


PRESETS = {
    "paper": SamplerSettings(),
    "released": SamplerSettings(confidence=True, backbone=BackboneSettings(normalisation="batch")),
    "paper_shared": SamplerSettings(),
    "ours": SamplerSettings(
        conditioning="shared", reconstruction="nearest_symmetric", backbone=QUICK
    ),
}


def make_sampler(settings):
    """An untrained sampler of these settings: `sampler_shared.SharedSampler` or `Sampler`, alike to
    their users.
    """
    return SharedSampler(settings) if settings.conditioning == "shared" else Sampler(settings)


class Sampler(nn.Module):
    """Encoder Q(z | X, g) and decoder of g from X and z (section 3.1, figure 4), both of every
    point of the cloud.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.encoder = PointNet2(settings.backbone, 3, 16)
        self.mean = nn.Linear(self.encoder.size, settings.latent)
        self.log_variance = nn.Linear(self.encoder.size, settings.latent)
        self.decoder = PointNet2(settings.backbone, 3, settings.latent)
        self.quaternion = nn.Linear(self.decoder.size, 4)
        self.translation = nn.Linear(self.decoder.size, 3)
        if settings.confidence:
            self.confidence = nn.Linear(self.decoder.size, 1)

    def observe(self, points, groups):
        """What `encode` and `decode` take of clouds (C, N, 3) in metres: here themselves and what
        `group` made of them.
        """
        return points, groups

    def encode(self, seen, grasps):
        """Mean and log variance (C, G, latent) of the latents of grasps (C, G, 4, 4), in metres, on
        observed clouds.
        """
        points, groups = seen
        unit = self.settings.backbone.length_unit
        numbers = torch.cat([grasps[..., :3, :3], grasps[..., :3, 3:] / unit], dim=-1)
        numbers = torch.cat([numbers, grasps[..., 3:, :]], dim=-2).flatten(-2)
        features = self.encoder(points, groups, points / unit, numbers)
        return self.mean(features), self.log_variance(features)

    def decode(self, seen, latents):
        """Grasps (C, G, 4, 4) of latents (C, G, latent) on observed clouds, and confidences (C, G),
        ones without that output.
        """
        points, groups = seen
        unit = self.settings.backbone.length_unit
        features = self.decoder(points, groups, points / unit, latents)
        rotation = pose.quat_wxyz_to_matrix_torch(self.quaternion(features))
        grasps = pose.from_rt_torch(rotation, self.translation(features) * unit)
        if not self.settings.confidence:
            return grasps, torch.ones_like(grasps[..., 0, 0])
        return grasps, self.confidence(features).sigmoid()[..., 0]


def control_point_distance(grasps, targets, reconstruction="plain"):
    """L(g, ĝ) of equation 3 in metres: (...) of poses (..., 4, 4), summed over x, y, z and averaged
    over the control points.
    """
    points = torch.as_tensor(CONTROL_POINTS, dtype=grasps.dtype, device=grasps.device)
    placed = pose.transform(grasps, points)
    distance = (placed - pose.transform(targets, points)).abs().sum(-1).mean(-1)
    if reconstruction == "plain":
        return distance
    turned = pose.transform(targets, points * points.new_tensor([-1.0, -1.0, 1.0]))
    return torch.minimum(distance, (placed - turned).abs().sum(-1).mean(-1))


def kl_divergence(mean, log_variance):
    """D_KL[N(mean, exp(log_variance)), N(0, I)] (...) of (..., latent), summed over the dimensions."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)


def sampler_loss(sampler, batch, generator):
    """L_vae (equation 2) of a `SamplerBatch`, with its parts as plain numbers; the latents' noise
    comes from `generator`.
    """
    settings = sampler.settings
    points, targets = batch.points, batch.grasps
    if settings.conditioning == "shared" and sampler.training:
        roll = random_roll(len(points), generator)
        points, targets = (
            points @ roll.mT,
            pose.from_rt_torch(roll, torch.zeros_like(roll[:, 0]))[:, None] @ targets,
        )
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


def draw_latents(n, dimensions, generator, latents="normal"):
    """Latents (n, dimensions): "normal" from N(0, I) (section 3.1) or "uniform" from [-2, 2]
    (released code).
    """
    if latents not in LATENTS:
        raise ParameterError(f"latents {latents!r}, expected one of {', '.join(LATENTS)}")
    if latents == "normal":
        return torch.randn(n, dimensions, generator=generator)
    return 4 * torch.rand(n, dimensions, generator=generator) - 2


@torch.no_grad()
def sample(sampler, cloud, n, generator, latents="normal", chunk=64):
    """Grasps (n, 4, 4) and their latents (n, latent) for a cloud (N, 3), both in the graspnet
    object frame.
    """
    drawn = draw_latents(n, sampler.settings.latent, generator, latents).to(cloud.device)
    seen = sampler.observe(cloud[None], group(cloud[None], sampler.settings.backbone))
    parts = [sampler.decode(seen, part[None])[0][0] for part in drawn.split(chunk)]
    return torch.cat(parts), drawn


def train_sampler(
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
    """Train a sampler on batches of `clouds` views with 64 grasps each, write its weights, and
    return the history.

    Weights already there that were made from the same settings and examples are kept; a checkpoint
    of theirs is resumed. held_out: examples to stop early by, see `training.train`. init: weights
    to start from. Raises ParameterError for examples whose clouds have fewer points than the
    network takes.
    """
    check_points([*examples, *held_out], settings.backbone.points)
    grouper = Grouper(settings.backbone, limit=8192)
    shape = {"points": settings.backbone.points, "clouds": clouds, "device": device}

    def batch_of(step):
        return sampler_batch(examples, grouper, train_settings.seed, step, **shape)

    def validate(model):
        return held_out_figures(
            model, lambda step: sampler_batch(held_out, grouper, 0, step, **shape), sampler_loss
        )

    parameters = {
        "network": "sampler",
        "sampler": asdict(settings),
        "clouds": clouds,
        "examples": examples_hash(examples),
        "held_out": examples_hash(held_out),
    }
    return train_to_file(
        weights_path,
        checkpoint_path,
        lambda: make_sampler(settings).to(device),
        batch_of,
        sampler_loss,
        train_settings,
        parameters,
        "sampler",
        validate=validate if held_out else None,
        init=init,
    )


def load_sampler(path):
    """The sampler in a weights file. Raises WeightsError if it is missing, of another network, or
    does not fit.
    """
    return load_model(
        path,
        lambda parameters: make_sampler(settings_of(path, parameters, "sampler", SamplerSettings)),
    )[0]
