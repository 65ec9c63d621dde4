from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.errors import GraspFileError
from graspbook.grasp_set import Grasps
from graspbook.graspnet.batches import (
    evaluator_batch,
    examples_hash,
    held_out_figures,
    random_roll,
    sampler_batch,
)
from graspbook.graspnet.dataset import DataSettings, prepare
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.grasp_object import GraspObject

BOX = trimesh.creation.box((0.03, 0.05, 0.12))
OBJECT = GraspObject("box", "box", BOX, (BOX,))
SETTINGS = DataSettings(views=2, points=128, hard_negatives=50, surface_points=1500)


def grasps(n=60):
    """Grasps across the box's thin side at random heights from both sides; every third one marked
    as failed.
    """
    rng = np.random.default_rng(0)
    sides = rng.choice([0, np.pi], n)
    rotation = pose.rotation_about([0, 0, 1.0], sides) @ pose.rotation_about(
        [1.0, 0, 0], np.full(n, np.pi / 2)
    )
    place = np.stack([np.zeros(n), np.zeros(n), rng.uniform(-0.05, 0.05, n)], axis=1) - rotation[
        :, :, 2
    ] * (FRANKA.pad_z + 0.01)
    return Grasps(pose.from_rt(rotation, place), np.arange(n) % 3 != 0)


def no_groups(points):
    return ()


@pytest.fixture(scope="module")
def example():
    return prepare(OBJECT, grasps(), SETTINGS)


def test_batches_depend_on_seed_and_step_alone(example):
    def draw(seed, step):
        return sampler_batch([example], no_groups, seed, step).grasps

    assert torch.equal(draw(0, 5), draw(0, 5))
    assert not torch.equal(draw(0, 5), draw(0, 6)) and not torch.equal(draw(0, 5), draw(1, 5))


def test_sampler_batches_hold_positives_in_the_frame_of_their_view(example):
    batch = sampler_batch([example], no_groups, 0, 0, clouds=3)
    assert batch.points.shape == (3, 128, 3) and batch.grasps.shape == (3, 64, 4, 4)
    for points, poses in zip(batch.points.numpy(), batch.grasps.numpy(), strict=True):
        view = next(i for i in range(2) if np.array_equal(example.clouds[i], points))
        truth = (example.view_T_object[view] @ example.positives.grasps)[:, :3, 3]
        assert np.abs(poses[:, None, :3, 3] - truth).sum(axis=-1).min(axis=1).max() < 1e-6


def test_evaluator_batches_mix_19_20_25(example):
    batch = evaluator_batch([example], no_groups, 0, 0, clouds=2)
    assert batch.success.sum(dim=1).tolist() == [19, 19]
    view = next(i for i in range(2) if np.array_equal(example.clouds[i], batch.points[0].numpy()))
    frame = example.view_T_object[view]
    kinds = [example.positives] * 19 + [example.negatives] * 20 + [example.hard_negatives] * 25
    for grasp, kind in zip(batch.grasps[0].numpy(), kinds, strict=True):
        assert np.abs(frame @ kind.grasps - grasp).max(axis=(1, 2)).min() < 1e-6


def test_of_an_object_that_nothing_holds_all_grasps_are_negative():
    none, more = (replace(grasps(count), success=np.zeros(count, bool)) for count in (60, 30))
    wide = prepare(OBJECT, none, SETTINGS, more)
    batch = evaluator_batch([wide], no_groups, 0, 0)
    assert not batch.success.any()
    frame = wide.view_T_object[
        [np.array_equal(points, batch.points[0].numpy()) for points in wide.clouds]
    ][0]
    for grasp, kind in zip(
        batch.grasps[0].numpy(), [wide.negatives] * 39 + [wide.hard_negatives] * 25, strict=True
    ):
        assert np.abs(frame @ kind.grasps - grasp).max(axis=(1, 2)).min() < 1e-6


def test_explored_grasps_are_two_fifths_of_a_batch_with_labels_of_their_own(example):
    explored = replace(grasps(30), success=np.arange(30) % 2 == 0)
    batch = evaluator_batch([replace(example, explored=explored)], no_groups, 0, 0)
    assert batch.success[0, :39].tolist() == [True] * 11 + [False] * 28
    view = next(i for i in range(2) if np.array_equal(example.clouds[i], batch.points[0].numpy()))
    known = example.view_T_object[view] @ explored.transforms
    for grasp, success in zip(batch.grasps[0, 39:].numpy(), batch.success[0, 39:], strict=True):
        assert explored.success[np.abs(known - grasp).max(axis=(1, 2)).argmin()] == bool(success)


def test_families_are_drawn_alike_however_many_objects_they_have(example):
    crowd = [replace(example, name=f"box {i}", clouds=example.clouds + 1 + i) for i in range(9)]
    lone = replace(example, name="mug", family="mug")
    batch = sampler_batch([*crowd, lone], no_groups, 0, 0, clouds=400)
    assert np.mean(batch.points.mean(dim=(1, 2)).numpy() < 0.5) == pytest.approx(0.5, abs=0.08)


def test_a_roll_keeps_the_direction_of_view():
    rolls = random_roll(500, torch.Generator().manual_seed(0))
    torch.testing.assert_close(rolls @ rolls.mT, torch.eye(3).expand(500, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        rolls @ torch.tensor([0.0, 0, 1]), torch.tensor([0.0, 0, 1]).expand(500, 3)
    )
    assert float(rolls[:, 0].mean(dim=0).abs().max()) < 0.1 and (torch.linalg.det(rolls) > 0).all()


def test_held_out_figures_are_means_over_the_same_batches_and_noise(example):
    def loss_of(model, batch, generator):
        noise = float(torch.rand(1, generator=generator))
        return torch.tensor(2.0 + noise), {"noise": noise}

    figures = held_out_figures(
        None, lambda step: sampler_batch([example], no_groups, 0, step), loss_of, batches=3
    )
    assert figures["loss"] == pytest.approx(2 + figures["noise"])
    assert (
        held_out_figures(
            None, lambda step: sampler_batch([example], no_groups, 0, step), loss_of, batches=3
        )
        == figures
    )


def test_objects_without_the_needed_grasps_are_left_out(example):
    empty = prepare(
        replace(OBJECT, name="empty"), replace(grasps(), success=np.zeros(60, bool)), SETTINGS
    )
    assert len(empty.hard_negatives.grasps) == 0
    assert torch.equal(
        sampler_batch([empty, example], no_groups, 0, 0).grasps,
        sampler_batch([example], no_groups, 0, 0).grasps,
    )
    for batch in (sampler_batch, evaluator_batch):
        with pytest.raises(GraspFileError, match="no object has"):
            batch([empty], no_groups, 0, 0)


def test_batches_take_the_first_points_of_a_view(example):
    for batch in (sampler_batch, evaluator_batch):
        every, few = batch([example], no_groups, 0, 0), batch([example], no_groups, 0, 0, points=50)
        assert torch.equal(few.points, every.points[:, :50]) and torch.equal(
            few.grasps, every.grasps
        )


def test_preparing_is_a_pure_function_of_its_input(example):
    assert examples_hash([prepare(OBJECT, grasps(), SETTINGS)]) == examples_hash([example])
    assert examples_hash([prepare(OBJECT, grasps(), replace(SETTINGS, seed=1))]) != examples_hash(
        [example]
    )
    assert examples_hash(
        [prepare(replace(OBJECT, name="other"), grasps(), SETTINGS)]
    ) != examples_hash([example])
