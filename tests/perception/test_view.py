import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.camera import Camera, backproject, pinhole
from graspbook.perception.capture import Capture
from graspbook.perception.view import view_of
from graspbook.pose import from_rt, rotation_about


def image():
    depth = np.full((30, 40), 0.6, np.float32)
    depth[10:20, 15:25], depth[0, :5] = 0.5, np.nan
    return depth, pinhole(40, 30, np.deg2rad(42))


def test_a_depth_image_stays_as_it_is():
    depth, K = image()
    scene = backproject(depth, K)
    pose = from_rt(rotation_about([0, 0, 1], 0.3), [1, 2, 3])
    view = view_of(Capture(scene[:7], scene, camera=Camera(K, 40, 30)), pose)
    np.testing.assert_allclose(view.depth, depth, atol=1e-6)
    np.testing.assert_allclose(view.scene(), scene @ pose[:3, :3].T + pose[:3, 3], atol=1e-6)
    np.testing.assert_array_equal(view.object_points, scene[:7])


def test_a_cloud_becomes_an_image_without_gaps():
    depth, K = image()
    scene = backproject(depth, K)
    view = view_of(Capture(scene, scene))
    np.testing.assert_array_equal(view.world_T_camera, np.eye(4))
    measured = np.isfinite(view.depth)
    assert measured.mean() > 0.9 and measured.sum() < len(scene)
    assert set(np.unique(view.depth[measured])) == {np.float32(0.5), np.float32(0.6)}
    # The nearest point of a pixel counts.
    behind = np.concatenate([scene, 2 * scene])
    both = view_of(Capture(behind, behind))
    assert np.nanmax(both.depth[1:-1, 1:-1]) < 1.1


def test_points_behind_the_camera_are_refused():
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (4000, 3))
    points[:5, 2] = 0
    with pytest.raises(CaptureError, match="points are behind the camera; say where it was"):
        view_of(Capture(points, points))
