import numpy as np
import pytest
import trimesh

from graspbook.perception.arc import views_on_arc
from graspbook.perception.completion import filled, in_free_space, revolved
from graspbook.perception.merging import merge
from graspbook.perception.sight import Sight
from graspbook.perception.solid_grid import Nodes


def one_view(mesh):
    mesh.apply_translation([0, 0, -mesh.bounds[0, 2]])
    return merge(views_on_arc(mesh, 1, np.random.default_rng(0)))


def test_a_bottle_is_turned_about_its_axis():
    merged = one_view(trimesh.creation.cylinder(0.03, 0.12))
    points, normals = revolved(merged.points, merged.normals, merged.views[0])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    away = np.linalg.norm(points[:, :2] - middle[:2], axis=1)
    side = (np.abs(normals[:, 2]) < 0.3) & (points[:, 2] > 0.02) & (points[:, 2] < 0.1)
    assert np.abs(away[side] - 0.03).mean() < 0.001
    outwards = np.einsum("ij,ij->i", points[side, :2] - middle[:2], normals[side, :2])
    assert (outwards > 0).mean() > 0.99
    around = np.arctan2(*(points[side, :2] - middle[:2]).T)
    assert np.histogram(around, 12)[0].min() > 0  # the far side, too


def test_a_box_is_not_round():
    merged = one_view(trimesh.creation.box((0.12, 0.05, 0.08)))
    assert revolved(merged.points, merged.normals, merged.views[0]) is None
    flat = np.tile([0, 0, 1.0], (200, 1))
    assert revolved(merged.points[:200], flat, merged.views[0]) is None


def test_hidden_space_under_points_is_filled():
    nodes = Nodes(np.array([0.0, 0, 0.005]), 0.01, (6, 1, 4))
    hidden, free = np.ones(nodes.shape, bool), np.zeros(nodes.shape, bool)
    hidden[0], free[0] = False, True
    points = np.array([[0.0, 0, 0.03], [0.02, 0, 0.022], [0.03, 0, 0.012]])
    found = filled(Sight(free, hidden), points, nodes)
    assert found.hidden[2, 0].tolist() == [True, True, False, False]
    assert found.hidden[3, 0].tolist() == [True, False, False, False]
    assert not found.hidden[0].any() and found.free[0].all()
    assert found.free[5].all() and not (found.free & found.hidden).any()
    assert (found.free | found.hidden).all()


def test_points_in_front_of_what_was_measured_are_refuted():
    merged = one_view(trimesh.creation.box((0.1, 0.1, 0.06)))
    view = merged.views[0]
    toward = view.world_T_camera[:3, 3] - merged.points
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    assert in_free_space(merged.points + 0.02 * toward, view).mean() > 0.95
    assert in_free_space(merged.points - 0.02 * toward, view).mean() < 0.05
    assert in_free_space(merged.points, view).mean() == pytest.approx(0, abs=0.02)
