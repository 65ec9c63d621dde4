"""Readers of captures: text in columns, and damaged files of every kind."""

import numpy as np
import pytest
from PIL import Image

from graspbook.errors import CaptureError
from graspbook.perception import capture_files
from graspbook.perception.capture import load_capture

POINTS = np.random.default_rng(0).uniform(-0.05, 0.05, (200, 3)) + [0, 0, 0.5]
ROWS = [f"{x:.8f} {y:.8f} {z:.8f}" for x, y, z in POINTS]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("xyz", "\n".join(ROWS)),
        ("txt", "# x y z\n\n" + "\n".join(ROWS) + "\n"),
        ("txt", "//X Y Z R G B\n" + "\n".join(row + " 1 2 3" for row in ROWS)),
        ("pts", "200\n" + "\n".join(row + " 0.5" for row in ROWS)),
        ("csv", "x,y,z\n" + "\n".join(row.replace(" ", ",") for row in ROWS)),
        ("csv", "id;x;y;z\n" + "\n".join("7;" + row.replace(" ", ";") for row in ROWS)),
        ("asc", "\n".join(row.replace(" ", ", ") for row in ROWS)),
        ("xyz", "\r\n".join(row.replace(" ", "\t") for row in ROWS)),
    ],
)
def test_text_in_columns(tmp_path, suffix, text):
    (tmp_path / f"cloud.{suffix}").write_text(text)
    found = load_capture(tmp_path / f"cloud.{suffix}")
    np.testing.assert_allclose(found.points, POINTS, atol=1e-7)


def test_an_empty_text_file_says_what_is_expected(tmp_path):
    (tmp_path / "cloud.xyz").write_bytes(b"")
    with pytest.raises(CaptureError, match="cloud.xyz: no numbers x y z were read"):
        load_capture(tmp_path / "cloud.xyz")


@pytest.mark.parametrize("text", ["", "1 2\n" * 100, "words\n" * 100, "1 2 3\n4 5\n", "\0" * 500])
def test_text_without_points_is_refused(tmp_path, text):
    (tmp_path / "cloud.txt").write_text(text)
    with pytest.raises(CaptureError, match="cloud.txt") as raised:
        load_capture(tmp_path / "cloud.txt")
    assert "\n" not in str(raised.value)


def test_the_real_text(real_data):
    found = load_capture(real_data / "inputs" / "cloud.xyz")
    assert len(found.points) == 6010


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(capture_files, "_LARGEST", 1_000_000)
    np.savez_compressed(tmp_path / "bomb.npz", depth=np.zeros((1000, 1000)))
    with pytest.raises(CaptureError, match="expected at most 1000000"):
        load_capture(tmp_path / "bomb.npz")


def made(folder):
    """One small file of every kind, as (suffix, bytes)."""
    depth = np.full((60, 80), 600, np.uint16)
    depth[20:40, 30:50] = 500
    K = np.array([[60, 0, 40], [0, 60, 30], [0, 0, 1.0]])
    np.savez(folder / "a.npz", depth=depth, K=K, segmap=depth == 500)
    np.save(folder / "a.npy", POINTS)
    Image.fromarray(depth).save(folder / "a.png")
    (folder / "a.xyz").write_text("\n".join(ROWS))
    head = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 200\nHEIGHT 1\nPOINTS 200\nDATA binary\n"
    (folder / "a.pcd").write_bytes(head.encode() + POINTS.astype("f4").tobytes())
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 200\nproperty float x\n"
    head += "property float y\nproperty float z\nend_header\n"
    (folder / "a.ply").write_bytes(head.encode() + POINTS.astype("f4").tobytes())
    np.savetxt(folder / "K.txt", K)
    return [(path.suffix, path.read_bytes()) for path in sorted(folder.glob("a.*"))]


def test_damaged_files_give_one_line_or_points(tmp_path):
    rng = np.random.default_rng(0)
    for suffix, content in made(tmp_path):
        for turn in range(40):
            damaged = bytearray(content)
            if turn % 2:
                damaged = damaged[: rng.integers(len(damaged))]
            for place in rng.integers(max(min(len(damaged), 400), 1), size=turn % 7):
                if len(damaged):
                    damaged[place % len(damaged)] = rng.integers(256)
            path = tmp_path / f"damaged{suffix}"
            path.write_bytes(bytes(damaged))
            try:
                found = load_capture(path)
            except CaptureError as error:
                assert "\n" not in str(error) and "damaged" in str(error)
            else:
                assert np.isfinite(found.points).all() and len(found.points) >= 50
