"""Depth cameras behind two methods, `frame()` and `close()`: simulated, a RealSense, or a recording
played back.

Camera frame as in OpenCV (x right, y down, z forward); each may be used with `with`. Nothing here
needs a screen, and pyrealsense2 is imported only when a camera or a .db3 recording is opened.
"""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import time
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError, GraspbookError, RobotError
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.depth_sensor import measure
from graspbook.pose import inverse

WARM_UP = 15  # frames until automatic exposure has settled, half a second
_READER = 30.0  # seconds that a recording's reader may take to start, and longer than it waits for a frame
_POLL = 0.1  # seconds between looks at whether a camera is still there or a recording has ended


@dataclass(frozen=True)
class Frame:
    """What a camera saw at one moment.

    depth: (H, W) float32 in metres, NaN where nothing was measured; K: (3, 3) in pixels, no
    distortion; rgb: (H, W, 3) uint8 of the same pixels, or None.
    """

    depth: np.ndarray
    K: np.ndarray
    rgb: np.ndarray | None = None


class SimulatedCamera:
    """A depth camera in a simulated scene, by ray casting.

    scene: function without arguments that lists (trimesh, base_T_mesh (4, 4)) as they are now,
    metres; base_T_camera: function that returns the camera's pose (4, 4) as it is now; sensor:
    `perception.depth_sensor.DepthSensor`; rng: the generator of its noise. The ray-casting scene of
    each mesh is built once, so a mesh must not be changed.
    """

    def __init__(self, scene, base_T_camera, sensor, rng):
        self._scene, self._base_T_camera, self._sensor, self._rng = (
            scene,
            base_T_camera,
            sensor,
            rng,
        )
        self._renderers = {}

    def frame(self):
        """The `Frame` of this moment, without colour."""
        camera = self._sensor.camera
        camera_T_base = inverse(self._base_T_camera())
        exact = np.full((camera.height, camera.width), np.nan, np.float32)
        for mesh, base_T_mesh in self._scene():
            renderer = self._renderers.setdefault(id(mesh), None) or DepthRenderer(mesh)
            self._renderers[id(mesh)] = (
                renderer  # it holds the mesh, so that no other can get its id
            )
            exact = np.fmin(exact, renderer.depth(camera, camera_T_base @ base_T_mesh))
        return Frame(measure(self._sensor, exact, self._rng), camera.K.copy())

    def close(self):
        """Nothing to do: there is no device."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RealSense:
    """A RealSense camera: depth aligned to colour, both without distortion.

    serial: of the camera where several are plugged in; timeout: seconds without a frame after which
    `frame` gives up; width, height, fps: of both streams; device: a pyrealsense2 device to use in
    place of one that is plugged in. The first 15 frames are dropped. Raises RobotError when there
    is no such camera, when it is in use or does not offer these streams, and when it sends nothing.
    """

    def __init__(self, serial=None, timeout=2.0, width=640, height=480, fps=30, device=None):
        self._timeout = timeout
        rs = realsense_library()
        self._device = _find_device(rs, serial) if device is None else device
        self._name = f"camera {_info(rs, self._device, rs.camera_info.serial_number)}"
        self._stream = _Stream(rs, self._device, self._name, (width, height, fps))
        try:
            for _ in range(WARM_UP):
                self._next()
        except BaseException:
            self.close()
            raise

    def frame(self):
        """The first `Frame` that arrives after the call; RobotError when the camera is unplugged,
        closed, or silent too long.
        """
        if self._stream is None:
            raise RobotError(f"{self._name} was closed; open it again for more frames")
        self._stream.discard()
        return self._next()

    def close(self):
        """Stop the camera; a second time does nothing."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _next(self):
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            frame = self._stream.next(min(_POLL, self._timeout))
            if frame is not None:
                return frame
            if not self._device.is_connected():
                raise RobotError(f"{self._name} was unplugged; plug it in and open it again")
        missing = self._stream.missing
        raise RobotError(
            f"{self._name} sends no {missing}frames for {self._timeout:g} s; check its cable and"
            " USB port"
        )


