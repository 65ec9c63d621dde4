import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.mesh import load_mesh, notes_of, repair

BOX = trimesh.creation.box([0.04, 0.05, 0.06])


def save(mesh, path):
    mesh.export(path)
    return path


def write_obj(path, vertices, faces):
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + [
        f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("suffix", ["obj", "stl", "ply", "glb"])
def test_every_kind_of_file_gives_the_same_closed_box(tmp_path, suffix):
    mesh = load_mesh(save(BOX, tmp_path / f"box.{suffix}"))
    assert mesh.is_volume and len(mesh.vertices) == 8
    assert mesh.volume == pytest.approx(0.04 * 0.05 * 0.06, rel=1e-6)


def test_a_scene_is_merged_with_its_transforms(tmp_path):
    scene = trimesh.Scene()
    scene.add_geometry(BOX)
    scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix([0.1, 0, 0]))
    scene.export(tmp_path / "two.glb")
    mesh = load_mesh(tmp_path / "two.glb")
    assert mesh.is_volume and mesh.body_count == 2
    np.testing.assert_allclose(mesh.extents, [0.14, 0.05, 0.06], atol=1e-6)


def test_scale_turns_millimetres_into_metres(tmp_path):
    large = BOX.copy()
    large.apply_scale(1000)
    np.testing.assert_allclose(
        load_mesh(save(large, tmp_path / "box.stl"), 0.001).extents, BOX.extents, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("factor", "unit", "scale"),
    [
        (1000, "millimetres", "0.001"),
        (1 / 0.0254, "inches", "0.0254"),
        (1e-3, "kilometres", "1e+03"),
    ],
)
def test_a_size_that_nobody_can_grasp_is_refused_with_the_scale_to_pass(
    tmp_path, factor, unit, scale
):
    odd = BOX.copy()
    odd.apply_scale(factor)
    path = save(odd, tmp_path / "box.stl")
    with pytest.raises(MeshError) as raised:
        load_mesh(path)
    message = str(raised.value)
    assert f"{0.06 * factor:.4g} m" in message and unit in message and "\n" not in message
    assert message.endswith(f"--scale {scale}") and "guess" in message
    assert load_mesh(path, float(scale)).is_volume


def test_the_unit_of_an_odd_size_is_called_a_guess_and_a_scale_that_works_is_offered(tmp_path):
    chair = trimesh.creation.box([2.7, 1, 1])
    with pytest.raises(MeshError, match="--scale 0.037 would make it 0.1 m.* guess is inches"):
        load_mesh(save(chair, tmp_path / "chair.obj"))
    assert load_mesh(tmp_path / "chair.obj", 0.037).extents.max() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("size", [[0.0004, 0.05, 0.08], [0.0004, 0.0005, 0.08]])
def test_cards_and_needles_are_thickened_and_it_is_said(size):
    thin = trimesh.creation.box(size)
    thin.apply_transform(trimesh.transformations.rotation_matrix(0.7, [1, 2, 3]))
    mesh = repair(thin)
    sides = np.ptp(mesh.vertices @ np.linalg.svd(mesh.vertices - mesh.centroid)[2].T, axis=0)
    least = np.maximum(size, 0.001)
    assert (np.sort(sides) > 0.999 * least).all() and (np.sort(sides) < 1.5 * least).all()
    assert mesh.is_volume and "0.4 mm thick and was thickened to 1 mm" in notes_of(mesh)[0]


def test_a_hole_is_filled_and_a_flipped_face_turned(tmp_path):
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    hole = sphere.vertices[sphere.faces].mean(axis=1)[:, 2] > 0.0485
    faces = sphere.faces[~hole]
    faces[::7] = faces[::7, ::-1]
    mesh = load_mesh(write_obj(tmp_path / "ball.obj", sphere.vertices, faces))
    assert hole.sum() > 5 and mesh.is_volume
    cap = (
        0.05 - sphere.vertices[np.unique(sphere.faces[~hole])][:, 2].max()
    )  # the height that is cut off
    assert mesh.volume == pytest.approx(sphere.volume - np.pi * cap**2 * (0.15 - cap) / 3, rel=0.03)


