import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception import poisson
from graspbook.perception.poisson import PoissonSettings, poisson_solid
from graspbook.perception.sight import Sight
from graspbook.perception.solid_grid import Nodes, nodes_around, surface_of

RADIUS = 0.03


def ball(count=6000, seed=0):
    """Points and normals of a ball that stands on z = 0."""
    normals = np.random.default_rng(seed).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return RADIUS * normals + [0, 0, RADIUS], normals


def volume(solid):
    return surface_of(solid).volume / (4 / 3 * np.pi * RADIUS**3)


def test_a_ball_of_points_becomes_a_ball():
    points, normals = ball()
    solid = poisson_solid(points, normals, nodes_around(points, None, 48**3))
    assert volume(solid) == pytest.approx(1, abs=0.05)
    away = np.linalg.norm(surface_of(solid).vertices - [0, 0, RADIUS], axis=1)
    assert np.abs(away - RADIUS).max() < 0.002
    # The indicator is 1/2 inside and -1/2 outside.
    assert solid.values.max() == pytest.approx(0.5, abs=0.15)
    assert solid.values[0, 0, 0] == pytest.approx(-0.5, abs=0.15)


def test_denser_points_on_one_side_change_little():
    points, normals = ball(20_000)
    rare = (points[:, 0] < 0) | (np.random.default_rng(1).random(len(points)) < 0.1)
    nodes = nodes_around(points, None, 48**3)
    assert volume(poisson_solid(points[rare], normals[rare], nodes)) == pytest.approx(1, abs=0.05)


def test_the_table_closes_an_underside_that_is_not_seen():
    points, normals = ball()
    seen = points[:, 2] > RADIUS  # the upper half, moved down onto the table
    points = points[seen] - [0, 0, RADIUS]
    solid = poisson_solid(points, normals[seen], nodes_around(points, 0.0, 48**3))
    mesh = surface_of(solid)
    assert mesh.is_watertight and mesh.bounds[0, 2] == pytest.approx(0, abs=1e-6)
    assert mesh.volume == pytest.approx(2 / 3 * np.pi * RADIUS**3, rel=0.08)


def test_normals_that_point_inwards_give_the_outside():
    points, normals = ball()
    nodes = nodes_around(points, None, 32**3)
    middle = tuple(count // 2 for count in nodes.shape)
    assert poisson_solid(points, normals, nodes).values[middle] > 0.3
    assert poisson_solid(points, -normals, nodes).values[middle] < -0.3


def test_free_space_is_no_part_of_the_solid_and_hidden_space_is():
    points, normals = ball()
    nodes = nodes_around(points, None, 32**3)
    none = np.zeros(nodes.shape, bool)
    right = nodes.points()[:, 0].reshape(nodes.shape) > 0
    carved = poisson_solid(points, normals, nodes, Sight(right, none))
    assert not (carved.values[right] > 0).any() and (carved.values[~right] > 0).any()
    # Half of the surface is missing, and no camera saw what is behind it.
    left = points[:, 0] < 0
    inside = np.linalg.norm(nodes.points() - [0, 0, RADIUS], axis=1) < 0.8 * RADIUS
    hidden = inside.reshape(nodes.shape) & right
    strong = PoissonSettings(hidden=0.1)
    given = points[left], normals[left], nodes, Sight(none, hidden)
    filled = poisson_solid(*given, settings=strong).values[hidden]
    assert (filled > 0).mean() > 0.95


def test_the_screened_equation_is_solved():
    """Against a dense matrix of the same equation."""
    rng, shape = np.random.default_rng(0), (4, 5, 6)
    weight = rng.uniform(0.1, 1, shape).astype(np.float32)
    inflow = rng.normal(size=shape).astype(np.float32)
    count = np.prod(shape)
    matrix, places = np.zeros((count, count)), np.arange(count).reshape(shape)
    for axis in range(3):
        one = np.delete(places, -1, axis=axis).ravel()
        other = np.delete(places, 0, axis=axis).ravel()
        matrix[one, other] -= 1
        matrix[other, one] -= 1
        np.add.at(matrix, (one, one), 1)
        np.add.at(matrix, (other, other), 1)
    expected = np.linalg.solve(matrix + np.diag(weight.ravel().astype(float)), inflow.ravel())
    squares = poisson._eigenvalues(shape)
    found = poisson._screened(np.zeros(shape, np.float32), inflow, weight, squares, 30)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4)
    none = np.linalg.lstsq(matrix, inflow.ravel() - inflow.mean(), rcond=None)[0]
    found = poisson._poisson(inflow, squares)
    np.testing.assert_allclose(found.ravel(), none - none.mean(), atol=1e-4)


def test_values_are_shared_among_the_nodes_around():
    total = poisson._splat((3, 3, 3), np.array([[0.25, 1.0, 1.5]]), np.array([8.0]))
    assert total.sum() == pytest.approx(8)
    assert total[0, 1, 1] == total[0, 1, 2] == pytest.approx(3)
    assert total[1, 1, 1] == pytest.approx(1)
    inflow = poisson._inflow((4, 4, 4), np.array([[1.5, 2, 2]]), np.array([1.0]), 0)
    assert inflow[1, 2, 2] == pytest.approx(1) and inflow[2, 2, 2] == pytest.approx(-1)


def test_too_few_points_are_refused():
    nodes = Nodes(np.zeros(3), 0.01, (4, 4, 4))
    with pytest.raises(CaptureError, match="surface of 5 points, expected at least 100"):
        poisson_solid(np.zeros((5, 3)), np.zeros((5, 3)), nodes)
