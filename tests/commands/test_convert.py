import numpy as np
import pytest

from graspbook.cli import main
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import Grasps


@pytest.fixture
def grasps(tmp_path):
    grades = {"score": np.array([0.5, 0.25]), "depth": np.zeros(2)}
    found = Grasps(np.tile(np.eye(4), (2, 1, 1)), np.array([True, False]), grades, "mug.obj")
    write_grasps(tmp_path / "a.h5", found)
    return found


def test_there_and_back_keeps_poses_labels_and_scores(tmp_path, grasps, capsys):
    steps = ["a.h5", "b.json", "c.yaml", "d.hdf5"]
    for one, two in zip(steps, steps[1:], strict=False):
        assert main(["convert", str(tmp_path / one), str(tmp_path / two)]) == 0
    back = read_grasps(tmp_path / "d.hdf5")
    np.testing.assert_allclose(back.transforms, grasps.transforms, atol=1e-12)
    np.testing.assert_array_equal(back.success, grasps.success)
    np.testing.assert_array_equal(back.grades["score"], [0.5, 0.25])
    np.testing.assert_array_equal(back.grades["depth"], [0, 0])
    assert (back.object_file, back.gripper) == ("mug.obj", "panda")
    out = capsys.readouterr().out
    assert "b.json (GraspGen's JSON): 2 grasps of panda, 1 hold" in out


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ("a.h5", "b.txt", "suffix '.txt', expected .h5 or .hdf5"),
        ("a.h5", "b", "suffix '', expected"),
        ("none.h5", "b.json", "none.h5: no such file"),
        ("a.h5", "a.h5", "it is an input of this command"),
        ("empty.h5", "b.json", "it holds no grasps"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(
    tmp_path, grasps, capsys, one, two, message
):
    write_grasps(tmp_path / "empty.h5", Grasps(np.zeros((0, 4, 4))))
    assert main(["convert", str(tmp_path / one), str(tmp_path / two)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert (
        not (tmp_path / "b.json").exists() and len(read_grasps(tmp_path / "a.h5").transforms) == 2
    )


def test_poses_of_a_camera_frame_are_said_to_be(tmp_path, capsys):
    found = Grasps(np.eye(4)[None], parameters={"frame": "camera"})
    write_grasps(tmp_path / "a.h5", found)
    assert main(["convert", str(tmp_path / "a.h5"), str(tmp_path / "a.yaml")]) == 0
    assert "note: the poses are in the camera frame" in capsys.readouterr().err
    assert read_grasps(tmp_path / "a.yaml").parameters == {"frame": "camera"}
