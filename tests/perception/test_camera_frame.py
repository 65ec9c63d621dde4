"""Clouds that no camera at the origin has seen are turned, or warned of."""

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.one_view import hidden_share, is_one_view
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.camera_frame import camera_T_cloud, looking_at
from graspbook.perception.capture import load_capture
from graspbook.pose import inverse, transform


@pytest.fixture(scope="module")
def seen():
    mug = trimesh.creation.annulus(0.03, 0.04, 0.1)
    return DepthRenderer(mug).observe(np.random.default_rng(0), None, noise=0.001)[0]


def notes_of(points, viewpoint=None):
    notes = []
    pose = camera_T_cloud(points, viewpoint, notes)
    return pose, " ".join(notes)


def test_a_view_stays_as_it_is(seen):
    pose, notes = notes_of(seen)
    assert np.array_equal(pose, np.eye(4)) and notes == ""
    assert is_one_view(seen) and hidden_share(seen) < 0.1


def test_a_viewer_s_axes_are_turned_back(seen):
    pose, notes = notes_of(seen * [1, -1, -1])
    assert np.array_equal(pose, np.diag([1, -1, -1, 1])) and "y and z were negated" in notes
    assert is_one_view(seen * [1, -1, -1])


@pytest.mark.parametrize("place", [[0.5, 0, 0.1], [-0.4, 0.3, 0.05], [0, 0, 0], [0.6, 0, -0.2]])
def test_clouds_of_a_robot_s_base_and_of_an_object_are_warned_of(place):
    points = trimesh.creation.box([0.1, 0.1, 0.1]).sample(2000, seed=0) + place
    pose, notes = notes_of(points)
    assert np.array_equal(pose, np.eye(4))
    assert "warning: the origin cannot be the camera" in notes


def test_a_camera_looks_at_a_point(seen):
    pose = looking_at(np.array([1.0, 2, 3]), np.array([0.5, 2, 1]))
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(
        transform(inverse(pose), np.array([[0.5, 2, 1]])), [[0, 0, np.sqrt(4.25)]], atol=1e-12
    )
    assert pose[2, 1] < 0  # y of the image is downwards


@pytest.mark.parametrize("up", ["z", "-y", "+x"])
def test_a_camera_above_a_cloud_whose_camera_is_unknown(tmp_path, up):
    points = trimesh.creation.box([0.1, 0.1, 0.1]).sample(2000, seed=0) + [0.5, 0.2, 0.4]
    np.save(tmp_path / "cloud.npy", points)
    assert "warning" in " ".join(load_capture(tmp_path / "cloud.npy").notes)
    found = load_capture(tmp_path / "cloud.npy", up=up)
    assert "warning" not in " ".join(found.notes)
    np.testing.assert_allclose(transform(found.file_T_camera, found.points), points, atol=1e-9)
    np.testing.assert_allclose(np.median(found.points, axis=0), [0, 0, 0.6], atol=0.02)
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
    assert found.file_T_camera[:3, 1] @ axis < -0.6 and found.file_T_camera[:3, 2] @ axis < -0.6


def test_the_camera_s_pose_by_a_file(tmp_path, seen):
    pose = looking_at(np.array([0.4, 0.1, 0.9]), np.array([0.5, 0, 0]))
    np.save(tmp_path / "cloud.npy", transform(pose, seen))
    np.savetxt(tmp_path / "pose.txt", pose)
    (tmp_path / "pose.json").write_text(str(pose.tolist()))
    np.savetxt(tmp_path / "position.txt", pose[:3, 3])
    for name in ("pose.txt", "pose.json"):
        found = load_capture(tmp_path / "cloud.npy", camera_pose=tmp_path / name)
        np.testing.assert_allclose(found.points, seen, atol=1e-9)
    found = load_capture(tmp_path / "cloud.npy", camera_pose=tmp_path / "position.txt")
    assert found.file_T_camera[:3, 3] == pytest.approx(pose[:3, 3])
    assert "file_T_camera brings them back" in " ".join(found.notes)
    found = load_capture(tmp_path / "cloud.npy", camera_pose=tmp_path / "pose.txt", up="z")
    assert "--up z is not used, because --camera-pose is given" in found.notes
    np.savetxt(tmp_path / "scaled.txt", 2 * pose)
    (tmp_path / "words.txt").write_text("here")
    for name, message in (
        ("scaled.txt", "not a pose"),
        ("words.txt", "not a readable .txt file"),
        ("none.txt", "no such file"),
    ):
        with pytest.raises(CaptureError, match=message):
            load_capture(tmp_path / "cloud.npy", camera_pose=tmp_path / name)
    with pytest.raises(ParameterError, match="--up w: expected x, y or z"):
        load_capture(tmp_path / "cloud.npy", up="w")


def test_a_cloud_without_an_object_is_asked_for_its_frame(tmp_path):
    plane = np.mgrid[-0.4:0.4:60j, -0.4:0.4:60j].reshape(2, -1).T
    np.save(tmp_path / "plane.npy", np.c_[plane, np.full(3600, 0.7)])
    with pytest.raises(CaptureError, match="no object of 50 .* --camera-pose FILE, or --up AXIS"):
        load_capture(tmp_path / "plane.npy")
