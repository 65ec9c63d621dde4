import numpy as np
import torch

from graspbook.objects.distance import lookup, signed_distance_grid, stack
from graspbook.perception.arc import DISTANCE, views_on_arc
from graspbook.pose import inverse


def distances(mesh, points):
    """Signed distances (M,) of points from a mesh, metres."""
    field = stack([signed_distance_grid(mesh, 128)])
    return lookup(field, torch.from_numpy(points[None]).float())[0].numpy()


def test_views_look_at_the_object_from_all_around(mug, mug_views):
    centre = mug.bounds.mean(axis=0)
    at = np.array([view.world_T_camera[:3, 3] for view in mug_views])
    np.testing.assert_allclose(np.linalg.norm(at - centre, axis=1), DISTANCE)
    up = np.rad2deg(np.arcsin((at - centre)[:, 2] / DISTANCE))
    np.testing.assert_allclose(up, [35, 65] * 3, atol=1e-6)
    for view in mug_views:
        on_axis = inverse(view.world_T_camera) @ [*centre, 1]
        np.testing.assert_allclose(on_axis, [0, 0, DISTANCE, 1], atol=1e-9)


def test_points_lie_on_object_and_table(mug, mug_views):
    scene = mug_views[2].scene()
    near = scene[np.linalg.norm(scene[:, :2], axis=1) < 0.3]
    distance = np.minimum(np.abs(near[:, 2]), np.abs(distances(mug, near)))
    assert np.percentile(distance, 98) < 0.003
    assert len(mug_views[0].object_points) > 2000 and not len(mug_views[1].object_points)


def test_errors_of_poses_spare_the_first_view(mug, mug_views):
    wrong = views_on_arc(mug, 3, np.random.default_rng(0), shift=0.003, turn=0.02)
    exact = views_on_arc(mug, 3, np.random.default_rng(0))
    apart = [
        np.linalg.norm((one.world_T_camera - other.world_T_camera)[:3, 3])
        for one, other in zip(wrong, exact, strict=True)
    ]
    assert apart[0] == 0 and all(0 < far < 0.02 for far in apart[1:])
    (one,) = views_on_arc(mug, 1, np.random.default_rng(0))
    assert (
        np.rad2deg(np.arcsin((one.world_T_camera[2, 3] - mug.bounds.mean(axis=0)[2]) / DISTANCE))
        > 44
    )
