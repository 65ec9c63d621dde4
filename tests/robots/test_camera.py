import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, RobotError
from graspbook.perception.camera import Camera, DepthRenderer
from graspbook.perception.depth_sensor import d415
from graspbook.pose import from_rt, rotation_about
from graspbook.robots import camera as module
from graspbook.robots.camera import (
    Frame,
    Playback,
    RealSense,
    SimulatedCamera,
    open_camera,
    realsense_library,
)

CAPTURES = Path(__file__).parents[2].parent / "shared" / "real" / "captures"
WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])
SENSOR = SimpleNamespace(camera=Camera(K, WIDTH, HEIGHT))
DOWN = from_rt(rotation_about([1, 0, 0], np.pi), [0.5, 0, 0.6])  # above (0.5, 0), looking down


# A simulated camera


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(module, "measure", lambda sensor, depth, rng: depth)


def box(size, centre):
    return trimesh.creation.box(size), from_rt(np.eye(3), centre)


def table_and_box():
    return [box([0.6, 0.6, 0.02], [0.5, 0, -0.01]), box([0.1, 0.1, 0.1], [0.5, 0, 0.05])]


def test_the_nearest_of_all_surfaces_is_seen(exact):
    scene = table_and_box()
    frame = SimulatedCamera(lambda: scene, lambda: DOWN, SENSOR, None).frame()
    assert frame.depth.dtype == np.float32 and frame.rgb is None
    np.testing.assert_array_equal(frame.K, K)
    assert frame.depth[24, 32] == pytest.approx(0.5, abs=1e-6) and frame.depth[
        2, 32
    ] == pytest.approx(0.6, abs=1e-6)
    on_top = np.isclose(frame.depth, 0.5, atol=1e-4)
    assert on_top.sum() == (0.1 / 0.5 * FOCAL) ** 2  # 12 x 12 pixels, about the middle
    assert np.isnan(frame.depth[24, 0])  # beside the table, half of which is 30 pixels at 0.6 m
    again = SimulatedCamera(lambda: scene[::-1], lambda: DOWN, SENSOR, None).frame()
    np.testing.assert_array_equal(again.depth, frame.depth)


def test_camera_and_scene_moved_together_give_the_same_image(exact):
    world = from_rt(rotation_about([1, 2, 3], 0.7), [2, -1, 0.5])
    scene = table_and_box()
    still = SimulatedCamera(lambda: scene, lambda: DOWN, SENSOR, None).frame().depth
    turned = (
        SimulatedCamera(
            lambda: [(m, world @ p) for m, p in scene], lambda: world @ DOWN, SENSOR, None
        )
        .frame()
        .depth
    )
    np.testing.assert_allclose(turned, still, atol=1e-5)


def test_it_sees_where_things_are_now_and_builds_each_mesh_once(exact, monkeypatch):
    built = []
    monkeypatch.setattr(
        module, "DepthRenderer", lambda mesh: built.append(mesh) or DepthRenderer(mesh)
    )
    scene, place = table_and_box(), [DOWN]
    with SimulatedCamera(lambda: scene, lambda: place[0], SENSOR, None) as camera:
        camera.frame()
        scene[1] = (scene[1][0], from_rt(np.eye(3), [0.5, 0, 0.15]))
        assert camera.frame().depth[24, 32] == pytest.approx(0.4, abs=1e-6)
        place[0] = from_rt(DOWN[:3, :3], [0.5, 0, 0.8])
        assert camera.frame().depth[24, 32] == pytest.approx(0.6, abs=1e-6)
        assert len(built) == 2
        scene.clear()
        assert np.isnan(camera.frame().depth).all()


