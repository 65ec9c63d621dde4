"""Clouds that no camera at the origin has seen are turned, or warned of."""

import numpy as np
import pytest
import trimesh

from graspbook.perception.camera import DepthRenderer
from graspbook.perception.camera_frame import (
    camera_T_cloud,
    hidden_share,
    is_one_view,
    looking_at,
)
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


def test_all_sides_of_an_object_are_not_one_view():
    points = trimesh.creation.box([0.1, 0.1, 0.1]).sample(4000, seed=0) + [0, 0, 0.5]
    assert hidden_share(points) > 0.6 and not is_one_view(points)


def test_a_camera_looks_at_a_point(seen):
    pose = looking_at(np.array([1.0, 2, 3]), np.array([0.5, 2, 1]))
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(
        transform(inverse(pose), np.array([[0.5, 2, 1]])), [[0, 0, np.sqrt(4.25)]], atol=1e-12
    )
    assert pose[2, 1] < 0  # y of the image is downwards
