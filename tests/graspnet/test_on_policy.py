from dataclasses import replace

import numpy as np
import pytest

from graspbook.grasp_files import read_grasps
from graspbook.graspnet.candidates import sample_grasps
from graspbook.graspnet.dataset import DataSettings, prepare
from graspbook.graspnet.on_policy import explore, explore_task
from graspbook.graspnet.predict import load_networks
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import Shaker

OBJECTS = FamilySet({"box": 2})


@pytest.fixture(scope="module")
def examples():
    obj = OBJECTS.load("box_0000")
    grasps = sample_grasps(obj, 20, 0, threads=1, progress=False)
    return prepare(obj, grasps, DataSettings(views=3, points=256, hard_negatives=10))


def test_grasps_come_from_the_first_views_with_the_labels_of_the_shake_test(examples, weights):
    obj = OBJECTS.load("box_0000")
    found = explore(obj, examples, *load_networks(weights), views=2, samples=16, seed=0)
    assert found.transforms.shape == (32, 4, 4)
    np.testing.assert_array_equal(
        found.success, Shaker(obj, threads=1).test(found.transforms, grade=False).success
    )
    again = explore(obj, examples, *load_networks(weights), views=1, samples=16, seed=0)
    np.testing.assert_array_equal(again.transforms, found.transforms[:16])


def test_every_object_has_latents_of_its_own(examples, weights):
    obj = OBJECTS.load("box_0000")
    first, twin = (
        explore(
            replace(obj, name=name), examples, *load_networks(weights), views=1, samples=4, seed=0
        )
        for name in ("one", "other")
    )
    assert not np.allclose(first.transforms[0], twin.transforms[0])  # as sampled


class Changed:
    """The set, whose objects have the convex parts of another."""

    def load(self, name):
        return replace(OBJECTS.load(name), parts=OBJECTS.load("box_0001").parts)


def test_other_convex_parts_are_explored_anew(examples, weights, tmp_path):
    path = tmp_path / "explored.h5"
    files = {name: weights / f"{name}.safetensors" for name in ("sampler", "evaluator")}
    explore_task(OBJECTS, examples, **files, path=path, views=1, samples=4, seed=0)
    first = read_grasps(path).parameters
    explore_task(Changed(), examples, **files, path=path, views=1, samples=4, seed=0)
    second = read_grasps(path).parameters
    assert {key for key in first if first[key] != second[key]} == {"object"}


def test_the_task_keeps_a_file_made_from_the_same(examples, weights, tmp_path):
    path = tmp_path / "explored.h5"
    files = {name: weights / f"{name}.safetensors" for name in ("sampler", "evaluator")}
    first = explore_task(OBJECTS, examples, **files, path=path, views=1, samples=8, seed=0).explored
    written = path.stat().st_mtime_ns
    again = explore_task(OBJECTS, examples, **files, path=path, views=1, samples=8, seed=0).explored
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.transforms, again.transforms)
    other = explore_task(OBJECTS, examples, **files, path=path, views=1, samples=8, seed=1).explored
    assert not np.array_equal(other.transforms, first.transforms)
    np.testing.assert_array_equal(read_grasps(path).success, other.success)