def test_noise_comes_from_the_generator_alone():
    scene = table_and_box()

    def frames(seed):
        camera = SimulatedCamera(lambda: scene, lambda: DOWN, d415(), np.random.default_rng(seed))
        return [camera.frame().depth for _ in range(2)]

    one, same, other = frames(0), frames(0), frames(1)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[0], one[1], equal_nan=True) and not np.array_equal(
        one[0], other[0], equal_nan=True
    )
    assert one[0].shape == (480, 640) and np.nanmedian(one[0]) == pytest.approx(0.6, abs=0.005)


# A RealSense: the real wrapper on librealsense's own software device

rs = realsense_library()


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


def test_a_frame_has_metres_holes_colour_and_intrinsics():
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


def test_depth_is_aligned_to_colour():
    source = SoftwareCamera(shift=0.05)
    with Sending(source), opened(source) as camera:
        frame = camera.frame()
    moved = FOCAL * 0.05 / frame.depth[20, 40]
    holes = np.flatnonzero(np.isnan(frame.depth[20]))
    assert 4 <= moved <= 6 and abs(len(holes) - moved) <= 1
    np.testing.assert_array_equal(holes, np.arange(len(holes)))


def test_colour_in_the_other_order_is_turned_round():
    source = SoftwareCamera(colour_format=rs.format.bgr8)
    with Sending(source), opened(source) as camera:
        np.testing.assert_array_equal(camera.frame().rgb[7, 9, :2], [9, 7])


def test_a_distorted_colour_image_is_made_a_pinholes():
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


def test_a_camera_that_stops_sending_is_an_error_and_no_old_frame_passes_for_a_new_one():
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


def test_a_camera_that_never_sends_is_closed_again():
    source = SoftwareCamera()
    with pytest.raises(RobotError, match="sends no frames for 0.2 s"):
        opened(source, timeout=0.2)
    with Sending(source), opened(source) as camera:
        assert camera.frame().depth[20, 20] > 0.5


def test_a_camera_without_colour_says_so():
    source = SoftwareCamera()
    with (
        Sending(source, colour=False),
        pytest.raises(RobotError, match="sends no colour frames for 0.3 s"),
    ):
        opened(source, timeout=0.3)


def test_an_unplugged_camera_is_told_from_a_silent_one():
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


def test_no_camera_the_wrong_size_a_busy_camera_and_a_closed_one():
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


@pytest.mark.parametrize(
    ("serials", "wanted", "message"),
    [
        ([], None, "no RealSense camera is plugged in"),
        (["1"], "7", "no RealSense camera has the serial number 7; found 1"),
        (["1", "2"], None, r"2 RealSense cameras are plugged in \(1, 2\)"),
    ],
)
def test_which_camera_is_meant_must_be_clear(monkeypatch, serials, wanted, message):
    devices = [
        SimpleNamespace(supports=lambda what: True, get_info=lambda what, serial=serial: serial)
        for serial in serials
    ]
    library = SimpleNamespace(
        camera_info=rs.camera_info, context=lambda: SimpleNamespace(query_devices=lambda: devices)
    )
    monkeypatch.setattr(module, "realsense_library", lambda: library)
    with pytest.raises(RobotError, match=message):
        RealSense(wanted)
    with pytest.raises(RobotError, match=message):
        open_camera("realsense" if wanted is None else f"realsense:{wanted}")


def test_a_missing_library_is_an_error_with_the_packages_names(monkeypatch):
    monkeypatch.setattr(
        module.importlib, "import_module", lambda name: __import__("no_such_package")
    )
    with pytest.raises(RobotError, match="expected the packages pyrealsense2 and libusb_package"):
        RealSense()


# Recordings


