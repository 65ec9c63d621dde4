"""The UR arm, through ur_rtde: it runs checked paths and nothing else.

ur_rtde (SDU Robotics) talks to a real controller or to `simulated_ur.SimulatedUr` alike. A path is
sent as a stream of joint angles, servoj's, along the very motion that was checked. When the stream
ends for whatever reason, the arm stops at the last angles that were sent. Every command goes to the
log of `command_log` before it is sent. What goes wrong raises RobotError, and the arm stands still
then.
"""

import logging
import time
from typing import Self

import numpy as np

from graspbook.errors import RobotError
from graspbook.robots import paths
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.ur10 import UR10E
from graspbook.robots.ur_client import CYCLE, State, UrLine

SIMULATED_SPEED, REAL_SPEED = 0.5, 0.1  # share of the arm's limits
_START = 0.01  # rad that the arm may stand beside a path's start
_ARRIVED = 0.005  # rad
_RESTS = 0.01  # rad/s, below which the arm counts as standing
_SETTLE = 1.0  # seconds it may take to come to rest
_POLL = 0.01
_log = logging.getLogger("graspbook.robots.arm")  # what `command_log` writes


class UrArm:
    """A UR arm, `with UrArm(...) as arm`.

    hostname: its controller's address.
    execute: whether anything may move.
    speed: share of the arm's limits that no path may exceed.
    recover: release a protective stop first.
    model: its `ArmModel`.

    `commands`: how many were given so far. Raises RobotError when nobody listens there, when the
    arm is not in remote control, or when it is stopped for safety.
    """

    def __init__(
        self,
        hostname: str,
        *,
        execute: bool = False,
        speed: float = REAL_SPEED,
        recover: bool = False,
        model: ArmModel = UR10E,
    ) -> None:
        self.hostname, self.execute, self.speed, self.model = hostname, execute, speed, model
        self.commands = 0
        self._say("connect", hostname=hostname, execute=execute, speed=speed, recover=recover)
        self._line = UrLine(hostname, recover=recover)

    @property
    def q(self) -> np.ndarray:
        """Joint angles (6,) as measured, rad. Raises RobotError when the controller is gone."""
        return self.state("read the state").q

    @property
    def pose(self) -> np.ndarray:
        """`base_T_hand` (4, 4) as measured."""
        return self.model.forward(self.q)

    @property
    def moving(self) -> bool:
        """Whether the arm is under way."""
        state = self.state("read the state")
        return state.left > 0 or bool(np.abs(state.qd).max() > _RESTS)

    def state(self, what: str) -> State:
        """The `State` that the controller tells. Raises RobotError when the controller is gone.

        what: what it is read for, in messages.
        """
        return self._line.ask(what, "state")

    def run(self, path: paths.Path) -> None:
        """Move along a checked path and come to rest at its end.

        Raises RobotError when the path was not checked, is another arm's, starts elsewhere or is
        too fast; nothing is sent then. Raises it too when the arm is stopped for safety or does not
        arrive, and when the controller is gone.

        path: what `paths.checked` returns.
        """
        allowed = self.speed if self.execute else None
        reason = paths.refusal(path, self.model, lambda: self.q, allowed, _START)
        stream = paths.timed(path, CYCLE) if reason is None else path.start[None]
        reason = reason or unfit(stream, path.start, self.model, self.speed)
        if reason:
            raise RobotError(f"{path.what}: {reason}")
        self._check(path.what, self.state(path.what))
        waypoints = [waypoint.q.round(4).tolist() for waypoint in path.waypoints]
        self._say("move", what=path.what, speed=path.speed, waypoints=waypoints)
        try:
            self._follow(path, stream)
        except BaseException:
            self.stop()
            raise
        self._line.ask(path.what, "stop")

    def wait(self, seconds: float) -> None:
        """Let time pass, the arm standing still. Raises RobotError when the controller is gone.

        seconds: how long to wait, by the controller's clock.
        """
        end = self.state("wait").time + seconds
        while self.state("wait").time < end:
            time.sleep(_POLL)

    def recover(self) -> None:
        """Recover from a protective stop: connect again and start the control program.

        Raises RobotError where that does not help.
        """
        self._say("recover")
        self._line.close()
        self._line = UrLine(self.hostname, recover=True)

    def stop(self) -> None:
        """Stop the arm; raises no RobotError: without its stream, the arm stops by itself."""
        self._say("stop")
        try:
            self._line.ask("stop the arm", "stop")
        except RobotError as error:
            _log.warning("%s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None and self.execute:
            self.stop()
        self._line.close()

    def _follow(self, path, stream):
        """Send a stream and wait until the arm rests at its end."""
        what = path.what
        state = self._line.ask(what, "stream", stream)
        seconds = len(stream) * CYCLE
        most, late = state.time + 3 * seconds + 5, None
        while True:
            self._check(what, state)
            beside = np.abs(state.q - path.end).max()
            if not state.left:
                late = late or state.time + _SETTLE
                if beside < _ARRIVED and np.abs(state.qd).max() < _RESTS:
                    return
                if state.time > late:
                    raise RobotError(
                        f"{what}: the arm stopped {beside:.3f} rad away from the end of its path,"
                        f" expected less than {_ARRIVED} rad"
                    )
            if state.time > most:
                raise RobotError(
                    f"{what}: the arm was stopped, because a motion of {seconds:.1f} s had not"
                    " ended after three times as long"
                )
            time.sleep(_POLL)
            state = self.state(what)

    def _check(self, what, state):
        """Raise RobotError where the controller would not move the arm."""
        if state.stop:
            raise RobotError(
                f"{what}: the arm is in {state.stop}; remove its cause, then recover the arm"
            )
        if not state.playing:
            raise RobotError(
                f"{what}: the control program has stopped on the controller; recover the arm"
            )

    def _say(self, command, **details):
        self.commands += 1
        _log.info("%s %s", command, details)


def unfit(stream: np.ndarray, q: np.ndarray, arm: ArmModel, speed: float) -> str | None:
    """Why a stream of joint angles may not be sent, in words; None if it may.

    stream: (K, 6) joint angles, one for each `CYCLE`, rad.
    q: (6,) joint angles from which it starts.
    arm: whose limits hold.
    speed: share of the arm's speeds that is allowed.
    """
    if not np.isfinite(stream).all():
        return "refused: its joint angles are not all finite numbers"
    inside = arm.within_limits(stream)
    if not inside.all():
        beyond = stream[np.flatnonzero(~inside)[0]].round(3).tolist()
        return f"refused: joint angles {beyond} rad, expected within the limits of {arm.name}"
    steps = np.abs(np.diff(np.vstack([q, stream]), axis=0)).max(axis=0)
    most = 1.02 * speed * arm.velocity * CYCLE
    i = int(np.argmax(steps / most))
    if steps[i] > most[i]:
        return (
            f"refused: {arm.joints[i]} would move by {steps[i]:.4f} rad within {CYCLE} s, expected"
            f" at most {most[i]:.4f} rad"
        )
    return None
