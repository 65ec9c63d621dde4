"""Collision shapes of hand files as convex parts."""

from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial import QhullError

from graspbook import pose
from graspbook.errors import GraspbookError, HandError
from graspbook.hands.parts import Part
from graspbook.objects.mesh_files import read_mesh
from graspbook.objects.parts import convex_parts

_SIDES = 24  # of a cylinder
_POINT = 1e-4  # metres of axis that make a capsule of a ball
_HOLLOW = 0.6  # share of its hull that a mesh has to fill, to be used as the hull
_FULL = 0.95  # share from which on nothing is said
_LARGEST = 50_000_000  # bytes of a mesh file
_DIRECTIONS = trimesh.creation.icosphere(subdivisions=2).vertices  # in which hulls are kept


def box(size: np.ndarray, body_T_shape: np.ndarray) -> Part:
    """A box; the part's link is for the caller to set, here and below.

    size: (3,), its sides, metres.
    body_T_shape: (4, 4).
    """
    corners = trimesh.bounds.corners([-np.array(size) / 2, np.array(size) / 2])
    return Part("", pose.transform(body_T_shape, corners))


def cylinder(radius: float, length: float, body_T_shape: np.ndarray) -> Part:
    """A cylinder along z, as a prism of 24 sides.

    radius, length: metres.
    body_T_shape: (4, 4).
    """
    angles = 2 * np.pi * np.arange(_SIDES) / _SIDES
    ring = radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    ends = [ring + [0, 0, side * length / 2] for side in (-1, 1)]
    return Part("", pose.transform(body_T_shape, np.concatenate(ends)))


def capsule(radius: float, length: float, body_T_shape: np.ndarray) -> Part:
    """A capsule along z; a ball is one that is 0.1 mm long.

    radius: metres.
    length: of its axis, metres.
    body_T_shape: (4, 4).
    """
    half = max(length, _POINT) / 2
    ends = np.array([[0, 0, -half], [0, 0, half]])
    return Part("", pose.transform(body_T_shape, ends), float(radius))


def ellipsoid(radii: np.ndarray, body_T_shape: np.ndarray) -> Part:
    """An ellipsoid, as a polyhedron.

    radii: (3,), metres.
    body_T_shape: (4, 4).
    """
    return Part("", pose.transform(body_T_shape, _DIRECTIONS * radii))


def hull(points: np.ndarray, source: object) -> Part:
    """The convex hull of points, with at most 162 corners: rounder ones shrink by about 1 %.

    points: (N, 3), in the body's frame.
    source: what errors name. Raises HandError for points that span no volume.
    """
    points = np.asarray(points, float)
    if len(points) and not np.isfinite(points).all():
        raise HandError(f"{source}: a corner of the mesh is not a finite number")
    middle = points.mean(axis=0) if len(points) else np.zeros(3)
    centred = points - middle
    try:
        outer = trimesh.convex.convex_hull(centred).vertices
        if len(outer) > len(_DIRECTIONS):
            outer = outer[np.unique((outer @ _DIRECTIONS.T).argmax(axis=0))]
        if trimesh.convex.convex_hull(outer).volume < 1e-13:
            raise ValueError("no volume")
    except (QhullError, ValueError, IndexError) as error:
        raise HandError(
            f"{source}: the mesh is flat or empty, expected one with a volume"
        ) from error
    return Part("", outer + middle)


def check_size(path: Path) -> None:
    """Raise HandError for a file that is larger than a mesh of a hand.

    path: of the file, which may be missing.
    """
    if path.is_file() and (size := path.stat().st_size) > _LARGEST:
        raise HandError(
            f"{path}: it has {size} bytes, expected at most {_LARGEST} for a hand's mesh"
        )


def mesh_parts(
    path: Path, scale: np.ndarray, body_T_mesh: np.ndarray, notes: list[str]
) -> list[Part]:
    """Convex parts of a mesh file: its hull, or CoACD's parts where it fills less than 60 % of it.

    path: of the file.
    scale: (3,), not 0.
    body_T_mesh: (4, 4).
    notes: what was odd is added.

    Raises HandError for a file that is too large, unreadable, or flat.
    """
    check_size(path)
    try:
        mesh, odd = read_mesh(path)
        notes.extend(f"{path.name}: {note}" for note in odd)
        corners = pose.transform(body_T_mesh, np.asarray(mesh.vertices, float) * scale)
        whole = hull(corners, path)
        filled = trimesh.Trimesh(corners, mesh.faces)
        outer = trimesh.convex.convex_hull(whole.core)
        if not filled.is_watertight:
            notes.append(f"{path.name} is not closed: its convex hull is used")
            return [whole]
        if (share := abs(filled.volume) / outer.volume) > _HOLLOW:
            if share < _FULL:
                notes.append(
                    f"{path.name} fills only {share:.0%} of its convex hull; the hull is used"
                    " instead of the mesh"
                )
            return [whole]
        notes.append(f"{path.name} fills {share:.0%} of its convex hull: cut into parts")
        return [hull(part.vertices, path) for part in convex_parts(filled)]
    except HandError:
        raise
    except GraspbookError as error:
        raise HandError(f"{error}") from error
