import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import CaptureError
from graspbook.graspnet.baselines.geometric import sample_geometric
from graspbook.graspnet.candidates import STANDOFFS
from graspbook.hands.parallel_jaw import FRANKA


def wall(n=500, seed=0):
    """A wall 0.5 m in front of the camera: points (n, 3)."""
    return np.column_stack(
        [np.random.default_rng(seed).uniform(-0.05, 0.05, (n, 2)), np.full(n, 0.5)]
    )


@pytest.mark.parametrize("standoff", STANDOFFS)
def test_grasps_approach_a_wall_against_its_normal_at_every_standoff_and_roll(standoff):
    cloud = wall()
    grasps = sample_geometric(cloud, 400, np.random.default_rng(1), standoff=standoff)
    np.testing.assert_allclose(grasps[:, :3, 2], np.broadcast_to([0, 0, 1.0], (400, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(grasps[:, :3, :3]), 1.0)
    low, high = STANDOFFS[standoff](FRANKA)
    distance = 0.5 - grasps[:, 2, 3]
    assert (
        low <= distance.min() < low + 0.01 * (high - low) + 1e-3
        and high - 1e-3 < distance.max() <= high
    )
    touched = grasps[:, :3, 3] + distance[:, None] * grasps[:, :3, 2]
    assert np.linalg.norm(touched[:, None] - cloud, axis=-1).min(axis=1).max() < 1e-9
    roll = np.arctan2(grasps[:, 1, 0], grasps[:, 0, 0])
    assert (np.histogram(roll, 8, (-np.pi, np.pi))[0] > 25).all()


def test_the_seed_decides():
    first, again, other = (
        sample_geometric(wall(), 20, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_on_a_sphere_every_approach_leads_to_its_centre():
    directions = np.random.default_rng(0).normal(size=(4000, 3)) * [1, 1, -1]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions[directions[:, 2] < -0.2]
    grasps = sample_geometric([0, 0, 0.5] + 0.04 * directions, 100, np.random.default_rng(0))
    centre = pose.transform(pose.inverse(grasps), np.array([[0, 0, 0.5]]))[:, 0]
    assert np.median(np.linalg.norm(centre[:, :2], axis=1)) < 0.002
    assert (centre[:, 2] < FRANKA.tip_z + 0.041).all()


def test_a_cloud_without_points_is_refused():
    with pytest.raises(CaptureError):
        sample_geometric(np.zeros((0, 3)), 5, np.random.default_rng(0))
