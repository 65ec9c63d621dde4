import numpy as np
import pytest

from graspbook.graspnet.candidates import sample_grasps
from graspbook.graspnet.dataset import DataSettings, prepare
from graspbook.graspnet.exploration import explore, explore_task
from graspbook.graspnet.predict import load_networks
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import Shaker
from graspbook.storage import read_grasps

OBJECTS = FamilySet({"box": 2})


@pytest.fixture(scope="module")
def examples():
    obj = OBJECTS.load("box_0000")
    grasps = sample_grasps(obj, 20, 0, threads=1, progress=False)
    return prepare(obj, grasps, DataSettings(views=3, points=256, hard_negatives=10))


def test_grasps_come_from_the_first_views_with_the_labels_of_the_shake_test(examples, weights):
    obj = OBJECTS.load("box_0000")
    found = explore(obj, examples, *load_networks(weights), 2, 16, 0)
    assert found.transforms.shape == (32, 4, 4)
    np.testing.assert_array_equal(found.success, Shaker(obj, threads=1).test(found.transforms, grade=False).success)
    again = explore(obj, examples, *load_networks(weights), 1, 16, 0)
    np.testing.assert_array_equal(again.transforms, found.transforms[:16])


def test_the_task_keeps_a_file_made_from_the_same(examples, weights, tmp_path):
    path = tmp_path / "explored.h5"
    files = weights / "sampler.safetensors", weights / "evaluator.safetensors"
    first = explore_task(OBJECTS, examples, *files, path, 1, 8, 0).explored
    written = path.stat().st_mtime_ns
    again = explore_task(OBJECTS, examples, *files, path, 1, 8, 0).explored
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.transforms, again.transforms)
    other = explore_task(OBJECTS, examples, *files, path, 1, 8, 1).explored
    assert not np.array_equal(other.transforms, first.transforms)
    np.testing.assert_array_equal(read_grasps(path).success, other.success)
