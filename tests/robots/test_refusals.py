"""Why grasps were refused."""

import numpy as np
import pytest

from graspbook import pose
from graspbook.perception.table import TableView
from graspbook.robots.grasp_choice import Choice
from graspbook.robots.planning import MotionSettings
from graspbook.robots.refusals import (
    CLOSES,
    NO_PATH,
    REACH,
    TABLE,
    TOUCHES,
    UNSEARCHED,
    flat_note,
    in_words,
    refusals,
)
from graspbook.robots.scene import Scene

DOWN = pose.from_rt(np.diag([1.0, -1.0, -1.0]), [0.5, 0, 0.15])
UP = pose.from_rt(np.eye(3), [0.5, 0, 0.09])


@pytest.mark.parametrize(("rank", "no_path"), [(None, 2), (5, 1)])
def test_grasps_before_the_chosen_one_are_counted_by_their_first_reason(rank, no_path):
    """UP's pre-grasp is below the table."""
    grasps = np.array([DOWN, UP, DOWN, DOWN, DOWN, DOWN])
    closing = np.array([False, True, True, True, True, True])
    clear = np.array([False, False, False, True, True, True])
    reachable = np.array([False, False, False, False, True, True])
    scene = Scene()
    choice = Choice(
        grasps, np.ones(6), closing, clear, reachable, 2, None, rank=rank, way=scene, scene=scene
    )
    counts = refusals(choice, MotionSettings())
    assert counts == {CLOSES: 1, TABLE: 1, TOUCHES: 1, REACH: 1, NO_PATH: no_path}
    assert in_words({TABLE: 3, REACH: 1}) == f"{TABLE} (3 grasps); {REACH} (1 grasp)"


def test_grasps_beyond_the_search_are_counted_by_themselves():
    all_pass, scene = np.ones(5, bool), Scene()
    grasps = np.array([DOWN] * 5)
    parts = {"closing": all_pass, "clear": all_pass, "reachable": all_pass}
    choice = Choice(
        grasps, np.ones(5), **parts, tried=2, plan=None, rank=None, way=scene, scene=scene
    )
    assert refusals(choice, MotionSettings()) == {NO_PATH: 2, UNSEARCHED: 3}


def test_a_flat_object_is_named():
    points, none = np.array([[0.5, 0, 0.005], [0.5, 0.01, 0.008]]), np.zeros((0, 3))
    note = flat_note(TableView(np.array([0, 0, 1.0]), 0.0, points, none, none))
    assert "only 8 mm high, and the fingertips stay 3 mm above the table" in note
    assert flat_note(TableView(np.array([0, 0, 1.0]), 0.03, points, none, none)) == ""
