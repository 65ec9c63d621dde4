import numpy as np
import pytest
import trimesh

from graspbook.objects.mesh import load_mesh, notes_of, repair


def lathe(profile, sections=48):
    """The one sheet that a profile of (radius, height) sweeps."""
    return trimesh.creation.revolve(np.array(profile, float), sections=sections)


BOWL = lathe([(0, 0), (0.03, 0.005), (0.055, 0.03), (0.07, 0.07)])
TUBE = lathe([(0.03, 0), (0.03, 0.05), (0.03, 0.1)])
NO_BOTTOM = lathe([(0.03, 0), (0.03, 0.1), (0.012, 0.13), (0.012, 0.16), (0, 0.16)])


def is_inside(mesh, point):
    """Whether a point is in the material: by crossings of a slanted ray."""
    hits, *_ = mesh.ray.intersects_location([point], [[0.36, 0.21, 0.91]], multiple_hits=True)
    return len(hits) % 2 == 1


@pytest.mark.parametrize(
    ("sheet", "cavity", "openings"),
    [
        (BOWL, [0.003, 0.002, 0.04], "1 opening,"),
        (TUBE, [0.003, 0.002, 0.05], "2 openings,"),
        (NO_BOTTOM, [0.003, 0.002, 0.05], "1 opening,"),
    ],
    ids=["bowl", "tube", "bottle"],
)
def test_a_sheet_that_is_open_by_design_gets_walls_and_no_lid(sheet, cavity, openings):
    mesh = repair(sheet)
    assert mesh.is_volume and not is_inside(mesh, cavity)
    assert mesh.volume == pytest.approx(0.003 * sheet.area, rel=0.1)
    assert (mesh.extents <= sheet.extents + 0.004).all()
    (note,) = notes_of(mesh)
    assert note.startswith(openings) and note.endswith("walls of 3 mm, half on each side")


def test_walls_at_sharp_corners_are_as_thick_as_elsewhere():
    box = trimesh.creation.box([0.06, 0.08, 0.05])
    lid = box.face_normals[:, 2] > 0.5
    mesh = repair(trimesh.Trimesh(box.vertices, box.faces[~lid], process=False))
    np.testing.assert_allclose(mesh.extents, [0.063, 0.083, 0.0515], atol=1e-6)
    outside, inside = 0.063 * 0.083 * 0.0515, 0.057 * 0.077 * 0.0485
    assert mesh.volume == pytest.approx(outside - inside, rel=1e-6)


def test_a_few_missing_triangles_are_filled_and_said():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    gone = np.isin(np.arange(len(ball.faces)), [5, 300, 301, 900])
    mesh = repair(trimesh.Trimesh(ball.vertices, ball.faces[~gone], process=False))
    assert mesh.is_volume and mesh.volume == pytest.approx(ball.volume, rel=1e-3)
    assert "holes were filled" in notes_of(mesh)[0] and len(notes_of(mesh)) == 1
    box = trimesh.creation.box([0.04, 0.05, 0.06])
    assert repair(trimesh.Trimesh(box.vertices, box.faces[1:])).volume == pytest.approx(box.volume)


def test_closed_bodies_beside_a_sheet_stay_solid():
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.02)
    ball.apply_translation([0.2, 0, 0])
    mesh = repair(trimesh.util.concatenate([BOWL, ball]))
    assert mesh.is_volume and is_inside(mesh, [0.2, 0, 0])
    assert mesh.volume == pytest.approx(0.003 * BOWL.area + ball.volume, rel=0.1)


def test_walls_of_small_things_are_thinner_and_turned_sheets_do_not_matter():
    small = BOWL.copy()
    small.apply_scale(0.2)
    small.invert()
    mesh = repair(small)
    assert mesh.is_volume and "walls of 1.4 mm" in notes_of(mesh)[0]


def test_what_cannot_get_walls_stays_open_and_says_so():
    fin = trimesh.Trimesh(
        np.concatenate([TUBE.vertices, [[0.1, 0, 0.05]]]),
        np.concatenate([TUBE.faces, [[*TUBE.face_adjacency_edges[0], len(TUBE.vertices)]]]),
        process=False,
    )
    mesh = repair(fin)
    assert not mesh.is_volume and "cannot be given walls" in "".join(notes_of(mesh))


def test_the_bowl_of_one_sheet_stays_open(real_data):
    mesh = load_mesh(real_data / "inputs" / "bowl_one_sheet.obj")
    middle = mesh.bounds.mean(axis=0)
    assert mesh.is_volume and not is_inside(mesh, middle)
    assert "1 opening" in notes_of(mesh)[0]


def test_real_closed_meshes_have_no_notes(real_data):
    for name in ("apple", "bowl", "cup"):
        assert notes_of(load_mesh(real_data / "meshes" / f"{name}.stl")) in (
            (),
            ("9 holes were filled, 0.04% of the surface",),
        )
