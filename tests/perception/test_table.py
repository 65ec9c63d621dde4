from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError
from graspbook.objects.families import make_shape
from graspbook.perception.camera import DepthRenderer, backproject
from graspbook.perception.capture import load_capture
from graspbook.perception.depth_sensor import d415, measure
from graspbook.perception.extraction import dominant_plane
from graspbook.perception.table import TableSettings, find_object
from graspbook.pose import from_rt, inverse, rotation_about, transform

SENSOR = d415()


def board(height=0.0):
    mesh = trimesh.creation.box([0.9, 1.2, 0.05])
    mesh.apply_translation([0.5, 0, height - 0.025])
    return mesh


def standing(family, x, y, seed=0):
    """A shape of a family on the table at x, y, turned by an angle of the seed's."""
    rng = np.random.default_rng(seed)
    mesh = make_shape(family, rng).mesh.copy()
    mesh.apply_transform(from_rt(rotation_about([0, 0, 1], rng.uniform(0, 2 * np.pi)), [0, 0, 0]))
    mesh.apply_translation([x, y, -mesh.bounds[0, 2]])
    return mesh


def wrist(tilt=30.0, height=0.5, target=(0.5, 0.0, 0.0)):
    """A base_T_camera over the target, tilted from straight down towards the arm, upright for
    whoever stands behind it.
    """
    tilt = np.deg2rad(tilt)
    z = np.array([np.sin(tilt), 0, -np.cos(tilt)])
    x = np.array([0.0, -1, 0])
    return from_rt(np.stack([x, np.cross(z, x), z], axis=1), target - z * height / np.cos(tilt))


def seen(*meshes, base_T_camera=None, seed=0):
    """Measured points (N, 3), base frame, and the exact ones of the last mesh."""
    base_T_camera = wrist() if base_T_camera is None else base_T_camera
    images = [DepthRenderer(mesh).depth(SENSOR.camera, inverse(base_T_camera)) for mesh in meshes]
    exact = np.fmin.reduce(images)
    noisy = measure(SENSOR, exact, np.random.default_rng(seed))
    last = np.where((images[-1] <= exact) & np.isfinite(noisy), exact, np.nan)
    return tuple(
        transform(base_T_camera, backproject(image, SENSOR.camera.K)) for image in (noisy, last)
    )


def share_near(points, others, distance=0.006):
    return (cKDTree(others).query(points)[0] < distance).mean()


def check_object(view, truth, least=0.92):
    assert share_near(view.object_points, truth) > 0.98
    high = truth[truth[:, 2] > 0.01]
    assert share_near(high, view.object_points) > least


@pytest.mark.parametrize("family", ["box", "cylinder", "bowl", "bottle", "mug"])
@pytest.mark.parametrize("tilt", [0.0, 30.0])
def test_the_object_on_the_table_is_found_from_the_wrist(family, tilt):
    points, truth = seen(board(), standing(family, 0.46, 0.05, 2), base_T_camera=wrist(tilt))
    view = find_object(points)
    check_object(view, truth)
    assert view.normal @ [0, 0, 1] > np.cos(np.deg2rad(0.3))
    assert abs(view.offset + view.normal @ [0.5, 0, 0]) < 0.001
    assert view.normal.shape == (3,) and len(view.table_points) > 100000
    assert np.abs(view.table_points @ view.normal + view.offset).max() <= 0.006


def test_every_point_above_the_table_is_the_objects_or_another():
    points, truth = seen(
        board(), standing("cylinder", 0.6, -0.15, 0), standing("box", 0.45, 0.1, 1)
    )
    view = find_object(points)
    check_object(view, truth)
    assert (
        len(view.other_points) > 500 and view.other_points[:, 1].max() < -0.1
    )  # the cylinder is smaller
    above = points[
        (points @ view.normal + view.offset > 0.006) & (np.abs(points[:, 0] - 0.5) < 0.25)
    ]
    together = np.concatenate([view.object_points, view.other_points])
    assert 0.995 * len(above) < len(together) <= len(above)
    assert share_near(above, together, 1e-9) > 0.995


