import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import CaptureError
from graspbook.perception.normals import darboux_frames, estimate_normals


def sphere(n, radius=0.05, centre=(0.0, 0.0, 0.4), seed=0):
    """Directions (n, 3) and points (n, 3) on the cap of a sphere that the camera sees."""
    directions = np.random.default_rng(seed).normal(size=(4 * n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions[directions[:, 2] < -radius / np.linalg.norm(centre)][:n]
    return directions, np.asarray(centre) + radius * directions


def cylinder(n, radius=0.03, axis=(0.0, 1.0, 0.0), seed=0):
    """Radial directions (n, 3) and points (n, 3) on the half of a cylinder, 0.1 m long, that faces
    the camera.
    """
    rng = np.random.default_rng(seed)
    angle, along = rng.uniform(-np.pi / 2, np.pi / 2, n), rng.uniform(-0.05, 0.05, n)
    side = np.cross(axis, [0, 0, -1.0])
    radial = np.sin(angle)[:, None] * side + np.cos(angle)[:, None] * np.array([0, 0, -1.0])
    return radial, [0, 0, 0.4] + radius * radial + along[:, None] * np.asarray(axis)


def test_normals_of_a_plane_are_exact_and_face_the_camera():
    grid = np.stack(
        np.meshgrid(np.linspace(-0.05, 0.05, 21), np.linspace(-0.05, 0.05, 21)), axis=-1
    ).reshape(-1, 2)
    tilt = pose.rotation_about([1.0, 2.0, 0.0], 0.5)
    points = np.column_stack([grid, np.zeros(len(grid))]) @ tilt.T + [0, 0, 0.5]
    np.testing.assert_allclose(
        estimate_normals(points), np.broadcast_to(-tilt[:, 2], points.shape), atol=1e-9
    )
    behind = estimate_normals(points, viewpoint=(0.0, 0.0, 2.0))
    np.testing.assert_allclose(behind, np.broadcast_to(tilt[:, 2], points.shape), atol=1e-9)


def test_normals_of_a_sphere_are_its_radii():
    directions, points = sphere(4000)
    normals = estimate_normals(points)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert np.rad2deg(np.arccos(np.clip((normals * directions).sum(axis=1), -1, 1))).mean() < 2.0


def test_normals_turn_with_cloud_and_viewpoint():
    _, points = sphere(500)
    motion = pose.from_rt(pose.random_rotations(1, np.random.default_rng(1))[0], [0.3, -0.2, 0.1])
    moved = estimate_normals(pose.transform(motion, points), viewpoint=motion[:3, 3])
    np.testing.assert_allclose(moved, estimate_normals(points) @ motion[:3, :3].T, atol=1e-8)


def test_the_darboux_frame_of_a_cylinder_has_its_axis_and_its_radius():
    axis = np.array([0.6, 0.8, 0.0])
    radial, points = cylinder(4000, axis=axis)
    inner = np.flatnonzero((radial[:, 2] < -0.5) & (np.abs((points - [0, 0, 0.4]) @ axis) < 0.03))[
        :100
    ]
    frames = darboux_frames(points, radial, inner)
    np.testing.assert_allclose(
        frames.swapaxes(1, 2) @ frames, np.broadcast_to(np.eye(3), frames.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)
    np.testing.assert_allclose(
        np.abs(frames[..., 2] @ axis), 1.0, atol=1e-9
    )  # exact normals have no part along the axis
    assert ((frames[..., 0] * radial[inner]).sum(axis=1) > 0.99).all()
    estimated = darboux_frames(points, estimate_normals(points), inner)
    assert np.median(np.abs(estimated[..., 2] @ axis)) > 0.95


def test_the_axis_at_an_edge_runs_along_it():
    rng = np.random.default_rng(0)
    top = np.column_stack([rng.uniform(-0.02, 0.02, (800, 2)), np.zeros(800)])
    side = np.column_stack(
        [np.full(800, 0.02), rng.uniform(-0.02, 0.02, 800), rng.uniform(0, 0.04, 800)]
    )
    normals = np.repeat([[0, 0, -1.0], [1.0, 0, 0]], 800, axis=0)
    edge = np.flatnonzero(np.abs(top[:, 0] - 0.02) < 0.004)
    frames = darboux_frames(np.concatenate([top, side]), normals, edge)
    np.testing.assert_allclose(np.abs(frames[:, 1, 2]), 1.0, atol=1e-9)


@pytest.mark.parametrize(
    ("cloud", "message"),
    [
        (np.zeros((0, 3)), "has 0 points"),
        (np.zeros((29, 3)), "29 points, expected at least 30"),
        (np.zeros((40, 2)), r"\(40, 2\)"),
        (np.full((40, 3), np.nan), "40 points that are not finite"),
    ],
)
def test_clouds_without_normals_are_refused(cloud, message):
    with pytest.raises(CaptureError, match=message):
        estimate_normals(cloud)
