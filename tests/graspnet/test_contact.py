import numpy as np

from graspbook import pose
from graspbook.graspnet.contact import MOST_POINTS, contact_check, thinned, within_reach
from graspbook.hands.parallel_jaw import FRANKA

RNG = np.random.default_rng(0)
POSES = pose.from_rt(pose.random_rotations(5, RNG), RNG.uniform(-0.1, 0.1, (5, 3)))
CLOUD = RNG.uniform(-0.6, 0.6, (40_000, 3))


def test_points_out_of_reach_change_nothing():
    near = within_reach(POSES, CLOUD)
    assert 0 < len(near) < len(CLOUD) / 2
    local = pose.transform(pose.inverse(POSES), CLOUD)
    collides, between = contact_check(POSES, CLOUD)
    np.testing.assert_array_equal(collides, FRANKA.points_in_hand(local).any(axis=1))
    np.testing.assert_array_equal(between, FRANKA.points_in_closing_region(local).sum(axis=1))
    for array, alone in zip((collides, between), contact_check(POSES[:1], CLOUD), strict=True):
        np.testing.assert_array_equal(array[:1], alone)


def test_no_poses_and_no_points():
    assert len(contact_check(POSES[:0], CLOUD)[0]) == 0
    assert not contact_check(POSES, CLOUD[:0])[0].any()


def test_only_large_clouds_are_thinned():
    assert thinned(CLOUD) is CLOUD
    many = np.repeat(CLOUD[:1000], MOST_POINTS // 1000 + 1, axis=0)
    found = thinned(many)
    assert len(found) == len(thinned(found)) <= 1000
    assert (found == many[np.isin(many[:, 0], found[:, 0])][:: MOST_POINTS // 1000 + 1]).all()