def test_an_inside_out_mesh_is_turned(tmp_path):
    assert load_mesh(write_obj(tmp_path / "box.obj", BOX.vertices, BOX.faces[:, ::-1])).volume > 0


def test_duplicates_and_degenerate_faces_go(tmp_path):
    soup = BOX.vertices[BOX.faces].reshape(-1, 3)
    faces = [*np.arange(36).reshape(-1, 3).tolist(), [0, 1, 2], [0, 0, 5]]
    mesh = load_mesh(write_obj(tmp_path / "soup.obj", soup, faces))
    assert mesh.is_volume and len(mesh.vertices) == 8 and len(mesh.faces) == 12


def test_an_open_surface_that_cannot_be_closed_is_still_loaded(tmp_path):
    fin = np.concatenate([BOX.vertices, [[0.1, 0.0, 0.0]]])
    faces = [*BOX.faces.tolist(), [*BOX.edges_unique[0].tolist(), 8]]
    mesh = load_mesh(write_obj(tmp_path / "fin.obj", fin, faces))
    assert not mesh.is_watertight and len(mesh.faces) >= 13


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        (
            [[0, 0, 0], [0.1, 0, 0], [0, float("nan"), 0.1], [0, 0.1, 0]],
            [[0, 1, 2], [0, 1, 3]],
            "1 of 4 vertices are NaN",
        ),
        ([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]], [[0, 1, 2], [1, 3, 2]], "no volume"),
        ([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]], [[0, 1, 2]], "no volume"),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 1, 2]], "no volume"),
        ([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]], [], "empty|not a readable"),
    ],
)
def test_what_cannot_be_grasped_is_refused_with_the_reason(tmp_path, vertices, faces, reason):
    with pytest.raises(MeshError, match=reason) as raised:
        load_mesh(write_obj(tmp_path / "bad.obj", vertices, faces))
    assert "bad.obj" in str(raised.value) and "\n" not in str(raised.value)


def test_missing_foreign_and_broken_files_are_refused(tmp_path):
    with pytest.raises(MeshError, match="no such mesh file"):
        load_mesh(tmp_path / "none.stl")
    with pytest.raises(MeshError, match=r"unknown kind of mesh '.step'; expected one of .obj"):
        load_mesh(tmp_path / "part.step")
    for suffix in ("obj", "stl", "ply", "glb"):
        for content in (b"", b"not a mesh at all\x00\xff" * 20):
            broken = tmp_path / f"broken.{suffix}"
            broken.write_bytes(content)
            with pytest.raises(MeshError, match=f"broken.{suffix}"):
                load_mesh(broken)
    with pytest.raises(MeshError, match="scale 0"):
        load_mesh(save(BOX, tmp_path / "box.stl"), 0)


def test_real_meshes_load_and_most_open_ones_get_closed(real_data):
    meshes = {path.stem: load_mesh(path) for path in sorted((real_data / "meshes").glob("*.stl"))}
    assert len(meshes) == 12
    assert [name for name, mesh in meshes.items() if not mesh.is_volume] == ["stapler"]
    table = next((real_data / "acronym" / "meshes" / "Table").glob("*.obj"))
    assert load_mesh(table, 0.0097).extents.max() == pytest.approx(0.1987, abs=1e-3)
    with pytest.raises(MeshError, match="--scale"):
        load_mesh(table)


def test_a_long_object_is_read_with_a_guess_of_its_scale(tmp_path):
    trimesh.creation.box([0.6, 0.1, 0.1]).export(tmp_path / "long.stl")
    (note,) = notes_of(load_mesh(tmp_path / "long.stl"))
    assert note.startswith("it is 0.6 m long") and "try --scale 0.25" in note
    assert not notes_of(load_mesh(tmp_path / "long.stl", 0.25))
