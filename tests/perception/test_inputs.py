"""Meshes and clouds as what a camera sees, and as solids."""

import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, MeshError, ParameterError
from graspbook.objects.mesh import load_mesh
from graspbook.perception.arc import views_on_arc
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


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".glb", ".ply"])
@pytest.mark.parametrize("behind", [False, True])
def test_an_open_surface_of_one_view_is_a_cloud(tmp_path, suffix, behind):
    v, u = np.mgrid[:40, :50]
    points = np.stack([u / 500 - 0.05, v / 500 - 0.04, 0.5 + 0.01 * np.sin(u / 9)], axis=-1)
    corner = (50 * v + u)[:-1, :-1].ravel()
    faces = np.stack([corner, corner + 1, corner + 50], axis=1)
    sides = [1, -1, -1] if behind else [1, 1, 1]  # viewers look along -z
    trimesh.Trimesh(points.reshape(-1, 3) * sides, faces).export(tmp_path / f"view{suffix}")
    found = observe_input(tmp_path / f"view{suffix}", np.random.default_rng(0))
    assert "this surface was seen from one camera view only" in found.notes[0] and not found.is_mesh
    assert ("y and z were negated" in " ".join(found.notes)) == behind
    seen = np.unique(np.round(found.points, 4), axis=0)
    expected = points.reshape(-1, 3)
    assert len(seen) >= 39 * 49 and np.abs(seen.mean(axis=0) - expected.mean(axis=0)).max() < 1e-3
    assert read_solid(tmp_path / f"view{suffix}").mesh.is_watertight
    with pytest.raises(ParameterError, match="--mask m.png is for depth captures; .* as a cloud"):
        read_view(tmp_path / f"view{suffix}", mask="m.png")
    with pytest.raises(MeshError, match="one camera view only, expected an object from all sides"):
        load_mesh(tmp_path / f"view{suffix}")


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
def test_a_closed_mesh_before_the_origin_stays_one(tmp_path, suffix):
    thin = trimesh.creation.box([0.1, 0.1, 0.001]).subdivide_loop(4)
    thin.apply_translation([0, 0, 0.5])
    thin.export(tmp_path / f"thin{suffix}")
    found = observe_input(tmp_path / f"thin{suffix}", np.random.default_rng(0))
    assert found.is_mesh and not [note for note in found.notes if "one view" in note]


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
        assert solid.mesh.is_watertight and solid.capture and solid.shape == "convex hull"
        assert solid.mesh.volume == pytest.approx(0.06 * 0.08 * 0.12, rel=0.03)
        assert any("is the convex hull of 4000 points" in note for note in solid.notes)
    box.export(tmp_path / "box.stl")
    solid = read_solid(tmp_path / "box.stl")
    assert solid.capture is None and solid.notes == () and solid.shape == ""


def test_the_solid_of_a_view_is_reconstructed(tmp_path, mug):
    (view,) = views_on_arc(mug, 1, np.random.default_rng(0))
    np.savez(tmp_path / "mug.npz", depth=view.depth, K=view.K)
    solid = read_solid(tmp_path / "mug.npz")
    assert solid.shape == "reconstruction" and solid.mesh.is_watertight
    hull = solid.mesh.convex_hull.volume
    assert solid.mesh.volume < 0.7 * hull  # a mug is hollow
    assert any("only one view was given" in note for note in solid.notes)


def test_a_solid_takes_the_object_that_a_mask_marks(tmp_path):
    points = np.random.default_rng(0).uniform(-0.03, 0.03, (40, 50, 3)) + [0, 0, 0.5]
    points[:, 25:, 0] += 0.2
    labels = np.repeat([[1] * 25 + [2] * 25], 40, axis=0)
    np.savez(tmp_path / "two.npz", points=points, labels=labels)
    solid = read_solid(tmp_path / "two.npz", target=2)
    assert solid.mesh.bounds[0, 0] > 0.15 and "id 2" in " ".join(solid.notes)


def test_what_a_camera_saw_is_no_mesh(tmp_path):
    trimesh.creation.box([0.05, 0.06, 0.1]).export(tmp_path / "box.stl")
    with pytest.raises(CaptureError, match="box.stl: this is a mesh, expected a depth capture"):
        read_view(tmp_path / "box.stl")


def test_other_files_are_refused_with_all_that_can_be_read(tmp_path):
    for name in ("part.step", "part.fbx"):
        (tmp_path / name).write_text("ISO-10303-21;")
        with pytest.raises(CaptureError, match=r"unknown kind of file .*\.stl.*\.npz"):
            observe_input(tmp_path / name, np.random.default_rng(0))
    (tmp_path / "a.drc").write_bytes(b"DRACO" + bytes(50))
    for read in (read_solid, lambda path: observe_input(path, np.random.default_rng(0))):
        with pytest.raises(MeshError, match="decompress it first: draco_decoder"):
            read(tmp_path / "a.drc")
