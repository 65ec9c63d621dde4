import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import CaptureError, ParameterError, WeightsError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.baselines.geometric import sample_geometric
from graspbook.graspnet.baselines.gpd import GpdSettings
from graspbook.graspnet.evaluator import Evaluator, EvaluatorSettings, score
from graspbook.graspnet.frame import object_frame
from graspbook.graspnet.predict import (
    METHODS,
    PredictSettings,
    contact_check,
    load_networks,
    predict,
    weights_files,
)
from graspbook.graspnet.sampler import SamplerSettings, make_sampler
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.hands.robotiq import ROBOTIQ_2F85

SMALL = BackboneSettings(
    points=64, centroids=(16, 12), neighbours=(16, 16), width=0.125, length_unit=0.05
)
SETTINGS = PredictSettings(samples=40, steps=3, min_points_between=1)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    evaluator = Evaluator(EvaluatorSettings("probes", backbone=SMALL, probed=200))
    return make_sampler(SamplerSettings(backbone=SMALL)).eval(), evaluator.eval()


def cloud():
    return 0.05 * np.random.default_rng(0).normal(size=(300, 3)) + [0.1, 0.2, 0.8]


def test_contacts_by_hand():
    # Two points between the fingers; in another pose of the hand they are inside the palm; in a
    # third nowhere.
    points = np.array([[0, 0, FRANKA.pad_z], [0.01, 0, FRANKA.pad_z]])
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[1, 2, 3], poses[2, 2, 3] = FRANKA.pad_z - 0.02, -1
    collides, between = contact_check(poses, points)
    assert collides.tolist() == [False, True, False] and between.tolist() == [2, 0, 0]


def test_a_prediction_is_sorted_and_consistent(networks):
    prediction = predict(cloud(), *networks, SETTINGS, np.random.default_rng(0))
    assert prediction.camera_T_hand.shape == (40, 4, 4) and prediction.iterations.shape == (
        4,
        40,
        4,
        4,
    )
    count = prediction.feasible.sum()
    assert prediction.feasible[:count].all()
    for part in (prediction.scores[:count], prediction.scores[count:]):
        assert (np.diff(part) <= 0).all()
    columns = np.arange(40)
    np.testing.assert_array_equal(
        prediction.iterations[prediction.step, columns], prediction.camera_T_hand
    )
    np.testing.assert_array_equal(
        prediction.iteration_scores[prediction.step, columns], prediction.scores
    )
    np.testing.assert_array_equal(prediction.scores, prediction.iteration_scores.max(axis=0))
    collides, between = contact_check(prediction.camera_T_hand, cloud())
    np.testing.assert_array_equal(collides, prediction.collides)
    np.testing.assert_array_equal(prediction.feasible, ~collides & (between >= 1))


def test_a_camera_that_turns_aside_gets_the_same_grasps_in_its_frame(networks):
    turn = pose.rotation_about([0, 1, 0], 0.4)
    before = cloud() + np.array([0.0, 0.0, 0.5])
    before[:, 1] -= before[:, 1].mean()
    here, there = (
        predict(c, *networks, SETTINGS, np.random.default_rng(0)) for c in (before, before @ turn.T)
    )
    # Equal seeds draw equal points and latents, so only the frame differs (up to single precision).
    expected, found = turn @ here.iterations[0, :, :3], there.iterations[0, :, :3]
    expected, found = (poses[np.lexsort(poses[:, :, 3].T)] for poses in (expected, found))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_scores_are_the_evaluators(networks):
    sampler, evaluator = networks
    points = cloud()[:200]
    prediction = predict(points, sampler, evaluator, SETTINGS, np.random.default_rng(0))
    frame_T_camera = pose.inverse(object_frame(points))
    generator = np.random.default_rng(0)
    generator.integers(2**63)
    seen = points[generator.choice(200, 200, replace=False)]
    grasps = torch.tensor(frame_T_camera @ prediction.camera_T_hand, dtype=torch.float32)
    expected = score(
        evaluator, torch.tensor(pose.transform(frame_T_camera, seen), dtype=torch.float32), grasps
    )
    np.testing.assert_allclose(prediction.scores, expected, atol=1e-4)


def test_equal_seeds_give_equal_predictions(networks):
    runs = [
        predict(cloud(), *networks, SETTINGS, np.random.default_rng(seed)).camera_T_hand
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


def test_a_cloud_of_fewer_points_than_the_network_takes(networks):
    assert predict(cloud()[:10], *networks, SETTINGS, np.random.default_rng(0)).scores.shape == (
        40,
    )


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.zeros((5, 2)), np.full((5, 3), np.nan)])
def test_clouds_that_cannot_be_are_refused(networks, bad):
    with pytest.raises(CaptureError, match="point cloud"):
        predict(bad, *networks, SETTINGS, np.random.default_rng(0))


