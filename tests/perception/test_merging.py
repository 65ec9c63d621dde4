from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import CaptureError
from graspbook.objects.distance import lookup, signed_distance_grid, stack
from graspbook.perception.arc import views_on_arc
from graspbook.perception.merging import merge
from graspbook.pose import from_rt, inverse, rotation_about, transform


def distances(mesh, points):
    """Signed distances (M,) of points from a mesh, metres, negative inside."""
    field = stack([signed_distance_grid(mesh, 128)])
    return lookup(field, torch.from_numpy(points[None]).float())[0].numpy()


def test_the_table_is_at_zero_and_all_points_are_on_the_object(mug, mug_views):
    merged = merge(mug_views)
    assert merged.has_table
    world_T_table = inverse(merged.table_T_world)
    np.testing.assert_allclose(world_T_table[:3, 2], [0, 0, 1], atol=0.01)
    assert abs((merged.table_T_world @ [0, 0, 0, 1])[2]) < 0.001
    world = transform(world_T_table, merged.points)
    assert np.percentile(np.abs(distances(mug, world)), 95) < 0.002
    assert len(merged.points) == len(merged.normals) > 30_000
    # Normals point out of the object: a little further along them, a point is outside.
    outward = transform(world_T_table, merged.points + 0.002 * merged.normals)
    assert (distances(mug, outward) > 0).mean() > 0.9


def test_the_frame_of_the_world_does_not_matter(mug_views):
    turn = from_rt(rotation_about([1, 2, 3], 1.0), [0.5, -1, 2])
    moved = [replace(view, world_T_camera=turn @ view.world_T_camera) for view in mug_views]
    one, other = merge(mug_views), merge(moved)
    assert abs(len(one.points) - len(other.points)) < 0.02 * len(one.points)
    np.testing.assert_allclose(
        np.sort(np.ptp(one.points, axis=0)), np.sort(np.ptp(other.points, axis=0)), atol=0.003
    )
    np.testing.assert_allclose(inverse(other.table_T_world)[:3, 2], turn[:3, 2], atol=0.01)


def test_the_floor_of_a_pan_belongs_to_it():
    """It is 2 mm above the table, less than the noise of single points."""
    pan = trimesh.creation.annulus(0.055, 0.06, 0.03)
    pan.apply_translation([0, 0, 0.015])
    floor = trimesh.creation.cylinder(0.057, 0.002)
    floor.apply_translation([0, 0, 0.001])
    pan = trimesh.util.concatenate([pan, floor])
    merged = merge(views_on_arc(pan, 6, np.random.default_rng(0)))
    inside = (
        np.linalg.norm(merged.points[:, :2] - merged.points[:, :2].mean(axis=0), axis=1) < 0.045
    )
    assert inside.sum() > 5000 and np.abs(merged.points[inside, 2].mean() - 0.002) < 0.0005
    box = trimesh.creation.box((0.08, 0.06, 0.05))
    box.apply_translation([0, 0, 0.025])
    low = merge(views_on_arc(box, 6, np.random.default_rng(0))).points[:, 2] < 0.004
    assert low.mean() < 0.06  # of the table around, nothing


def test_a_second_object_is_left_out(mug):
    other = trimesh.creation.box((0.05, 0.05, 0.08))
    other.apply_translation([mug.bounds[1, 0] + 0.06, 0, 0.04])
    both = views_on_arc(trimesh.util.concatenate([mug, other]), 6, np.random.default_rng(0))
    merged = merge(both)
    sides = np.sort(np.ptp(merged.points, axis=0))
    wanted = [np.sort(mesh.extents) for mesh in (mug, other)]
    assert min(np.abs(sides - one).max() for one in wanted) < 0.012


def test_without_a_table_a_single_view_has_its_object(mug_views):
    first = mug_views[0]
    alone = replace(
        first, depth=np.where(np.isfinite(first.depth) & _mask(first), first.depth, np.nan)
    )
    merged = merge([alone])
    assert not merged.has_table
    assert 0.8 * len(first.object_points) < len(merged.points) <= len(first.object_points)
    with pytest.raises(CaptureError, match="no table was found in 2 views"):
        merge([alone, alone])


def test_a_view_of_another_place_is_refused(mug_views):
    away = mug_views[1].world_T_camera.copy()
    away[:3, 3] *= 1000  # as in millimetres
    wrong = replace(mug_views[1], world_T_camera=away)
    with pytest.raises(CaptureError, match="view 2 of 2 has 0 points .* in metres"):
        merge([mug_views[0], wrong])


def _mask(view):
    mask = np.zeros(view.depth.shape, bool)
    pixels = np.rint((view.object_points @ view.K.T)[:, :2] / view.object_points[:, 2:]).astype(int)
    mask[pixels[:, 1], pixels[:, 0]] = True
    return mask
