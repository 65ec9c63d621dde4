"""What a Shadow Hand's ROS topics carry: joint trajectories to it, joint states from it.

Names, signs and values are the hardware's, in radians; `hands.shadow_names` maps them to our
model's. The formats are those of ROS 1 (times in `secs` and `nsecs`) and ROS 2 (`sec` and
`nanosec`). Sources: trajectory_msgs, sensor_msgs, and the topics in Shadow's user guide.
"""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from graspbook.errors import RobotError
from graspbook.hands.shadow import FINGERS
from graspbook.hands.shadow_names import HARDWARE, PREFIX

COMMAND, COMMAND_KIND = "/rh_trajectory_controller/command", "trajectory_msgs/JointTrajectory"
STATES, STATES_KIND = "/joint_states", "sensor_msgs/JointState"
SILENT = 0.5  # seconds without a joint state after which a hand no longer answers
_JOINTS = {PREFIX + name for name, _ in HARDWARE.values()}
_PAIRS = {f"{PREFIX}{finger.upper()}J{k}" for finger in FINGERS for k in (1, 2)}
_TENDONS = (_JOINTS - _PAIRS) | {f"{PREFIX}{finger.upper()}J0" for finger in FINGERS}
_NANO = 1_000_000_000


def trajectory(
    points: Sequence[Mapping[str, float]], times: Sequence[float], *, ros2: bool = False
) -> dict[str, Any]:
    """The fields of a `JointTrajectory` that begins at once and comes to rest at every point.

    Without points it ends the motion, and ROS 1's controller holds the joints.

    points: values by the hardware's names, radians, the same names in each.
    times: when each point is reached, seconds from the start.
    ros2: whether times have the format of ROS 2.
    """
    names = list(points[0]) if points else []
    header = {"stamp": _time(0, ros2), "frame_id": ""}
    return {
        "header": header if ros2 else {"seq": 0} | header,
        "joint_names": names,
        "points": [
            {
                "positions": [float(point[name]) for name in names],
                "velocities": [0.0] * len(names),
                "accelerations": [],
                "effort": [],
                "time_from_start": _time(seconds, ros2),
            }
            for point, seconds in zip(points, times, strict=True)
        ],
    }


def seconds_of(stamp: Mapping[str, Any]) -> float:
    """Seconds of a time or duration of ROS 1 or ROS 2.

    stamp: `secs` and `nsecs`, or `sec` and `nanosec`.

    Raises KeyError for other fields, TypeError for values that are no numbers.
    """
    whole, parts = ("sec", "nanosec") if "sec" in stamp else ("secs", "nsecs")
    return stamp[whole] + stamp[parts] / _NANO


def _time(seconds, ros2):
    whole, parts = divmod(round(seconds * _NANO), _NANO)
    return {"sec": whole, "nanosec": parts} if ros2 else {"secs": whole, "nsecs": parts}


class JointStates:
    """The last value of each joint of a right hand. The topic's other joints are left out.

    Messages come in one thread and are read in another.

    Attributes. time: seconds, by the hand's clock, of the last message; by ours where it has no
    time. ros2: whether its format is that of ROS 2.
    """

    def __init__(self) -> None:
        self.time, self.ros2 = 0.0, False
        self._lock, self._fault, self._others = threading.Lock(), "", set[str]()
        self._seen: dict[str, tuple[float, float]] = {}  # value, and when it came, by our clock

    def take(self, message: Mapping[str, Any]) -> None:
        """Take up a `JointState`. The next `read` raises what is wrong with it.

        message: its fields by name.
        """
        try:
            names, stamp = message["name"], message["header"]["stamp"]
            if others := set(names) - _JOINTS - _TENDONS:
                with self._lock:
                    self._others |= others
            if len(others) == len(names):  # an arm's
                return
            # JSON has no NaN: rosbridge writes null.
            values = [math.nan if v is None else float(v) for v in message["position"]]
            joints, came = dict(zip(names, values, strict=True)), seconds_of(stamp)
        except (KeyError, TypeError, ValueError) as error:
            with self._lock:
                self._fault = f"{STATES} is no {STATES_KIND}: {type(error).__name__} {error}"
            return
        now = time.monotonic()
        with self._lock:
            self._seen |= {name: (joints[name], now) for name in set(joints) - others}
            self.time, self.ros2 = came or now, "sec" in stamp

    @property
    def tendons(self) -> bool:
        """Whether the hand names J0 of each finger in place of J1 and J2."""
        return not set(self._seen) >= _JOINTS

    def missing(self) -> str | None:
        """What is missing of a whole hand, in words; None without a gap."""
        with self._lock:
            seen, others, fault = set(self._seen), sorted(self._others), self._fault
        if fault:
            return fault
        if seen >= _JOINTS or seen >= _TENDONS:
            return None
        if not seen and not others:
            return f"no joint states arrive on {STATES}; expected those of a running hand"
        lacking = sorted((_TENDONS if seen & (_TENDONS - _JOINTS) else _JOINTS) - seen)
        listed = ", ".join(lacking[:3]) + ", ..." * (len(lacking) > 3)
        return f"{STATES} lacks {len(lacking)} joints of a right hand: {listed}" + (
            f"; it has {others[0]}" if others else ""
        )

    def read(self, what: str) -> dict[str, float]:
        """The joints' values by the hardware's names, radians.

        what: that for which they are read, for errors.

        Raises RobotError where joint states stopped, are not finite, or cannot be read.
        """
        wanted = sorted(_TENDONS if self.tendons else _JOINTS)
        with self._lock:
            seen, fault = {name: self._seen[name] for name in wanted}, self._fault
        if fault:
            raise RobotError(f"{what}: {fault}")
        oldest = min(seen, key=lambda name: seen[name][1])
        age = time.monotonic() - seen[oldest][1]
        if age > SILENT:
            raise RobotError(
                f"{what}: the hand no longer answers: the last state of {oldest} is {age:.1f} s"
                f" old, expected at most {SILENT} s"
            )
        for name, (value, _) in seen.items():
            if not math.isfinite(value):
                raise RobotError(
                    f"{what}: the state of {name} is {value}, expected a finite number"
                )
        return {name: value for name, (value, _) in seen.items()}