def test_points_outside_the_workspace_do_not_count():
    points, truth = seen(board(), standing("box", 0.45, 0.0, 1), standing("cylinder", 0.6, 0.0, 3))
    small = TableSettings(low=(0.52, -0.1, -0.05), high=(0.7, 0.1, 0.3))
    view = find_object(points, small)
    check_object(view, truth)
    together = np.concatenate([view.object_points, view.other_points, view.table_points])
    assert (together >= small.low).all() and (together <= small.high).all()


def test_stray_points_are_dropped_and_do_not_join_the_object():
    points, truth = seen(board(), standing("cylinder", 0.5, 0.0, 1))
    stray = np.random.default_rng(0).uniform([0.25, -0.35, 0.2], [0.75, 0.35, 0.5], (300, 3))
    view = find_object(np.concatenate([points, stray]))
    check_object(view, truth)
    assert view.object_points[:, 2].max() < 0.2 and len(view.other_points) < 30


def test_what_is_longer_than_an_object_is_an_obstacle():
    wall = trimesh.creation.box([0.02, 0.6, 0.15])
    wall.apply_translation([0.7, 0, 0.075])
    points, truth = seen(board(), wall, standing("mug", 0.45, 0.0, 1))
    view = find_object(points)
    check_object(view, truth)
    assert (
        view.other_points[:, 0].min() > 0.68
        and len(view.other_points) > 5 * len(view.object_points) / 2
    )


def test_a_turned_and_shifted_world_gives_the_same_object():
    points, _ = seen(board(), standing("bottle", 0.5, 0.0, 0))
    turn = from_rt(
        rotation_about([0, 0, 1], np.pi), [1.0, 0, 0.3]
    )  # maps the workspace, 0.3 m higher, onto itself
    view, other = (
        find_object(points),
        find_object(
            transform(turn, points),
            TableSettings(low=(0.25, -0.35, 0.25), high=(0.75, 0.35, 0.8), height=0.3),
        ),
    )
    assert len(other.object_points) == pytest.approx(len(view.object_points), rel=0.02)
    assert share_near(transform(turn, view.object_points), other.object_points, 1e-6) > 0.98


def test_the_same_points_and_seed_give_the_same_bytes():
    points, _ = seen(board(), standing("mug", 0.5, 0.0, 0))
    one, two = find_object(points), find_object(points)
    assert (
        one.object_points.tobytes() == two.object_points.tobytes()
        and one.normal.tobytes() == two.normal.tobytes()
    )


def grid(z, low=(0.25, -0.35), high=(0.75, 0.35), step=0.004):
    x, y = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
    return np.stack(
        [x.ravel(), y.ravel(), (z(x, y) if callable(z) else np.full(x.shape, z)).ravel()], axis=1
    )


def test_a_plane_by_hand():
    view = find_object(np.concatenate([grid(0.01), grid(0.06, (0.4, 0.0), (0.46, 0.06))]))
    np.testing.assert_allclose(view.normal, [0, 0, 1], atol=1e-12)
    assert view.offset == pytest.approx(-0.01) and len(view.table_points) == len(grid(0.01))
    np.testing.assert_array_equal(view.object_points, grid(0.06, (0.4, 0.0), (0.46, 0.06)))
    assert view.other_points.shape == (0, 3)


def test_the_table_does_not_depend_on_the_seed():
    box = grid(0.06, (0.4, 0.0), (0.48, 0.08))
    points = np.concatenate([grid(0.0, step=0.02), box])  # few: some are drawn twice
    found = [find_object(points, seed=seed) for seed in range(20)]
    assert all(len(view.object_points) == len(box) for view in found)
    np.testing.assert_allclose([view.normal for view in found], [[0, 0, 1]] * 20, atol=1e-12)
    line = np.stack([np.linspace(0.3, 0.7, 500), np.zeros(500), np.zeros(500)], axis=1)
    with pytest.raises(CaptureError, match="no table: the largest plane holds 0%"):
        find_object(line)


