from types import SimpleNamespace

import pytest

from graspbook.errors import CaptureError, RobotError
from graspbook.robots import realsense as module
from graspbook.robots.camera import is_camera, open_camera
from graspbook.robots.realsense import RealSense, realsense_library
from graspbook.robots.recording import Playback

rs = realsense_library()


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


def test_other_cameras_are_refused_by_name(tmp_path):
    with pytest.raises(CaptureError, match='webcam: unknown camera; expected "realsense"'):
        open_camera("webcam")
    with pytest.raises(CaptureError, match="unknown kind of recording '.avi', expected .db3"):
        Playback(tmp_path / "old.avi")
    with pytest.raises(CaptureError, match="one.npz: unknown camera"):
        open_camera("one.npz")
    ours, theirs = tmp_path / "ros.db3", tmp_path / "rs.DB3"
    ours.write_bytes(b"SQLite format 3, /camera/depth")
    theirs.write_bytes(b"SQLite format 3, /device_0/sensor_0/Depth_0")
    names = ("realsense:12", "realsense", theirs, ours, "a.npz", "webcam")
    assert [is_camera(name) for name in names] == [True, True, True, False, False, False]
