"""What somebody has of an object: a mesh, a point cloud or a depth capture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.mesh import load_mesh, notes_of, repair
from graspbook.objects.mesh_files import SUFFIXES as MESHES
from graspbook.objects.mesh_files import has_faces
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.camera_frame import is_one_view
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import Capture, load_capture
from graspbook.perception.capture_files import read_arrays


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

    path: of the file; a .ply with faces is a mesh, unless it is the surface of one view.
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
    if not (is_view := _is_view(path, scale)):
        options |= {"--camera-pose": camera_pose, "--up": up}
    for option, value in options.items():
        if value is not None:
            raise ParameterError(
                f"{path}: {option} {value} is for depth captures and clouds, this is a mesh"
            )
    if is_view:
        capture = load_capture(path, scale, camera_pose=camera_pose, up=up)
        note = "this surface is one view of a camera: it is used as a cloud, not as a solid"
        return replace(capture, notes=(note, *capture.notes))
    mesh, eye = load_mesh(path, scale), default_camera()
    points = backproject(render_depth(mesh, eye, random_view(mesh, rng)), eye.K)
    return Capture(points, points, notes=notes_of(mesh))


def read_solid(path: Path | str, scale: float = 1.0) -> trimesh.Trimesh:
    """Read a closed mesh, in metres; of a cloud or a capture, the convex hull of the object.

    path: of the file; a .ply with faces is a mesh.
    scale: factor from the file's units to metres.

    Raises MeshError or CaptureError for what cannot be used.
    """
    path = Path(path)
    if _is_mesh(path) and not _is_view(path, scale):
        return load_mesh(path, scale)
    points = load_capture(path, scale).points
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if len(sizes) < 3 or sizes[2] <= 1e-6 * sizes[0]:
        raise CaptureError(
            f"{path}: its {len(points)} points are in one plane, their hull has no volume"
        )
    return repair(trimesh.convex.convex_hull(points), str(path), scale)


def _is_mesh(path):
    suffix = path.suffix.lower()
    return suffix in MESHES and (suffix not in CLOUDS or has_faces(path))


def _is_view(path, scale):
    """Whether a .ply with faces is the surface of what one camera saw."""
    if path.suffix.lower() != ".ply" or not (np.isfinite(scale) and scale > 0):
        return False
    try:
        return is_one_view(scale * read_arrays(path)["points"])
    except CaptureError:
        return False  # the reader of meshes says what is wrong