def test_missing_weights_are_an_error(tmp_path):
    with pytest.raises(WeightsError, match="sampler"):
        load_networks(tmp_path)


def test_another_gripper_takes_the_grasps_with_its_pads_in_their_place_and_a_note(networks):
    ours, theirs = (
        predict(cloud(), *networks, SETTINGS, np.random.default_rng(0), gripper=gripper)
        for gripper in (FRANKA, ROBOTIQ_2F85)
    )
    assert not ours.note and ours.gripper == FRANKA
    assert "trained for the Franka Hand, not for the Robotiq 2F-85" in theirs.note
    pads = [
        pose.transform(found.camera_T_hand, np.array([[0, 0, found.gripper.pad_z]]))[:, 0]
        for found in (ours, theirs)
    ]
    ours, theirs = (places[np.lexsort(places.T)] for places in pads)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_gpd_draws_its_candidates_for_the_gripper(monkeypatch):
    detector = types.SimpleNamespace(settings=GpdSettings())
    hands = []

    def detect(points, network, settings, n, rng):
        hands.append(settings.hand)
        return np.zeros((0, 4, 4)), np.zeros(0)

    monkeypatch.setattr("graspbook.graspnet.predict.detect", detect)
    for gripper in (FRANKA, ROBOTIQ_2F85):
        settings = replace(SETTINGS, method="gpd")
        predict(cloud(), None, detector, settings, np.random.default_rng(0), gripper=gripper)
    assert hands == ["franka", "robotiq_2f85"]


def test_geometric_grasps_are_sampled_on_the_whole_cloud_and_refined_by_the_same_evaluator(
    networks,
):
    settings = replace(SETTINGS, method="geometric", refinement="gradient")
    sampled, found = (
        predict(
            cloud(), None, networks[1], replace(settings, steps=steps), np.random.default_rng(0)
        )
        for steps in (0, 3)
    )
    generator = np.random.default_rng(0)
    generator.integers(2**63)
    generator.choice(300, 200, replace=False)
    expected = sample_geometric(cloud(), 40, generator)
    assert sampled.iterations.shape == (1, 40, 4, 4) and found.iterations.shape == (4, 40, 4, 4)
    for prediction in (sampled, found):
        places = prediction.iterations[0, :, :3, 3]
        np.testing.assert_allclose(
            places[np.lexsort(places.T)],
            expected[np.lexsort(expected[:, :3, 3].T), :3, 3],
            atol=1e-6,
        )
    assert found.scores.mean() > sampled.scores.mean()


def test_gpd_ranks_its_own_scores_and_refines_nothing(networks, monkeypatch):
    grasps = np.tile(np.eye(4), (3, 1, 1))
    grasps[:, :3, 3] = cloud()[:3] - [0, 0, FRANKA.pad_z]
    detector = types.SimpleNamespace(settings="of the detector")

    def detect(points, network, settings, n, rng):
        assert (
            network is detector and settings == "of the detector" and n == 40 and len(points) == 300
        )
        return grasps, np.array([0.3, 0.9, 0.6])

    monkeypatch.setattr("graspbook.graspnet.predict.detect", detect)
    found = predict(
        cloud(), None, detector, replace(SETTINGS, method="gpd"), np.random.default_rng(0)
    )
    order = np.lexsort([[-0.3, -0.9, -0.6], contact_check(grasps, cloud())[0]])
    np.testing.assert_allclose(found.camera_T_hand, grasps[order])
    np.testing.assert_allclose(found.scores, np.array([0.3, 0.9, 0.6])[order])
    assert found.iterations.shape == (1, 3, 4, 4) and not found.step.any()
    monkeypatch.setattr(
        "graspbook.graspnet.predict.detect", lambda *_: (np.zeros((0, 4, 4)), np.zeros(0))
    )
    assert predict(
        cloud(), None, detector, replace(SETTINGS, method="gpd"), np.random.default_rng(0)
    ).scores.shape == (0,)


def test_every_method_has_a_line_for_help_texts():
    assert list(METHODS) == ["graspnet", "geometric", "gpd"]
    assert all(method.about and "\n" not in method.about for method in METHODS.values())


def test_each_method_asks_for_its_own_weights(weights, tmp_path):
    assert load_networks(weights, method="geometric")[0] is None
    assert [path.name for path in weights_files("w", "gpd")] == ["gpd.safetensors"]
    with pytest.raises(ParameterError, match="'luck', expected one of graspnet, geometric, gpd"):
        load_networks(weights, method="luck")
