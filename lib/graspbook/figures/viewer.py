"""A window on the screen: objects, points and grippers in polyscope (the extra `view`)."""

import os
import sys

import numpy as np
import trimesh

from graspbook.errors import ParameterError
from graspbook.figures.style import FORK
from graspbook.pose import transform


def open_viewer(
    mesh: trimesh.Trimesh | None = None,
    cloud: np.ndarray | None = None,
    poses: np.ndarray | None = None,
    values: np.ndarray | None = None,
    *,
    label: str = "score",
    backend: str | None = None,
    frames: int | None = None,
) -> None:
    """Open a window on one scene and return when it is closed.

    mesh: of the object, in its own frame, metres.
    cloud: (M, 3) points, in the frame of the poses, metres.
    poses: (N, 4, 4) of the hand in the same frame, metres.
    values: (N,) numbers for the grippers' colours.
    label: title of their colours.
    backend: of polyscope, its own choice if omitted ("openGL_mock" draws nothing).
    frames: number of frames after which the window closes.

    Raises ParameterError if polyscope or a screen is missing.
    """
    try:
        import polyscope
    except ImportError as error:
        raise ParameterError(
            f"view: polyscope cannot be imported ({error});"
            " to install it, run: pip install 'graspbook[view]'"
        ) from error
    if not polyscope.is_initialized():
        _initialise(polyscope, backend)
    polyscope.remove_all_structures()
    polyscope.set_ground_plane_mode("none")
    polyscope.set_up_dir("z_up")
    if mesh is not None:
        polyscope.register_surface_mesh(
            "object", mesh.vertices, mesh.faces, color=(0.72, 0.75, 0.78)
        )
    if cloud is not None:
        polyscope.register_point_cloud(
            "observed points", np.asarray(cloud), radius=0.001, color=(0.23, 0.43, 0.65)
        )
    if poses is not None and len(poses):
        strokes = transform(np.asarray(poses), FORK)
        start = np.arange(len(strokes) * len(FORK)).reshape(len(strokes), len(FORK))
        edges = np.stack([start[:, :-1], start[:, 1:]], axis=-1).reshape(-1, 2)
        grippers = polyscope.register_curve_network(
            "grasps", strokes.reshape(-1, 3), edges, radius=0.001
        )
        if values is not None:
            of_nodes = np.repeat(np.asarray(values, float), len(FORK))
            grippers.add_scalar_quantity(label, of_nodes, enabled=True, cmap="viridis")
    polyscope.show(frames) if frames else polyscope.show()


def _initialise(polyscope, backend):
    if (
        backend is None
        and sys.platform == "linux"
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    ):
        raise ParameterError(
            "view: no screen is available (neither DISPLAY nor WAYLAND_DISPLAY is set); run it on a"
            " desktop, or leave view off and use the figures in the page"
        )
    try:
        polyscope.set_verbosity(1)
        polyscope.set_use_prefs_file(False)
        polyscope.init(backend or "auto")
    except (RuntimeError, ValueError) as error:
        raise ParameterError(
            f"view: polyscope cannot open a window with OpenGL 3.3 ({str(error).strip()})"
        ) from error
