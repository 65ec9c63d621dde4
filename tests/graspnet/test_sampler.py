from dataclasses import replace

import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import ParameterError, WeightsError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.batches import SamplerBatch
from graspbook.graspnet.dataset import Examples, stratify
from graspbook.graspnet.fitting import fit
from graspbook.graspnet.grouping import group
from graspbook.graspnet.sampler import (
    PRESETS,
    SAMPLER,
    SamplerSettings,
    control_point_distance,
    draw_latents,
    kl_divergence,
    load_sampler,
    make_sampler,
    sample,
    sampler_loss,
)
from graspbook.graspnet.sampler_per_point import PerPointSampler
from graspbook.training import TrainSettings
from graspbook.weights_files import save_weights

SMALL = BackboneSettings(
    points=64, centroids=(16, 8), neighbours=(8, 8), width=0.125, length_unit=0.05
)


def poses(n, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(n, rng), 0.1 * rng.normal(size=(n, 3))),
        dtype=torch.float32,
    )


def batch(settings, grasps=6):
    torch.manual_seed(0)
    points = 0.05 * torch.randn(1, 64, 3)
    return SamplerBatch(points, group(points, settings), poses(grasps)[None])


def test_distance_of_a_shift_is_the_sum_of_its_coordinates():
    grasps = poses(3)
    moved = grasps.clone()
    moved[:, :3, 3] += torch.tensor([0.01, -0.02, 0.03])
    torch.testing.assert_close(control_point_distance(moved, grasps), torch.full((3,), 0.06))


def test_distance_of_a_half_turn():
    turn = torch.tensor(
        pose.from_rt(pose.rotation_about([0, 0, 1.0], np.pi), np.zeros(3)), dtype=torch.float32
    )
    # The wrist points stay; each of four finger points moves by twice its x (0.0527) and y
    # (0.00006).
    plain = control_point_distance(turn, torch.eye(4))
    assert float(plain) == pytest.approx(4 * 2 * (0.0527 + 0.00006) / 6, rel=1e-5)
    assert float(control_point_distance(turn, torch.eye(4), "nearest_symmetric")) < 1e-6


def test_nearest_symmetric_is_never_the_larger():
    a, b = poses(50, 1), poses(50, 2)
    turn = torch.tensor(np.diag([-1.0, -1, 1, 1]), dtype=torch.float32)
    expected = torch.minimum(control_point_distance(a, b), control_point_distance(a, b @ turn))
    torch.testing.assert_close(control_point_distance(a, b, "nearest_symmetric"), expected)


def test_kl_agrees_with_torch_distributions():
    mean, log_variance = torch.randn(5, 2), torch.randn(5, 2)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, (0.5 * log_variance).exp()), normal(0.0, 1.0)
    ).sum(-1)
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)
    assert float(kl_divergence(torch.zeros(1, 2), torch.zeros(1, 2))) == 0


@pytest.mark.parametrize("conditioning", ["per_point", "shared"])
def test_decoded_grasps_are_rigid(conditioning):
    settings = SamplerSettings(backbone=SMALL, conditioning=conditioning)
    b = batch(SMALL)
    model = make_sampler(settings)
    grasps, confidence = model.decode(model.observe(b.points, b.groups), torch.randn(1, 6, 2))
    rotation = grasps[..., :3, :3]
    torch.testing.assert_close(
        rotation @ rotation.mT, torch.eye(3).expand(1, 6, 3, 3), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(1, 6))
    assert torch.equal(grasps[..., 3, :], torch.tensor([0.0, 0, 0, 1]).expand(1, 6, 4))
    assert torch.equal(confidence, torch.ones(1, 6))


def test_the_loss_is_reconstruction_plus_alpha_times_kl():
    b = batch(SMALL)
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(1)
        model = PerPointSampler(SamplerSettings(backbone=SMALL, kl_weight=weight))
        losses.append(sampler_loss(model, b, torch.Generator().manual_seed(0)))
    (without, figures), (with_kl, _) = losses
    assert figures["kl"] > 0
    assert float(without.detach()) == pytest.approx(figures["reconstruction"], rel=1e-5)
    assert float((with_kl - without).detach()) == pytest.approx(figures["kl"], rel=1e-3)


