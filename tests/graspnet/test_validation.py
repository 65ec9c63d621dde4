import numpy as np
import pytest

from graspbook.graspnet import validation


def test_calibration_by_hand():
    truth = np.array([0, 1, 1, 1, 0], bool)
    scores = np.array([0.05, 0.02, 0.95, 1.0, 0.55])
    score, share, count = validation.calibration(truth, scores, bins=10)
    np.testing.assert_allclose(score, [0.035, 0.55, 0.975])
    np.testing.assert_allclose(share, [0.5, 0.0, 1.0])
    assert count.tolist() == [2, 1, 2]


def test_a_perfectly_calibrated_predictor_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=50000)
    score, share, _ = validation.calibration(rng.uniform(size=50000) < scores, scores)
    np.testing.assert_allclose(score, share, atol=0.02)


@pytest.fixture(scope="module")
def examples():
    from graspbook.graspnet.candidates import sample_grasps
    from graspbook.graspnet.dataset import DataSettings, prepare
    from graspbook.objects.sets import FamilySet

    obj = FamilySet(1, 0, 0.0).load("box_0000")
    return [
        prepare(
            obj, sample_grasps(obj, 80, 0), DataSettings(views=2, points=256, hard_negatives=40)
        )
    ]


def test_scores_come_in_batches_mixed_as_in_training(examples):
    from graspbook.graspnet.evaluator import Evaluator
    from graspbook.graspnet.experiments import network_settings

    settings = network_settings(
        "ours", width=0.1, points=128, neighbours=[8, 8], latent=2, kl_weight=0.01, probed=256
    )[1]
    truth, scores = validation.evaluator_scores(Evaluator(settings).eval(), examples, 3, 0)
    assert truth.shape == scores.shape == (192,)
    assert truth.sum() == 3 * 19
    assert ((scores > 0) & (scores < 1)).all()


def test_reconstruction_error_falls_with_training(examples, tmp_path):
    from graspbook.graspnet.experiments import network_settings, train_task
    from graspbook.graspnet.sampler import load_sampler, make_sampler
    from graspbook.training import TrainSettings

    settings = network_settings(
        "ours", width=0.1, points=128, neighbours=[8, 8], latent=2, kl_weight=0.003, probed=256
    )[0]
    before = validation.reconstruction_error(make_sampler(settings).eval(), examples, 2, 0)
    train_task(
        "sampler",
        examples,
        settings,
        train_settings=TrainSettings(60, 3e-3),
        weights=tmp_path / "sampler.safetensors",
        clouds=2,
    )
    assert (
        validation.reconstruction_error(
            load_sampler(tmp_path / "sampler.safetensors"), examples, 2, 0
        )
        < 0.7 * before
    )
