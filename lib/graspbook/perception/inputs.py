"""What somebody has of an object: a mesh, a point cloud or a depth capture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.mesh import load_mesh, notes_of, repair
from graspbook.objects.mesh_files import SUFFIXES as MESHES
from graspbook.objects.mesh_files import has_faces, read_mesh
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.camera_frame import is_one_view
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import Capture, load_capture
from graspbook.perception.capture_files import read_arrays
from graspbook.pose import inverse


def observe_input(
    path: Path | str,
    rng: np.random.Generator,
    scale: float = 1.0,
    *,
    camera: Path | str | None = None,
    mask: Path | str | None = None,
    target: int | None = None,
    camera_pose: Path | str | None = None,
    up: str | None = None,
    topic: str | None = None,
) -> Capture:
    """Read what a camera sees: of a mesh, one random view; of a cloud or a capture, what it holds.

    A view of a mesh holds `object_T_camera` as its `file_T_camera`.

    path: of the file. A .ply with faces is a mesh. The open surface of one view is a cloud.
    rng: draws the view.
    scale: factor from the file's units to metres.
    camera, mask, target, camera_pose, up, topic: of a capture, as for `load_capture`.

    Raises MeshError or CaptureError for what cannot be used, ParameterError for a camera, a mask or
    a target of a mesh.
    """
    path = Path(path)
    if not _is_mesh(path):
        return load_capture(
            path,
            scale,
            camera=camera,
            mask=mask,
            target=target,
            camera_pose=camera_pose,
            up=up,
            topic=topic,
        )
    options = {"--camera": camera, "--mask": mask, "--target": target, "--topic": topic}
    surface, points = _read_surface(path, scale)
    if points is None:
        options |= {"--camera-pose": camera_pose, "--up": up}
    for option, value in options.items():
        if value is not None:
            raise ParameterError(
                f"{path}: {option} {value} is for depth captures and clouds, this is a mesh"
            )
    if points is not None:
        capture = load_capture(path, scale, camera_pose=camera_pose, up=up, points=points)
        note = "this surface is one view of a camera: it is used as a cloud, not as a solid"
        return replace(capture, notes=(note, *capture.notes))
    mesh, eye = load_mesh(path, scale, surface=surface), default_camera()
    camera_T_object = random_view(mesh, rng)
    points = backproject(render_depth(mesh, eye, camera_T_object), eye.K)
    seen_from = inverse(camera_T_object)
    return Capture(points, points, None, notes_of(mesh), seen_from, is_mesh=True)


def read_solid(path: Path | str, scale: float = 1.0) -> trimesh.Trimesh:
    """Read a closed mesh, in metres; of a cloud or a capture, the convex hull of the object.

    path: of the file; a .ply with faces is a mesh.
    scale: factor from the file's units to metres.

    Raises MeshError or CaptureError for what cannot be used.
    """
    path = Path(path)
    surface, seen = _read_surface(path, scale) if _is_mesh(path) else (None, None)
    if _is_mesh(path) and seen is None:
        return load_mesh(path, scale, surface=surface)
    points = load_capture(path, scale, points=seen).points
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if len(sizes) < 3 or sizes[2] <= 1e-6 * sizes[0]:
        raise CaptureError(
            f"{path}: its {len(points)} points are in one plane, their hull has no volume"
        )
    return repair(trimesh.convex.convex_hull(points), str(path), scale)


def _is_mesh(path):
    suffix = path.suffix.lower()
    return suffix in MESHES and (suffix not in CLOUDS or has_faces(path))


def _read_surface(path, scale):
    """What `read_mesh` returns, or None; and (M, 3) vertices where one camera saw the surface."""
    if not (path.is_file() and np.isfinite(scale) and scale > 0):
        return None, None  # the reader of meshes says what is wrong
    if path.suffix.lower() == ".ply":
        try:
            points = read_arrays(path)["points"]
        except CaptureError:
            return None, None
        return None, points if is_one_view(scale * points) else None
    surface = read_mesh(path)
    if not is_one_view(scale * surface[0].vertices):
        return surface, None
    merged = trimesh.Trimesh(surface[0].vertices, surface[0].faces, process=False)
    merged.merge_vertices()
    return surface, None if merged.is_watertight else np.array(merged.vertices)
