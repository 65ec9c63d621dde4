from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import trimesh

from graspbook.grasp_files import read_grasps
from graspbook.graspnet import extra_grasps
from graspbook.graspnet.candidates import propose_antipodal, sample_grasps, sample_to_file
from graspbook.graspnet.extra_grasps import enrich, enrich_task, perturb
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.families import make_shape
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import Shaker


@pytest.fixture(scope="module")
def mug():
    return make_shape("mug", np.random.default_rng(2))


def test_antipodal_candidates_close_on_both_sides_of_a_plate():
    plate = trimesh.creation.box([0.02, 1.0, 1.0])
    found = propose_antipodal(plate, 200, np.random.default_rng(0))
    rotation, origin = found[:, :3, :3], found[:, :3, 3]
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(1, 2), np.eye(3) + np.zeros((len(found), 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    across = np.abs(rotation[:, 0, 0]) > 0.5  # all but those that start on the plate's narrow sides
    assert across.mean() > 0.9
    assert (
        np.abs(rotation[across, 0, 0]).min() > np.cos(0.4) - 1e-9
    )  # within the cone of the plate's normal
    centre = origin + FRANKA.pad_z * rotation[..., 2]
    # the plate's middle plane lies between the pads, wherever the hand approaches from
    assert np.abs(centre[across, 0]).max() < FRANKA.opening / 2


def test_no_candidate_spans_more_than_the_hand_opens():
    block = trimesh.creation.box([0.2, 0.2, 0.2])
    assert (
        len(propose_antipodal(block, 100, np.random.default_rng(0))) < 30
    )  # but for those across an edge


def _as_object(mesh):
    from graspbook.objects.grasp_object import GraspObject

    return GraspObject("block", "box", mesh, (mesh,))


def test_perturbed_grasps_stay_within_the_range_of_equation_5():
    grasps = np.tile(np.eye(4), (3, 1, 1))
    moved = perturb(grasps, 500, np.random.default_rng(0))
    assert np.abs(moved[:, :3, 3]).max() <= 0.03 and np.abs(moved[:, :3, 3]).max() > 0.02
    angle = np.arccos(np.clip((np.trace(moved[:, :3, :3], axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angle.max() < 0.6 * np.sqrt(3) + 1e-6
    assert (
        np.median(np.abs(moved[:, :3, 3]).max(axis=1)) < 0.015
    )  # half of them near their positive


def test_enriched_labels_are_those_of_the_shake_test_and_hold_more_positives_of_a_mug(mug):
    grasps = sample_grasps(mug, 60, 0, threads=1, progress=False)
    more = enrich(mug, grasps, antipodal=150, perturbed=150, seed=0)
    np.testing.assert_array_equal(
        more.success, Shaker(mug, threads=1).test(more.transforms, grade=False).success
    )
    assert more.success.sum() > grasps.success.sum()
    assert 0.05 < more.success[-150:].mean() < 0.95  # near the boundary: both classes


def test_an_object_without_positives_has_nothing_to_perturb():
    block = trimesh.creation.box([0.3, 0.3, 0.3])
    grasps = sample_grasps(
        _as_object(trimesh.creation.box([0.02, 0.05, 0.1])), 5, 0, threads=1, progress=False
    )
    none = type(grasps)(grasps.transforms, np.zeros(5, bool))
    assert len(enrich(_as_object(block), none, antipodal=20, perturbed=20, seed=0).success) <= 20


def test_the_task_keeps_a_file_that_is_made_already(tmp_path):
    objects = FamilySet(2)
    sample_to_file(objects.load("box_0000"), tmp_path / "box.h5", 20, 0, threads=1, progress=False)
    files = tmp_path / "box.h5", tmp_path / "more.h5"
    make = partial(enrich_task, objects, "box_0000", *files, antipodal=20, perturbed=20)
    make(seed=0)
    first = (tmp_path / "more.h5").stat().st_mtime_ns
    make(seed=0)
    assert (tmp_path / "more.h5").stat().st_mtime_ns == first
    one = read_grasps(tmp_path / "more.h5")
    make(seed=1)
    assert not np.array_equal(
        read_grasps(tmp_path / "more.h5").transforms[:10], one.transforms[:10]
    )


class Doubled:
    """The set, whose objects have another one inside their parts."""

    def load(self, name):
        obj = FamilySet(2).load(name)
        return replace(obj, parts=(*obj.parts, *FamilySet(2).load("box_0001").parts))


def test_the_task_makes_anew_what_other_parts_or_another_range_decide(tmp_path, monkeypatch):
    sample_to_file(
        FamilySet(2).load("box_0000"), tmp_path / "box.h5", 20, 0, threads=1, progress=False
    )

    def changed(objects):
        before = (
            read_grasps(tmp_path / "more.h5").parameters if (tmp_path / "more.h5").exists() else {}
        )
        files, counts = (
            (tmp_path / "box.h5", tmp_path / "more.h5"),
            {"antipodal": 5, "perturbed": 5},
        )
        enrich_task(objects, "box_0000", *files, **counts, seed=0)
        after = read_grasps(tmp_path / "more.h5").parameters
        return {key for key in after if after[key] != before.get(key)}

    changed(FamilySet(2))
    assert changed(FamilySet(2)) == set()
    assert changed(Doubled()) == {"object"}
    monkeypatch.setattr(extra_grasps, "HARD_TRANSLATION", 0.02)
    assert changed(Doubled()) == {"range"}
