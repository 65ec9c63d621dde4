import numpy as np
import pytest
import trimesh

from graspbook.perception.arc import views_on_arc
from graspbook.perception.solid_grid import nodes_around, surface_of
from graspbook.perception.tsdf import tsdf_solid


def test_a_box_in_several_views_has_its_volume():
    box = trimesh.creation.box((0.1, 0.06, 0.05))
    box.apply_translation([0, 0, 0.025])
    views = views_on_arc(box, 6, np.random.default_rng(0))
    nodes = nodes_around(box.vertices, 0.0, 48**3)
    mesh = surface_of(tsdf_solid(views, nodes))
    assert mesh.is_watertight and mesh.volume == pytest.approx(box.volume, rel=0.08)


def test_what_no_camera_saw_is_inside():
    box = trimesh.creation.box((0.1, 0.06, 0.05))
    box.apply_translation([0, 0, 0.025])
    (view,) = views_on_arc(box, 1, np.random.default_rng(0))
    nodes = nodes_around(box.vertices, 0.0, 32**3)
    values = tsdf_solid([view], nodes).values
    at = nodes.points().reshape(*nodes.shape, 3)
    behind = (np.abs(at) < [0.04, 0.02, 1]).all(axis=-1) & (at[..., 2] < 0.02)
    above = at[..., 2] > 0.06
    assert (values[behind] == 1).all() and (values[above] < 0).mean() > 0.8
