"""The object and its table, in the points of all views together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

from graspbook.errors import CaptureError
from graspbook.perception.normals import estimate_normals
from graspbook.perception.planes import clusters, depth_inside, dominant_plane, footprint, hull
from graspbook.perception.registration import check_near, near, thinned, voxels
from graspbook.perception.view import View
from graspbook.pose import align_z, inverse, transform

ABOVE = 0.004  # of a plane, from which on single points are not the plane's noise, metres
_TABLE_SHARE = 0.2  # of the points, on a table
_GAP = 0.012  # between an object and what does not belong to it, metres
_VOXEL = 0.002  # of points that are clustered together, metres
_FINE = 0.001  # of points that count once, metres
_SHARE = 0.05  # of the first view's object, in a cluster that belongs to it
_CELL, _RAISED = 0.003, 0.0012  # low parts: cells of the table, and their mean height, metres
_NEIGHBOURS = 30  # points, for normals


@dataclass(frozen=True)
class Merged:
    """The object in all views, in the frame of its table.

    table_T_world: (4, 4); z is the table's normal, and the table is at z = 0. Without a table, z is
        up in the first camera's image.
    has_table: whether there is one.
    points: (M, 3) on the object, metres.
    normals: (M, 3) of unit length, towards the camera that measured the point.
    views: of the table's frame.
    """

    table_T_world: np.ndarray
    has_table: bool
    points: np.ndarray
    normals: np.ndarray
    views: tuple[View, ...]


def merge(views: Sequence[View]) -> Merged:
    """The object that the first view shows, in all views.

    In each view it is what stands on the table and is connected, in all views together, with the
    first view's object. Lower than 4 mm, those cells of the table count that are raised on
    average, such as the inside of a pan. A single view has its own object.

    views: of one world frame.

    Raises CaptureError for a view that shows nothing near the object, and for several views
    without a table.
    """
    first = views[0]
    centre = np.median(transform(first.world_T_camera, first.object_points), axis=0)
    scenes = [near(view.scene(), centre) for view in views]
    check_near(scenes)
    table_T_world, has_table = _table(first, scenes, centre)
    moved = _moved(views, table_T_world)
    if not has_table and len(views) > 1:
        raise CaptureError(
            f"no table was found in {len(views)} views, expected an object that stands on a table"
        )
    if len(views) == 1:
        parts = [transform(view.world_T_camera, view.object_points) for view in moved]
    else:
        parts = _standing([transform(table_T_world, scene) for scene in scenes], moved[0])
    parts = [part[_one_per_voxel(part)] for part in parts]
    normals = [
        estimate_normals(part, min(_NEIGHBOURS, len(part)), viewpoint=view.world_T_camera[:3, 3])
        for part, view in zip(parts, moved, strict=True)
        if len(part) >= 3
    ]
    if not normals:
        raise CaptureError("no view has three points of the object, expected a view of it")
    points = np.concatenate([part for part in parts if len(part) >= 3])
    turn = np.eye(4)
    turn[:3, :3] = _along(points)
    return Merged(
        turn @ table_T_world,
        has_table,
        transform(turn, points),
        np.concatenate(normals) @ turn[:3, :3].T,
        _moved(moved, turn),
    )


def _moved(views, pose):
    return tuple(replace(view, world_T_camera=pose @ view.world_T_camera) for view in views)


def _table(first, scenes, centre):
    """The pose of the world in the table's frame, and whether there is a table."""
    rng = np.random.default_rng(0)
    seen = np.concatenate([thinned(scene, rng) for scene in scenes])
    camera = first.world_T_camera
    normal, offset, share = dominant_plane(transform(inverse(camera), seen), rng)
    heights = first.object_points @ normal + offset
    stands = (heights > ABOVE).mean() > 0.5 and (heights > -ABOVE).mean() > 0.9
    has_table = bool(share > _TABLE_SHARE and stands)
    if not has_table:
        normal = np.array([0, -1.0, 0])
    up = camera[:3, :3] @ normal
    found = np.eye(4)
    found[:3, :3] = align_z(up).T
    on_table = camera[:3, 3] - up * offset if has_table else centre
    found[:3, 3] = -found[:3, :3] @ on_table
    return found, has_table


def _standing(scenes, first):
    """Points (M, 3) of the object in each view."""
    seed = transform(first.world_T_camera, first.object_points)
    all_points = np.concatenate([*(scene[scene[:, 2] > ABOVE] for scene in scenes), seed])
    _, one, number = np.unique(voxels(all_points, _VOXEL), return_index=True, return_inverse=True)
    labels = clusters(all_points[one], _GAP)[number.ravel()]
    of_seed = np.bincount(labels[-len(seed) :], minlength=labels.max() + 1)
    chosen = (of_seed >= _SHARE * len(seed))[labels]
    if not chosen.any():
        raise CaptureError("the first view's object has no connected part above the table")
    low = _raised(scenes, all_points[chosen])
    parts, start = [], 0
    for scene, more in zip(scenes, low, strict=True):
        high = scene[scene[:, 2] > ABOVE]
        parts.append(np.concatenate([high[chosen[start : start + len(high)]], more]))
        start += len(high)
    return parts


def _one_per_voxel(points):
    """Numbers of points, one of each voxel of 1 mm: more tell nothing new."""
    if not len(points):
        return np.zeros(0, int)
    return np.sort(np.unique(voxels(points, _FINE), return_index=True)[1])


def _raised(scenes, points):
    """Points (M, 3) of each view that are low, within the object's outline, on raised cells."""
    up = np.array([0, 0, 1.0])
    outline = hull(footprint(points, up))[0]
    within, low = (points.min(axis=0), points.max(axis=0)), []
    for scene in scenes:
        part = scene[np.abs(scene[:, 2]) <= ABOVE]
        part = part[((part >= within[0]) & (part <= within[1]))[:, :2].all(axis=1)]
        low.append(part[depth_inside(footprint(part, up), outline) > 0])
    together = np.concatenate(low)
    if not len(together):
        return low
    corner = np.floor(together[:, :2] / _CELL).astype(int).min(axis=0)
    cells = [np.floor(part[:, :2] / _CELL).astype(int) - corner for part in low]
    shape = np.concatenate(cells).max(axis=0) + 1
    sums, counts = np.zeros(shape), np.zeros(shape)
    for part, cell in zip(low, cells, strict=True):
        np.add.at(sums, tuple(cell.T), part[:, 2])
        np.add.at(counts, tuple(cell.T), 1)
    blurred = [uniform_filter(array, 3, mode="constant") for array in (sums, counts)]
    raised = blurred[0] > _RAISED * np.maximum(blurred[1], 1e-9)
    return [part[raised[tuple(cell.T)]] for part, cell in zip(low, cells, strict=True)]


def _along(points):
    """The rotation (3, 3) about z that brings the longest side of an outline to x."""
    flat = points[:, :2] - points[:, :2].mean(axis=0)
    x, y = np.linalg.svd(flat[:: max(1, len(flat) // 5000)], full_matrices=False)[2][0]
    return np.array([[x, y, 0], [-y, x, 0], [0, 0, 1.0]])
