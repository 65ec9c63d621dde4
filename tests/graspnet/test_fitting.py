from dataclasses import replace

import numpy as np
import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.dataset import Examples, stratify
from graspbook.graspnet.fitting import fit
from graspbook.graspnet.sampler import SAMPLER, SamplerSettings
from graspbook.training import TrainSettings

SMALL = BackboneSettings(
    points=64, centroids=(16, 8), neighbours=(8, 8), width=0.125, length_unit=0.05
)


def examples():
    rng = np.random.default_rng(0)
    clouds = 0.03 * rng.normal(size=(2, 64, 3)).astype(np.float32)
    grasps = np.tile(np.eye(4), (20, 1, 1))
    grasps[:, :3, 3] = rng.normal(size=(20, 3))
    strata = stratify(grasps)
    return [Examples("toy", clouds, np.tile(np.eye(4), (2, 1, 1)), strata, strata, strata)]


def test_training_again_on_the_same_examples_does_nothing(tmp_path):
    path, settings = tmp_path / "w.safetensors", SamplerSettings(backbone=SMALL)
    history = fit(SAMPLER, examples(), settings, TrainSettings(2), path)
    without = SAMPLER._replace(batch_of=None)
    assert fit(without, examples(), settings, TrainSettings(2), path) == history
    other = [replace(examples()[0], name="other")]
    with pytest.raises(TypeError):
        fit(without, other, settings, TrainSettings(2), path)


def test_clouds_of_fewer_points_are_refused(tmp_path):
    settings = SamplerSettings(backbone=replace(SMALL, points=65))
    with pytest.raises(
        ParameterError, match="toy: its clouds were prepared with 64 points, expected at least 65"
    ):
        fit(SAMPLER, examples(), settings, TrainSettings(1), tmp_path / "w")


def test_held_out_examples_are_watched(tmp_path):
    settings = TrainSettings(2, validate_every=1)
    history = fit(
        SAMPLER,
        examples(),
        SamplerSettings(backbone=SMALL),
        settings,
        tmp_path / "w",
        held_out=examples(),
    )
    assert all(np.isfinite(entry["validation_loss"]) for entry in history)
