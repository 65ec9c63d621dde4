"""A closed solid of an object from one or several depth images.

Section V-C4 of the paper reconstructs objects from several views. It removes the table and finds
the object's points in each view. It merges them and estimates normals. Poisson reconstruction makes
the surface.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import trimesh
from scipy.spatial import QhullError

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.completion import filled, revolved
from graspbook.perception.merging import merge
from graspbook.perception.poisson import PoissonSettings, poisson_solid
from graspbook.perception.registration import aligned
from graspbook.perception.sight import sight_of
from graspbook.perception.solid_grid import SolidGrid, nodes_around, surface_of
from graspbook.perception.tsdf import tsdf_solid
from graspbook.perception.view import View
from graspbook.pose import inverse, transform

METHODS = ("poisson", "tsdf", "hull")
ONE_VIEW = PoissonSettings(free=0.02, hidden=0.02)  # most of the space is known only by a guess
_MANY = 4  # views, of which two must see through a place for it to be free


@dataclass(frozen=True)
class Reconstruction:
    """A solid, and how it was made.

    mesh: closed, in the world frame of the views, metres.
    points: (M, 3) that were measured on the object, world frame, metres.
    solid: on a grid, in the frame of the table, with its small parts and cavities; None for a hull.
    table_T_world: (4, 4) of that frame.
    has_table: whether there is one.
    notes: what was assumed, one plain sentence each.
    """

    mesh: trimesh.Trimesh
    points: np.ndarray
    solid: SolidGrid | None
    table_T_world: np.ndarray
    has_table: bool
    notes: tuple[str, ...]


def reconstruct(
    views: Sequence[View], method: str = "poisson", *, align: bool = True
) -> Reconstruction:
    """The solid of the object that the first view shows.

    What a single view does not show is a guess, see `completion`.

    views: of one world frame.
    method: "poisson", "tsdf" (a truncated signed distance) or "hull" (convex).
    align: correct small errors of the camera poses first.

    Raises ParameterError for another method, CaptureError where the views show no solid.
    """
    if method not in METHODS:
        raise ParameterError(f"method {method!r}, expected one of {', '.join(METHODS)}")
    if not views:
        raise CaptureError("no view was given, expected at least one")
    notes: list[str] = []
    if align and len(views) > 1:
        views = aligned(views, notes)
    merged = merge(views)
    if not merged.has_table:
        notes.append("no table was found, so the underside is a guess, too")
    points, normals, settings = merged.points, merged.normals, PoissonSettings()
    if len(views) == 1:
        settings, more = ONE_VIEW, None
        if merged.has_table and method == "poisson":
            more = revolved(points, normals, merged.views[0])
        if more is not None:
            points, normals = np.concatenate([points, more[0]]), np.concatenate([normals, more[1]])
        guess = "the part that is round is turned about its upright axis"
        if more is None or method != "poisson":
            guess = "it is filled from what was seen downwards"
        if method == "hull":
            guess = "it is the convex hull of what was seen"
        notes.append(f"only one view was given: what it does not show is a guess, {guess}")
    world_T_table = inverse(merged.table_T_world)
    if method == "hull":
        mesh, solid = _hull(points, merged.has_table), None
    else:
        nodes = nodes_around(points, 0.0 if merged.has_table else None)
        if method == "tsdf":
            solid = tsdf_solid(merged.views, nodes)
            if len(views) == 1:
                free = filled(sight_of(merged.views, nodes), points, nodes).free
                values = np.where(free, -np.abs(solid.values), solid.values)
                solid = replace(solid, values=values)
        else:
            fewest = 2 if len(views) >= _MANY else 1
            sight = sight_of(merged.views, nodes, fewest=fewest)
            if len(views) == 1:
                sight = filled(sight, points, nodes)
            solid = poisson_solid(points, normals, nodes, sight, settings=settings)
        mesh = surface_of(solid)
    mesh.apply_transform(world_T_table)
    measured = transform(world_T_table, merged.points)
    return Reconstruction(
        mesh, measured, solid, merged.table_T_world, merged.has_table, tuple(notes)
    )


def _hull(points, has_table):
    """The convex hull of points, and of their shadows on the table if there is one."""
    if has_table:
        points = np.concatenate([points, points * [1, 1, 0]])
    try:
        return trimesh.convex.convex_hull(points)
    except QhullError as error:
        raise CaptureError(
            f"the {len(points)} points of the object are in one plane, so their hull has no volume"
        ) from error
