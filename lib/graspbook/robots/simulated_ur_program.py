"""What the simulated UR controller does: its program, its arm, and its safety.

The program stands for the control script of ur_rtde. It reads commands in input registers and
answers in output registers, as that script does. The arm follows commands without dynamics.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from graspbook import pose
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.simulated_ur_motion import Line, Move, Servo, Speed

STOPPED, PLAYING, PAUSED = 1, 2, 4  # runtime_state
NORMAL, PROTECTIVE, EMERGENCY = "NORMAL", "PROTECTIVE_STOP", "ROBOT_EMERGENCY_STOP"
_SAFETY_MODE = {NORMAL: 1, PROTECTIVE: 3, EMERGENCY: 7}
# Of safety_status_bits: normal; protective stop; robot, any emergency stop; stopped by safety.
_SAFETY_BITS = {NORMAL: 1 << 0, PROTECTIVE: 1 << 2 | 1 << 10, EMERGENCY: 1 << 6 | 1 << 7 | 1 << 10}
_RUNNING, _POWER_OFF = 7, 3  # robot_mode
_READY, _DONE = 1, 2  # output register 0
_NAMES = {
    1: "moveJ",
    3: "moveL",
    9: "speedJ",
    11: "servoJ",
    15: "speedStop",
    16: "servoStop",
    31: "protectiveStop",
    33: "stopL",
    34: "stopJ",
    255: "stopScript",
}
_STREAMED = "speedJ", "servoJ"  # commands that are answered at once
_SPACING = 0.005  # metres between two points of a straight way
_BRAKE = 10.0  # rad/s2, with which the arm stops by itself


class Program:
    """The controller's state, which goes on by one cycle at a time.

    arm: whose limits hold.
    q: joint angles (6,) at which it starts, rad.
    playing: whether a program runs from the start.
    follow: called with joint angles (6,), rad, after every cycle, for what hangs on the arm.

    `counts`: commands by name so far. `motions`: how many have begun.
    """

    def __init__(
        self,
        arm: ArmModel,
        q: np.ndarray,
        *,
        playing: bool = False,
        follow: Callable[[np.ndarray], object] | None = None,
    ) -> None:
        self.arm, self.q, self.qd = arm, np.array(q, float), np.zeros(len(arm.joints))
        self.time, self.motions, self.moving_for = 0.0, 0, 0.0
        self.runtime, self.safety = PLAYING if playing else STOPPED, NORMAL
        self.counts: Counter[str] = Counter()
        self._follow = follow
        self._inputs: dict[str, float] = {}
        self._answer, self._executing, self._background = _READY, False, False
        self._motion: Line | Move | Servo | Speed | None = None

    def start(self) -> None:
        """Begin the program, as when the control script arrives."""
        if self.safety == NORMAL:
            self.runtime, self._answer, self._executing = PLAYING, _READY, False

    def stop(self, runtime: int = STOPPED) -> None:
        """End the program; the arm brakes.

        runtime: the state that it is in afterwards.
        """
        self.runtime, self._executing = runtime, False
        self._motion = Speed(np.zeros_like(self.qd), _BRAKE)

    def fall(self, safety: str) -> None:
        """Stop for safety.

        safety: `PROTECTIVE` or `EMERGENCY`.
        """
        self.safety = safety
        self.stop(PAUSED if safety == PROTECTIVE else STOPPED)

    def unlock(self) -> bool:
        """Release a protective stop; whether there was one."""
        there = self.safety == PROTECTIVE
        if there:
            self.safety, self.runtime = NORMAL, STOPPED
        return there

    def receive(self, values: Mapping[str, np.ndarray]) -> None:
        """Take up input registers.

        values: by name, of one data package.
        """
        self._inputs |= {name: float(value[0]) for name, value in values.items()}
        command = int(self._inputs.get("input_int_register_0", 0))
        if command:
            self.counts[_NAMES.get(command, f"command {command}")] += 1

    def advance(self, dt: float) -> None:
        """Let a cycle pass.

        dt: its seconds.
        """
        self.time += dt
        if self.runtime == PLAYING:
            self._work()
        if self._motion is not None:
            self.moving_for += dt
            self.q, self.qd, over = self._motion.advance(self.q, self.qd, dt)
            if over:
                self._motion = None
        beyond = (self.q < self.arm.low) | (self.q > self.arm.high)
        if beyond.any() and self.safety == NORMAL:
            self.fall(PROTECTIVE)
        if self._follow is not None:
            self._follow(self.q)

    def state(self) -> dict[str, float | np.ndarray]:
        """Output variables by name, in RTDE's units: m, rad, s."""
        base_T_flange = self.arm.forward(self.q)
        turn = Rotation.from_matrix(base_T_flange[:3, :3]).as_rotvec()
        tool = np.concatenate([base_T_flange[:3, 3], turn])
        playing, powered = self.runtime == PLAYING, self.safety != EMERGENCY
        return {
            "timestamp": self.time,
            "target_q": self.q,
            "target_qd": self.qd,
            "actual_q": self.q,
            "actual_qd": self.qd,
            "actual_TCP_pose": tool,
            "target_TCP_pose": tool,
            "robot_mode": _RUNNING if powered else _POWER_OFF,
            "safety_mode": _SAFETY_MODE[self.safety],
            "speed_scaling": 1.0,
            "target_speed_fraction": 1.0,
            "runtime_state": self.runtime,
            "robot_status_bits": powered | playing << 1,
            "safety_status_bits": _SAFETY_BITS[self.safety],
            "output_int_register_0": self._answer,
            # The motion's number, and whether one runs that the client does not wait for.
            "output_int_register_2": (self.motions % 128) << 24
            | (self._background and self._motion is not None) << 15,
        }

    def _work(self):
        """One turn of the control script's loop."""
        command = int(self._inputs.get("input_int_register_0", 0))
        name = _NAMES.get(command, "")
        if not command:
            self._answer, self._executing = _READY, False
        elif name in _STREAMED:
            self._take(name)
            self._answer = _READY
        elif not self._executing:
            self._executing = True
            self._take(name)
        elif self._background or self._motion is None:
            self._answer = _DONE

    def _take(self, name):
        """Begin what a command asks for."""
        six = np.array([self._register(i) for i in range(6)])
        self._background = False
        if name == "servoJ" and isinstance(self._motion, Servo):
            self._motion.goal = six
        elif name == "servoJ":
            self._begin(Servo(six, self._register(9), self.arm.velocity))
        elif name == "speedJ":
            self._begin(Speed(six, self._register(6), self._register(7) or None))
        elif name in ("moveJ", "moveL"):
            self._background = bool(self._inputs.get("input_int_register_1", 0))
            limits, motion = (self._register(6), self._register(7)), None
            if min(limits) > 0 and not self.qd.any():  # no jump of speed
                motion = Move(self.q, six, *limits) if name == "moveJ" else self._line(six, *limits)
            if motion is None:
                self.fall(PROTECTIVE)
            else:
                self._begin(motion)
        elif name in ("stopJ", "stopL", "servoStop", "speedStop"):
            self._motion = Speed(np.zeros(6), self._register(0))
        elif name == "protectiveStop":
            self.fall(PROTECTIVE)
        else:  # stopScript, and whatever this controller cannot do
            self.stop()

    def _line(self, goal, speed, acceleration):
        """The straight way of the flange to a position and rotation vector (6,), None where the arm
        cannot follow it.
        """
        begin, q = self.arm.forward(self.q), self.q
        way, length = goal[:3] - begin[:3, 3], float(np.linalg.norm(goal[:3] - begin[:3, 3]))
        turn = (
            Rotation.from_matrix(begin[:3, :3]).inv() * Rotation.from_rotvec(goal[3:])
        ).as_rotvec()
        points = [q]
        for share in np.linspace(0, 1, 2 + int(length / _SPACING))[1:]:
            rotation = begin[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
            q = self.arm.inverse(pose.from_rt(rotation, begin[:3, 3] + share * way), q)
            if q is None:
                return None
            points.append(q)
        return Line(np.array(points), max(length, float(np.linalg.norm(turn))), speed, acceleration)

    def _register(self, i):
        return self._inputs.get(f"input_double_register_{i}", 0.0)

    def _begin(self, motion):
        if not (isinstance(motion, Speed) and isinstance(self._motion, Speed)):
            self.motions, self.moving_for = self.motions + 1, 0.0
        self._motion = motion
