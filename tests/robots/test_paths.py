import copy
from dataclasses import replace

import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots import paths
from graspbook.robots.fr3 import FR3
from graspbook.robots.paths import (
    Path,
    Waypoint,
    checked,
    duration,
    line,
    passed,
    samples,
    timed,
)
from graspbook.robots.scene import Scene

DOWN = np.diag([1.0, -1, -1])


class Free:
    """A scene in which nothing is in the way."""

    arm = FR3

    def refusal(self, q, *, grasping=False):
        return None


def moved(joint, by, q=FR3.ready):
    q = q.copy()
    q[joint] += by
    return q


def straight_poses(base_T_hand, offset, count):
    poses = np.repeat(base_T_hand[None], count, axis=0)
    poses[:, :3, 3] += np.linspace(0, 1, count + 1)[1:, None] * offset
    return poses


def grasp_angles(n, seed):
    """Joint angles of n hands over the table, pointing down or aslant."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < n:
        turn, tilt = rng.uniform(-np.pi, np.pi), rng.uniform(-1, 1) * rng.integers(0, 2)
        rotation = (
            pose.rotation_about([0, 0, 1], turn) @ pose.rotation_about([1, 0, 0], tilt) @ DOWN
        )
        tip = rng.uniform([0.35, -0.25, 0.03], [0.6, 0.25, 0.2])
        q = FR3.inverse(pose.from_rt(rotation, tip - 0.1034 * rotation[:, 2]), FR3.ready)
        if q is not None:
            found.append(q)
    return found


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_one_joint_takes_the_time_of_its_limits(joint, share):
    v, a, j = (share * limit[joint] for limit in (FR3.velocity, FR3.acceleration, FR3.jerk))
    far = v * (v / a + a / j) * 1.5
    path = checked(Free(), "far", FR3.ready, [moved(joint, far)], share)
    assert duration(path) == pytest.approx(far / v + v / a + a / j, rel=1e-6)
    # Too near to reach the velocity limit: half of it in v²/a + v a/j.
    peak = v / 2
    near = peak * (peak / a + a / j)
    path = checked(Free(), "near", FR3.ready, [moved(joint, -near)], share)
    assert duration(path) == pytest.approx(2 * (peak / a + a / j), rel=1e-6)


def test_samples_of_one_joint_lie_on_the_straight_way_close_together():
    goal = moved(0, 1.2)
    angles = samples(checked(Free(), "turn", FR3.ready, [goal], 0.5))
    np.testing.assert_array_equal(angles[0], FR3.ready)
    np.testing.assert_allclose(angles[-1], goal, atol=1e-9)
    np.testing.assert_allclose(angles[:, 1:], np.tile(FR3.ready[1:], (len(angles), 1)), atol=1e-9)
    assert 0 < np.diff(angles[:, 0]).max() < 0.026 and np.diff(angles[:, 0]).min() > 0


def test_a_path_is_refused_where_a_straight_check_finds_something():
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(20):
        start, goal = moved(0, -0.5), moved(0, 0.5)
        scene = Scene(forbidden=rng.uniform([0.2, -0.2, 0.3], [0.5, 0.2, 0.8], (3, 3)))
        blocked = any(
            scene.refusal(start + share * (goal - start)) for share in np.linspace(0, 1, 200)
        )
        try:
            checked(scene, "turn", start, [goal], 0.5)
            verdicts.append((blocked, False))
        except RobotError:
            verdicts.append((blocked, True))
    assert {True, False} == {refused for _, refused in verdicts}
    assert (
        sum(blocked != refused for blocked, refused in verdicts) <= 1
    )  # a graze between two checks


def test_what_stands_between_two_free_ends_is_on_the_way():
    scene = Scene(forbidden=pose.transform(FR3.forward(FR3.ready), np.array([[0, 0, 0.03]])))
    start, goal = moved(0, -0.5), moved(0, 0.5)
    assert scene.refusal(start) is None and scene.refusal(goal) is None
    with pytest.raises(
        RobotError, match="^turn: refused: on the way an observed point and .* would touch"
    ):
        checked(scene, "turn", start, [goal], 0.5)
    assert passed(checked(Scene(), "turn", start, [goal], 0.5))


def test_an_end_that_is_not_free_is_refused():
    with pytest.raises(RobotError, match="^turn: refused: fr3_joint1 at 2.800 rad"):
        checked(Scene(), "turn", FR3.ready, [moved(0, 0.1), moved(0, 2.8)], 0.5)
    with pytest.raises(RobotError, match="^turn: refused: the hand at"):
        checked(Scene(), "turn", moved(0, 2.0), [FR3.ready], 0.5)


@pytest.mark.parametrize("bad", [np.full(7, np.nan), np.zeros(6)])
def test_no_numbers_are_refused(bad):
    for start, goal in ((bad, FR3.ready), (FR3.ready, bad)):
        with pytest.raises(RobotError, match="expected 7 finite numbers"):
            checked(Scene(), "turn", start, [goal], 0.5)


def test_what_ruckig_cannot_do_is_refused():
    fast = Waypoint(moved(0, 0.2), np.array([5.0, 0, 0, 0, 0, 0, 0]))
    with pytest.raises(RobotError, match="^fast: refused: the arm cannot move to "):
        checked(Free(), "fast", FR3.ready, [fast, moved(0, 0.4)], 0.5)
    for start, speed in ((np.full(7, np.nan), 0.5), (FR3.ready, np.nan), (FR3.ready, -1.0)):
        with pytest.raises(RobotError, match="the arm cannot move to .* within its limits"):
            checked(Free(), "turn", start, [moved(0, 0.2)], speed)


def test_only_what_was_checked_has_passed():
    path = checked(Free(), "turn", FR3.ready, [moved(0, 0.2)], 0.5)
    assert passed(path)
    np.testing.assert_array_equal(path.end, moved(0, 0.2))
    by_hand = Path(path.what, path.start, path.waypoints, path.speed, path.acceleration)
    assert not any(
        passed(other)
        for other in (by_hand, replace(path, speed=0.1), copy.copy(path), copy.deepcopy(path))
    )


def test_a_checked_path_cannot_change():
    start, goal, velocity = FR3.ready.copy(), moved(0, 0.2), np.zeros(7)
    path = checked(Free(), "turn", start, [Waypoint(goal, velocity)], 0.5)
    start[0], goal[0], velocity[0] = 1.0, 1.0, 1.0
    np.testing.assert_array_equal(path.start, FR3.ready)
    np.testing.assert_array_equal(path.waypoints[0], [moved(0, 0.2), np.zeros(7)])
    for array in (path.start, *path.waypoints[0]):
        with pytest.raises(ValueError):
            array[0] = 1.0


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_velocity_and_acceleration_keep_their_limits(share):
    rng = np.random.default_rng(1)
    for _ in range(5):
        path = checked(Free(), "go", FR3.ready, [FR3.ready + rng.uniform(-0.5, 0.5, 7)], share)
        angles = samples(path, 0.0005)
        step = duration(path) / (len(angles) - 1)
        velocity = np.diff(angles, axis=0) / step
        assert (np.abs(velocity).max(axis=0) <= share * FR3.velocity * 1.001).all()
        assert (
            np.abs(np.diff(velocity, axis=0) / step).max(axis=0) <= share * FR3.acceleration * 1.001
        ).all()
        assert (np.abs(velocity).max(axis=0) / (share * FR3.velocity)).max() > 0.5 or share == 1.0


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_line_is_straight_to_a_millimetre_and_does_not_turn(share):
    lines = 0
    for q in grasp_angles(12, 3):
        start = FR3.forward(q)
        waypoints = line(straight_poses(start, [0, 0, 0.1], 5), q, 0.02, 0.15 * share, share)
        if waypoints is None:
            continue
        lines += 1
        path = checked(Free(), "line", q, waypoints, share)
        hands = FR3.forward(samples(path, 0.004))
        assert np.linalg.norm(hands[:, :2, 3] - start[:2, 3], axis=1).max() < 1e-3
        assert np.abs(hands[:, :3, :3] - start[:3, :3]).max() < 0.005
        assert hands[-1, 2, 3] == pytest.approx(start[2, 3] + 0.1, abs=2e-4)
        assert (
            hands[:, 2, 3].max() < start[2, 3] + 0.101
            and path.speed <= share
            and path.acceleration == share
        )
        np.testing.assert_array_equal(waypoints[-1].velocity, np.zeros(7))
    assert lines >= 8


def test_a_line_is_passed_at_the_speed_asked_for():
    q = FR3.inverse(pose.from_rt(DOWN, [0.5, 0, 0.25]), FR3.ready)
    slow = line(straight_poses(FR3.forward(q), [0, 0, 0.1], 5), q, 0.02, 0.03, 0.5)
    for waypoint in slow[:-1]:
        ahead, back = FR3.forward(
            [waypoint.q + 1e-4 * waypoint.velocity, waypoint.q - 1e-4 * waypoint.velocity]
        )[:, :3, 3]
        np.testing.assert_allclose((ahead - back) / 2e-4, [0, 0, 0.03], atol=1e-3)
    assert duration(checked(Free(), "line", q, slow, 0.5)) == pytest.approx(0.1 / 0.03, rel=0.15)


def test_no_line_leaves_the_arms_reach():
    assert (
        line(straight_poses(FR3.forward(FR3.ready), [0.8, 0, 0], 40), FR3.ready, 0.02, 0.1, 0.5)
        is None
    )


def test_waypoints_to_pass_are_passed_without_a_jump():
    q = grasp_angles(1, 4)[0]
    path = checked(
        Free(),
        "line",
        q,
        line(straight_poses(FR3.forward(q), [0, 0, 0.06], 3), q, 0.02, 0.05, 0.5),
        0.5,
    )
    runs = paths._trajectories(path)
    for before, after, waypoint in zip(runs[:-1], runs[1:], path.waypoints[:-1], strict=True):
        for end, values in (
            (before.at_time(before.duration), waypoint),
            (after.at_time(0), waypoint),
        ):
            np.testing.assert_allclose(end[:2], values, atol=1e-8)


def test_a_path_by_the_cycle_is_the_checked_motion_and_ends_at_its_end():
    goals = [moved(0, 0.3), Waypoint(moved(0, 0.4), np.full(7, 0.01)), moved(1, 0.2)]
    path = checked(Free(), "three", FR3.ready, goals, 0.3)
    cycle = 0.008
    angles = timed(path, cycle)
    assert len(angles) == np.ceil(duration(path) / cycle)
    np.testing.assert_array_equal(angles[-1], path.end)
    fine = samples(path, 1e-4)
    assert np.abs(angles[:, None] - fine[None]).max(axis=2).min(axis=1).max() < 2e-4
    steps = np.abs(np.diff(np.vstack([path.start, angles]), axis=0)).max(axis=0)
    assert (steps <= 0.3 * FR3.velocity * cycle * 1.001).all()
