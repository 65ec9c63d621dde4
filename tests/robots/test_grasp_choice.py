"""What is seen, and what is chosen."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.graspnet.evaluator import Evaluator
from graspbook.graspnet.experiments import network_settings
from graspbook.graspnet.predict import PredictSettings
from graspbook.graspnet.sampler import make_sampler
from graspbook.objects.trial_objects import make_trial_object
from graspbook.perception.table import TableView
from graspbook.robots import grasp_choice
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import TrialSettings, behind, choose, perceive
from graspbook.robots.trial_runner import _conditioning
from graspbook.robots.trial_setups import simulated_view
from graspbook.robots.trial_subjects import trial_poses

BOX = make_trial_object("jello_strawberry")
# From above, across its 28 mm.
GRASP = pose.from_rt(np.diag([1.0, -1.0, -1.0]), [0.5, 0.0, 0.045 + 0.1034])


def test_a_table_that_is_higher_than_expected_is_kept_clear_of(monkeypatch):
    def seen(height, tilt=0.0):
        normal = np.array([-np.sin(tilt), 0, np.cos(tilt)])
        points = np.array(
            [
                [x, y, z]
                for x in (0.486, 0.514)
                for y in (-0.04, 0.04)
                for z in np.arange(0.02, 0.07, 0.005)
            ]
        )
        return TableView(
            normal, -height - 0.5 * normal[0], points, np.zeros((0, 3)), np.zeros((0, 3))
        )

    assert grasp_choice.highest_table(seen(0.015)) == pytest.approx(0.015)
    assert grasp_choice.highest_table(seen(0.0, 0.05)) == pytest.approx(
        0.114 * np.tan(0.05), abs=1e-9
    )
    base_T_camera = FR3.base_T_camera(FR3.forward(FR3.look))
    low = GRASP.copy()
    low[2, 3] = 0.008 + 0.1122  # fingertips 8 mm over where the table should be
    monkeypatch.setattr(
        grasp_choice,
        "predict",
        lambda *_, **__: SimpleNamespace(
            camera_T_hand=pose.inverse(base_T_camera) @ low[None],
            scores=np.array([0.9]),
            feasible=np.array([True]),
        ),
    )
    for height, clear in ((-0.01, 1), (0.0, 1), (0.015, 0)):
        chosen = grasp_choice.choose(
            seen(height),
            base_T_camera,
            FR3.look,
            networks=(None, None),
            settings=TrialSettings(rounds=1),
            rng=None,
        )
        assert chosen.counts()["clear"] == clear and (chosen.plan is not None) == bool(clear)
        assert (
            chosen.scene.limits.table
            == chosen.way.limits.table
            == pytest.approx(max(height, 0.0), abs=1e-9)
        )


def test_what_is_hidden_behind_the_object_is_down_to_the_table():
    points = np.array([[0.5, 0.0, 0.1], [0.5, 0.0, 0.015]])
    hidden = behind(points, np.array([0.5, 0.0, 0.5]))
    np.testing.assert_allclose(hidden[:, :2], [[0.5, 0.0]] * len(hidden), atol=1e-12)
    np.testing.assert_allclose(np.sort(hidden[:, 2]), np.arange(0.02, 0.081, 0.01), atol=1e-9)


@pytest.mark.parametrize(("preset", "conditioning"), [("paper", "per_point"), ("ours", "shared")])
def test_networks_that_condition_every_point_or_all_at_once_take_the_same_view(
    preset, conditioning
):
    settings = replace(TrialSettings(), predict=PredictSettings(samples=12, steps=1), rounds=1)
    sampler, evaluator = network_settings(
        preset, width=0.1, points=128, neighbours=[8, 8], latent=2, kl_weight=0.01, probed=256
    )
    torch.manual_seed(0)
    networks = make_sampler(sampler).eval(), Evaluator(evaluator).eval()
    base_T_camera, rng = FR3.base_T_camera(FR3.forward(FR3.look)), np.random.default_rng(0)
    view = perceive(
        simulated_view(BOX, trial_poses(BOX, 1)[0], base_T_camera, rng), base_T_camera, settings
    )
    choice = choose(view, base_T_camera, FR3.look, networks=networks, settings=settings, rng=rng)
    assert (
        choice.base_T_hand.shape == (12, 4, 4)
        and choice.scores.shape == (12,)
        and _conditioning(networks) == conditioning
    )
    middle = view.object_points.mean(axis=0)
    assert (
        np.linalg.norm(choice.base_T_hand[:, :3, 3] - middle, axis=1) < 0.5
    ).all()  # in the base frame
