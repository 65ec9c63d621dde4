import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.evaluator import (
    Evaluator,
    EvaluatorSettings,
    load_evaluator,
    score,
)
from graspbook.graspnet.evaluator_pose import PoseCloud
from graspbook.graspnet.grouping import group
from graspbook.graspnet.pointnet2 import PointNet2
from graspbook.graspnet.refinement import refine_by_gradient
from graspbook.weights_files import save_weights

SMALL = BackboneSettings(
    points=60, centroids=(20, 14), neighbours=(12, 12), width=0.125, length_unit=0.05
)


@pytest.fixture
def cloud():
    return 0.03 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def grasps():
    rng = np.random.default_rng(1)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(5, rng), 0.08 * rng.normal(size=(5, 3))),
        dtype=torch.float32,
    )


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    return Evaluator(EvaluatorSettings("pose", backbone=SMALL)).eval()


def test_every_point_carries_the_pose(cloud, grasps):
    """Equal to a PointNet++ whose points have the sixteen numbers among their own features."""
    torch.manual_seed(0)
    body = PoseCloud(SMALL)
    joined = PointNet2(SMALL, 3 + 16)
    joined.load_state_dict(body.backbone.state_dict())
    groups = group(cloud[None], SMALL)
    found = body(cloud[None], groups, grasps[None])[0]
    for g in range(5):
        numbers = grasps[g].clone()
        numbers[:3, 3] /= 0.05
        features = torch.cat([cloud / 0.05, numbers.flatten().expand(60, 16)], dim=-1)
        assert torch.allclose(
            joined(cloud[None], groups, features[None])[0, 0], found[g], atol=1e-5
        )


def test_scores_differ_by_pose_and_not_by_the_order_of_grasps(evaluator, cloud, grasps):
    scores = score(evaluator, cloud, grasps)
    assert scores.unique().numel() == 5 and ((scores > 0) & (scores < 1)).all()
    assert torch.allclose(score(evaluator, cloud, grasps.flip(0)), scores.flip(0), atol=1e-6)


def test_groups_are_those_of_the_cloud_alone(evaluator, cloud):
    for found, expected in zip(
        evaluator.settings.grouper()(cloud[None]), group(cloud[None], SMALL), strict=True
    ):
        assert all(map(torch.equal, found, expected))


def test_gradient_refinement_climbs_a_scorer_of_this_kind(evaluator, cloud, grasps):
    found = refine_by_gradient(evaluator, cloud, grasps, steps=2, max_translation=1e-4)
    assert found.grasps.shape == (3, 5, 4, 4)
    assert (found.scores[-1] >= found.scores[0] - 1e-4).all()


def test_weights_of_this_kind_are_loaded_as_such(evaluator, tmp_path, cloud, grasps):
    from dataclasses import asdict

    save_weights(
        tmp_path / "e.safetensors",
        evaluator,
        {"network": "evaluator", "evaluator": asdict(evaluator.settings)},
    )
    again = load_evaluator(tmp_path / "e.safetensors")
    assert again.settings.representation == "pose"
    assert torch.equal(score(again, cloud, grasps), score(evaluator, cloud, grasps))
