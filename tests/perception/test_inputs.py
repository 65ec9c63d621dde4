"""Meshes and clouds as what a camera sees, and as solids."""

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.inputs import observe_input, read_solid, read_view


def test_a_mesh_is_seen_from_one_side(tmp_path):
    mesh = trimesh.creation.box([0.05, 0.06, 0.1])
    mesh.export(tmp_path / "box.ply")
    capture = observe_input(tmp_path / "box.ply", np.random.default_rng(0))
    assert (capture.points[:, 2] > 0).all() and len(capture.points) > 1000
    # A convex object shows at most three of its six sides.
    trimesh.PointCloud(capture.points).export(tmp_path / "cloud.ply")
    again = observe_input(tmp_path / "cloud.ply", np.random.default_rng(0))
    np.testing.assert_allclose(again.points, capture.points, atol=1e-6)


@pytest.mark.parametrize("option", ["camera", "mask", "target", "camera_pose", "up"])
def test_a_mesh_has_no_camera_and_no_mask(tmp_path, option):
    trimesh.creation.box([0.05, 0.06, 0.1]).export(tmp_path / "box.stl")
    with pytest.raises(ParameterError, match=f"--{option.replace('_', '-')} 1 is for depth"):
        observe_input(tmp_path / "box.stl", np.random.default_rng(0), **{option: 1})


def test_clouds_are_scaled(tmp_path):
    points = np.random.default_rng(0).uniform(-50, 50, (200, 3)) + [0, 0, 500.0]
    np.save(tmp_path / "mm.npy", points)
    found = observe_input(tmp_path / "mm.npy", np.random.default_rng(0), 0.001)
    np.testing.assert_allclose(found.points, points / 1000)


def test_the_solid_of_a_cloud_is_its_hull_and_says_so(tmp_path):
    box = trimesh.creation.box((0.06, 0.08, 0.12))
    points = trimesh.sample.sample_surface(box, 4000, seed=0)[0] + [0, 0, 0.5]
    np.save(tmp_path / "box.npy", points)
    np.save(tmp_path / "mm.npy", 1000 * points)
    for solid in (read_solid(tmp_path / "box.npy"), read_solid(tmp_path / "mm.npy", 0.001)):
        assert solid.mesh.is_watertight and solid.capture
        assert solid.mesh.volume == pytest.approx(0.06 * 0.08 * 0.12, rel=0.03)
        assert any("is the convex hull of 4000 points" in note for note in solid.notes)
    box.export(tmp_path / "box.stl")
    solid = read_solid(tmp_path / "box.stl")
    assert solid.capture is None and solid.notes == ()


def test_a_solid_takes_the_object_that_a_mask_marks(tmp_path):
    points = np.random.default_rng(0).uniform(-0.03, 0.03, (40, 50, 3)) + [0, 0, 0.5]
    points[:, 25:, 0] += 0.2
    labels = np.repeat([[1] * 25 + [2] * 25], 40, axis=0)
    np.savez(tmp_path / "two.npz", points=points, labels=labels)
    solid = read_solid(tmp_path / "two.npz", target=2)
    assert solid.mesh.bounds[0, 0] > 0.15 and "id 2" in solid.notes[0]


def test_what_a_camera_saw_is_no_mesh(tmp_path):
    trimesh.creation.box([0.05, 0.06, 0.1]).export(tmp_path / "box.stl")
    with pytest.raises(CaptureError, match="box.stl: this is a mesh, expected a depth capture"):
        read_view(tmp_path / "box.stl")
