import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError
from graspbook.perception.camera import DepthRenderer, backproject, default_camera
from graspbook.perception.capture import load_capture
from graspbook.perception.extraction import extract_object
from graspbook.pose import from_rt, rotation_about

CAMERA = default_camera()


def cloud(n=300, seed=0):
    return np.random.default_rng(seed).uniform(-0.05, 0.05, (n, 3)) + [0, 0, 0.5]


@pytest.fixture(scope="module")
def table():
    """A table with a can in the middle and a smaller one aside: depth image and where the can's
    pixels are.
    """
    board = trimesh.creation.box([0.8, 0.8, 0.02])
    can = trimesh.creation.cylinder(0.03, 0.1)
    can.apply_translation([0, 0, 0.06])
    aside = trimesh.creation.cylinder(0.02, 0.08)
    aside.apply_translation([0.09, 0.03, 0.05])
    camera_T_table = from_rt(rotation_about([1, 0, 0], np.deg2rad(125)), [0, 0.02, 0.8])
    images = [DepthRenderer(mesh).depth(CAMERA, camera_T_table) for mesh in (board, can, aside)]
    depth = np.fmin.reduce(images)
    noisy = depth + np.random.default_rng(0).normal(0, 0.001, depth.shape).astype(np.float32)
    return noisy, np.isfinite(images[1]) & (images[1] <= depth)


def test_the_object_the_camera_points_at_is_taken_off_the_table(table):
    depth, on_can = table
    truth = backproject(np.where(on_can, depth, np.nan), CAMERA.K)
    found = extract_object(backproject(depth, CAMERA.K))
    assert (cKDTree(truth).query(found)[0] < 0.005).mean() > 0.97
    assert (cKDTree(found).query(truth)[0] < 0.005).mean() > 0.93
    np.testing.assert_array_equal(found, extract_object(backproject(depth, CAMERA.K)))


def test_what_lies_below_the_plane_is_not_the_object(table):
    depth, on_can = table
    holes = np.where(on_can, 1.5, depth)  # seen through the table
    found = extract_object(backproject(holes, CAMERA.K))
    assert found[:, 2].max() < 1.2 and found[:, 0].min() > 0.04  # the can aside


def test_an_empty_table_and_a_wall_hold_no_object():
    u, v = np.meshgrid(np.arange(80), np.arange(60))
    plane = np.stack([u.ravel() * 0.01, v.ravel() * 0.01, np.full(4800, 0.7)], axis=1)
    with pytest.raises(CaptureError, match="no object of 50 points"):
        extract_object(plane)
    with pytest.raises(CaptureError, match="among 2 points"):
        extract_object(plane[:2])


def test_a_depth_capture_with_and_without_object_points(tmp_path, table):
    depth, on_can = table
    rgb = np.zeros((480, 640, 3), np.uint8)
    np.savez(tmp_path / "plain.npz", depth=depth, K=CAMERA.K, rgb=rgb)
    np.savez(tmp_path / "given.npz", depth=depth, K=CAMERA.K, object_points=cloud())
    plain, given = load_capture(tmp_path / "plain.npz"), load_capture(tmp_path / "given.npz")
    np.testing.assert_array_equal(given.points, cloud())
    assert given.rgb is None and plain.rgb.shape == (480, 640, 3)
    assert len(plain.scene) == len(given.scene) == np.isfinite(depth).sum()
    assert 0.9 * on_can.sum() < len(plain.points) < 1.05 * on_can.sum()


def write_pcd(path, points, data):
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
    )
    header += (
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA"
        f" {data}\n"
    )
    if data == "ascii":
        body = "\n".join(f"{x:.9g} {y:.9g} {z:.9g} 255" for x, y, z in points).encode()
    else:
        rows = np.zeros(len(points), [("xyz", "<f4", 3), ("rgb", "<u4")])
        rows["xyz"] = points
        body = rows.tobytes()
    path.write_bytes(header.encode() + body)


@pytest.mark.parametrize("kind", ["npy", "npz", "ply", "ascii.ply", "ascii.pcd", "binary.pcd"])
def test_every_kind_of_cloud_gives_the_same_points(tmp_path, kind):
    points, path = cloud(), tmp_path / f"cloud.{kind}"
    if kind == "npy":
        np.save(path, points)
    elif kind == "npz":
        np.savez(path, points=points)
    elif path.suffix == ".pcd":
        write_pcd(path, points, kind.split(".")[0])
    else:
        encoding = "ascii" if kind.startswith("ascii") else "binary"
        path.write_bytes(
            trimesh.exchange.ply.export_ply(trimesh.PointCloud(points), encoding=encoding)
        )
    capture = load_capture(path)
    np.testing.assert_allclose(capture.points, points, atol=1e-6)
    np.testing.assert_array_equal(capture.scene, capture.points)