def record(path, source, frames, sensors=2):
    """Write a .db3 with librealsense's recorder: the frames that the functions in `frames` send."""
    recorder = rs.recorder(str(path), source.device)
    used, queue = recorder.query_sensors()[:sensors], rs.syncer(1)
    for sensor in used:
        sensor.open(sensor.get_stream_profiles())
        sensor.start(queue)
    for send in frames:
        send()
        time.sleep(0.02)  # the recorder takes the time of arrival for the frame's
    for sensor in used:
        sensor.stop()
        sensor.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A .db3 of twenty frames, more than are kept of a recording that is not read."""
    path, source = tmp_path_factory.mktemp("recording") / "twenty.db3", SoftwareCamera()
    record(path, source, [source.send] * 20)
    return path


def numbers_of(frames):
    return [int(frame.rgb[0, 0, 0]) for frame in frames]


def rest_of(camera, wait=0.0):
    """All frames until the recording ends, and what is said then."""
    frames = []
    with pytest.raises(RobotError) as ended:
        while True:
            frames.append(camera.frame())
            time.sleep(wait)
    return frames, str(ended.value)


@pytest.mark.parametrize("wait", [0.0, 0.03])
def test_a_db3_gives_its_frames_in_order_and_ends(recording, wait):
    """Once it has begun none is lost, however slowly it is read."""
    with open_camera(recording) as camera:
        frames, ended = rest_of(camera, wait)
        again = rest_of(camera)[1]
    first = numbers_of(frames)[0]
    assert 1 <= first <= 3 and numbers_of(frames) == list(range(first, 20))
    assert f"twenty.db3 ended after {len(frames)} frames" in ended
    assert ended == again
    depths = [float(frame.depth[20, 20]) for frame in frames]
    np.testing.assert_allclose(depths, 0.5 + 0.001 * np.arange(first, 20), atol=1e-6)
    assert [frame.rgb[7, 9].tolist() for frame in frames] == [
        [number, 7, 9] for number in range(first, 20)
    ]
    np.testing.assert_allclose(frames[0].K, K, atol=1e-5)
    assert np.isnan(frames[0].depth[:4]).all()
    with pytest.raises(RobotError, match="was closed"):
        camera.frame()


def test_a_db3_closed_in_the_middle_does_not_hang_and_starts_anew(recording):
    for _ in range(3):
        with Playback(recording) as camera:
            first, second = numbers_of([camera.frame(), camera.frame()])
            assert first <= 3 and second == first + 1
        camera.close()


def test_a_program_that_ends_without_closing_a_db3_does_not_hang(recording):
    program = (
        f"from graspbook.robots.camera import Playback; camera = Playback({str(recording)!r});"
        " print(len(camera.frame().K))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")


def test_a_reader_that_stands_still_or_is_gone_is_told_and_never_waited_for(recording, monkeypatch):
    for sent, message in (
        (signal.SIGSTOP, "its reader does not answer within 0.5 s"),
        (signal.SIGKILL, r"its reader ended \(exit status -9\)"),
    ):
        with open_camera(recording, timeout=0.3) as camera, monkeypatch.context() as hurried:
            camera.frame()
            hurried.setattr(module, "_READER", 0.2)
            os.kill(camera._process.pid, sent)
            for _ in range(3):
                with pytest.raises(RobotError, match=f"twenty.db3: {message}"):
                    camera.frame()


def test_a_recording_that_stalls_is_told(monkeypatch):
    """The reading process's work, here: one frame, then none, though librealsense does not say that
    it has stopped.
    """
    frames, told = iter(["frame"]), []
    stream = SimpleNamespace(
        missing="colour ", next=lambda seconds: next(frames, None) or time.sleep(seconds)
    )
    device = SimpleNamespace(
        pause=int, resume=int, set_real_time=bool, current_status=lambda: "playing"
    )
    context = SimpleNamespace(load_device=lambda path: device)
    library = SimpleNamespace(context=lambda: context, playback_status=rs.playback_status)
    monkeypatch.setattr(module, "realsense_library", lambda: library)
    monkeypatch.setattr(module, "_Stream", lambda *_: stream)
    monkeypatch.setattr(module.os, "_exit", int)
    begun = time.monotonic()
    module._play("cut.db3", 0.3, SimpleNamespace(recv=int, send=told.append))
    assert time.monotonic() - begun < 3
    assert told[:2] == [None, "frame"] and len(told) == 3 and isinstance(told[2], RobotError)
    assert str(told[2]) == "recording cut.db3 gives no colour frames for 0.3 s, after 1"


def test_a_recording_without_colour_is_refused(tmp_path):
    path, source = tmp_path / "depth.db3", SoftwareCamera()
    record(path, source, [source.send], sensors=1)
    with pytest.raises(RobotError, match="depth.db3 has no colour stream"):
        Playback(path)


def test_one_npz_frame_repeats(tmp_path):
    depth = np.full((4, 5), 0.5)
    depth[0] = 0, np.nan, np.inf, -1, 0.7
    rgb = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    np.savez(tmp_path / "one.npz", depth=depth, K=K, rgb=rgb)
    with open_camera(str(tmp_path / "one.npz")) as camera:
        frames = [camera.frame() for _ in range(3)]
    for frame in frames:
        assert frame.depth.dtype == np.float32
        np.testing.assert_array_equal(frame.depth[0], np.array([np.nan] * 4 + [0.7], np.float32))
        assert (frame.depth[1:] == 0.5).all()
        np.testing.assert_array_equal(frame.rgb, rgb)
        np.testing.assert_array_equal(frame.K, K)
    with pytest.raises(RobotError, match="one.npz was closed"):
        camera.frame()


def test_several_npz_frames_come_in_order_and_the_last_repeats(tmp_path):
    np.savez(
        tmp_path / "three.npz", depth=np.full((3, 4, 5), 0.5) + np.arange(3)[:, None, None], K=K
    )
    camera = Playback(tmp_path / "three.npz")
    assert [float(camera.frame().depth[1, 1]) for _ in range(5)] == [0.5, 1.5, 2.5, 2.5, 2.5]
    assert camera.frame().rgb is None


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no real captures beside the repository")
def test_real_captures_play_back():
    paths = sorted(CAPTURES.glob("*.npz"))
    for path in paths:
        frame = Playback(path).frame()
        assert frame.depth.shape == (480, 640) and frame.rgb.shape == (480, 640, 3)
        assert 0.2 < np.nanmedian(frame.depth) < 2 and np.isnan(frame.depth).any()
    assert paths


DEPTH = np.full((4, 5), 0.5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"K": K}, "expected the arrays depth and K; found K"),
        ({"points": DEPTH}, "found neither"),
        ({"depth": DEPTH[0], "K": K}, r"depth has shape \(5,\), expected \(H, W\) or \(N, H, W\)"),
        ({"depth": DEPTH, "K": K[:2]}, "K is not a camera matrix"),
        ({"depth": DEPTH, "K": K * [[-1], [1], [1]]}, "K is not a camera matrix"),
        (
            {"depth": DEPTH, "K": K, "rgb": np.zeros((4, 6, 3))},
            r"rgb has shape \(4, 6, 3\), expected \(4, 5, 3\)",
        ),
        ({"depth": 1000 * DEPTH, "K": K}, "about 500, expected metres"),
    ],
)
def test_bad_npz_recordings_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(CaptureError, match=f"bad.npz: .*{message}"):
        Playback(tmp_path / "bad.npz")


@pytest.mark.parametrize("suffix", [".npz", ".db3"])
def test_missing_and_damaged_recordings_are_refused(tmp_path, suffix):
    path = tmp_path / f"damaged{suffix}"
    with pytest.raises(CaptureError, match="no such recording"):
        open_camera(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CaptureError, match=f"not a readable {suffix}"):
        open_camera(path)


def test_other_cameras_are_refused_by_name(tmp_path):
    with pytest.raises(CaptureError, match='webcam: unknown camera; expected "realsense"'):
        open_camera("webcam")
    with pytest.raises(CaptureError, match="unknown kind of recording '.bag'"):
        Playback(tmp_path / "old.bag")