class Playback:
    """A recorded capture in place of a camera: the frames of a file, in order.

    path: `.npz` with `depth` (H, W), or (N, H, W) for N frames, in metres (NaN or 0 where nothing
    was measured), `K` (3, 3) and optionally `rgb` (like depth, and 3); its last frame repeats for
    ever. Or a `.db3` that pyrealsense2 recorded: its pairs of depth and colour, but for the first
    or first few, which pass while librealsense learns what belongs together, however slowly they
    are read; `frame` raises RobotError where it ends. timeout: seconds without a frame after which
    `frame` gives up on a .db3. Raises CaptureError when the file is missing, unreadable or of
    another kind, RobotError when it has no depth or no colour, and when its reader does not start.
    """

    def __init__(self, path, timeout=2.0):
        self._path, self._timeout, self._ended = Path(path), timeout, None
        if self._path.suffix.lower() not in (".npz", ".db3"):
            raise CaptureError(
                f"{path}: unknown kind of recording {self._path.suffix!r}; expected .npz or .db3"
            )
        if not self._path.is_file():
            raise CaptureError(f"{path}: no such recording")
        self._frames, self._line = deque(), None
        if self._path.suffix.lower() == ".npz":
            self._frames.extend(_read_frames(self._path))
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

    def frame(self):
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
                self._process.kill()  # what it may send yet would pass for the answer to another request
                answer = RobotError(
                    f"recording {self._path}: its reader does not answer within {seconds:g} s"
                )
        except (EOFError, OSError):
            self._process.join(1.0)  # until then it has no exit status
            answer = RobotError(
                f"recording {self._path}: its reader ended (exit status {self._process.exitcode})"
            )
        if isinstance(answer, GraspbookError):
            self._ended = str(answer)
            raise answer
        return answer

    def close(self):
        """Close the file; a second time does nothing."""
        if self._line is not None:
            self._process.kill()
            self._process.join()
            self._line.close()
        self._line, self._frames = None, deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


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
        stream, number = _Stream(rs, device, f"recording {path}", None), 0
        device.resume()
        device.set_real_time(
            False
        )  # it waits for us: no frame is lost; last, as `resume` would wait for us too
        line.send(None)
        while True:
            line.recv()
            end = time.monotonic() + timeout
            while (frame := stream.next(_POLL)) is None:
                if device.current_status() == rs.playback_status.stopped:
                    raise RobotError(f"recording {path} ended after {number} frames")
                if time.monotonic() > end:
                    raise RobotError(
                        f"recording {path} gives no {stream.missing}frames for {timeout:g} s, after"
                        f" {number}"
                    )
            number += 1
            line.send(frame)
    except GraspbookError as error:
        line.send(error)
    except EOFError:  # nobody asks any more
        pass
    finally:
        os._exit(0)  # without librealsense's own end, which would wait for a reader


def open_camera(text, timeout=2.0):
    """The camera that a command line names: "realsense", "realsense:SERIAL", or the path of a
    recording (see `Playback`).

    timeout: seconds without a frame after which the camera's `frame` gives up. Raises as
    `RealSense` and `Playback` do.
    """
    kind, _, serial = str(text).partition(":")
    if kind == "realsense":
        return RealSense(serial or None, timeout)
    if Path(text).suffix.lower() not in (".npz", ".db3"):
        raise CaptureError(
            f'{text}: unknown camera; expected "realsense", "realsense:SERIAL", or a .npz or .db3'
            " recording"
        )
    return Playback(text, timeout)


class _Stream:
    """Depth and colour of one pyrealsense2 device, live or recorded, as frames.

    size: (width, height, frames a second) of both streams, None for whatever a recording has. Of a
    live camera only the newest frame is kept; of a recording a few, so that it can start before it
    is read.
    """

    def __init__(self, rs, device, name, size):
        self._rs, self._syncer, self._align = (
            rs,
            rs.syncer(8 if size is None else 1),
            rs.align(rs.stream.color),
        )
        self._sensors, self._rectify, self.missing = [], None, ""
        self.close = weakref.finalize(self, _stop, self._sensors)
        chosen = {}
        for sensor in device.query_sensors():
            for profile in map(_video, sensor.get_stream_profiles()):
                if profile and profile.stream_type() not in chosen and self._wanted(profile, size):
                    chosen[profile.stream_type()] = (sensor, profile)
        for stream, label in ((rs.stream.depth, "depth"), (rs.stream.color, "colour")):
            if stream not in chosen:
                self.close()
                form = (
                    " of {} x {} pixels at {} frames a second; is it on a USB 3 port?".format(*size)
                    if size
                    else ""
                )
                raise RobotError(f"{name} has no {label} stream{form}")
        try:
            self._start(chosen)
        except RuntimeError as error:
            self.close()
            raise RobotError(
                f"{name} cannot be started ({error}); is another program using it?"
            ) from error

    def _wanted(self, profile, size):
        rs = self._rs
        formats = {
            rs.stream.depth: (rs.format.z16,),
            rs.stream.color: (rs.format.rgb8, rs.format.bgr8),
        }
        right_size = size is None or (profile.width(), profile.height(), profile.fps()) == tuple(
            size
        )
        return right_size and profile.format() in formats.get(profile.stream_type(), ())

    def _start(self, chosen):
        for sensor in {id(sensor): sensor for sensor, _ in chosen.values()}.values():
            sensor.open([profile for owner, profile in chosen.values() if owner is sensor])
            self._sensors.append(sensor)
        for sensor in self._sensors:
            sensor.start(self._syncer)

    def next(self, timeout):
        """The next `Frame` with both depth and colour, or None when `timeout` seconds bring none."""
        end = time.monotonic() + timeout
        while True:
            found, pair = self._syncer.try_wait_for_frames(
                max(1, round(1000 * (end - time.monotonic())))
            )
            if not found:
                return None
            if pair.get_depth_frame() and pair.get_color_frame():
                break
            self.missing = "colour " if pair.get_depth_frame() else "depth "
        self.missing = ""
        pair = self._align.process(pair)
        depth, colour = pair.get_depth_frame(), pair.get_color_frame()
        metres = np.asanyarray(depth.get_data()).astype(np.float32) * np.float32(depth.get_units())
        metres[metres == 0] = np.nan
        rgb = np.array(np.asanyarray(colour.get_data()))
        if colour.profile.format() == self._rs.format.bgr8:
            rgb = rgb[:, :, ::-1].copy()
        intrinsics = colour.profile.as_video_stream_profile().intrinsics
        K = np.array(
            [[intrinsics.fx, 0, intrinsics.ppx], [0, intrinsics.fy, intrinsics.ppy], [0, 0, 1.0]]
        )
        if any(intrinsics.coeffs):
            metres, rgb = self._undistort(metres, rgb, intrinsics)
        return Frame(metres, K, rgb)

    def _undistort(self, depth, rgb, intrinsics):
        """The images (H, W, ...) that a pinhole camera with the same K would have taken, by the
        nearest pixel.
        """
        if self._rectify is None:  # one call a pixel, a second for all: once
            project, i = self._rs.rs2_project_point_to_pixel, intrinsics
            rays = [
                [(u - i.ppx) / i.fx, (v - i.ppy) / i.fy, 1.0]
                for v in range(i.height)
                for u in range(i.width)
            ]
            pixels = (
                np.rint([project(intrinsics, ray) for ray in rays])
                .astype(int)
                .reshape(i.height, i.width, 2)
            )
            inside = ((pixels >= 0) & (pixels < [i.width, i.height])).all(axis=2)
            self._rectify = np.where(inside[..., None], pixels, 0), inside
        pixels, inside = self._rectify
        u, v = pixels[..., 0], pixels[..., 1]
        return np.where(inside, depth[v, u], np.float32(np.nan)), np.where(
            inside[..., None], rgb[v, u], np.uint8(0)
        )

    def discard(self):
        """Forget the frames that have arrived: they were taken before now."""
        _discard(self._syncer)


