"""Depth pictures with what lies beside them."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from graspbook.errors import CaptureError
from graspbook.perception.capture import load_capture

K = np.array([[60, 0, 39.5], [0, 60, 29.5], [0, 0, 1.0]])
DEPTH = np.full((60, 80), 600, np.uint16)
DEPTH[25:40, 30:50] = 550
MASK = np.uint8(255 * (DEPTH == 550))


def write(folder, name="depth", factor=1, camera="camera_info.json", mask=None):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DEPTH * np.uint16(factor)).save(folder / f"{name}.png")
    if camera and camera.endswith(".mat"):
        savemat(folder / camera, {"intrinsic_matrix": K, "factor_depth": 1000 * factor})
    elif camera:
        info = {"width": 80, "height": 60, "k": K.ravel().tolist()}
        (folder / camera).write_text(json.dumps(info))
    if mask:
        Image.fromarray(MASK).save(folder / mask)
    return folder / f"{name}.png"


@pytest.mark.parametrize(
    ("name", "camera", "mask"),
    [
        ("depth", "camera_info.json", "mask.png"),
        ("depth", "intrinsics.json", "segmap.png"),
        ("frame7_depth", "camera.json", "frame7_mask.png"),
        ("000007-depth", "000007-meta.mat", "000007-label.png"),
    ],
)
def test_camera_and_mask_are_found_beside_and_said(tmp_path, name, camera, mask):
    path = write(tmp_path, name, 10 if camera.endswith(".mat") else 1, camera, mask)
    found = load_capture(path)
    notes = " ".join(found.notes)
    assert len(found.points) == 300 and len(found.scene) == 4800
    assert found.points[:, 2] == pytest.approx(0.55)
    assert camera in notes and mask in notes


def test_a_colour_image_beside_is_taken(tmp_path):
    path = write(tmp_path, mask="mask.png")
    Image.fromarray(np.full((60, 80, 3), 9, np.uint8)).save(tmp_path / "color.png")
    assert (load_capture(path).rgb == 9).all()
    Image.fromarray(np.full((30, 80, 3), 9, np.uint8)).save(tmp_path / "color.png")
    found = load_capture(path)
    assert found.rgb is None and "color.png is not used: its size" in " ".join(found.notes)


def test_a_damaged_colour_image_is_not_used(tmp_path):
    path = write(tmp_path, mask="mask.png")
    (tmp_path / "color.jpg").write_bytes(b"\xff\xd8\xff")
    found = load_capture(path)
    assert found.rgb is None and "the colours are not used" in " ".join(found.notes)


def test_files_without_a_camera_are_passed_over(tmp_path):
    path = write(tmp_path / "scene", camera="camera.json", mask="mask.png")
    (tmp_path / "scene" / "meta.json").write_text('{"scene": "kitchen"}')
    (tmp_path / "info.json").write_text('{"author": "me"}')
    found = load_capture(path)
    assert len(
        found.points
    ) == 300 and "meta.json, next to the depth image, is not used" in " ".join(found.notes)
    (tmp_path / "scene" / "camera.json").rename(tmp_path / "camera.json")
    assert len(load_capture(path).points) == 300
    (tmp_path / "camera.json").unlink()
    message = (
        "no camera matrix K .*meta.json: no camera matrix in this file.*info.json.*--camera FILE"
    )
    with pytest.raises(CaptureError, match=message):
        load_capture(path)


def test_a_given_camera_in_place_of_that_of_the_file_is_said(tmp_path):
    np.savez(tmp_path / "depth.npz", depth=DEPTH, K=2 * K, mask=MASK)
    np.savetxt(tmp_path / "other.txt", K)
    notes = load_capture(tmp_path / "depth.npz", camera=tmp_path / "other.txt").notes
    assert "other.txt is used in place of K" in notes


def test_folders_of_benchmarks(tmp_path):
    path = write(tmp_path / "depth", "000003", camera=None)
    other = {"cam_K": (2 * K).ravel().tolist(), "depth_scale": 1.0}
    cameras = {"3": {"cam_K": K.ravel().tolist(), "depth_scale": 1.0}, "4": other}
    (tmp_path / "scene_camera.json").write_text(json.dumps(cameras))
    (tmp_path / "mask").mkdir()
    Image.fromarray(MASK).save(tmp_path / "mask" / "000003.png")
    found = load_capture(path)
    assert len(found.points) == 300 and "in units of 0.001 m" in " ".join(found.notes)


def test_named_files_come_before_those_beside(tmp_path):
    path = write(tmp_path, mask="mask.png")
    np.savetxt(tmp_path / "other.txt", 2 * K * [[1], [1], [0.5]])
    Image.fromarray(np.uint8(DEPTH == 600)).save(tmp_path / "rest.png")
    near, given = load_capture(path), load_capture(
        path, camera=tmp_path / "other.txt", mask=tmp_path / "rest.png"
    )  # fmt: skip
    assert len(given.points) == 4500
    np.testing.assert_allclose(np.ptp(given.scene[:, 0]), np.ptp(near.scene[:, 0]) / 2)


def test_what_is_ambiguous_is_not_guessed(tmp_path):
    path = write(tmp_path, mask="mask.png")
    Image.fromarray(MASK).save(tmp_path / "label.png")
    with pytest.raises(CaptureError, match="no object of 50|one plane") as raised:
        # Without a mask neither plane of this scene is larger than an object can be.
        load_capture(path, scale=0.005)
    assert "\n" not in str(raised.value)
    (tmp_path / "intrinsics.json").write_text(json.dumps({"k": (2 * K).ravel().tolist()}))
    with pytest.raises(CaptureError, match="different cameras .* choose one with --camera"):
        load_capture(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "camera_info.json").unlink(), "no camera matrix K .* pass --camera FILE"),
        (
            lambda f: (f / "camera_info.json").write_text('{"width": 9, "height": 9, "k": '
                                                          f"{K.ravel().tolist()}}}"),
            "depth has 80 x 60 pixels, but its camera has 9 x 9",
        ),
        (lambda f: Image.fromarray(MASK).save(f / "depth.png"), "8 bits per pixel"),
        (lambda f: Image.fromarray(np.dstack([MASK] * 3)).save(f / "depth.png"), r"\(60, 80, 3\)"),
        (lambda f: (f / "depth.png").write_bytes(b"\x89PNG\r\n\x1a\n"), "not a readable .png file"),
        (lambda f: (f / "mask.png").write_bytes(b""), "mask.png: not a readable .png file"),
        (lambda f: Image.fromarray(DEPTH // 100).save(f / "depth.png"), "about 6, expected milli"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(tmp_path, change, message):
    path = write(tmp_path, mask="mask.png")
    change(tmp_path)
    with pytest.raises(CaptureError, match=message) as raised:
        load_capture(path)
    assert "\n" not in str(raised.value)


def test_the_real_picture(real_data):
    folder = real_data / "inputs" / "depth_png"
    for camera in (None, folder / "camera_info.yaml"):
        found = load_capture(folder / "depth.png", camera=camera)
        assert len(found.points) == 24854 and found.rgb.shape == (480, 640, 3)
