"""PLY files of PCL and RealSense Viewer."""

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError
from graspbook.perception.capture import load_capture
from graspbook.perception.inputs import observe_input, read_solid

VIEWER = "ply\nformat {}\ncomment pointcloud saved from Realsense Viewer\nelement vertex {}\n"
XYZ = "property float32 x\nproperty float32 y\nproperty float32 z\n"
RGB = "property uchar red\nproperty uchar green\nproperty uchar blue\n"


def view():
    """Points (60, 80, 3) that a camera sees of a small box before a wall, and faces."""
    u, v = np.meshgrid(np.arange(80), np.arange(60))
    depth = np.where((abs(u - 40) < 12) & (abs(v - 30) < 9), 0.5, 0.7)
    points = np.stack([(u - 40) / 90, (v - 30) / 90, np.ones_like(depth)], axis=-1)
    corner = (np.arange(59)[:, None] * 80 + np.arange(79)).ravel()
    faces = np.stack([corner, corner + 1, corner + 80], axis=1)
    return points * depth[..., None], faces


@pytest.mark.parametrize("kind", ["binary", "ascii"])
@pytest.mark.parametrize("with_faces", [True, False])
def test_the_surface_of_a_viewer_is_a_cloud_and_is_turned_back(tmp_path, kind, with_faces):
    points, faces = view()
    flat = points.reshape(-1, 3) * [1, -1, -1]
    form = "ascii 1.0" if kind == "ascii" else "binary_little_endian 1.0"
    head = VIEWER.format(form, len(flat)) + XYZ + RGB
    if with_faces:
        head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\n"
    if kind == "ascii":  # two lines for a vertex
        body = "".join(f"{x:.6f} {y:.6f} {z:.6f} \n9 9 9 \n" for x, y, z in flat)
        body += "".join(f"3 {a} {b} {c} \n" for a, b, c in faces) if with_faces else ""
        body = body.encode()
    else:
        rows = np.zeros(len(flat), [("xyz", "<f4", 3), ("rgb", "u1", 3)])
        rows["xyz"] = flat
        body = rows.tobytes()
        rows = np.zeros(len(faces), [("n", "u1"), ("abc", "<i4", 3)])
        rows["n"], rows["abc"] = 3, faces
        body += rows.tobytes() if with_faces else b""
    path = tmp_path / "view.ply"
    path.write_bytes(f"{head}end_header\n".encode() + body)
    found = observe_input(path, np.random.default_rng(0))
    np.testing.assert_allclose(found.scene, points.reshape(-1, 3), atol=1e-5)
    np.testing.assert_allclose(found.points[:, 2], 0.5, atol=1e-5)
    np.testing.assert_allclose(found.file_T_camera, np.diag([1, -1, -1, 1]))
    notes = " ".join(found.notes)
    assert "y and z were negated" in notes
    assert ("seen from one camera view only" in notes) == with_faces


def test_solids_stay_solids(tmp_path):
    ball = trimesh.creation.icosphere(4, 0.05)
    for place in ([0, 0, 0], [0, 0, 0.5], [0.1, 0, -0.6]):
        moved = ball.copy()
        moved.apply_translation(place)
        moved.export(tmp_path / "ball.ply")
        assert observe_input(tmp_path / "ball.ply", np.random.default_rng(0)).notes == ()
        assert read_solid(tmp_path / "ball.ply").mesh.is_watertight


def test_an_open_bowl_stays_a_mesh(tmp_path):
    bowl = trimesh.creation.icosphere(4, 0.08)
    bowl.update_faces(bowl.triangles_center[:, 2] < 0)
    bowl.remove_unreferenced_vertices()
    bowl.export(tmp_path / "bowl.ply")
    notes = observe_input(tmp_path / "bowl.ply", np.random.default_rng(0)).notes
    assert len(notes) == 1 and "one view" not in notes[0] and "walls of 3 mm" in notes[0]


def test_pcl_writes_a_camera_after_its_vertices(tmp_path):
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (200, 3)) + [0, 0, 0.5]
    head = (
        "ply\nformat ascii 1.0\ncomment PCL generated\nelement vertex 200\nproperty float x\n"
        "property float y\nproperty float z\nelement camera 1\n"
    )
    names = ("view_px", "view_py", "x_axisx", "scalex", "centerx")
    head += "".join(f"property float {name}\n" for name in names) + "property int viewportx\n"
    rows = "\n".join(f"{x:.7g} {y:.7g} {z:.7g}" for x, y, z in points)
    (tmp_path / "pcl.ply").write_text(f"{head}end_header\n{rows}\n0 0 1 0 0 200\n")
    np.testing.assert_allclose(load_capture(tmp_path / "pcl.ply").points, points, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ply\nformat ascii 1.0\nelement face 0\nend_header\n", "no vertices"),
        ("ply\nformat ascii 1.0\nelement vertex 9\nend_header\n", "expected x, y and z"),
        (f"ply\nformat ascii 1.0\nelement vertex 99\n{XYZ}end_header\n1 2 3\n", "not a readable"),
        (f"ply\nformat ascii 1.0\nelement vertex -1\n{XYZ}end_header\n", "expected x, y and z"),
        (
            f"ply\nformat binary_little_endian 1.0\nelement vertex {10**13}\n{XYZ}end_header\n",
            "not a readable",
        ),
        (f"ply\nformat odd 1.0\nelement vertex 9\n{XYZ}end_header\n", "not a readable"),
        ("ply\nformat ascii 1.0\nelement vertex 9\n", "not a readable"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    (tmp_path / "bad.ply").write_text(text)
    with pytest.raises(CaptureError, match=message):
        load_capture(tmp_path / "bad.ply")


def test_the_real_viewer_file(real_data):
    usual = load_capture(real_data / "captures" / "mustard.npz").points
    found = observe_input(real_data / "inputs" / "realsense_viewer.ply", np.random.default_rng(0))
    assert np.abs(found.points.mean(axis=0) - usual.mean(axis=0)).max() < 0.002
