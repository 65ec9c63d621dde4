"""A RealSense camera: depth and colour of one pyrealsense2 device, live or recorded.

pyrealsense2 is imported only when a camera or a .db3 recording is opened.
"""

import contextlib
import ctypes
import importlib
import time
import weakref
from typing import Any

import numpy as np

from graspbook.errors import RobotError
from graspbook.robots.frames import DepthCamera, Frame

WARM_UP = 15  # frames until automatic exposure has settled, half a second
_POLL = 0.1  # seconds between looks at whether a camera is still there


class RealSense(DepthCamera):
    """A RealSense camera: depth aligned to colour, both without distortion.

    serial: of the camera where several are plugged in. timeout: seconds without a frame after which
    `frame` gives up. width, height, fps: of both streams. device: a pyrealsense2 device to use in
    place of one that is plugged in. The first 15 frames are dropped. Raises RobotError when there
    is no such camera, when it is in use or does not offer these streams, and when it sends nothing.
    """

    def __init__(
        self,
        serial: str | None = None,
        *,
        timeout: float = 2.0,
        width: int = 640,
        height: int = 480,
        fps: int = 30,
        device: Any = None,
    ) -> None:
        self._timeout = timeout
        rs = realsense_library()
        self._device = _find_device(rs, serial) if device is None else device
        self._name = f"camera {_info(rs, self._device, rs.camera_info.serial_number)}"
        self._stream: Stream | None = Stream(rs, self._device, self._name, (width, height, fps))
        try:
            for _ in range(WARM_UP):
                self._next()
        except BaseException:
            self.close()
            raise

    def frame(self) -> Frame:
        """The first `Frame` that arrives after the call; RobotError when the camera is unplugged,
        closed, or silent too long.
        """
        if self._stream is None:
            raise RobotError(f"{self._name} was closed; open it again for more frames")
        self._stream.discard()
        return self._next()

    def close(self) -> None:
        """Stop the camera; a second time does nothing."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

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


class Stream:
    """Depth and colour of one pyrealsense2 device, live or recorded, as frames.

    rs: the module pyrealsense2. device: of its. name: in messages. size: (width, height, frames per
    second) of both streams, None for whatever a recording has. Of a live camera only the newest
    frame is kept; of a recording a few, so that it can start before it is read.
    """

    def __init__(self, rs: Any, device: Any, name: str, size: tuple[int, int, int] | None) -> None:
        self._rs, self._align = rs, rs.align(rs.stream.color)
        self._syncer = rs.syncer(8 if size is None else 1)
        self.missing = ""  # the kind of image that the last frames lacked
        self._sensors: list[Any] = []
        self._rectify: tuple[np.ndarray, np.ndarray] | None = None
        self.close = weakref.finalize(self, _stop, self._sensors)
        chosen = {}
        for sensor in device.query_sensors():
            for profile in map(_video, sensor.get_stream_profiles()):
                if profile and profile.stream_type() not in chosen and self._wanted(profile, size):
                    chosen[profile.stream_type()] = (sensor, profile)
        for stream, label in ((rs.stream.depth, "depth"), (rs.stream.color, "colour")):
            if stream not in chosen:
                self.close()
                form = ""
                if size:
                    wanted = "{} x {} pixels at {} frames per second".format(*size)
                    form = f" of {wanted}; is it on a USB 3 port?"
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
        given = profile.width(), profile.height(), profile.fps()
        return size in (None, given) and profile.format() in formats.get(profile.stream_type(), ())

    def _start(self, chosen):
        for sensor in {id(sensor): sensor for sensor, _ in chosen.values()}.values():
            sensor.open([profile for owner, profile in chosen.values() if owner is sensor])
            self._sensors.append(sensor)
        for sensor in self._sensors:
            sensor.start(self._syncer)

    def next(self, timeout: float) -> Frame | None:
        """The next frame with both depth and colour, None when there is none in time.

        timeout: seconds to wait at most.
        """
        end = time.monotonic() + timeout
        while True:
            left = max(1, round(1000 * (end - time.monotonic())))
            found, pair = self._syncer.try_wait_for_frames(left)
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
        i = colour.profile.as_video_stream_profile().intrinsics
        K = np.array([[i.fx, 0, i.ppx], [0, i.fy, i.ppy], [0, 0, 1.0]])
        if any(i.coeffs):
            metres, rgb = self._undistort(metres, rgb, i)
        return Frame(metres, K, rgb)

    def _undistort(self, depth, rgb, i):
        """The images (H, W, ...) that a pinhole camera with the K of intrinsics i would have taken,
        by the nearest pixel.
        """
        if self._rectify is None:  # one call per pixel, a second for all: once
            project = self._rs.rs2_project_point_to_pixel
            rays = [
                [(u - i.ppx) / i.fx, (v - i.ppy) / i.fy, 1.0]
                for v in range(i.height)
                for u in range(i.width)
            ]
            pixels = np.rint([project(i, ray) for ray in rays]).astype(int)
            pixels = pixels.reshape(i.height, i.width, 2)
            inside = ((pixels >= 0) & (pixels < [i.width, i.height])).all(axis=2)
            self._rectify = np.where(inside[..., None], pixels, 0), inside
        pixels, inside = self._rectify
        u, v = pixels[..., 0], pixels[..., 1]
        depth = np.where(inside, depth[v, u], np.float32(np.nan))
        return depth, np.where(inside[..., None], rgb[v, u], np.uint8(0))

    def discard(self) -> None:
        """Forget the frames that have arrived: they were taken before now."""
        while self._syncer.poll_for_frames():
            pass


def _stop(sensors):
    """Stop and close both streams."""
    for sensor in sensors:
        for step in (sensor.stop, sensor.close):
            # Unplugged, or not started: there is nothing left to stop.
            with contextlib.suppress(RuntimeError):
                step()


def _video(profile):
    return profile.as_video_stream_profile() if profile.is_video_stream_profile() else None


def realsense_library() -> Any:
    """The module pyrealsense2, which finds libusb only if that is loaded before it; RobotError
    where it is not installed.
    """
    try:
        libusb = importlib.import_module("libusb_package").get_library_path()
        ctypes.CDLL(str(libusb), mode=ctypes.RTLD_GLOBAL)
        return importlib.import_module("pyrealsense2")
    except (ImportError, OSError) as error:
        packages = "to install it, run: pip install 'graspbook[robot]'"
        raise RobotError(f"pyrealsense2 cannot be loaded ({error}); {packages}") from error


def _find_device(rs, serial):
    found = {
        _info(rs, device, rs.camera_info.serial_number): device
        for device in rs.context().query_devices()
    }
    if not found:
        may = "this user may not open USB devices (librealsense's udev rules)"
        raise RobotError(f"no RealSense camera is plugged in, or {may}")
    names = ", ".join(found)
    if serial is None and len(found) > 1:
        raise RobotError(
            f"{len(found)} RealSense cameras are plugged in ({names}); expected the serial number"
            " of one"
        )
    if serial is not None and serial not in found:
        raise RobotError(f"no RealSense camera has the serial number {serial}; found {names}")
    return found[serial] if serial is not None else next(iter(found.values()))


def _info(rs, device, what):
    return device.get_info(what) if device.supports(what) else "without serial number"
