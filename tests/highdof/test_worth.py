import numpy as np
import pytest

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.highdof.worth import GIVEN, SOURCES, worth_all, worth_figures, worth_of
from graspbook.objects.grasp_object import GraspObject


@pytest.fixture
def boxes(meshes):
    class Boxes:
        def load(self, name):
            return GraspObject(name, "", meshes[name], (meshes[name],))

    return Boxes()


@pytest.fixture
def given(barrett):
    """One good grasp of the box, and the same from the other side in every second rotation."""
    wrist = pose.from_rt(np.eye(3), [0, 0, -0.19])
    opposite = pose.from_rt(pose.rotation_about([1.0, 0, 0], np.pi), [0, 0, 0.19])
    near, turned = (pose_vector.join(palm, barrett.open) for palm in (wrist, opposite))
    same = np.repeat(near[None], 27, axis=0)
    both = same.copy()
    both[1::2] = turned
    return {"constant": same, "nearest_plan": both}


@pytest.mark.slow
def test_near_duplicates_count_once(boxes, given, network_file):
    asked = {"hand": "barrett", "weights": network_file, "count": 3, "seed": 0, "way": "adjust"}
    found = worth_of(boxes, "box", given=given, **asked)
    assert tuple(found) == SOURCES
    assert found["constant"]["held"].all() and found["constant"]["distinct"] == 1
    assert found["nearest_plan"]["held"].all() and found["nearest_plan"]["distinct"] == 2
    for item in found.values():
        assert item["held"].shape == (3,) and item["distinct"] <= item["held"].sum()
        assert item["seconds"] > 0
    answers = {control: {"box": [{"x": given[control]}]} for control in GIVEN}
    again = worth_all(boxes, answers, workers=1, **asked)
    for source in SOURCES:
        np.testing.assert_array_equal(again[source]["box"][0]["held"], found[source]["held"])


def test_figures_by_hand():
    items = [
        {"held": np.array([True, True, False]), "distinct": 1, "seconds": 0.5},
        {"held": np.array([True, False, False]), "distinct": 1, "seconds": 1.5},
    ]
    expected = {"held": 0.5, "distinct": 2 / 6, "per_second": 1.0}
    assert worth_figures(items) == pytest.approx(expected)
