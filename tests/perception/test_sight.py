import numpy as np

from graspbook.perception.camera import pinhole
from graspbook.perception.sight import depth_at, sight_of
from graspbook.perception.solid_grid import Nodes
from graspbook.perception.view import View
from graspbook.pose import from_rt

NONE = np.zeros((0, 3))


def wall(depth=0.5, pose=None, size=20):
    """A view of a wall across the whole image; its pixel in the corner is a hole."""
    image = np.full((size, size), depth, np.float32)
    image[0, 0] = np.nan
    pose = np.eye(4) if pose is None else pose
    return View(image, pinhole(size, size, np.deg2rad(40)), pose, NONE)


def along_axis(*depths):
    """A grid of nodes at these equally spaced depths on the optical axis."""
    return Nodes(np.array([0, 0, depths[0]]), depths[1] - depths[0], (1, 1, len(depths)))


def test_free_is_before_a_surface_and_hidden_behind_it():
    nodes = along_axis(0.49, 0.494, 0.498, 0.502, 0.506, 0.51)
    sight = sight_of([wall()], nodes)
    assert sight.free.ravel().tolist() == [True, True, False, False, False, False]
    assert sight.hidden.ravel().tolist() == [False, False, False, False, True, True]


def test_what_one_camera_sees_is_not_hidden_and_two_may_be_needed_to_be_free():
    behind = from_rt(np.diag([1.0, -1, -1]), [0, 0, 1.1])  # looks back, at a wall at z = 0.6
    views, nodes = [wall(), wall(0.5, behind)], along_axis(0.45, 0.5, 0.55, 0.6, 0.65)
    sight = sight_of(views, nodes)
    assert sight.hidden.ravel().tolist() == [False, False, True, False, False]
    assert sight.free.ravel().tolist() == [True, False, False, False, True]
    near = along_axis(0.490, 0.496, 0.502)  # one view is enough more than 5 mm in front
    assert sight_of([wall()], near, fewest=2).free.ravel().tolist() == [True, False, False]
    assert sight_of([wall(), wall()], near, fewest=2).free.ravel().tolist() == [True, True, False]


def test_outside_of_the_image_and_in_holes_nothing_is_known():
    view = wall()
    seen = np.array([[0, 0, 0.4], [1.0, 0, 0.4], [0, 0, -0.4], [0, 0, 0]], np.float32)
    corner = np.linalg.inv(view.K) @ [0, 0, 1]
    seen = np.concatenate([seen, 0.3 * corner[None].astype(np.float32)])
    depth = depth_at(view, seen)
    assert depth[0] == 0.5 and np.isnan(depth[1:]).all()
