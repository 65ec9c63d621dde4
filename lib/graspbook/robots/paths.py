"""Motions that may be sent: joint waypoints, checked along the very motion that the client makes of
them.

franky runs from waypoint to waypoint by Ruckig (Berscheid & Kröger 2021), each joint within its
limits; this module does the same and asks a `Scene` at every few hundredths of a radian. Only a
path that passed can be sent: `passed`.
"""

import weakref
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import ruckig

from graspbook.errors import RobotError
from graspbook.robots import fr3

VELOCITY = np.array(
    [2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61]
)  # rad/s, franky's limits at full speed
ACCELERATION = np.array([15, 7.5, 10, 12.5, 15, 20, 20])  # rad/s²
JERK = np.array([7500, 3750, 5000, 6250, 7500, 10000, 10000])  # rad/s³
_STEP = 0.025  # rad of the fastest joint between two checks
_LAG = 0.004  # rad that a joint may be behind for having to speed up: what bends a line at its ends
_PASSED = weakref.WeakSet()


class Waypoint(NamedTuple):
    """Joint angles and velocities (7,) to pass, rad and rad/s."""

    q: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True, eq=False)
class Path:
    """A motion: `what` it is for, joint angles start (7,), waypoints, speed and acceleration as
    shares of the arm's limits.
    """

    what: str
    start: np.ndarray
    waypoints: tuple
    speed: float
    acceleration: float

    @property
    def end(self):
        """Joint angles (7,) at its end."""
        return self.waypoints[-1].q


def passed(path):
    """Whether a path was checked and found free: no other may be sent to an arm."""
    return path in _PASSED


def checked(scene, what, start, waypoints, speed, grasping=False):
    """The Path from start (7,) through waypoints, `Waypoint`s or joint angles (7,) to stop at, if
    it is free in a `Scene`.

    speed: share of the arm's limits. Between waypoints to pass the arm goes no faster than it
    passes them.

    Raises RobotError that names what is in the way, before anything is sent. grasping: as in
    `Scene.touches`.
    """
    waypoints = tuple(map(_waypoint, waypoints))
    passing = 1.02 * max(np.abs(waypoint.velocity / VELOCITY).max() for waypoint in waypoints)
    path = Path(what, _fixed(start), waypoints, min(passing, speed) if passing else speed, speed)
    reason = _refusal(scene, path, grasping)
    if reason:
        raise RobotError(f"{what}: refused: {reason}")
    _PASSED.add(path)
    return path


def _waypoint(value):
    q, velocity = value if isinstance(value, Waypoint) else (value, np.zeros(7))
    return Waypoint(_fixed(q), _fixed(velocity))


def _fixed(values):
    """A copy that cannot be written to: what was checked is what is sent."""
    copy = np.array(values, float)
    copy.setflags(write=False)
    return copy


def _refusal(scene, path, grasping):
    # The ends first: they fail most often and Ruckig refuses what is no number.
    for q in (path.start, *(waypoint.q for waypoint in path.waypoints)):
        reason = scene.refusal(q, grasping)
        if reason:
            return reason
    for q in samples(path):
        reason = scene.refusal(q, grasping)
        if reason:
            return f"on the way {reason}"
    return None


def samples(path, step=_STEP):
    """Joint angles (K, 7) along a path, its fastest joint moving at most about `step` rad from one
    to the next.
    """
    return np.concatenate([_points(trajectory, step) for trajectory in _trajectories(path)])


def duration(path):
    """Seconds that a path takes."""
    return sum(trajectory.duration for trajectory in _trajectories(path))


def _points(trajectory, step):
    count = max(2, int(np.ceil(trajectory.duration * _fastest(trajectory) / step)) + 1)
    return np.array(
        [trajectory.at_time(time)[0] for time in np.linspace(0, trajectory.duration, count)]
    )


def _fastest(trajectory):
    return max(
        np.abs(trajectory.at_time(time)[1]).max() for time in np.linspace(0, trajectory.duration, 9)
    )


def _trajectories(path):
    q, velocity, found = path.start, np.zeros(7), []
    planner = ruckig.Ruckig(7)
    for waypoint in path.waypoints:
        request = ruckig.InputParameter(7)
        request.current_position, request.current_velocity = q.tolist(), velocity.tolist()
        request.target_position, request.target_velocity = (
            waypoint.q.tolist(),
            waypoint.velocity.tolist(),
        )
        request.max_velocity = (path.speed * VELOCITY).tolist()
        request.max_acceleration = (path.acceleration * ACCELERATION).tolist()
        request.max_jerk = (path.acceleration * JERK).tolist()
        trajectory = ruckig.Trajectory(7)
        try:
            result = planner.calculate(request, trajectory)
            reason = result.name if result < 0 else None
        except ruckig.RuckigError as error:
            reason = " ".join(str(error).split())
        if reason:
            goal = waypoint.q.round(3).tolist()
            raise RobotError(
                f"{path.what}: refused: no motion within the arm's limits to {goal} rad ({reason})"
            )
        found.append(trajectory)
        q, velocity = waypoint.q, waypoint.velocity
    return found


def line(base_T_hands, q, spacing, speed, acceleration):
    """Waypoints of a hand's way through poses (K, 4, 4), `spacing` metres apart, from joint angles
    q (7,), at `speed` m/s.

    It starts and ends at rest, and is slower where joints are fast: each speeds up by itself, at
    `acceleration`, a share of its limit. None where inverse kinematics finds no continuation.
    """
    angles = [np.asarray(q, float)]
    for base_T_hand in base_T_hands:
        following = fr3.inverse(base_T_hand, angles[-1])
        if following is None or np.abs(following - angles[-1]).max() > 0.3:
            return None
        angles.append(following)
    steps = np.abs(np.diff(angles, axis=0)).max(axis=0)
    time, still = (
        max(spacing / speed, (steps / np.sqrt(2 * _LAG * acceleration * ACCELERATION)).max()),
        np.zeros(7),
    )
    velocities = [
        *(
            (after - before) / (2 * time)
            for before, after in zip(angles[:-2], angles[2:], strict=True)
        ),
        still,
    ]
    return [Waypoint(*values) for values in zip(angles[1:], velocities, strict=True)]
