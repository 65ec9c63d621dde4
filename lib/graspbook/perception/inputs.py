"""What somebody has of an object: a mesh, a point cloud or a depth capture."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from graspbook.errors import CaptureError, MeshError, ParameterError
from graspbook.objects.mesh import load_mesh, notes_of, repair
from graspbook.objects.mesh_files import SUFFIXES as MESHES
from graspbook.objects.mesh_files import has_faces, read_mesh
from graspbook.objects.one_view import MANY, ONE_VIEW, hidden_share, is_one_view, is_open_view
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import Capture, load_capture
from graspbook.perception.capture_files import read_arrays
from graspbook.perception.reconstruction import reconstruct
from graspbook.perception.view import view_of
from graspbook.pose import inverse

RECONSTRUCTION, HULL = "reconstruction", "convex hull"
READING = ("camera", "mask", "target", "topic", "camera_pose", "up")  # options of `load_capture`


@dataclass(frozen=True)
class Solid:
    """A closed mesh, and where it comes from.

    mesh: in metres.
    capture: what a camera saw, None for a file that is a mesh.
    notes: what was assumed or changed, one plain sentence each.
    shape: how the mesh was made of what the camera saw, RECONSTRUCTION or HULL; "" for a mesh.
    """

    mesh: trimesh.Trimesh
    capture: Capture | None
    notes: tuple[str, ...]
    shape: str = ""


def observe_input(
    path: Path | str, rng: np.random.Generator, scale: float = 1.0, **reading: Any
) -> Capture:
    """Read what a camera sees: of a mesh, one random view; of a cloud or a capture, what it holds.

    A view of a mesh holds `object_T_camera` as its `file_T_camera`.

    path: of the file. A .ply with faces is a mesh. The open surface of one view is a cloud.
    rng: draws the view.
    scale: factor from the file's units to metres.
    reading: of a capture, READING, as for `load_capture`.

    Raises MeshError or CaptureError for what cannot be used, ParameterError for a camera, a mask or
    a target of a mesh.
    """
    path = Path(path)
    is_solid, surface, seen = _kind(path, scale)
    if not is_solid:
        return _view(path, scale, seen, reading)
    _refuse(path, READING, reading)
    mesh, eye = load_mesh(path, scale, surface=surface), default_camera()
    camera_T_object = random_view(mesh, rng)
    points = backproject(render_depth(mesh, eye, camera_T_object), eye.K)
    seen_from = inverse(camera_T_object)
    return Capture(points, points, None, notes_of(mesh), seen_from, is_mesh=True)


def read_view(path: Path | str, scale: float = 1.0, **reading: Any) -> Capture:
    """Read a capture, a cloud, or the surface of one view, which is used as a cloud.

    path: of the file.
    scale: factor from the file's units to metres.
    reading: as for `load_capture`.

    Raises CaptureError for what cannot be used, a mesh among it, and ParameterError for a camera, a
    mask or a target of a surface.
    """
    path = Path(path)
    is_solid, _, seen = _kind(path, scale)
    if is_solid:
        raise CaptureError(f"{path}: this is a mesh, expected a depth capture or a point cloud")
    return _view(path, scale, seen, reading)


def read_solid(path: Path | str, scale: float = 1.0, **reading: Any) -> Solid:
    """Read a closed mesh; of a cloud or a capture, make a solid of the object.

    The view of an object on a table is reconstructed, see `reconstruction`. Of anything else, such
    as a cloud without a table or one from all sides, it is the convex hull.

    path: of the file; a .ply with faces is a mesh, unless it is the surface of one view.
    scale: factor from the file's units to metres.
    reading: of a capture, READING, as for `load_capture`.

    Raises MeshError or CaptureError for what cannot be used, ParameterError for a camera, a mask or
    a target of a mesh.
    """
    path = Path(path)
    is_solid, surface, seen = _kind(path, scale)
    if is_solid:
        _refuse(path, READING, reading)
        mesh = load_mesh(path, scale, surface=surface)
        return Solid(mesh, None, notes_of(mesh))
    capture = _view(path, scale, seen, reading)
    points = capture.points
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if len(sizes) < 3 or sizes[2] <= 1e-6 * sizes[0]:
        raise CaptureError(
            f"{path}: its {len(points)} points are in one plane, so they bound no volume"
        )
    made, failed = None, ""
    if len(points) >= MANY and points[:, 2].min() > 0 and hidden_share(points) < ONE_VIEW:
        try:
            made = reconstruct([view_of(capture)])
        except CaptureError as error:
            failed = f"; it could not be reconstructed: {error}"
        made = made if made is not None and made.has_table else None
    if made is not None:
        mesh, shape, notes = repair(made.mesh, str(path), scale), RECONSTRUCTION, made.notes
    else:
        mesh, shape = repair(trimesh.convex.convex_hull(points), str(path), scale), HULL
        notes = (
            f"the object is the convex hull of {len(points)} points: hollows are filled, and what"
            " the camera did not see is missing" + failed,
        )
    return Solid(mesh, capture, (*capture.notes, *notes, *notes_of(mesh)), shape)


def _view(path, scale, seen, reading):
    """What a camera saw; `seen` are the vertices of a surface of one view, None of other files."""
    if seen is None:
        return load_capture(path, scale, **reading)
    kind = "depth captures; this surface from one camera view is used as a cloud"
    _refuse(path, READING[:4], reading, kind)
    capture = load_capture(path, scale, points=seen, **reading)
    note = "this surface was seen from one camera view only: it is used as a cloud, not as a solid"
    return replace(capture, notes=(note, *capture.notes))


def _refuse(path, names, reading, expected="depth captures and clouds; this is a mesh"):
    for name in names:
        if reading.get(name) is not None:
            option = f"--{name.replace('_', '-')} {reading[name]}"
            raise ParameterError(f"{path}: {option} is for {expected}")


def _is_mesh(path):
    suffix = path.suffix.lower()
    if suffix == ".drc":
        return True  # the reader of meshes says what to do
    if suffix not in (*MESHES, *CLOUDS) and not path.is_dir():
        raise CaptureError(
            f"{path}: unknown kind of file {path.suffix!r}; expected a mesh ({', '.join(MESHES)})"
            f" or a capture ({', '.join(CLOUDS)})"
        )
    return suffix in MESHES and (suffix not in CLOUDS or has_faces(path))


def _kind(path, scale):
    """Whether a file is a solid mesh, and what `_read_surface` returns for a mesh."""
    if not _is_mesh(path):
        return False, None, None
    surface, seen = _read_surface(path, scale)
    return seen is None, surface, seen


def _read_surface(path, scale):
    """What `read_mesh` returns, or None; and (M, 3) vertices where one camera saw the surface."""
    if not (path.is_file() and np.isfinite(scale) and scale > 0):
        return None, None  # the reader of meshes says what is wrong
    seen = None
    if path.suffix.lower() == ".ply":
        try:
            seen = read_arrays(path)["points"]
        except CaptureError:
            return None, None
        if not is_one_view(scale * seen):
            return None, None
    try:
        surface = read_mesh(path)
    except MeshError:
        if seen is None:
            raise
        return None, seen
    if not is_open_view(surface[0], scale):
        return surface, None
    if seen is None:
        merged = trimesh.Trimesh(surface[0].vertices, surface[0].faces, process=False)
        merged.merge_vertices()
        seen = np.array(merged.vertices)
    return surface, seen