def test_two_things_are_one_or_two_by_their_gap():
    apart = np.concatenate(
        [grid(0.0), grid(0.06, (0.4, 0.0), (0.46, 0.1)), grid(0.06, (0.49, 0.0), (0.53, 0.1))]
    )
    assert len(find_object(apart).other_points) == len(grid(0.06, (0.49, 0.0), (0.53, 0.1)))
    assert len(find_object(apart, TableSettings(gap=0.05)).other_points) == 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((0, 3)), "empty view: 0 of 0 measured points"),
        (grid(0.0) + [2, 0, 0], "empty view: 0 of 21875 measured points lie in the workspace"),
        (
            np.random.default_rng(0).uniform([0.25, -0.35, 0], [0.75, 0.35, 0.5], (5000, 3)),
            "no table: the largest plane holds",
        ),
        (
            grid(0.03),
            (
                r"table is at z = 0.030 m at the corner .* tilted by 0.0 degrees, expected z = 0 m"
                r" within 0.02"
            ),
        ),
        (
            grid(lambda x, y: 0.1 * (x - 0.5)),
            r"table is at z = -?0.025 m at the corner \(0.[27]5, .* tilted by 5.7 degrees",
        ),
        (grid(0.0)[:, [2, 1, 0]] + [0.5, 0, 0], r"tilted by 90.0 degrees"),
        (
            grid(0.0),
            (
                "nothing on the table: 0 points lie above it in clusters, and the largest has 0;"
                " expected a cluster of at least 100 points"
            ),
        ),
        (
            np.concatenate([grid(0.0), grid(0.05, (0.5, 0), (0.52, 0.02), 0.005)]),
            "nothing on the table: .* the largest has 16",
        ),
        (
            np.concatenate([grid(0.0), grid(0.1, high=(0.4, 0.35))]),
            "nothing on the table: .* the largest has",
        ),
        (np.full((500, 3), np.nan), "500 points that are not finite"),
        (np.zeros((500, 2)), r"shape \(500, 2\)"),
    ],
)
def test_views_without_an_object_on_a_table_have_their_own_messages(points, message):
    with pytest.raises(CaptureError, match=message) as raised:
        find_object(points)
    assert "\n" not in str(raised.value)


def test_a_wrong_hand_eye_transform_is_noticed_at_the_table():
    base_T_camera = wrist()
    points, _ = seen(board(), standing("box", 0.5, 0, 1), base_T_camera=base_T_camera)
    wrong = (
        base_T_camera
        @ from_rt(rotation_about([1, 0, 0], np.deg2rad(5)), [0, 0, 0])
        @ inverse(base_T_camera)
    )
    with pytest.raises(CaptureError, match=r"the table is at z = .* check the hand-eye transform"):
        find_object(transform(wrong, points))
    with pytest.raises(CaptureError, match=r"the table is at z = -0.0[34]\d m"):
        find_object(points - [0, 0, 0.035], replace(TableSettings(), low=(0.25, -0.35, -0.1)))


@pytest.mark.parametrize("name", ["cheezit", "green_bowl", "mustard", "pepper", "red_mug"])
def test_the_objects_of_real_captures_are_found_on_their_tables(name, real_data):
    capture = load_capture(real_data / "captures" / f"{name}.npz")
    normal, offset, _ = dominant_plane(capture.scene, np.random.default_rng(0))
    ahead = np.array([0, 0, 1.0]) - normal[2] * normal
    x = ahead / np.linalg.norm(ahead)
    base_T_camera = from_rt(
        np.stack([x, np.cross(normal, x), normal]), [0, 0, offset]
    )  # the table is at z = 0
    middle = transform(base_T_camera, capture.points).mean(axis=0)
    base_T_camera[:2, 3] += [0.5, 0] - middle[:2]
    view = find_object(transform(base_T_camera, capture.scene))
    check_object(view, transform(base_T_camera, capture.points), 0.98)
