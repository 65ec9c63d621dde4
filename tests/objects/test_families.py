import numpy as np
import pytest

from graspbook.errors import ParameterError
from graspbook.objects.families import FAMILIES, PAPER_FAMILIES, make_shape
from graspbook.objects.solids import HANDLE_SEGMENTS, loft, union

SEEDS = range(12)


@pytest.mark.parametrize("family", PAPER_FAMILIES)
def test_parts_make_up_the_solid_exactly(family):
    for seed in SEEDS:
        shape = make_shape(family, np.random.default_rng(seed))
        assert shape.mesh.is_watertight and shape.mesh.is_volume and shape.mesh.body_count == 1
        assert shape.mesh.volume > 0  # outward winding
        volumes = np.array([part.volume for part in shape.parts])
        assert abs(volumes.sum() / shape.mesh.volume - 1) < 1e-9
        centre = volumes @ [part.center_mass for part in shape.parts] / volumes.sum()
        np.testing.assert_allclose(centre, shape.mesh.center_mass, atol=1e-9)
        for part in shape.parts:
            assert part.is_volume and part.volume > 1e-9
            assert (
                abs(part.convex_hull.volume / part.volume - 1) < 1e-9
            )  # equal to its hull: convex


@pytest.mark.parametrize("family", FAMILIES)
def test_points_are_inside_the_mesh_where_they_are_inside_a_part(family):
    shape = make_shape(family, np.random.default_rng(3))
    low, high = shape.mesh.bounds
    points = np.random.default_rng(0).uniform(low, high, (1500, 3))
    # a part is the intersection of the half-spaces of its faces
    offsets = [
        np.einsum("nfk,fk->nf", points[:, None] - p.triangles[:, 0], p.face_normals)
        for p in shape.parts
    ]
    depth = np.min([offset.max(axis=1) for offset in offsets], axis=0)
    clear = np.abs(depth) > 1e-7
    assert 0.02 < np.mean(depth < 0)
    np.testing.assert_array_equal(shape.mesh.contains(points[clear]), depth[clear] < 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_makes_the_same_bytes_and_another_seed_another_shape(family):
    first, again, other = (make_shape(family, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.mesh.vertices.tobytes() == again.mesh.vertices.tobytes()
    assert first.mesh.faces.tobytes() == again.mesh.faces.tobytes()
    assert first.mesh.vertices.tobytes() != other.mesh.vertices.tobytes()


@pytest.mark.parametrize("family", PAPER_FAMILIES)
def test_sizes_are_those_of_everyday_objects_that_stand_on_the_origin(family):
    extents = np.array(
        [make_shape(family, np.random.default_rng(seed)).mesh.extents for seed in range(40)]
    )
    bottoms = [
        make_shape(family, np.random.default_rng(seed)).mesh.bounds[0, 2] for seed in range(5)
    ]
    assert extents.min() > 0.018 and extents.max() < 0.25
    assert np.ptp(extents[:, 2]) > 0.02  # the scale varies
    np.testing.assert_allclose(bottoms, 0, atol=1e-12)


@pytest.mark.parametrize("family", ["box", "cylinder", "bottle"])
def test_most_solids_fit_an_opening_of_80_mm(family):
    narrow = [
        make_shape(family, np.random.default_rng(seed)).mesh.extents.min() < 0.075
        for seed in range(40)
    ]
    assert np.mean(narrow) > 0.9


def test_a_mug_is_hollow_and_a_finger_fits_through_its_handle():
    for seed in SEEDS:
        mug = make_shape("mug", np.random.default_rng(seed)).mesh
        low, high = mug.bounds
        middle = 0.51 * high[2]
        assert not mug.contains([[0, 0, middle]])[0]
        # along +x at mid height and y = 0: cup wall, the gap, the handle
        hits, _, _ = mug.ray.intersects_location(
            [[0, 1e-4, middle]], [[1, 0, 0]], multiple_hits=True
        )
        wall_in, wall_out, handle_in, handle_out = np.sort(hits[:, 0])
        assert 0.0029 < wall_out - wall_in < 0.0055
        assert 0.018 < handle_in - wall_out < 0.036
        assert 0.0065 < handle_out - handle_in < 0.0125


def test_the_handle_hangs_on_the_wall_by_both_ends():
    mug = make_shape("mug", np.random.default_rng(1))
    handle = union(mug.parts[-HANDLE_SEGMENTS:])
    wall_plane = handle.bounds[0, 0]
    ends = handle.vertices[handle.vertices[:, 0] == wall_plane]
    assert len(ends) == 8
    assert mug.mesh.euler_number == 0  # one tunnel: a torus with a dent


def test_a_bowl_is_open_at_the_top():
    bowl = make_shape("bowl", np.random.default_rng(0)).mesh
    down = np.array([[0.0, 0.0, -1.0]])
    hits, _, _ = bowl.ray.intersects_location(
        np.array([[1e-3, 2e-3, 1.0]]), down, multiple_hits=True
    )
    assert hits[:, 2].max() < 0.007  # straight down to the inside of the bottom


def test_loft_of_two_squares_is_a_cube_wound_outward():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    cube = loft(square, square + [0, 0, 1])
    assert cube.is_volume and cube.volume == pytest.approx(1.0)


def test_an_unknown_family_names_those_there_are():
    with pytest.raises(ParameterError, match="'spoon'.*box, cylinder, bowl, bottle, mug"):
        make_shape("spoon", np.random.default_rng(0))
