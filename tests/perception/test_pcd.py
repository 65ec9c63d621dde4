"""PCL's files: compressed, organised, old, and with a viewpoint."""

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.capture import load_capture
from graspbook.perception.pcd import lzf_decompress

POINTS = (np.random.default_rng(0).uniform(-0.05, 0.05, (300, 3)) + [0, 0, 0.5]).astype("f4")


def header(points, data, extra="", width=None, height=1):
    return (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
        f"WIDTH {width or len(points)}\nHEIGHT {height}\n{extra}POINTS {len(points)}\nDATA {data}\n"
    ).encode()


def compress(data):
    """LZF without any run that is repeated, but for zeros at the end."""
    stripped = data.rstrip(b"\0")
    zeros, out = len(data) - len(stripped), b""
    stripped, zeros = stripped + b"\0", zeros - 1
    for start in range(0, len(stripped), 32):
        piece = stripped[start : start + 32]
        out += bytes([len(piece) - 1]) + piece
    while zeros:
        length = min(zeros, 264)
        if length < 9:
            return out + bytes([length - 1]) + b"\0" * length
        out += bytes([7 << 5, length - 9, 0])  # one back: overlaps itself
        zeros -= length
    return out


def compressed(points, **more):
    data = points.T.astype("<f4").tobytes() + bytes(4 * len(points))
    packed = compress(data)
    sizes = np.array([len(packed), len(data)], "<u4").tobytes()
    return header(points, "binary_compressed", **more) + sizes + packed


def load(folder, content):
    (folder / "made.pcd").write_bytes(content)
    return load_capture(folder / "made.pcd")


def test_compressed_points(tmp_path):
    np.testing.assert_array_equal(load(tmp_path, compressed(POINTS)).points, POINTS)


def test_references_of_lzf():
    assert lzf_decompress(b"\x02abc\x20\x02\xe0\x01\x00", 16) == b"abcabc" + b"c" * 10
    for damaged in (b"\x20\x05", b"\x02ab", b"\xe0", b"\x02abc\x20\x02"):
        with pytest.raises((ValueError, IndexError)):
            lzf_decompress(damaged, 5)


def test_organised_clouds_with_holes(tmp_path):
    points = POINTS.copy()
    points[::3] = np.nan
    for content in (
        compressed(points, width=20, height=15),
        header(points, "binary", width=20, height=15)
        + np.c_[points, np.zeros(300)].astype("<f4").tobytes(),
        header(points, "ascii", width=20, height=15)
        + "\n".join(f"{x:.9g} {y:.9g} {z:.9g} 0" for x, y, z in points).encode(),
    ):
        found = load(tmp_path, content).points
        np.testing.assert_allclose(found, POINTS[np.arange(300) % 3 > 0], rtol=1e-6)


@pytest.mark.parametrize("version", ["0.5", "0.6"])
def test_old_headers(tmp_path, version):
    head = f"# .PCD v.{version[1:]}\nVERSION {version}\n" if version == "0.6" else ""
    head += "COLUMNS x y z\n" if version == "0.5" else "FIELDS x y z\nCOUNT 1 1 1\n"
    head += "SIZE 4 4 4\nTYPE F F F\nWIDTH 300\nHEIGHT 1\n"
    head += "POINTS 300\n" if version == "0.6" else ""
    body = "\n".join(f"{x:.9g} {y:.9g} {z:.9g}" for x, y, z in POINTS)
    found = load(tmp_path, f"{head}DATA ascii\n{body}\n".encode())
    np.testing.assert_allclose(found.points, POINTS, rtol=1e-6)


def test_the_viewpoint_is_the_camera(tmp_path):
    from scipy.spatial.transform import Rotation

    from graspbook.pose import from_rt, transform

    pose = from_rt(Rotation.from_euler("xyz", [200, 10, 30], degrees=True).as_matrix(), [1, 2, 3])
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    line = f"VIEWPOINT 1 2 3 {w:.9g} {x:.9g} {y:.9g} {z:.9g}\n"
    found = load(tmp_path, compressed(transform(pose, POINTS).astype("f4"), extra=line))
    np.testing.assert_allclose(found.points, POINTS, atol=1e-5)
    np.testing.assert_allclose(found.file_T_camera, pose, atol=1e-6)
    assert "viewpoint at (1, 2, 3) is used as the camera's pose" in " ".join(found.notes)


def test_a_viewpoint_without_rotation_looks_at_the_cloud(tmp_path):
    points = POINTS - np.float32([0, 0, 0.5])
    found = load(tmp_path, compressed(points, extra="VIEWPOINT 0.3 0 0.4 1 0 0 0\n"))
    assert np.abs(found.points.mean(axis=0) - [0, 0, 0.5]).max() < 0.01
    assert "has no rotation" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(POINTS, "binary").replace(b"x y z", b"a b c"), "fields are a b c rgb"),
        (header(POINTS, "binary_compressed"), "not a readable .pcd"),
        (compressed(POINTS)[:-100], "not a readable .pcd"),
        (
            header(POINTS, "binary").replace(b"POINTS 300", b"POINTS 99999999999"),
            "expected at most 2000000000",
        ),
        (header(POINTS, "binary").replace(b"POINTS 300", b"POINTS -5"), "expected at most"),
        (header(POINTS, "binary"), "not a readable .pcd"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    with pytest.raises(CaptureError, match=message):
        load(tmp_path, content)


def test_the_real_compressed_cloud(real_data):
    usual = load_capture(real_data / "captures" / "mustard.npz").points
    found = load_capture(real_data / "inputs" / "binary_compressed.pcd").points
    np.testing.assert_allclose(found, usual, atol=1e-6)
