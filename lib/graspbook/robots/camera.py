"""A real depth camera or a recording of one, by its name on a command line."""

from pathlib import Path

from graspbook.errors import CaptureError
from graspbook.robots.frames import DepthCamera
from graspbook.robots.realsense import RealSense
from graspbook.robots.recording import Playback, by_librealsense


def is_camera(text: Path | str) -> bool:
    """Whether a name on a command line is that of a camera or a recording, no capture in a file.

    text: as for `open_camera`.
    """
    return str(text).partition(":")[0] == "realsense" or by_librealsense(Path(text))


def open_camera(text: Path | str, *, timeout: float = 2.0) -> DepthCamera:
    """The camera that a command line names. Raises as `RealSense` and `Playback` do.

    text: "realsense", "realsense:SERIAL", or the path of a recording of librealsense.
    timeout: seconds without a frame after which the camera's `frame` gives up.
    """
    kind, _, serial = str(text).partition(":")
    if kind == "realsense":
        return RealSense(serial or None, timeout=timeout)
    if not is_camera(text):
        raise CaptureError(
            f'{text}: unknown camera; expected "realsense", "realsense:SERIAL", or a .db3 recording'
            " of librealsense"
        )
    return Playback(text, timeout=timeout)