def _discard(syncer):
    while syncer.poll_for_frames():
        pass


def _stop(sensors):
    """Stop and close both streams."""
    for sensor in sensors:
        for step in (sensor.stop, sensor.close):
            with contextlib.suppress(
                RuntimeError
            ):  # unplugged, or not started: there is nothing left to stop
                step()


def _video(profile):
    return profile.as_video_stream_profile() if profile.is_video_stream_profile() else None


def realsense_library():
    """The module pyrealsense2, which finds libusb only if that is loaded before it; RobotError
    where it is not installed.
    """
    try:
        libusb = importlib.import_module("libusb_package").get_library_path()
        ctypes.CDLL(str(libusb), mode=ctypes.RTLD_GLOBAL)
        return importlib.import_module("pyrealsense2")
    except (ImportError, OSError) as error:
        packages = "expected the packages pyrealsense2 and libusb_package"
        raise RobotError(f"pyrealsense2 cannot be loaded ({error}); {packages}") from error


def _find_device(rs, serial):
    found = {
        _info(rs, device, rs.camera_info.serial_number): device
        for device in rs.context().query_devices()
    }
    if not found:
        raise RobotError(
            "no RealSense camera is plugged in, or this user may not open USB devices"
            " (librealsense's udev rules)"
        )
    if serial is None and len(found) > 1:
        raise RobotError(
            f"{len(found)} RealSense cameras are plugged in ({', '.join(found)}); expected the"
            " serial number of one"
        )
    if serial is not None and serial not in found:
        raise RobotError(
            f"no RealSense camera has the serial number {serial}; found {', '.join(found)}"
        )
    return found[serial] if serial is not None else next(iter(found.values()))


def _info(rs, device, what):
    return device.get_info(what) if device.supports(what) else "without serial number"


def _read_frames(path):
    """The frames of a .npz capture; CaptureError where it is not one."""
    try:
        with np.load(path) as stored:
            content = {name: stored[name] for name in ("depth", "K", "rgb") if name in stored.files}
    except Exception as error:  # numpy raises whatever zip and its own parser raise
        raise CaptureError(
            f"{path}: not a readable .npz file ({str(error) or type(error).__name__})"
        ) from error
    if "depth" not in content or "K" not in content:
        raise CaptureError(
            f"{path}: expected the arrays depth and K; found {', '.join(content) or 'neither'}"
        )
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
        raise CaptureError(
            f"{path}: depth is about {np.median(measured):.4g}, expected metres; are these"
            " millimetres?"
        )
    metres = (
        np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
        .astype(np.float32)
        .reshape(-1, *depth.shape[-2:])
    )
    colours = (
        [None] * len(metres) if rgb is None else rgb.astype(np.uint8).reshape(*metres.shape, 3)
    )
    return [
        Frame(image, K.astype(float), colour) for image, colour in zip(metres, colours, strict=True)
    ]
