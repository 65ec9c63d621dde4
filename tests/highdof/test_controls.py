from dataclasses import replace

import numpy as np
import pytest
import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.highdof.controls import (
    CONTROLS,
    answers,
    best_constant,
    compared_controls,
    constant_residual,
    control_figures,
    control_residuals,
    judge_answers,
    judged_controls,
    nearest_plans,
)
from graspbook.highdof.dataset import write_examples
from graspbook.highdof.losses import consistency
from graspbook.highdof.network import GraspNetwork
from graspbook.highdof.training import load_network, residuals
from graspbook.objects.grasp_object import GraspObject

from .conftest import SIZES


def mean(x, examples):
    grasps = examples.grasps.flatten(0, 1)
    return float(consistency(x.expand(len(grasps), -1), grasps).mean())


def test_the_best_constant_is_the_grasp_that_all_share(examples):
    shared = examples.grasps[0, 0, 0]
    same = replace(examples, grasps=shared.expand_as(examples.grasps).contiguous())
    torch.testing.assert_close(best_constant(same), shared, atol=1e-3, rtol=0)


def test_the_best_constant_is_at_least_as_good_as_any_grasp(examples):
    found = mean(best_constant(examples), examples)
    grasps = examples.grasps.flatten(0, 2)
    assert found <= min(mean(grasp, examples) for grasp in grasps[::5]) + 1e-3
    assert constant_residual(examples, examples) == pytest.approx(found)


def test_answers_are_the_networks_and_those_of_others(examples):
    torch.manual_seed(0)
    model = GraspNetwork(4, SIZES)
    found = answers(model, examples, examples)
    assert tuple(found) == CONTROLS and all(x.shape == (2, 27, 11) for x in found.values())
    torch.testing.assert_close(found["other_object"][0], found["own"][1])
    torch.testing.assert_close(found["other_rotation"][:, 13], found["own"][:, 0])
    assert (found["constant"] == found["constant"][0, 0]).all()
    # The most similar object is the object itself, so the answer is one of its grasps.
    nearest = consistency(found["nearest_plan"].flatten(0, 1), examples.grasps.flatten(0, 1))
    torch.testing.assert_close(nearest, torch.zeros(54), atol=1e-9, rtol=0)


def test_a_network_that_ignores_the_object_scores_as_its_controls(examples):
    model = GraspNetwork(4, SIZES)
    with torch.no_grad():
        model.head[-1].weight.zero_()
    found = answers(model, examples, examples)
    torch.testing.assert_close(found["own"], found["other_object"])
    torch.testing.assert_close(found["own"], found["other_rotation"])


def test_the_nearest_object_is_that_of_largest_overlap(examples):
    grids = torch.zeros_like(examples.grids)
    grids[0, :, :8], grids[1, :, 8:] = 1, 1
    training = replace(examples, grids=grids)
    asked = torch.zeros_like(grids)
    asked[:, :, 7:] = 1
    found = nearest_plans(training, replace(examples, grids=asked))
    apart = consistency(found[0], examples.grasps[1])
    torch.testing.assert_close(apart, torch.zeros(27), atol=1e-9, rtol=0)


def test_residuals_are_those_of_the_network(barrett, examples, network_file, tmp_path):
    path = tmp_path / "examples.safetensors"
    write_examples(path, examples, {})
    names = {"train": examples.names, "test": examples.names}
    found = control_residuals("barrett", path, names, network_file)
    expected = residuals(barrett, load_network(network_file, barrett)[0], examples).consistency
    for row, name in zip(expected, examples.names, strict=True):
        item = found["own"][name][0]
        np.testing.assert_allclose(item["consistency"], row, rtol=1e-4)
        assert item["x"].shape == (27, 11)


def test_a_single_object_has_no_controls(examples):
    with pytest.raises(ParameterError, match="controls for 1 objects in 27 rotations"):
        answers(GraspNetwork(4, SIZES), examples, examples.take([0]))


def test_answers_are_judged_by_the_same_mending_and_test(barrett, meshes):
    class Boxes:
        def load(self, name):
            return GraspObject(name, "", meshes[name], (meshes[name],))

    wrist = np.eye(4)
    wrist[2, 3] = -0.19
    near, far = (pose_vector.join(wrist, barrett.open)[None] for _ in range(2))
    far[0, 2] = -1.0
    given = {"own": np.repeat(near, 3, axis=0), "constant": np.repeat(far, 3, axis=0)}
    found = judge_answers(
        Boxes(), "box", hand="barrett", given=given, rotations=2, seed=0, way="adjust"
    )
    assert found["own"]["epsilon"].shape == (2,) and found["own"]["held"].shape == (2, 6)
    assert (found["constant"]["epsilon"] == -1).all() and not found["constant"]["held"].any()
    assert found["own"]["held"].mean() > 0.5
    # The far hand is 0.81 m further from the box than the near one, and neither is inside.
    assert (found["own"]["inside"] == 0).all() and (found["constant"]["inside"] == 0).all()
    apart = found["constant"]["surface"] - found["own"]["surface"]
    np.testing.assert_allclose(apart, 0.81, atol=0.1)
    assert (found["own"]["self_penetration"] <= 0.002 + 1e-6).all()
    turned = [{"consistency": np.array([0.2, 0.4]), "x": given[key]} for key in given]
    residuals = {key: {"box": [item]} for key, item in zip(given, turned, strict=True)}
    judged = judged_controls(Boxes(), residuals, hand="barrett", rotations=2, workers=1)
    assert judged["constant"]["box"][0]["consistency"] is turned[1]["consistency"]
    assert judged["own"]["box"][0]["held"].shape == (2, 6)


def test_figures_of_controls_by_hand():
    held = np.ones((2, 6), bool)
    held[1, 3] = False
    raw = {"held": held, "surface": np.array([0.01, 0.03]), "inside": np.array([0.0, 0.002])}
    items = [
        {"consistency": np.array([0.2, 0.4]), "epsilon": np.array([0.1, -1.0])} | raw,
        {"consistency": np.array([0.6, 0.8]), "epsilon": np.array([0.1, 0.2])} | raw,
    ]
    expected = {"consistency": 0.5, "force_closure": 0.75, "held_bench": 0.5}
    expected |= {"surface": 0.02, "inside": 0.001}
    assert control_figures(items) == pytest.approx(expected)
    both = {"own": {"a": items[:1], "b": items[1:]}, "constant": {"a": items[1:], "b": items[1:]}}
    found = compared_controls(both)
    assert found["variants"]["own"]["consistency"]["value"] == pytest.approx(0.5)
    assert found["differences"]["constant"]["own"]["force_closure"]["value"] == pytest.approx(0.25)
