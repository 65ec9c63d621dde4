"""A toy of each kind of network, as somebody adds one: a class, and a row in a table."""

import numpy as np
import pytest
import torch
from torch import nn

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.batches import SamplerBatch
from graspbook.graspnet.dataset import Examples, stratify
from graspbook.graspnet.evaluator import (
    EVALUATOR,
    REPRESENTATIONS,
    EvaluatorSettings,
    load_evaluator,
)
from graspbook.graspnet.fitting import fit
from graspbook.graspnet.network_kinds import Body, Sampler
from graspbook.graspnet.predict import PredictSettings, predict
from graspbook.graspnet.sampler import CONDITIONINGS, SAMPLER, SamplerSettings, load_sampler
from graspbook.pose import from_rt_torch, quat_wxyz_to_matrix_torch
from graspbook.training import TrainSettings


class ToyBody(Body):
    """The grasp's place beside the cloud's mean."""

    def __init__(self, settings):
        super().__init__(settings)
        self.layer, self.size = nn.Linear(3, 4), 4

    @staticmethod
    def grouper(settings):
        return lambda points: points.mean(dim=1, keepdim=True)

    def forward(self, points, groups, grasps, roll=None):
        return self.layer((grasps[..., :3, 3] - groups) / self.settings.length_unit).relu()


class ToySampler(Sampler):
    """Grasps by a linear layer of the latent, about the cloud's mean."""

    rolls = True

    def __init__(self, settings):
        super().__init__(settings)
        self.latents, self.pose = nn.Linear(3, 2 * settings.latent), nn.Linear(settings.latent, 7)

    def encode(self, seen, grasps):
        return self.latents(grasps[..., :3, 3]).chunk(2, dim=-1)

    def decode(self, seen, latents):
        quaternion, place = self.pose(latents).split([4, 3], dim=-1)
        place = place + seen[0].mean(dim=1, keepdim=True)
        grasps = from_rt_torch(quat_wxyz_to_matrix_torch(quaternion), place)
        return grasps, torch.ones_like(grasps[..., 0, 0])


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setitem(REPRESENTATIONS, "toy", ToyBody)
    monkeypatch.setitem(CONDITIONINGS, "toy", ToySampler)
    backbone = BackboneSettings(points=32, centroids=(8, 4), neighbours=(4, 4), width=0.1)
    return (
        SamplerSettings(conditioning="toy", backbone=backbone),
        EvaluatorSettings("toy", backbone=backbone),
    )


def test_toys_are_trained_loaded_and_predict(toys, tmp_path):
    rng = np.random.default_rng(0)
    grasps = np.tile(np.eye(4), (6, 1, 1))
    grasps[:, :3, 3] = 0.1 * rng.normal(size=(6, 3))
    clouds = 0.03 * rng.normal(size=(1, 40, 3)).astype(np.float32)
    examples = [Examples("toy", clouds, np.eye(4)[None], *[stratify(grasps)] * 3)]
    files = [tmp_path / "sampler.safetensors", tmp_path / "evaluator.safetensors"]
    for learner, settings, file in zip((SAMPLER, EVALUATOR), toys, files, strict=True):
        assert len(fit(learner, examples, settings, TrainSettings(2), file)) == 2
    sampler, evaluator = load_sampler(files[0]), load_evaluator(files[1])
    assert isinstance(sampler, ToySampler) and isinstance(evaluator.body, ToyBody)
    found = predict(clouds[0], sampler, evaluator, PredictSettings(samples=5, steps=2), rng)
    assert found.iterations.shape == (3, 5, 4, 4)


def test_a_kind_that_rolls_sees_other_clouds_in_training_alone(toys):
    class Watched(ToySampler):
        def observe(self, points, groups):
            self.seen = points
            return points, groups

    sampler = Watched(toys[0])
    points = torch.rand(1, 32, 3)
    batch = SamplerBatch(points, toys[0].grouper()(points), torch.eye(4)[None, None])
    SAMPLER.loss_of(sampler.train(), batch, torch.Generator())
    assert not torch.allclose(sampler.seen, points)
    SAMPLER.loss_of(sampler.eval(), batch, torch.Generator())
    assert torch.equal(sampler.seen, points)
