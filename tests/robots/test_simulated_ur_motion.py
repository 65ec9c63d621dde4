"""The simulated UR arm's motions, cycle by cycle."""

import numpy as np
import pytest

from graspbook.robots.simulated_ur_motion import SERVO_ACCELERATION, Line, Move, Servo, Speed

DT = 0.002
GOAL = np.array([0.5, -1.0, 0.0, 0.2, 0.0, 0.1])


def run(motion, q=None, qd=None, most=5.0):
    """Joint angles and speeds (K, 6) until a motion is over."""
    q, qd = np.zeros(6) if q is None else q, np.zeros(6) if qd is None else qd
    found, over = [(q, qd)], False
    while not over and len(found) * DT < most:
        q, qd, over = motion.advance(q, qd, DT)
        found.append((q, qd))
    assert over
    return map(np.array, zip(*found, strict=True))


@pytest.mark.parametrize("speed, acceleration", [(0.5, 1.0), (10.0, 1.0)])
def test_a_move_is_a_straight_trapezoid_of_the_leading_axis(speed, acceleration):
    motion = Move(np.zeros(6), GOAL, speed, acceleration)
    angles, speeds = run(motion)
    np.testing.assert_allclose(angles[-1], GOAL)
    top = min(speed, 1.0)  # the root of length times acceleration
    assert np.abs(speeds).max() == pytest.approx(top, rel=0.01) and not speeds[-1].any()
    assert np.abs(np.diff(speeds, axis=0)).max() / DT <= acceleration * 1.01
    np.testing.assert_allclose(angles, np.outer(angles[:, 1] / GOAL[1], GOAL), atol=1e-12)
    assert motion.duration == pytest.approx(1.0 / top + top / acceleration)
    np.testing.assert_allclose(np.diff(angles, axis=0) / DT, speeds[1:], atol=2 * acceleration * DT)


def test_a_move_to_where_it_stands_is_over_at_once():
    assert Move(GOAL, GOAL, 1.0, 1.0).advance(GOAL, np.zeros(6), DT)[2]


def test_a_line_takes_its_points_at_the_speed_of_the_tool():
    angles, speeds = run(Line(np.linspace(0, GOAL, 11), 0.4, 0.2, 1.0))
    np.testing.assert_allclose(angles[-1], GOAL)
    assert np.abs(speeds[:, 1]).max() == pytest.approx(0.2 / 0.4, rel=0.01)
    assert len(angles) * DT == pytest.approx(0.4 / 0.2 + 0.2, abs=0.01)


def test_speeds_are_reached_and_braked_with_the_acceleration_asked_for():
    wanted = np.array([0.4, 0, 0, 0, 0, -0.2])
    motion = Speed(wanted, 2.0, left=0.5)
    _, speeds = run(motion)
    assert np.abs(speeds - wanted).min() == 0
    np.testing.assert_allclose(np.abs(speeds).max(axis=0), np.abs(wanted))
    assert np.abs(np.diff(speeds, axis=0)).max() / DT == pytest.approx(2.0)
    assert len(speeds) * DT == pytest.approx(0.5 + 0.2, abs=0.01)
    _, braked = run(Speed(np.zeros(6), 4.0), qd=wanted)
    assert len(braked) * DT == pytest.approx(0.1, abs=0.01) and not braked[-1].any()


def test_a_stream_is_followed_within_speeds_and_stands_where_it_ends():
    most = np.full(6, 0.5)
    motion, q, qd, seen = Servo(GOAL, 0.05, most), np.zeros(6), np.zeros(6), []
    for _ in range(2000):
        q, qd, over = motion.advance(q, qd, DT)
        seen.append(qd)
        assert not over
    np.testing.assert_allclose(q, GOAL, atol=1e-6)
    assert np.abs(seen).max() <= 0.5 + 1e-12
    assert np.abs(np.diff(seen, axis=0)).max() <= SERVO_ACCELERATION * DT + 1e-12