def test_other_units_are_scaled_to_metres_first(tmp_path, table):
    np.save(tmp_path / "mm.npy", 1000 * cloud())
    np.testing.assert_allclose(load_capture(tmp_path / "mm.npy", 0.001).points, cloud(), rtol=1e-12)
    np.savez(tmp_path / "m.npz", depth=table[0], K=CAMERA.K)
    np.savez(tmp_path / "mm.npz", depth=1000 * table[0], K=CAMERA.K, object_points=1000 * cloud())
    scaled = load_capture(tmp_path / "mm.npz", 0.001)
    np.testing.assert_allclose(scaled.scene, load_capture(tmp_path / "m.npz").scene, rtol=1e-6)
    np.testing.assert_allclose(scaled.points, cloud(), rtol=1e-12)


def test_points_that_are_not_finite_are_dropped(tmp_path):
    points = cloud()
    points[::3] = np.nan
    np.save(tmp_path / "cloud.npy", points)
    assert len(load_capture(tmp_path / "cloud.npy").points) == 200


DEPTH, K = np.full((4, 5), 0.5), np.array([[600, 0, 2], [0, 600, 2], [0, 0, 1.0]])
BIG = np.array([[1e5, 0, 50], [0, 1e5, 40], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"depth": DEPTH}, "no camera matrix K"),
        ({"depth": DEPTH, "K": np.eye(4)}, "K is not a camera matrix"),
        ({"depth": DEPTH, "K": -K}, "K is not a camera matrix"),
        ({"depth": DEPTH[..., None, None], "K": K}, r"depth has shape \(4, 5, 1, 1\)"),
        ({"depth": DEPTH * np.nan, "K": K}, "no pixel of the 5 x 4 depth image"),
        ({"depth": DEPTH * 1000, "K": K}, "are these millimetres"),
        ({"depth": (DEPTH * 100).astype(np.uint16), "K": K}, "about 50, expected millimetres"),
        ({"depth": (DEPTH * 100).astype(np.uint8), "K": K}, "depth has 8 bits"),
        ({"depth": DEPTH > 0, "K": K}, "depth holds bool values"),
        ({"depth": DEPTH, "K": K, "intrinsics": 2 * K}, "it holds both K and intrinsics"),
        ({"points": cloud() * 0.01}, "the extent of points is 0.001 m"),
        (
            {"depth": DEPTH.repeat(20, 0).repeat(20, 1), "K": BIG, "mask": np.ones((80, 100))},
            "the object is 0.00049 m long, expected at least 0.005 m",
        ),
        (
            {"depth": DEPTH, "K": K, "object_points": np.zeros((9, 2))},
            r"object_points has shape \(9, 2\)",
        ),
        (
            {"depth": DEPTH, "K": K, "object_points": np.full((90, 3), np.nan)},
            "0 of 90 object_points are finite",
        ),
        ({"depth": DEPTH, "K": K}, "no object of 50 points"),
        ({"points": np.zeros((0, 3))}, "0 of 0 points are finite"),
        ({"points": cloud() * 1000}, "are these millimetres"),
        ({"colour": np.zeros(3)}, "found colour"),
        ({"points": np.array([None, 1])}, "not a readable .npz file"),
    ],
)
def test_captures_without_usable_points_are_refused_in_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(CaptureError, match=message) as raised:
        load_capture(tmp_path / "bad.npz")
    assert "bad.npz" in str(raised.value) and "\n" not in str(raised.value)


def test_missing_foreign_and_broken_files_are_refused(tmp_path):
    with pytest.raises(CaptureError, match="no such capture file"):
        load_capture(tmp_path / "none.npz")
    with pytest.raises(
        CaptureError, match="unknown kind of capture file '.las'; expected one of .npz"
    ):
        load_capture(tmp_path / "scan.las")
    write_pcd(tmp_path / "packed.pcd", cloud(), "zipped")
    with pytest.raises(CaptureError, match="zipped, expected ascii, binary or binary_compressed"):
        load_capture(tmp_path / "packed.pcd")
    for suffix in ("npz", "npy", "ply", "pcd"):
        for content in (b"", b"no points at all\x00\xff" * 20):
            (tmp_path / f"broken.{suffix}").write_bytes(content)
            with pytest.raises(CaptureError, match=f"broken.{suffix}"):
                load_capture(tmp_path / f"broken.{suffix}")


@pytest.mark.parametrize("name", ["cheezit", "green_bowl", "mustard", "pepper", "red_mug"])
def test_extraction_agrees_with_the_object_points_of_real_captures(name, real_data):
    given = load_capture(real_data / "captures" / f"{name}.npz")
    found = extract_object(given.scene)
    assert (cKDTree(given.points).query(found)[0] < 0.005).mean() > 0.99
    assert (cKDTree(found).query(given.points)[0] < 0.005).mean() > 0.99
