"""A real depth camera or a recording of one, by its name on a command line."""

from pathlib import Path

from graspbook.errors import CaptureError
from graspbook.perception.recordings import is_recording
from graspbook.robots.frames import DepthCamera
from graspbook.robots.realsense import RealSense
from graspbook.robots.recording import Playback


def open_camera(text: Path | str, *, timeout: float = 2.0) -> DepthCamera:
    """The camera that a command line names. Raises as `RealSense` and `Playback` do.

    text: "realsense", "realsense:SERIAL", or the path of a recording (see `Playback`).
    timeout: seconds without a frame after which the camera's `frame` gives up.
    """
    kind, _, serial = str(text).partition(":")
    if kind == "realsense":
        return RealSense(serial or None, timeout=timeout)
    if Path(text).suffix.lower() != ".npz" and not is_recording(Path(text)):
        raise CaptureError(
            f'{text}: unknown camera; expected "realsense", "realsense:SERIAL", a .npz, or a'
            " recording (.bag .db3 .mcap)"
        )
    return Playback(text, timeout=timeout)
