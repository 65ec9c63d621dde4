import json
import logging

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.robots.camera import Frame
from graspbook.robots.protocol import PLACE
from graspbook.workbook import pick, trials

K = np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]])


def test_subjects_are_trial_objects_by_name_and_meshes_by_path(tmp_path):
    trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / "brick.stl")
    named, own = trials.subjects(["red_bowl", str(tmp_path / "brick.stl")])
    assert (named.obj.name, named.category, named.mass) == ("red_bowl", "bowl", 0.147)
    assert (own.obj.name, own.category, own.mass) == ("brick", "own", 0.3)


@pytest.mark.parametrize(("names", "words"), [
    (["teapot"], "object 'teapot', expected the path of a mesh or one of jello_chocolate"),
    (["red_bowl", "red_bowl"], "objects red_bowl are named twice"),
])
def test_what_is_no_subject_is_refused(names, words):
    with pytest.raises(ParameterError, match=words):
        trials.subjects(names)


def test_a_method_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ParameterError, match="method 'luck', expected of graspnet"):
        trials.trials(["red_bowl"], ["luck"], 1, [0], tmp_path / "out", "none")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("", "", True, False), "expected --robot"),
    (("", "realsense", False, False), "expected --robot"),
    (("1.2.3.4", "", False, False), "--robot 1.2.3.4 without --execute: nothing may move"),
])
def test_options_of_a_real_arm_go_together(arguments, words):
    with pytest.raises(ParameterError, match=words):
        trials.real_setup(*arguments)


def test_the_log_of_commands_is_written_and_the_logger_left_as_it_was(tmp_path):
    logger = logging.getLogger("graspbook.robots.arm")
    before = logger.level, logger.propagate, list(logger.handlers)
    with trials.command_log(tmp_path / "new" / "commands.log"):
        logger.info("move %s", "there")
    logger.info("not this")
    text = (tmp_path / "new" / "commands.log").read_text()
    assert text.endswith("move there\n") and "not this" not in text
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def level_table(height, tilt):
    """A Frame of an empty table, seen from `height` m at `tilt` rad from straight down."""
    v, u = np.mgrid[:480, :640]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    normal = np.array([0, -np.sin(tilt), -np.cos(tilt)])  # up, in the camera's frame: its top looks away from the arm
    return Frame((height / -(rays @ normal)).astype(np.float32), K)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.9])
def test_the_assumed_pose_puts_the_table_at_zero_and_its_middle_where_objects_stand(tilt):
    frame = level_table(0.5, tilt)
    base_T_camera = pick.assumed_pose(frame)
    assert np.allclose(base_T_camera[:3, :3] @ base_T_camera[:3, :3].T, np.eye(3))
    assert np.isclose(base_T_camera[2, 3], 0.5, atol=1e-4)
    depth = frame.depth[240, 320]
    middle = base_T_camera @ [*(depth * (np.array([320, 240]) - K[:2, 2]) / 600), depth, 1]
    assert np.allclose(middle[:3], [*PLACE, 0], atol=2e-3)
    assert base_T_camera[0, 2] > -1e-6  # it looks away from the arm
    assert np.isclose(base_T_camera[1, 2], 0, atol=1e-6)


def test_no_pose_is_assumed_without_a_table():
    with pytest.raises(CaptureError, match="empty view: 0 measured points"):
        pick.assumed_pose(Frame(np.full((480, 640), np.nan, np.float32), K))
    with pytest.raises(CaptureError, match="no table"):
        pick.assumed_pose(level_table(0.5, np.pi / 2 - 0.05))


def test_options_of_a_real_arm_are_refused_without_one(tmp_path):
    with pytest.raises(ParameterError, match="expected --robot"):
        pick.pick("none.npz", "none", tmp_path / "a.json", tmp_path / "a.html", execute=True)
    assert not list(tmp_path.iterdir())


def test_a_capture_is_picked_from_in_rehearsal(tmp_path):
    """A box on a table, seen at an angle: a grasp is planned, its way is gone by the simulated arm, twice to the same bytes."""
    from graspbook.objects.trial_objects import make_trial_object
    from graspbook.robots import fr3
    from graspbook.robots.protocol import simulated_view, trial_poses
    from graspbook.storage import SHIPPED

    box = make_trial_object("spam_can")
    view = simulated_view(box, trial_poses(box, 1)[0], fr3.forward(fr3.LOOK) @ fr3.HAND_T_CAMERA, np.random.default_rng(0))
    np.savez(tmp_path / "can.npz", depth=view.depth, K=view.K)
    found = pick.pick(tmp_path / "can.npz", SHIPPED, tmp_path / "can.json", tmp_path / "can.html")
    assert found["outcome"] == "planned" and found["rehearsed"] is True and found["camera_pose_assumed"]
    written = json.loads((tmp_path / "can.json").read_text())
    hand = fr3.forward(list(written["joints"].values()))
    assert np.allclose(hand, written["base_T_hand"], atol=1e-3) and list(written["joints"]) == list(fr3.JOINTS)
    page = (tmp_path / "can.html").read_text()
    assert "chosen" in page and "read off the table" in page
