from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError, WeightsError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.highdof.dataset import DataSettings, gather, prepare
from graspbook.highdof.network import NetworkSettings
from graspbook.highdof.training import (
    LossSettings,
    fewer_grasps,
    fixed_grasps,
    load_network,
    residuals,
    train_network,
)
from graspbook.training import TrainSettings
from graspbook.weights_files import load_history

from .conftest import DATA, SIZES

TRAIN = TrainSettings(150, 1e-3)


@pytest.mark.parametrize(
    ("kind", "heads"), [("l2", 1), ("consistency", 1), ("combined", 1), ("combined", 3)]
)
def test_a_network_learns_what_it_is_trained_by(barrett, examples, tmp_path, kind, heads):
    file, sizes = tmp_path / "w.safetensors", replace(SIZES, heads=heads)
    history = train_network(
        barrett, examples, sizes, LossSettings(kind), settings=TRAIN, weights=file
    )
    assert load_network(file, barrett)[0].heads == heads
    values = [entry["loss"] for entry in history]
    assert np.mean(values[-10:]) < 0.4 * np.mean(values[:5])


def test_training_resumes_and_is_found_again(barrett, examples, tmp_path):
    file = tmp_path / "w.safetensors"
    common = {"settings": replace(TRAIN, steps=5), "weights": file}
    train_network(barrett, examples, SIZES, LossSettings(), **common)
    first = file.read_bytes()
    train_network(barrett, examples, SIZES, LossSettings(), **common)
    assert file.read_bytes() == first
    train_network(barrett, examples, SIZES, LossSettings(beta=0.5), **common)
    assert file.read_bytes() != first


def test_training_goes_on_from_other_weights(barrett, examples, network_file, tmp_path):
    history = train_network(
        barrett,
        examples,
        SIZES,
        LossSettings(),
        settings=replace(TRAIN, steps=2),
        weights=tmp_path / "w.safetensors",
        init=network_file,
    )
    assert history[0]["loss"] < 0.9 * load_history(network_file)[0]["loss"]


def test_a_loaded_network_knows_its_data(network_file, barrett, examples):
    network, settings = load_network(network_file, barrett)
    assert settings == DATA
    assert network(examples.grids[0]).shape == (27, 11)
    with pytest.raises(
        WeightsError,
        match="of the hand barrett with joints spread, .*; expected a highdof network",
    ):
        load_network(network_file, load_hand("shadow"))


def test_residuals_agree_with_the_losses(network_file, barrett, examples):
    network, _ = load_network(network_file, barrett)
    found = residuals(barrett, network, examples)
    assert found.x.shape == (2, 27, 11) and all(
        getattr(found, name).shape == (2, 27) for name in ("l2", "consistency", "depth")
    )
    x = torch.as_tensor(found.x[1])
    squares = losses.squared_distances(x, examples.grasps[1]).numpy()
    np.testing.assert_allclose(found.l2[1], squares[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found.mean_l2[1], squares.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.consistency[1], squares.min(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found.nearest[1], squares.argmin(axis=1))
    nearest = examples.grasps[1, 5, found.nearest[1, 5]].numpy()
    expected = np.sqrt(((nearest[:3] / 0.1) ** 2).sum() + 1 + (nearest[7:] ** 2).sum())
    assert found.size[1, 5] == pytest.approx(expected, rel=1e-5)
    assert (found.consistency <= found.l2).all() and (found.consistency <= found.mean_l2).all()
    assert ((found.points > 0) == (found.collision > 0)).all()
    deep = found.points > 0
    mean_square = found.collision[deep] / found.points[deep] * losses.LENGTH**2
    assert (mean_square >= found.depth[deep] ** 2 * (1 - 1e-4)).all() and np.isnan(
        found.depth[~deep]
    ).all()


def test_fixed_grasps_are_the_best_or_drawn(examples):
    assert torch.equal(fixed_grasps(examples, 0), examples.grasps[:, :, 0])
    drawn = [fixed_grasps(examples, seed) for seed in range(1, 9)]
    assert torch.equal(drawn[0], fixed_grasps(examples, 1)) and any(
        not torch.equal(drawn[0], other) for other in drawn
    )


def test_fewer_grasps_are_some_of_them_in_order(examples):
    fewer = fewer_grasps(examples, 2, seed=1)
    assert fewer.grasps.shape == (2, 27, 2, 11)
    with pytest.raises(ParameterError, match="4 grasps of each object, expected at most 3"):
        fewer_grasps(examples, 4, seed=1)
    for own, few in zip(examples.grasps, fewer.grasps, strict=True):
        places = [(own[0] == grasp).all(dim=1).nonzero().item() for grasp in few[0]]
        assert places == sorted(places) and len(set(places)) == 2


def test_impossible_losses_are_refused():
    with pytest.raises(ParameterError, match="'l1', expected one of l2"):
        LossSettings("l1")
    with pytest.raises(ParameterError, match="beta 1.5"):
        LossSettings(beta=1.5)


def lumps(hand, count, rng):
    """Examples of lopsided objects, no two of which look alike in any rotation, with two grasps
    each: palms 0.19 m from the middle, on any side.
    """
    data, parts = DataSettings(grid=16, length=0.3, nodes=16), []
    for _ in range(count):
        mesh = trimesh.convex.convex_hull(rng.uniform(-0.08, 0.08, (6, 3)))
        turns = pose.random_rotations(2, rng)
        wrist = pose.from_rt(turns, mesh.center_mass + turns @ [0, 0, -0.19])
        joints = rng.uniform(*(hand.limits * [[1.0, 0.4]]).T, (2, len(hand.joints)))
        parts.append(prepare(mesh, mesh.center_mass, pose_vector.join(wrist, joints), data))
    return gather(data, [f"lump {index}" for index in range(count)], parts)


def constant_residual(grasps):
    """L_consistency (mean) of the best constant pose that descent finds, from the mean and from
    some of the grasps (N, 7 + J) of N objects and rotations.
    """
    x = torch.stack([grasps.mean(dim=(0, 1)), *grasps[::60, 0]]).requires_grad_()
    optimiser = torch.optim.Adam([x], 0.02)
    for _ in range(200):
        same = pose_vector.normalise(x)[:, None].expand(-1, len(grasps), -1).flatten(0, 1)
        each = losses.consistency(same, grasps.repeat(len(x), 1, 1)).view(len(x), -1).mean(dim=1)
        optimiser.zero_grad()
        each.sum().backward()
        optimiser.step()
    return float(each.detach().min())


@pytest.mark.slow
def test_eight_objects_in_27_rotations_are_learned_by_heart(barrett, tmp_path):
    examples, file = lumps(barrett, 8, np.random.default_rng(0)), tmp_path / "w.safetensors"
    train_network(
        barrett,
        examples,
        NetworkSettings(16, 12, (256, 128)),
        LossSettings("consistency"),
        settings=TrainSettings(800, 2e-3, "cosine"),
        weights=file,
    )
    found = residuals(barrett, load_network(file, barrett)[0], examples).consistency
    assert found.shape == (8, 27)
    ratio = found.mean() / constant_residual(examples.grasps.flatten(0, 1))
    print(f"residual {found.mean():.3f}, {ratio:.3f} of the best constant pose's")
    assert ratio < 0.1
