"""Hand-eye files by name, size and the words in them."""

import os

import numpy as np
import pytest
import yaml

from graspbook.errors import CaptureError
from graspbook.perception.hand_eye_formats import read_mount

POSE = {
    "rotation": {"w": 1.0, "x": 0.0, "y": 0.0, "z": 0.0},
    "translation": {"x": 0.05, "y": 0.0, "z": 0.06},
}


def easy(**parameters):
    return yaml.safe_dump({"parameters": parameters, "transform": POSE})


def test_the_name_that_easy_handeye2_gives_its_files(tmp_path):
    path = tmp_path / "panda.calib"
    path.write_text(easy(calibration_type="eye_in_hand", robot_effector_frame="panda_hand"))
    mount = read_mount(path)
    np.testing.assert_allclose(mount.pose[:3, 3], [0.05, 0, 0.06])
    assert mount.parent == "panda_hand"


@pytest.mark.parametrize("name", ["eye_on_hand", "eye_in_hand"])
def test_a_camera_that_is_not_on_the_hand_is_refused(tmp_path, name):
    (tmp_path / "a.yaml").write_text(easy(**{name: False}))
    with pytest.raises(CaptureError, match="the camera is on the robot's base"):
        read_mount(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text(easy(**{name: True}))
    assert read_mount(tmp_path / "a.yaml").pose.shape == (4, 4)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "a.json").touch()
    os.truncate(tmp_path / "a.json", 10**11)  # takes no space
    with pytest.raises(CaptureError, match="100000000000 bytes, expected"):
        read_mount(tmp_path / "a.json")
