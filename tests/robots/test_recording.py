"""Recordings."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook.errors import CaptureError, RobotError
from graspbook.robots import recording as module
from graspbook.robots.camera import open_camera
from graspbook.robots.realsense import realsense_library
from graspbook.robots.recording import Playback

rs = realsense_library()
WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])


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
def recording(tmp_path_factory, SoftwareCamera):
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
        f"from graspbook.robots.recording import Playback; camera = Playback({str(recording)!r});"
        " print(len(camera.frame().K))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")


def test_a_reader_that_stands_still_or_is_gone_is_told_and_never_waited_for(recording, monkeypatch):
    for sent, message in (
        (signal.SIGSTOP, "the process that reads it does not answer within 0.5 s"),
        (signal.SIGKILL, r"the process that reads it ended \(exit status -9\)"),
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
    monkeypatch.setattr(module, "Stream", lambda *_: stream)
    monkeypatch.setattr(module.os, "_exit", int)
    begun = time.monotonic()
    module._play("cut.db3", 0.3, SimpleNamespace(recv=int, send=told.append))
    assert time.monotonic() - begun < 3
    assert told[:2] == [None, "frame"] and len(told) == 3 and isinstance(told[2], RobotError)
    assert str(told[2]) == "recording cut.db3 gave no colour frames for 0.3 s after frame 1"


def test_a_recording_without_colour_is_refused(tmp_path, SoftwareCamera):
    path, source = tmp_path / "depth.db3", SoftwareCamera()
    record(path, source, [source.send], sensors=1)
    with pytest.raises(RobotError, match="depth.db3 has no colour stream"):
        Playback(path)


def test_missing_and_damaged_recordings_are_refused(tmp_path):
    path = tmp_path / "damaged.db3"
    with pytest.raises(CaptureError, match="no such recording"):
        Playback(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CaptureError, match="not a readable .db3"):
        Playback(path)
