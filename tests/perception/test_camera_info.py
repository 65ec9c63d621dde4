"""Camera files of ROS, OpenCV, Open3D, BOP and YCB-Video hold one matrix."""

import json

import numpy as np
import pytest
import yaml
from scipy.io import savemat

from graspbook.errors import CaptureError
from graspbook.perception.camera_info import read_camera

K = np.array([[616.5, 0, 310.25], [0, 616.25, 236.5], [0, 0, 1.0]])
FLAT = K.ravel().tolist()
ROS = {"header": {"frame_id": "camera"}, "height": 480, "width": 640, "d": [0.0] * 5, "k": FLAT}
P = np.c_[K, np.zeros(3)].ravel().tolist()


@pytest.mark.parametrize(
    "content",
    [
        ROS,
        {"K": FLAT, "D": []},
        {"P": P},
        {"camera_matrix": {"rows": 3, "cols": 3, "data": FLAT}, "image_width": 640},
        {"camera_matrix": K.tolist()},
        {"width": 640, "height": 480, "intrinsic_matrix": K.T.ravel().tolist()},
        {"fx": 616.5, "fy": 616.25, "cx": 310.25, "cy": 236.5},
        {"color": {"intrinsics": {"fx": 616.5, "fy": 616.25, "ppx": 310.25, "ppy": 236.5}}},
        {"0": {"cam_K": FLAT, "depth_scale": 0.1}, "7": {"cam_K": FLAT, "depth_scale": 0.1}},
        [ROS],
    ],
)
def test_json_and_yaml_of_every_custom(tmp_path, content):
    (tmp_path / "c.json").write_text(json.dumps(content))
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content) + "\n---\n")
    for name in ("c.json", "c.yaml"):
        np.testing.assert_allclose(read_camera(tmp_path / name).K, K)


def test_size_factor_and_distortion(tmp_path):
    (tmp_path / "ros.json").write_text(json.dumps(ROS | {"d": [0.1, 0, 0, 0, 0]}))
    info = read_camera(tmp_path / "ros.json")
    assert info.size == (640, 480) and info.factor is None and "distortion" in info.notes[0]
    savemat(
        tmp_path / "meta.mat",
        {"intrinsic_matrix": K, "factor_depth": np.array([[10000]], np.uint16), "cls": [[1, 2]]},
    )
    info = read_camera(tmp_path / "meta.mat")
    np.testing.assert_allclose(info.K, K)
    assert info.factor == pytest.approx(1e-4)


def test_opencv_and_plain_numbers(tmp_path):
    (tmp_path / "cv.yml").write_text(
        "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
        f"   data: {FLAT}\n"
    )
    np.savetxt(tmp_path / "K.txt", K)
    np.savetxt(tmp_path / "commas.txt", K, delimiter=",")
    np.save(tmp_path / "K.npy", K)
    for name in ("cv.yml", "K.txt", "commas.txt", "K.npy"):
        np.testing.assert_allclose(read_camera(tmp_path / name).K, K)


def test_the_camera_of_the_image_is_chosen(tmp_path):
    other = (2 * K).ravel().tolist()
    (tmp_path / "scene_camera.json").write_text(
        json.dumps({"3": {"cam_K": FLAT}, "4": {"cam_K": other}})
    )
    np.testing.assert_allclose(read_camera(tmp_path / "scene_camera.json", "000003").K, K)
    with pytest.raises(CaptureError, match="2 camera matrices that differ"):
        read_camera(tmp_path / "scene_camera.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.json", b"{}", "no camera matrix in this file"),
        ("c.json", b"[[[[[[", "not a readable .json"),
        ("c.json", b"[" * 100_000, "not a readable .json"),
        ("c.json", b"\xff\xfe", "not a readable .json"),
        ("c.yaml", b"a: [", "not a readable .yaml"),
        ("c.yaml", b"!!python/object/apply:os.system ['true']", "not a readable .yaml"),
        ("c.yaml", b"", "no camera matrix|not a readable"),
        ("c.json", b'{"K": [0, 0, 1, 0, 0, 0, 0, 0, 1]}', "positive focal lengths"),
        ("c.json", b'{"K": "unknown", "fx": "1"}', "no camera matrix in this file"),
        ("c.mat", b"MATLAB 5.0", "not a readable .mat"),
        ("c.txt", b"no numbers", "not a readable .txt|no camera matrix"),
        ("c.xml", b"", "unknown kind of camera file"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptureError, match=message) as raised:
        read_camera(tmp_path / name)
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_references_in_yaml_do_not_multiply(tmp_path):
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(9))}}}" for i in
              range(1, 12)]  # fmt: skip
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(CaptureError, match="no camera matrix in this file"):
        read_camera(tmp_path / "bomb.yaml")
