import numpy as np
import pytest

from graspbook import pose
from graspbook.graspnet.frame import object_frame


def cloud(centre):
    return np.random.default_rng(0).normal(size=(50, 3)) * 0.02 + np.array(centre)


def test_before_the_camera_the_axes_are_the_cameras():
    points = cloud([0, 0, 0.5])
    points[:, :2] -= points[:, :2].mean(axis=0)
    np.testing.assert_allclose(
        object_frame(points), pose.from_rt(np.eye(3), points.mean(axis=0)), atol=1e-12
    )


@pytest.mark.parametrize("angle", [-0.5, 0.3])
def test_a_camera_that_turns_aside_sees_the_same(angle):
    points = cloud([0, 0, 0.5])
    points[:, :2] -= points[:, :2].mean(axis=0)
    turned = points @ pose.rotation_about([0, 1, 0], angle).T
    seen = [pose.transform(pose.inverse(object_frame(some)), some) for some in (points, turned)]
    np.testing.assert_allclose(*seen, atol=1e-12)


def test_the_view_is_along_z():
    frame = object_frame(cloud([0.2, -0.1, 0.6]))
    np.testing.assert_allclose(
        frame[:3, 3] / np.linalg.norm(frame[:3, 3]), frame[:3, 2], atol=1e-12
    )


def test_points_without_a_camera_keep_their_axes():
    np.testing.assert_array_equal(object_frame(cloud([0, 0, 0]))[:3, :3], np.eye(3))
