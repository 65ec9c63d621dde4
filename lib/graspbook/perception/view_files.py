"""Views from files of captures with camera poses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.camera_frame import rigid_pose
from graspbook.perception.capture_files import read_numbers
from graspbook.perception.inputs import read_view
from graspbook.perception.view import View, view_of


def read_views(
    paths: Sequence[Path | str],
    poses: Path | str | None = None,
    scale: float = 1.0,
    **reading: Any,
) -> tuple[list[View], list[str]]:
    """Read the views of one scene, and what was assumed, one plain sentence each.

    Without a file of poses, each capture has its own `world_T_camera` (or `camera_pose`). A
    single view needs none: its camera is then the world.

    paths: of captures; the object is looked for in the first alone.
    poses: a .txt, .json or .npy file of N poses (4, 4) `world_T_camera`, in the order of the paths.
    scale: factor from the files' units to metres, for depth and clouds but not for poses.
    reading: of the first capture, as for `load_capture`.

    Raises CaptureError for a capture that cannot be read, and for poses that are missing or of
    another number.
    """
    given = None if poses is None else _poses(poses, len(paths))
    views, notes = [], []
    for number, path in enumerate(paths):
        options = reading
        if number:
            options = {name: reading.get(name) for name in ("camera", "topic")} | {"find": False}
        capture = read_view(path, scale, **options)
        pose = capture.file_T_camera if given is None else given[number]
        if pose is None and len(paths) > 1:
            raise CaptureError(
                f"{path}: it has no camera pose, expected an array world_T_camera (4, 4) in each"
                " capture, or a file of all poses with --poses"
            )
        view = view_of(capture, pose)
        views.append(replace(view, object_points=np.zeros((0, 3))) if number else view)
        # What is made of views is in the world's frame, not in the camera's.
        said = [note for note in capture.notes if "file_T_camera" not in note and note not in notes]
        notes += [f"{Path(path).name}: {note}" for note in said] if number else said
    return views, notes


def _poses(path, count):
    numbers = read_numbers(path)
    if numbers.ndim == 2 and numbers.shape == (4 * count, 4):
        numbers = numbers.reshape(count, 4, 4)
    if numbers.shape != (count, 4, 4):
        raise CaptureError(
            f"{path}: poses of shape {numbers.shape}, expected ({count}, 4, 4): one for each view"
        )
    return np.array([rigid_pose(f"{path}: pose {i + 1}", one) for i, one in enumerate(numbers)])
