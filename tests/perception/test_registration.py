from dataclasses import replace

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.registration import aligned, near, thinned, voxels
from graspbook.pose import from_rt, inverse, rotation_about, transform


def apart(views, true):
    """Largest distance that the object is moved by the errors of poses, metres."""
    return max(
        np.linalg.norm(transform(one.world_T_camera @ inverse(other.world_T_camera), EDGES) - EDGES)
        / len(EDGES) ** 0.5
        for one, other in zip(views, true, strict=True)
    )


EDGES = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (-0.04, 0.04) for z in (-0.05, 0.05)])


def test_exact_poses_stay(mug_views):
    notes = []
    found = aligned(mug_views, notes)
    assert all(
        np.array_equal(one.world_T_camera, other.world_T_camera)
        for one, other in zip(found, mug_views, strict=True)
    )
    assert "the views were not moved" in notes[0]


def test_errors_of_poses_are_corrected(mug_views):
    rng, wrong = np.random.default_rng(1), list(mug_views[:1])
    for view in mug_views[1:]:
        axis = rng.normal(size=3)
        error = from_rt(rotation_about(axis, np.deg2rad(1)), rng.normal(0, 0.002, 3))
        wrong.append(replace(view, world_T_camera=view.world_T_camera @ error))
    notes = []
    found = aligned(wrong, notes)
    assert apart(wrong, mug_views) > 0.006 and apart(found, mug_views) < 0.002
    assert found[0] is wrong[0] and "they now fit to" in notes[0]
    assert notes[0].startswith("views were moved by at most")


def test_a_view_of_something_else_keeps_its_pose(mug_views):
    turned = from_rt(np.eye(3), [0.06, 0.05, 0.04])
    wrong = [
        *mug_views[:3],
        replace(mug_views[3], world_T_camera=turned @ mug_views[3].world_T_camera),
    ]
    notes = []
    found = aligned(wrong, notes)
    np.testing.assert_array_equal(found[3].world_T_camera, wrong[3].world_T_camera)


def test_views_of_different_frames_are_refused(mug_views):
    far = from_rt(np.eye(3), [5.0, 0, 0]) @ mug_views[1].world_T_camera
    with pytest.raises(
        CaptureError, match=r"view 2 of 2 has 0 points .* poses in metres and in one"
    ):
        aligned([mug_views[0], replace(mug_views[1], world_T_camera=far)], [])


def test_points_count_once_per_voxel():
    points = np.array([[0.0001, 0, 0], [0.0002, 0, 0], [0.01, 0, 0], [0.5, 0, 0]])
    assert len(thinned(points, np.random.default_rng(0))) == 3
    assert voxels(points, 0.002).tolist() == [0, 0, 5, 250]
    assert len(near(points, np.zeros(3))) == 3 and len(near(points, np.zeros(3), 0.001)) == 2
