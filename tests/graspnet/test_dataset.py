from dataclasses import replace

import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.errors import GraspFileError, ParameterError
from graspbook.grasp_set import Grasps
from graspbook.graspnet import dataset
from graspbook.graspnet.dataset import DataSettings, hard_negatives, prepare, stratify
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


def test_views_are_centred_and_lie_on_the_object(example):
    assert example.clouds.shape == (2, 128, 3) and example.clouds.dtype == np.float32
    np.testing.assert_allclose(example.clouds.mean(axis=1), 0, atol=1e-6)
    on_object = pose.transform(pose.inverse(example.view_T_object), example.clouds)
    distance = np.max(np.abs(on_object) - BOX.extents / 2, axis=-1)
    assert np.abs(distance).max() < 1e-4


def test_only_the_side_towards_the_camera_is_seen(example):
    normals = pose.transform(pose.inverse(example.view_T_object), example.clouds) / (
        BOX.extents / 2
    )
    face = np.abs(normals).argmax(axis=-1)
    for view in range(2):
        signs = {
            (int(a), np.sign(n[a]).item()) for a, n in zip(face[view], normals[view], strict=True)
        }
        assert len(signs) <= 3 and len({axis for axis, _ in signs}) == len(signs)


def test_labels_part_the_grasps(example):
    assert len(example.positives.grasps) == 40 and len(example.negatives.grasps) == 20


def test_strata_level_out_density():
    places = np.concatenate([np.zeros((1000, 3)), np.linspace(0.1, 1.0, 31)[:, None] * [1.0, 0, 0]])
    strata = stratify(pose.from_rt(np.eye(3), places))
    assert len(strata.starts) == 33 and strata.starts[-1] == 1031
    drawn = strata.draw(6400, np.random.default_rng(0))
    crowd = np.mean(drawn[:, 0, 3] == 0)
    assert crowd == pytest.approx(1 / 32, abs=0.01)


def test_strata_of_few_grasps_hold_each_once():
    strata = stratify(pose.from_rt(np.eye(3), np.eye(3)))
    assert sorted(np.diff(strata.starts)) == [1, 1, 1]
    assert stratify(np.zeros((0, 4, 4))).grasps.shape == (0, 4, 4)


@pytest.mark.parametrize("rotation", ["paper", "released"])
def test_hard_negatives_are_near_a_positive_and_fail_by_geometry(rotation):
    positives = grasps().transforms[:5]
    settings = replace(SETTINGS, hard_rotation=rotation, hard_negatives=40)
    hard = hard_negatives(BOX, positives, settings, np.random.default_rng(0))
    assert hard.shape == (40, 4, 4)
    dense = trimesh.sample.sample_surface(BOX, 20000, seed=1)[0]
    local = pose.transform(pose.inverse(hard), dense)
    collides, misses = (
        FRANKA.points_in_hand(local, margin=0.001).any(axis=-1),
        ~FRANKA.points_in_closing_region(local).any(axis=-1),
    )
    assert np.mean(collides | misses) > 0.95 and collides.any() and misses.any()
    shift = np.abs(hard[:, None, :3, 3] - positives[:, :3, 3]).max(axis=-1)
    turn = positives[:, :3, :3].swapaxes(1, 2) @ hard[:, None, :3, :3]
    angle = np.arccos(np.clip((np.trace(turn, axis1=-2, axis2=-1) - 1) / 2, -1, 1))
    assert ((shift <= 0.03) & (angle <= 0.6 * 3**0.5)).any(axis=1).all()


def test_hard_negatives_are_judged_alike_in_blocks_of_any_size(monkeypatch):
    positives, settings = grasps().transforms[:5], replace(SETTINGS, hard_negatives=70)
    found = []
    for block in (1, 64, 70):
        monkeypatch.setattr(dataset, "_BLOCK", block)
        found.append(hard_negatives(BOX, positives, settings, np.random.default_rng(0)))
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_more_grasps_join_the_positives_and_take_the_hard_negatives_place():
    more = replace(grasps(30), success=np.arange(30) < 10)
    example = prepare(OBJECT, grasps(), SETTINGS, more)
    assert len(example.positives.grasps) == 50 and len(example.negatives.grasps) == 20
    assert sorted(map(bytes, example.hard_negatives.grasps)) == sorted(
        map(bytes, more.transforms[10:])
    )


def test_degraded_views_differ_from_clean_ones_and_are_the_same_every_time():
    settings = replace(SETTINGS, noise=0.002, holes=3)
    clean, one, two = (prepare(OBJECT, grasps(), s).clouds for s in (SETTINGS, settings, settings))
    assert one.tobytes() == two.tobytes() != clean.tobytes() and one.shape == clean.shape


def test_unlabelled_grasps_and_unknown_choices_are_refused():
    with pytest.raises(GraspFileError, match="'box' have no labels"):
        prepare(OBJECT, replace(grasps(), success=None), SETTINGS)
    with pytest.raises(ParameterError, match="hard_rotation"):
        DataSettings(hard_rotation="large")
