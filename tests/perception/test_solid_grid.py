import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.solid_grid import Nodes, SolidGrid, nodes_around, surface_of


def ball(radius=0.03, centre=(0.0, 0.0, 0.0), spacing=0.002, half=25):
    nodes = Nodes(np.full(3, -spacing * half), spacing, (2 * half + 1,) * 3)
    away = np.linalg.norm(nodes.points() - np.asarray(centre, np.float32), axis=1)
    return SolidGrid(nodes, (radius - away).reshape(nodes.shape).astype(np.float32))


def test_nodes_by_hand():
    nodes = Nodes(np.array([1.0, 2.0, 3.0]), 0.5, (2, 1, 3))
    expected = [[x, 2, z] for x in (1, 1.5) for z in (3, 3.5, 4)]
    np.testing.assert_allclose(nodes.points(), expected)


def test_a_grid_has_a_margin_and_ends_at_the_table():
    points = np.array([[0.0, 0, 0.01], [0.2, 0.1, 0.06]])
    nodes = nodes_around(points, 0.0, 40**3)
    high = nodes.low + nodes.spacing * (np.array(nodes.shape) - 1)
    assert nodes.low[2] == pytest.approx(nodes.spacing / 2)
    assert (nodes.low[:2] <= points.min(axis=0)[:2] - 0.01).all()
    assert (high >= points.max(axis=0) + 0.01).all()
    assert 0.5 < np.prod(nodes.shape) / 40**3 < 2
    assert nodes_around(points / 100, None).spacing == 0.0008  # no finer


def test_the_surface_of_a_ball_is_closed_and_has_its_volume():
    mesh = surface_of(ball())
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.03**3, rel=0.03)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.03).max() < 0.001


def test_a_solid_at_the_border_ends_half_a_distance_beyond_it():
    nodes = Nodes(np.zeros(3), 0.01, (4, 5, 6))
    mesh = surface_of(SolidGrid(nodes, np.ones(nodes.shape, np.float32)))
    np.testing.assert_allclose(mesh.bounds, [[-0.005] * 3, [0.035, 0.045, 0.055]], atol=1e-9)
    assert mesh.is_watertight


def test_small_parts_are_left_out_and_large_ones_stay():
    solid, far = ball(0.015, (-0.02, 0, 0)), ball(0.004, (0.035, 0, 0))
    near = SolidGrid(solid.nodes, np.maximum(solid.values, far.values))
    assert surface_of(near).body_count == 1
    both = SolidGrid(solid.nodes, np.maximum(solid.values, ball(0.01, (0.035, 0, 0)).values))
    assert surface_of(both).body_count == 2


def test_a_cavity_is_filled():
    solid, hole = ball(0.03), ball(0.02)
    mesh = surface_of(SolidGrid(solid.nodes, np.minimum(solid.values, -hole.values)))
    assert mesh.body_count == 1 and mesh.volume == pytest.approx(surface_of(solid).volume)


def test_an_empty_solid_is_refused():
    with pytest.raises(CaptureError, match="bound no solid"):
        surface_of(SolidGrid(Nodes(np.zeros(3), 0.01, (3, 3, 3)), -np.ones((3, 3, 3), np.float32)))
