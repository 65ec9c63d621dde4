"""Motions that may be sent: joint waypoints, checked along the very motion that the client makes of
them.

franky runs from waypoint to waypoint by Ruckig (Berscheid & Kröger 2021), each joint within its
limits; this module does the same and asks a `Scene` at every few hundredths of a radian. Only a
path that passed can be sent: `passed`.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import ruckig

from graspbook.errors import RobotError
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.fr3 import FR3
from graspbook.robots.scene import Scene

NO_LEAVE = "refused: this arm may not move unless --execute is given"
_STEP = 0.025  # rad of the fastest joint between two checks
_LAG = 0.004  # rad that a joint may be behind for having to speed up: what bends a line at its ends
_PASSED: weakref.WeakSet["Path"] = weakref.WeakSet()


class Waypoint(NamedTuple):
    """Joint angles and velocities (N,) to pass, rad and rad/s."""

    q: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True, eq=False)
class Path:
    """A motion: `what` it is for, joint angles start (N,), waypoints, speed and acceleration as
    shares of the limits of its arm.
    """

    what: str
    start: np.ndarray
    waypoints: tuple[Waypoint, ...]
    speed: float
    acceleration: float
    arm: ArmModel = FR3

    @property
    def end(self) -> np.ndarray:
        """Joint angles (N,) at its end."""
        return self.waypoints[-1].q


def passed(path: Path) -> bool:
    """Whether a path was checked and found free: no other may be sent to an arm.

    path: the very one that `checked` returned.
    """
    return path in _PASSED


def checked(
    scene: Scene,
    what: str,
    start: np.ndarray,
    waypoints: Iterable[Waypoint | np.ndarray],
    speed: float,
    *,
    grasping: bool = False,
) -> Path:
    """The Path through waypoints if it is free in a scene.

    Between waypoints to pass the arm goes no faster than it passes them. Raises RobotError that
    names what is in the way, before anything is sent.

    scene: what the arm must not touch, and the arm itself.
    what: the motion's name in messages.
    start: joint angles (N,), rad.
    waypoints: to pass, or joint angles (N,) to stop at; at the last one the arm stops.
    speed: share of the arm's limits.
    grasping: as in `Scene.touches`.
    """
    arm = scene.arm
    fixed = tuple(_waypoint(waypoint, arm) for waypoint in waypoints)
    passing = 1.02 * max(np.abs(waypoint.velocity / arm.velocity).max() for waypoint in fixed)
    path = Path(what, _fixed(start), fixed, min(passing, speed) if passing else speed, speed, arm)
    reason = _refusal(scene, path, grasping)
    if reason:
        raise RobotError(f"{what}: refused: {reason}")
    _PASSED.add(path)
    return path


def _waypoint(value, arm):
    q, velocity = value if isinstance(value, Waypoint) else (value, np.zeros(len(arm.joints)))
    return Waypoint(_fixed(q), _fixed(velocity))


def _fixed(values):
    """A copy that cannot be written to: what was checked is what is sent."""
    copy = np.array(values, float)
    copy.setflags(write=False)
    return copy


def _refusal(scene, path, grasping):
    # The ends first: they fail most often and Ruckig refuses what is no number.
    for q in (path.start, *(waypoint.q for waypoint in path.waypoints)):
        reason = scene.refusal(q, grasping=grasping)
        if reason:
            return reason
    for q in samples(path):
        reason = scene.refusal(q, grasping=grasping)
        if reason:
            return f"on the way {reason}"
    return None


def samples(path: Path, step: float = _STEP) -> np.ndarray:
    """Joint angles (K, N) along a path.

    path: whether checked or not.
    step: about the most that its fastest joint moves from one to the next, rad.
    """
    return np.concatenate([_points(trajectory, step) for trajectory in _trajectories(path)])


def duration(path: Path) -> float:
    """Seconds that a path takes.

    path: whether checked or not.
    """
    return sum(trajectory.duration for trajectory in _trajectories(path))


def timed(path: Path, cycle: float) -> np.ndarray:
    """Joint angles (K, N) at the end of every cycle along a path; the last are those of its end.

    path: whether checked or not.
    cycle: seconds from one to the next.
    """
    found, ahead = [], cycle  # seconds from the start of a trajectory to the next of them
    for trajectory in _trajectories(path):
        while ahead < trajectory.duration:
            found.append(trajectory.at_time(ahead)[0])
            ahead += cycle
        ahead -= trajectory.duration
    return np.array([*found, path.end])


def refusal(
    path: Path, arm: ArmModel, q: Callable[[], np.ndarray], speed: float | None, start: float
) -> str | None:
    """Why a path may not be sent to an arm, in words; None if it may.

    path: whether checked or not.
    arm: the one that would move.
    q: reads its joint angles (N,), rad; asked only if nothing else is wrong.
    speed: share of its limits that is allowed; None: it may not move at all.
    start: rad that it may stand beside the path's start.
    """
    if not passed(path):
        return "refused: the path was not checked against a scene"
    if path.arm.joints != arm.joints or path.arm.name != arm.name:
        return f"refused: it is for {path.arm.name}, expected a path for {arm.name}"
    if speed is None:
        return NO_LEAVE
    if path.acceleration > speed:
        return f"refused: speed {path.acceleration}, expected at most {speed}"
    beside = np.abs(q() - path.start).max()
    if beside > start:
        return (
            f"refused: it starts {beside:.3f} rad away from the arm's pose, expected at most"
            f" {start} rad"
        )
    return None


def _points(trajectory, step):
    count = max(2, int(np.ceil(trajectory.duration * _fastest(trajectory) / step)) + 1)
    times = np.linspace(0, trajectory.duration, count)
    return np.array([trajectory.at_time(time)[0] for time in times])


def _fastest(trajectory):
    times = np.linspace(0, trajectory.duration, 9)
    return max(np.abs(trajectory.at_time(time)[1]).max() for time in times)


def _trajectories(path):
    arm, count = path.arm, len(path.arm.joints)
    q, velocity, found = path.start, np.zeros(count), []
    planner = ruckig.Ruckig(count)
    for waypoint in path.waypoints:
        request = ruckig.InputParameter(count)
        request.current_position, request.current_velocity = q.tolist(), velocity.tolist()
        request.target_position = waypoint.q.tolist()
        request.target_velocity = waypoint.velocity.tolist()
        request.max_velocity = (path.speed * arm.velocity).tolist()
        request.max_acceleration = (path.acceleration * arm.acceleration).tolist()
        request.max_jerk = (path.acceleration * arm.jerk).tolist()
        trajectory = ruckig.Trajectory(count)
        try:
            result = planner.calculate(request, trajectory)
            reason = result.name if result < 0 else None
        except ruckig.RuckigError as error:
            reason = " ".join(str(error).split())
        if reason:
            goal = waypoint.q.round(3).tolist()
            raise RobotError(
                f"{path.what}: refused: the arm cannot move to {goal} rad within its limits"
                f" ({reason})"
            )
        found.append(trajectory)
        q, velocity = waypoint.q, waypoint.velocity
    return found


def line(
    base_T_hands: Iterable[np.ndarray],
    q: np.ndarray,
    spacing: float,
    speed: float,
    acceleration: float,
    *,
    arm: ArmModel = FR3,
) -> list[Waypoint] | None:
    """Waypoints of a hand's way through poses; None where inverse kinematics finds no continuation.

    It starts and ends at rest, and is slower where joints are fast: each speeds up by itself.

    base_T_hands: (K, 4, 4) poses of the hand in the arm's base frame.
    q: joint angles (N,) from which it starts, rad.
    spacing: between two poses, metres.
    speed: of the hand, m/s.
    acceleration: share of the arm's limits.
    arm: model with the joints, limits and kinematics.
    """
    angles = [np.asarray(q, float)]
    for base_T_hand in base_T_hands:
        following = arm.inverse(base_T_hand, angles[-1])
        if following is None or np.abs(following - angles[-1]).max() > 0.3:
            return None
        angles.append(following)
    steps = np.abs(np.diff(angles, axis=0)).max(axis=0)
    speeding_up = (steps / np.sqrt(2 * _LAG * acceleration * arm.acceleration)).max()
    time = max(spacing / speed, speeding_up)
    neighbours = zip(angles[:-2], angles[2:], strict=True)
    velocities = [(after - before) / (2 * time) for before, after in neighbours]
    velocities.append(np.zeros(len(arm.joints)))
    return [Waypoint(*values) for values in zip(angles[1:], velocities, strict=True)]
