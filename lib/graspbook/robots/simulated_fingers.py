"""The simulated Shadow Hand behind its ROS topics: a trajectory controller, and joints that follow.

The joints are a function that is called once per cycle. It gets targets (A,) and seconds, and
returns joints (A,), in our model's order and signs. `FreeHand` is the simplest one, and a simulated
world can take its place.

Sources: the joint trajectory controller of ros_controllers, for how points are joined and what is
refused; Shadow's user guide, for names.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from graspbook.hands.library import load_hand
from graspbook.hands.shadow_names import PREFIX, from_hardware, to_hardware
from graspbook.robots.shadow_messages import seconds_of

Joints = Callable[[np.ndarray, float], np.ndarray]
TOP_SPEED = 2.0  # rad/s; joints lag behind a target that is faster
WRIST = f"{PREFIX}WRJ1", f"{PREFIX}WRJ2"  # they are named, and stay at 0


class FreeHand:
    """Joints that move straight to their targets, at `TOP_SPEED` at most.

    A finger's last two joints share the sum of their targets evenly. The model's coupling shares
    it otherwise, and a client must not rely on either. What one joint cannot take, the other does.

    limits: narrower limits (low, high) of some joints, rad, such as an object in the hand sets.
    """

    def __init__(self, limits: Mapping[str, tuple[float, float]] | None = None) -> None:
        hand = load_hand("shadow")
        links = [link for link in hand.tree if link.joint]
        known = {link.joint: link.limits for link in links} | dict(limits or {})
        self._low, self._high = np.array([known[joint] for joint in hand.all_joints]).T
        self._pairs = [
            (hand.all_joints.index(source), hand.all_joints.index(coupled))
            for coupled, (source, _, _) in hand.coupling.items()
        ]
        self._joints = np.clip(np.zeros(len(hand.all_joints)), self._low, self._high)

    def __call__(self, target: np.ndarray, seconds: float) -> np.ndarray:
        goal = np.clip(target, self._low, self._high)
        for middle, distal in self._pairs:
            total = target[middle] + target[distal]
            for one, other in ((middle, distal), (distal, middle)):
                goal[one] = np.clip(total / 2, self._low[one], self._high[one])
                goal[other] = np.clip(total - goal[one], self._low[other], self._high[other])
                if goal[one] != total / 2:
                    break
        most = TOP_SPEED * seconds
        self._joints = self._joints + np.clip(goal - self._joints, -most, most)
        return self._joints


class Controller:
    """The hand's trajectory controller, and its joints.

    joints: the function of targets and seconds.
    tendons: whether the hand names J0 of each finger in place of J1 and J2.

    Attributes. target, joints, velocity: (A,), in our model's order. time: seconds simulated.
    began: when each trajectory with points began. stuck: names of joints that do not move.
    """

    def __init__(self, joints: Joints, *, tendons: bool = False) -> None:
        self.hand, self._move, self.tendons = load_hand("shadow"), joints, tendons
        self.target = np.zeros(len(self.hand.all_joints))
        self.joints = joints(self.target, 0.0)
        self.target, self.velocity = self.joints.copy(), np.zeros_like(self.joints)
        self.time, self.began, self.stuck = 0.0, list[float](), set[str]()
        self._path = None

    def command(self, message: Mapping[str, Any]) -> None:
        """Follow a `JointTrajectory` from now on; without points, hold the joints.

        message: its fields by name.

        Raises ValueError for one that a real controller would not follow.
        """
        points = message["points"]
        if not points:
            self._path, self.target = None, self.joints.copy()
            return
        names = message["joint_names"]
        times = [0.0] + [seconds_of(point["time_from_start"]) for point in points]
        if set(names) != (expected := set(self._named(self.target))):
            wrong = sorted(set(names) ^ expected)
            raise ValueError(f"joint_names: {wrong[0]} is missing or unknown")
        if not all(np.diff(times) > 0):
            raise ValueError("time_from_start: expected more for each point than for the last")
        values = [self._ours(names, point["positions"]) for point in points]
        speeds = [self._ours(names, point["velocities"]) for point in points]
        values, speeds = [self.target, *values], [np.zeros_like(self.target), *speeds]
        if not np.isfinite(values).all() or not np.isfinite(speeds).all():
            raise ValueError("points: expected finite numbers")
        self._path = CubicHermiteSpline(times, values, speeds)
        self.began.append(self.time)

    def step(self, seconds: float) -> None:
        """Let time pass.

        seconds: how long.
        """
        self.time += seconds
        if self._path is not None:
            wanted = self._path(min(self.time - self.began[-1], self._path.x[-1]))
            stays = [joint in self.stuck for joint in self.hand.all_joints]
            self.target = np.where(stays, self.target, wanted)
        before = self.joints
        self.joints = self._move(self.target, seconds)
        self.velocity = (self.joints - before) / max(seconds, 1e-6)

    def state(self) -> dict[str, Any]:
        """The fields of the `JointState` of this moment."""
        values, speeds = self._named(self.joints), self._named(self.velocity)
        names = sorted([*values, *WRIST])
        whole, parts = divmod(round(self.time * 1e9), 1_000_000_000)
        return {
            "header": {"seq": 0, "stamp": {"secs": whole, "nsecs": parts}, "frame_id": ""},
            "name": names,
            "position": [values.get(name, 0.0) for name in names],
            "velocity": [speeds.get(name, 0.0) for name in names],
            "effort": [0.0] * len(names),
        }

    def _named(self, vector):
        """Values of a vector (A,) by the hardware's names."""
        ours = dict(zip(self.hand.all_joints, vector, strict=True))
        return to_hardware(ours, tendons=self.tendons)

    def _ours(self, names, values):
        """A vector (A,) of values by the hardware's names."""
        found = from_hardware(dict(zip(names, values, strict=True)))
        return np.array([found[joint] for joint in self.hand.all_joints])