def test_the_released_preset_weighs_the_reconstruction_by_its_confidence():
    settings = replace(
        PRESETS["released"], backbone=replace(SMALL, normalisation="batch"), kl_weight=0.0
    )
    b = batch(SMALL)
    torch.manual_seed(0)
    model = PerPointSampler(settings)
    torch.nn.init.zeros_(model.confidence.weight)
    torch.nn.init.zeros_(model.confidence.bias)
    loss, figures = sampler_loss(model, b, torch.Generator().manual_seed(0))
    assert float(loss.detach()) == pytest.approx(
        0.5 * figures["reconstruction"] + np.log(2), rel=1e-5
    )


@pytest.mark.parametrize("conditioning", ["per_point", "shared"])
def test_a_few_grasps_are_learned_by_heart(conditioning):
    b = batch(SMALL, grasps=3)
    torch.manual_seed(0)
    model = make_sampler(
        SamplerSettings(backbone=SMALL, kl_weight=1e-4, conditioning=conditioning)
    ).eval()
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    history = []
    for _ in range(100):
        loss, figures = sampler_loss(model, b, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(figures["reconstruction"])
    assert np.mean(history[-10:]) < 0.3 * history[0]


def test_latents():
    generator = torch.Generator().manual_seed(0)
    normal, uniform = (draw_latents(20000, 2, generator, name) for name in ("normal", "uniform"))
    torch.testing.assert_close(normal.std(dim=0), torch.ones(2), atol=0.03, rtol=0)
    assert float(uniform.abs().max()) <= 2
    torch.testing.assert_close(uniform.std(dim=0), torch.full((2,), 2 / 3**0.5), atol=0.03, rtol=0)
    with pytest.raises(ParameterError, match="gaussian"):
        draw_latents(1, 2, generator, "gaussian")


def test_sample_depends_on_its_generator_alone_and_not_on_the_chunk():
    model = PerPointSampler(SamplerSettings(backbone=SMALL)).eval()
    cloud = batch(SMALL).points[0]
    runs = [
        sample(model, cloud, 10, torch.Generator().manual_seed(3), chunk=chunk)[0]
        for chunk in (10, 4)
    ]
    assert runs[0].shape == (10, 4, 4)
    torch.testing.assert_close(*runs)


def test_unknown_choices_are_refused():
    with pytest.raises(ParameterError, match="conditioning 'none'"):
        SamplerSettings(conditioning="none")
    with pytest.raises(ParameterError, match="reconstruction"):
        SamplerSettings(reconstruction="l2")
    with pytest.raises(ParameterError, match="confidence True"):
        SamplerSettings(conditioning="shared", confidence=True)


def test_a_sampler_comes_back_from_its_file(tmp_path):
    settings = SamplerSettings(backbone=SMALL, conditioning="shared")
    model = make_sampler(settings).eval()
    parameters = {"network": "sampler", "sampler": {**vars(settings), "backbone": vars(SMALL)}}
    save_weights(tmp_path / "s.safetensors", model, parameters)
    loaded = load_sampler(tmp_path / "s.safetensors")
    assert loaded.settings == settings
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True)
    )
    save_weights(tmp_path / "e.safetensors", model, {**parameters, "network": "evaluator"})
    with pytest.raises(WeightsError, match="evaluator"):
        load_sampler(tmp_path / "e.safetensors")


def examples():
    rng = np.random.default_rng(0)
    clouds = 0.03 * rng.normal(size=(2, 64, 3)).astype(np.float32)
    strata = stratify(poses(20).double().numpy())
    return [Examples("toy", clouds, np.tile(np.eye(4), (2, 1, 1)), strata, strata, strata)]


@pytest.mark.parametrize(
    "settings",
    [
        SamplerSettings(backbone=SMALL, conditioning="shared"),
        SamplerSettings(backbone=replace(SMALL, normalisation="batch"), confidence=True),
    ],
)
def test_training_twice_gives_the_same_bytes(tmp_path, settings):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    histories = [
        fit(SAMPLER, examples(), settings, TrainSettings(3), path, clouds=2) for path in files
    ]
    assert histories[0] == histories[1] and len(histories[0]) == 3
    assert files[0].read_bytes() == files[1].read_bytes()
    assert load_sampler(files[0]).settings == settings
