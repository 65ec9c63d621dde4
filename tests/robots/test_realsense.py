"""The real wrapper on librealsense's own software device."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.robots import realsense as module
from graspbook.robots.frames import Frame
from graspbook.robots.realsense import RealSense, realsense_library

rs = realsense_library()
WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])


class Sending:
    """Frames from a thread, a pair every 5 ms, until the block ends."""

    def __init__(self, source, **options):
        self._source, self._options, self._done = source, options, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._done.wait(0.005):
            self._source.send(**self._options)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def opened(source, timeout=1.0):
    return RealSense(timeout=timeout, width=WIDTH, height=HEIGHT, device=source.device)


def test_a_frame_has_metres_holes_colour_and_intrinsics(SoftwareCamera):
    source = SoftwareCamera()
    with Sending(source), opened(source) as camera:
        sent = source.sent
        first, second = camera.frame(), camera.frame()
    assert (
        isinstance(first, Frame) and first.depth.dtype == np.float32 and first.rgb.dtype == np.uint8
    )
    assert np.isnan(first.depth[:4]).all() and np.isfinite(first.depth[4:]).all()
    number = round(float(first.depth[4, 0] - 0.5) * 1000)
    assert (
        sent > module.WARM_UP and number >= sent - 1
    )  # after the frames dropped and after the call
    np.testing.assert_allclose(first.depth[4:], 0.5 + number / 1000, atol=1e-6)
    np.testing.assert_array_equal(first.rgb[7, 9], [number % 256, 7, 9])
    np.testing.assert_allclose(first.K, K, atol=1e-5)
    assert second.depth[4, 0] > first.depth[4, 0]


def test_depth_is_aligned_to_colour(SoftwareCamera):
    source = SoftwareCamera(shift=0.05)
    with Sending(source), opened(source) as camera:
        frame = camera.frame()
    moved = FOCAL * 0.05 / frame.depth[20, 40]
    holes = np.flatnonzero(np.isnan(frame.depth[20]))
    assert 4 <= moved <= 6 and abs(len(holes) - moved) <= 1
    np.testing.assert_array_equal(holes, np.arange(len(holes)))


def test_colour_in_the_other_order_is_turned_round(SoftwareCamera):
    source = SoftwareCamera(colour_format=rs.format.bgr8)
    with Sending(source), opened(source) as camera:
        np.testing.assert_array_equal(camera.frame().rgb[7, 9, :2], [9, 7])


def test_a_distorted_colour_image_is_made_a_pinholes(SoftwareCamera):
    k1 = -0.3
    source = SoftwareCamera(coeffs=(k1, 0, 0, 0, 0))
    with Sending(source), opened(source) as camera:
        frame = camera.frame()
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    x, y = (u - 31.5) / FOCAL, (v - 23.5) / FOCAL
    stretch = 1 + k1 * (x**2 + y**2)  # Brown-Conrady, first radial term
    assert np.abs(x * stretch * FOCAL + 31.5 - u).max() > 3
    np.testing.assert_allclose(frame.rgb[..., 2], x * stretch * FOCAL + 31.5, atol=0.51)
    np.testing.assert_allclose(frame.rgb[..., 1], y * stretch * FOCAL + 23.5, atol=0.51)
    assert np.isfinite(frame.depth[24]).all()


def test_a_camera_that_stops_sending_is_an_error_and_no_old_frame_passes_for_a_new_one(
    SoftwareCamera,
):
    source = SoftwareCamera()
    with Sending(source):
        camera = opened(source, timeout=0.3)
        time.sleep(0.05)
    start = time.monotonic()
    with pytest.raises(RobotError, match="camera 0123 sends no frames for 0.3 s"):
        camera.frame()
    assert 0.3 <= time.monotonic() - start < 3
    with Sending(source):
        assert camera.frame().depth[20, 20] > 0.5  # it may come back
    camera.close()


def test_a_camera_that_never_sends_is_closed_again(SoftwareCamera):
    source = SoftwareCamera()
    with pytest.raises(RobotError, match="sends no frames for 0.2 s"):
        opened(source, timeout=0.2)
    with Sending(source), opened(source) as camera:
        assert camera.frame().depth[20, 20] > 0.5


def test_a_camera_without_colour_says_so(SoftwareCamera):
    source = SoftwareCamera()
    with (
        Sending(source, colour=False),
        pytest.raises(RobotError, match="sends no colour frames for 0.3 s"),
    ):
        opened(source, timeout=0.3)


def test_an_unplugged_camera_is_told_from_a_silent_one(SoftwareCamera):
    source = SoftwareCamera()
    plugged = [True]
    device = SimpleNamespace(
        query_sensors=source.device.query_sensors,
        get_info=source.device.get_info,
        supports=source.device.supports,
        is_connected=lambda: plugged[0],
    )
    with Sending(source):
        camera = RealSense(width=WIDTH, height=HEIGHT, device=device)
    plugged[0] = False
    with pytest.raises(RobotError, match="camera 0123 was unplugged"):
        camera.frame()
    camera.close()


def test_no_camera_the_wrong_size_a_busy_camera_and_a_closed_one(SoftwareCamera):
    source = SoftwareCamera()
    with pytest.raises(
        RobotError, match="0123 has no depth stream of 640 x 480 pixels at 30 frames"
    ):
        RealSense(device=source.device)
    with Sending(source), opened(source) as camera:
        with pytest.raises(RobotError, match="0123 cannot be started .* another program"):
            opened(source)
        assert camera.frame().depth[20, 20] > 0.5  # the first user keeps it
    camera.close()
    with pytest.raises(RobotError, match="was closed"):
        camera.frame()


def test_a_missing_library_is_an_error_with_the_packages_names(monkeypatch):
    monkeypatch.setattr(
        module.importlib, "import_module", lambda name: __import__("no_such_package")
    )
    with pytest.raises(RobotError, match=r"pip install 'graspbook\[robot\]'"):
        RealSense()
