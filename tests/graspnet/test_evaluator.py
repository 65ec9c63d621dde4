import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.batches import EvaluatorBatch
from graspbook.graspnet.dataset import Examples, stratify
from graspbook.graspnet.evaluator import (
    EVALUATOR,
    Evaluator,
    EvaluatorSettings,
    evaluator_loss,
    load_evaluator,
    score,
    success_probability,
)
from graspbook.graspnet.fitting import fit
from graspbook.training import TrainSettings

SMALL = BackboneSettings(
    points=60, centroids=(20, 14), neighbours=(60, 60), width=0.125, length_unit=0.05
)
SETTINGS = {
    "literal": EvaluatorSettings("unified", "literal", SMALL),
    "shared": EvaluatorSettings("unified", "object_and_gripper", SMALL),
    "probes": EvaluatorSettings("probes", backbone=SMALL, probed=60),
}
EACH = pytest.mark.parametrize("kind", SETTINGS)


def poses(n, seed=0, spread=0.08):
    rng = np.random.default_rng(seed)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(n, rng), spread * rng.normal(size=(n, 3))),
        dtype=torch.float32,
    )


def cloud(seed=0):
    return 0.03 * torch.randn(60, 3, generator=torch.Generator().manual_seed(seed))


def make(kind):
    torch.manual_seed(0)
    return Evaluator(SETTINGS[kind]).eval()


@EACH
def test_grasps_of_a_batch_do_not_see_each_other(kind):
    evaluator, grasps = make(kind), poses(6)
    points = torch.stack([cloud(1), cloud(2)])
    both = torch.stack([grasps[:3], grasps[3:]])
    together = evaluator(points, evaluator.settings.grouper()(points), both)
    for c in range(2):
        torch.testing.assert_close(
            success_probability(together[c]), score(evaluator, points[c], both[c], chunk=2)
        )


@EACH
def test_what_is_prepared_for_inference_scores_as_what_is_grouped_for_training(kind):
    evaluator, points, grasps = make(kind), cloud()[None], poses(6)[None]
    grouped = evaluator(points, evaluator.settings.grouper()(points), grasps)
    torch.testing.assert_close(evaluator(points, evaluator.prepare(points), grasps), grouped)


@EACH
def test_gradients_of_the_success_agree_with_finite_differences(kind):
    evaluator, points = make(kind).double(), cloud().double()
    groups = evaluator.settings.grouper()(points[None])
    start = poses(4, seed=3).double()
    angles, shift = pose.matrix_to_euler_sxyz_torch(start[:, :3, :3]), start[:, :3, 3]

    def success(values):
        grasps = pose.from_rt_torch(pose.euler_sxyz_to_matrix_torch(values[:, :3]), values[:, 3:])
        return success_probability(evaluator(points[None], groups, grasps[None]))[0]

    values = torch.cat([angles, shift], dim=-1).requires_grad_()
    gradient = torch.autograd.grad(success(values).sum(), values)[0]
    for i in range(6):
        step = torch.zeros(6, dtype=torch.double)
        step[i] = 1e-7
        slope = (success(values + step) - success(values - step)) / 2e-7
        torch.testing.assert_close(gradient[:, i], slope.detach(), atol=1e-6, rtol=1e-3)


@EACH
def test_scores_are_probabilities_that_tell_grasps_apart(kind):
    scores = score(make(kind), cloud(), poses(20))
    assert scores.shape == (20,) and float(scores.std()) > 1e-4
    assert ((scores > 0) & (scores < 1)).all()


def test_the_loss_is_the_cross_entropy_of_equation_4():
    class Fixed(torch.nn.Module):
        settings = EvaluatorSettings()

        def forward(self, points, groups, grasps, roll):
            return torch.tensor([[[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]])

    b = EvaluatorBatch(cloud()[None], None, poses(3)[None], torch.tensor([[True, False, False]]))
    loss, figures = evaluator_loss(Fixed(), b, None)
    s = 1 / (1 + np.exp(-np.array([1.0, -2.0, 3.0])))
    assert float(loss) == pytest.approx(
        -(np.log(s[0]) + np.log(1 - s[1]) + np.log(1 - s[2])) / 3, rel=1e-5
    )
    assert figures["accuracy"] == pytest.approx(2 / 3)


def test_unknown_centroids_are_refused():
    with pytest.raises(ParameterError, match="'all'"):
        EvaluatorSettings(centroids="all")


def examples():
    rng = np.random.default_rng(0)
    clouds = 0.03 * rng.normal(size=(2, 60, 3)).astype(np.float32)
    strata = [stratify(poses(20, seed).double().numpy()) for seed in (1, 2, 3)]
    return [Examples("toy", clouds, np.tile(np.eye(4), (2, 1, 1)), *strata)]


@EACH
def test_training_twice_gives_the_same_bytes(tmp_path, kind):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    histories = [
        fit(EVALUATOR, examples(), SETTINGS[kind], TrainSettings(3), path, clouds=2)
        for path in files
    ]
    assert histories[0] == histories[1] and len(histories[0]) == 3
    assert files[0].read_bytes() == files[1].read_bytes()
    assert load_evaluator(files[0]).settings == SETTINGS[kind]


@EACH
def test_training_learns_to_tell_the_examples_apart(tmp_path, kind):
    settings = TrainSettings(40, 3e-3)
    history = fit(EVALUATOR, examples(), SETTINGS[kind], settings, tmp_path / "w")
    assert np.mean([entry["loss"] for entry in history[-5:]]) < 0.95 * history[0]["loss"]
