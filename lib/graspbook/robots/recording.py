"""A recording of a depth camera, played back."""

import contextlib
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

from graspbook.errors import CaptureError, GraspbookError, RobotError
from graspbook.robots.frames import DepthCamera, Frame
from graspbook.robots.realsense import Stream, realsense_library

# Seconds that a recording's reader may take to start, and longer than it waits for a frame.
_READER = 30.0
_POLL = 0.1  # seconds between looks at whether a recording has ended


class Playback(DepthCamera):
    """A recording in place of a camera: the frames of a file, in order.

    path: a `.db3` that pyrealsense2 recorded: its pairs of depth and colour, but for the first or
    first few, which pass while librealsense learns what belongs together, however slowly they are
    read; `frame` raises RobotError where it ends. timeout: seconds without a frame after which
    `frame` gives up. Raises CaptureError when the file is missing, unreadable or of another kind,
    RobotError when it has no depth or no colour, and when its reader does not start.
    """

    def __init__(self, path: Path | str, *, timeout: float = 2.0) -> None:
        self._path, self._timeout, self._ended = Path(path), timeout, ""
        if self._path.suffix.lower() != ".db3":
            raise CaptureError(
                f"{path}: unknown kind of recording {self._path.suffix!r}, expected .db3"
            )
        if not self._path.exists():
            raise CaptureError(f"{path}: no such recording")
        self._line: Any = None
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
        if self._line is None:
            raise RobotError(f"recording {self._path} was closed; open it again for more frames")
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
                told = f"the process that reads it does not answer within {seconds:g} s"
                answer = RobotError(f"recording {self._path}: {told}")
        except (EOFError, OSError):
            self._process.join(1.0)  # until then it has no exit status
            told = f"the process that reads it ended (exit status {self._process.exitcode})"
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
        self._line = None


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
                    lack = f"gave no {stream.missing}frames for {timeout:g} s after frame {number}"
                    raise RobotError(f"recording {path} {lack}")
            number += 1
            line.send(frame)
    except GraspbookError as error:
        line.send(error)
    except EOFError:  # nobody asks any more
        pass
    finally:
        os._exit(0)  # without librealsense's own end, which would wait for a reader


def by_librealsense(path: Path) -> bool:
    """Whether a file is a recording of librealsense: a .db3 that names its topics.

    path: of a file, which may be of another kind or missing.
    """
    if path.suffix.lower() != ".db3" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"/device_0/sensor_" in file.read(1 << 20)
