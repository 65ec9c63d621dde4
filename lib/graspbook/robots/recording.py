"""A recording of a depth camera, played back."""

import contextlib
import multiprocessing
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import CaptureError, GraspbookError, RobotError
from graspbook.perception.arrays import as_matrix, in_metres
from graspbook.perception.capture_files import read_arrays
from graspbook.perception.recordings import is_recording, read_recording
from graspbook.robots.frames import DepthCamera, Frame
from graspbook.robots.realsense import Stream, realsense_library

# Seconds that a recording's reader may take to start, and longer than it waits for a frame.
_READER = 30.0
_POLL = 0.1  # seconds between looks at whether a recording has ended


class Playback(DepthCamera):
    """A recorded capture in place of a camera: the frames of a file, in order.

    path: `.npz` with `depth` (H, W), or (N, H, W) for N frames, in metres (NaN or 0 where nothing
    was measured), `K` (3, 3) and optionally `rgb` (like depth, and 3); its last frame repeats for
    ever. Or a `.db3` that pyrealsense2 recorded: its pairs of depth and colour, but for the first
    or first few, which pass while librealsense learns what belongs together, however slowly they
    are read; `frame` raises RobotError where it ends. Or any other recording that
    `perception.recordings` reads, whose first frame with depths repeats for ever. timeout: seconds
    without a frame after which `frame` gives up on a .db3. Raises CaptureError when the file is
    missing, unreadable or of another kind, RobotError when it has no depth or no colour, and when
    its reader does not start.
    """

    def __init__(self, path: Path | str, *, timeout: float = 2.0) -> None:
        self._path, self._timeout, self._ended = Path(path), timeout, ""
        if self._path.suffix.lower() != ".npz" and not is_recording(self._path):
            raise CaptureError(
                f"{path}: unknown kind of recording {self._path.suffix!r}; expected .npz, .bag,"
                " .db3, .mcap, or the folder of a ROS 2 recording"
            )
        if not self._path.exists():
            raise CaptureError(f"{path}: no such recording")
        self._frames: deque[Frame] = deque()
        self._line: Any = None
        if self._path.suffix.lower() == ".npz":
            self._frames.extend(_read_frames(self._path))
            return
        if not _by_librealsense(self._path):
            self._frames.append(_first_frame(self._path))
            return
        # librealsense stops in mid-file only while somebody goes on reading, and not always alive:
        # a process can be killed.
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=_play, args=(str(path), timeout, other), daemon=True)
        self._process.start()
        other.close()
        try:
            self._answer(_READER)
        except BaseException:
            self.close()
            raise

    def frame(self) -> Frame:
        """The next `Frame`; RobotError when the recording was closed or has ended, when it gives
        none for too long, and when the process that reads it is gone or silent. After such an end
        it says the same again.
        """
        if self._line is None and not self._frames:
            raise RobotError(f"recording {self._path} was closed; open it again for more frames")
        if self._line is None:
            return self._frames.popleft() if len(self._frames) > 1 else self._frames[0]
        if self._ended:
            raise RobotError(self._ended)
        with contextlib.suppress(OSError):  # a reader that is gone: `_answer` says so
            self._line.send(None)
        return self._answer(self._timeout + _READER)

    def _answer(self, seconds):
        """What the reading process sends next, within so many seconds: an error of ours is raised
        here, and is the end.
        """
        try:
            if self._line.poll(seconds):
                answer = self._line.recv()
            else:
                # What it may send yet would pass for the answer to another request.
                self._process.kill()
                told = f"its reader does not answer within {seconds:g} s"
                answer = RobotError(f"recording {self._path}: {told}")
        except (EOFError, OSError):
            self._process.join(1.0)  # until then it has no exit status
            told = f"its reader ended (exit status {self._process.exitcode})"
            answer = RobotError(f"recording {self._path}: {told}")
        if isinstance(answer, GraspbookError):
            self._ended = str(answer)
            raise answer
        return answer

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._line is not None:
            self._process.kill()
            self._process.join()
            self._line.close()
        self._line, self._frames = None, deque()


def _play(path, timeout, line):
    """The process that reads a .db3 recording: a sign that it is open, then within `timeout` s a
    Frame for every request.
    """
    try:
        rs = realsense_library()
        try:
            device = rs.context().load_device(path)
        except RuntimeError as error:
            raise CaptureError(f"{path}: not a readable .db3 recording ({error})") from error
        device.pause()  # until both of its streams are open
        stream, number = Stream(rs, device, f"recording {path}", None), 0
        device.resume()
        # It waits for us: no frame is lost. Last, as `resume` would wait for us too.
        device.set_real_time(False)
        line.send(None)
        while True:
            line.recv()
            end = time.monotonic() + timeout
            while (frame := stream.next(_POLL)) is None:
                if device.current_status() == rs.playback_status.stopped:
                    raise RobotError(f"recording {path} ended after {number} frames")
                if time.monotonic() > end:
                    lack = f"gives no {stream.missing}frames for {timeout:g} s, after {number}"
                    raise RobotError(f"recording {path} {lack}")
            number += 1
            line.send(frame)
    except GraspbookError as error:
        line.send(error)
    except EOFError:  # nobody asks any more
        pass
    finally:
        os._exit(0)  # without librealsense's own end, which would wait for a reader


def _by_librealsense(path):
    """Whether a file is a .db3 that names librealsense's topics; a broken one is not."""
    if path.suffix.lower() != ".db3" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"/device_0/sensor_" in file.read(1 << 20)


def _first_frame(path):
    """The first frame with depths of any recording; CaptureError where it has none, or no K."""
    found = read_recording(path, notes := [])
    if "K" not in found:
        raise CaptureError(f"{path}: expected depth images with camera_info; {notes[-1]}")
    scale, depth = float(found.get("depth_scale", 1.0)), found["depth"]
    metres = in_metres(str(path), "depth", depth, scale, notes).astype(np.float32)
    metres[~(metres > 0) | ~np.isfinite(metres)] = np.nan
    return Frame(metres, as_matrix(str(path), "K", found["K"], notes), found.get("rgb"))


def _read_frames(path):
    """The frames of a .npz capture; CaptureError where it is not one."""
    stored = read_arrays(path)
    content = {name: stored[name] for name in ("depth", "K", "rgb") if name in stored}
    if "depth" not in content or "K" not in content:
        found = ", ".join(content) or "neither"
        raise CaptureError(f"{path}: expected the arrays depth and K; found {found}")
    depth, K, rgb = content["depth"], content["K"], content.get("rgb")
    if depth.ndim not in (2, 3) or not depth.size:
        raise CaptureError(f"{path}: depth has shape {depth.shape}, expected (H, W) or (N, H, W)")
    if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise CaptureError(
            f"{path}: K is not a camera matrix (3, 3) with positive focal lengths: {K.tolist()}"
        )
    if rgb is not None and rgb.shape != (*depth.shape, 3):
        raise CaptureError(
            f"{path}: rgb has shape {rgb.shape}, expected {(*depth.shape, 3)} like depth"
        )
    measured = depth[depth > 0]
    if measured.size and np.median(measured) > 20:
        about = f"depth is about {np.median(measured):.4g}, expected metres"
        raise CaptureError(f"{path}: {about}; are these millimetres?")
    metres = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float32)
    metres, K = metres.reshape(-1, *depth.shape[-2:]), K.astype(float)
    if rgb is None:
        return [Frame(image, K) for image in metres]
    colours = rgb.astype(np.uint8).reshape(*metres.shape, 3)
    return [Frame(image, K, colour) for image, colour in zip(metres, colours, strict=True)]
