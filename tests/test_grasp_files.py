from dataclasses import replace

import h5py
import numpy as np
import pytest

from graspbook import grasp_files, pose
from graspbook.errors import GraspFileError


def some_grasps(n=5):
    rng = np.random.default_rng(0)
    return grasp_files.Grasps(
        transforms=pose.from_rt(pose.random_rotations(n, rng), rng.normal(size=(n, 3))),
        success=np.arange(n) % 2 == 0,
        grades={"max_acceleration": np.linspace(0, 1, n)},
        object_file="meshes/mug.obj",
        object_scale=0.5,
        physics={"mass": 0.3, "com": np.array([0.0, 0.1, 0.2])},
        parameters={"seed": 3},
    )


def test_grasps_survive_the_round_trip(tmp_path):
    grasps = some_grasps()
    grasp_files.write_grasps(tmp_path / "a" / "mug.h5", grasps)
    back = grasp_files.read_grasps(tmp_path / "a" / "mug.h5")
    np.testing.assert_array_equal(back.transforms, grasps.transforms)
    np.testing.assert_array_equal(back.success, grasps.success)
    np.testing.assert_array_equal(
        back.grades["max_acceleration"], grasps.grades["max_acceleration"]
    )
    assert (back.object_file, back.object_scale, back.parameters) == (
        "meshes/mug.obj",
        0.5,
        {"seed": 3},
    )
    np.testing.assert_array_equal(back.physics["com"], [0.0, 0.1, 0.2])


def test_files_lie_where_acronym_readers_look(tmp_path):
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    with h5py.File(tmp_path / "mug.h5") as file:
        assert file["grasps/transforms"].shape == (5, 4, 4)
        assert file["grasps/qualities/flex/object_in_gripper"][()].tolist() == [1, 0, 1, 0, 1]
        assert file["object/file"][()].decode("utf-8") == "meshes/mug.obj"
        assert file["object/scale"][()] == 0.5
        assert file["gripper/type"][()] == b"panda"


def test_the_same_grasps_give_the_same_bytes(tmp_path):
    for name in "ab":
        grasp_files.write_grasps(tmp_path / name, some_grasps())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_missing_truncated_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(GraspFileError, match="no such grasp file"):
        grasp_files.read_grasps(tmp_path / "none.h5")
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    whole = (tmp_path / "mug.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GraspFileError, match="truncated"):
        grasp_files.read_grasps(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["points"] = np.zeros(3)
    with pytest.raises(GraspFileError, match="no dataset grasps/transforms.*points"):
        grasp_files.read_grasps(tmp_path / "other.h5")


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda file: file["grasps/transforms"].__setitem__((0, 0, 0), 7.0), "not rigid"),
        (lambda file: file["grasps/transforms"].__setitem__((0, 0, 0), np.nan), "not rigid"),
    ],
)
def test_poses_that_are_not_rigid_are_refused(tmp_path, damage, message):
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    with h5py.File(tmp_path / "mug.h5", "a") as file:
        damage(file)
    with pytest.raises(GraspFileError, match=message):
        grasp_files.read_grasps(tmp_path / "mug.h5")


def test_a_file_names_its_gripper_and_one_without_is_of_acronyms(tmp_path):
    path = tmp_path / "a.h5"
    grasp_files.write_grasps(path, replace(some_grasps(), gripper="claw", configuration=(0.1, 0.2)))
    back = grasp_files.read_grasps(path)
    assert (back.gripper, back.configuration) == ("claw", (0.1, 0.2))
    with h5py.File(path, "a") as file:
        del file["gripper"]
    back = grasp_files.read_grasps(path)
    assert (back.gripper, back.configuration) == ("panda", (0.04,))
