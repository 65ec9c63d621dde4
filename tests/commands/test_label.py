"""`graspbook label`: grasps of other programs, of other grippers and in other frames."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import trimesh

from graspbook.cli import main
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import ASSUMED, Grasps
from graspbook.hands.grippers import GRIPPERS
from graspbook.objects import sets
from graspbook.pose import from_rt


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A box that both grippers hold from above, and the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh,))
    trimesh.creation.box([0.04, 0.04, 0.04]).export("box.stl")
    return tmp_path


def held(gripper="panda", **about):
    """One grasp with the box between the pads, and one 0.2 m away from it."""
    z = -GRIPPERS[gripper].pad_z
    poses = from_rt(np.eye(3), np.array([[0, 0, z], [0, 0, z - 0.2]]))
    return Grasps(poses, object_file="box.stl", gripper=gripper, **about)


@pytest.mark.parametrize("gripper", GRIPPERS)
def test_the_gripper_of_the_file_is_simulated(folder, capsys, gripper):
    write_grasps("g.h5", held(gripper, grades={"score": np.array([0.5, 0.25])}))
    assert main(["label", "g.h5", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert f"g_labelled.h5: 1 of 2 grasps of {gripper} hold" in out and "note" not in err
    assert out.splitlines()[-1].startswith("Next: ")
    found = read_grasps("g_labelled.h5")
    assert found.success.tolist() == [True, False]
    assert found.grades["score"].tolist() == [0.5, 0.25]


def test_a_file_without_a_gripper_says_what_is_assumed(folder, capsys):
    write_grasps("g.h5", held())
    with h5py.File("g.h5", "a") as file:
        del file["gripper"]
    assert read_grasps("g.h5").notes == (ASSUMED,)
    assert main(["label", "g.h5", "--threads", "1"]) == 0
    assert f"note: {ASSUMED}" in capsys.readouterr().err
    assert read_grasps("g_labelled.h5").notes == (ASSUMED,)
    assert main(["label", "g.h5", "--threads", "1", "--gripper", "panda", "--force"]) == 0
    assert "note" not in capsys.readouterr().err


def test_another_gripper_is_used_only_when_asked_for_and_said(folder, capsys):
    write_grasps("g.h5", replace(held(), gripper="claw"))
    assert main(["label", "g.h5"]) == 2
    assert "grasps are for the gripper 'claw'" in capsys.readouterr().err
    assert main(["label", "g.h5", "--threads", "1", "--gripper", "panda"]) == 0
    note = "the grasps are for claw, but they are tested with panda"
    assert f"note: {note}" in capsys.readouterr().err
    assert read_grasps("g_labelled.h5").notes == (note,)


def test_poses_in_the_camera_frame_are_refused_and_the_pose_of_the_camera_is_kept(folder, capsys):
    camera = {"frame": "camera", "object_T_camera": np.eye(4).tolist()}
    write_grasps("g.h5", held(parameters=camera))
    assert main(["label", "g.h5"]) == 2
    assert "its grasps are in the camera frame, expected the object's" in capsys.readouterr().err
    write_grasps("o.h5", held(parameters=camera | {"frame": "object"}))
    assert main(["label", "o.h5", "--threads", "1"]) == 0
    kept = read_grasps("o_labelled.h5").parameters
    assert kept["frame"] == "object" and kept["object_T_camera"] == camera["object_T_camera"]
