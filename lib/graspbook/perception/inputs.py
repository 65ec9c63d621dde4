"""What somebody has of an object: a mesh, a point cloud or a depth capture."""

from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.mesh import SUFFIXES as MESHES
from graspbook.objects.mesh import has_faces, load_mesh, repair
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import Capture, load_capture


def observe_input(path: Path | str, rng: np.random.Generator, scale: float = 1.0) -> Capture:
    """Read what a camera sees: of a mesh, one random view; of a cloud or a capture, what it holds.

    path: of the file; a .ply with faces is a mesh.
    rng: draws the view.
    scale: factor from a mesh's units to metres.

    Raises MeshError or CaptureError for what cannot be used, ParameterError for a scale that only a
    mesh can have.
    """
    path = Path(path)
    if not _is_mesh(path):
        if scale != 1.0:
            raise ParameterError(
                f"{path}: --scale {scale:g} is for meshes; depth captures and point clouds are read"
                " in metres"
            )
        return load_capture(path)
    mesh, camera = load_mesh(path, scale), default_camera()
    points = backproject(render_depth(mesh, camera, random_view(mesh, rng)), camera.K)
    return Capture(points, points)


def read_solid(path: Path | str, scale: float = 1.0) -> trimesh.Trimesh:
    """Read a closed mesh, in metres; of a cloud or a capture, the convex hull of the object.

    path: of the file; a .ply with faces is a mesh.
    scale: factor from the file's units to metres.

    Raises MeshError or CaptureError for what cannot be used.
    """
    path = Path(path)
    if _is_mesh(path):
        return load_mesh(path, scale)
    if not (np.isfinite(scale) and scale > 0):
        raise CaptureError(f"{path}: scale {scale} is not a positive number")
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
