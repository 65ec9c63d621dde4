"""librealsense's own software device, in place of a camera."""

import numpy as np
import pytest

from graspbook.robots.realsense import realsense_library

rs = realsense_library()
WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])


class SoftwareCamera:
    """A device without hardware, whose n-th depth image is 0.5 m + n mm and whose n-th colour is
    (n, row, column).
    """

    def __init__(self, shift=0.0, colour_format=rs.format.rgb8, coeffs=(0, 0, 0, 0, 0)):
        self.device, self.sent = rs.software_device(), 0
        self.device.register_info(rs.camera_info.serial_number, "0123")
        self._depth = self._stream("Depth", rs.stream.depth, rs.format.z16, 0, [0] * 5)
        self._colour = self._stream("Colour", rs.stream.color, colour_format, 1, coeffs)
        self._depth[0].add_read_only_option(rs.option.depth_units, 0.001)
        offset = rs.extrinsics()
        offset.rotation, offset.translation = np.eye(3).ravel().tolist(), [shift, 0, 0]
        self._depth[1].register_extrinsics_to(self._colour[1], offset)
        self.device.create_matcher(rs.matchers.default)

    def _stream(self, name, stream, form, uid, coeffs):
        lens = rs.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = (
            WIDTH,
            HEIGHT,
            FOCAL,
            FOCAL,
            31.5,
            23.5,
        )
        lens.coeffs, lens.model = (
            list(coeffs),
            rs.distortion.brown_conrady if any(coeffs) else rs.distortion.none,
        )
        video = rs.video_stream()
        video.type, video.index, video.uid, video.fmt, video.fps = stream, 0, uid, form, 30
        video.width, video.height, video.bpp, video.intrinsics = (
            WIDTH,
            HEIGHT,
            2 if uid == 0 else 3,
            lens,
        )
        sensor = self.device.add_sensor(name)
        return sensor, sensor.add_video_stream(video)

    def send(self, colour=True):
        depth = np.full((HEIGHT, WIDTH), 500 + self.sent, np.uint16)
        depth[:4] = 0  # nothing measured
        self._send(self._depth, depth, 2)
        if colour:
            rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
            self._send(
                self._colour,
                np.stack([np.full_like(rows, self.sent % 256), rows, columns], axis=2),
                3,
            )
        self.sent += 1

    def _send(self, stream, pixels, size):
        frame = rs.software_video_frame()
        frame.pixels, frame.bpp, frame.stride, frame.profile = (
            pixels,
            size,
            size * WIDTH,
            stream[1].as_video_stream_profile(),
        )
        frame.timestamp, frame.frame_number, frame.domain = (
            33.0 * self.sent,
            self.sent,
            rs.timestamp_domain.hardware_clock,
        )
        if size == 2:
            frame.depth_units = 0.001
        stream[0].on_video_frame(frame)


@pytest.fixture(name="SoftwareCamera", scope="session")
def software_camera():
    """The class of cameras without hardware."""
    return SoftwareCamera
