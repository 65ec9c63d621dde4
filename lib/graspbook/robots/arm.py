"""The Franka arm and its hand, through franky: it runs checked paths and nothing else.

franky (client of Franka's control interface, FCI) talks to a real arm or to
`controller.SimulatedController` alike. Every command goes to the log `graspbook.robots.arm` before
it is sent. What goes wrong raises RobotError, and the arm stands still then: franky stops on an
exception, and this wrapper stops it on whatever interrupts a motion.
"""

import logging
import threading
import time
from typing import Self

import franky
import numpy as np

from graspbook.errors import RobotError
from graspbook.robots import paths
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.connection import Connection, finished
from graspbook.robots.fr3 import FR3

SIMULATED_SPEED, REAL_SPEED = 0.5, 0.1  # share of the arm's limits
MAX_FORCE = 40.0  # N that the hand may be asked for; it could do 70
CONTACT_FORCE = 15.0  # N on the arm that end an approach
# Where the controller's own reflex stops the arm: N and Nm, of force, torque, and each joint's
# torque.
REFLEX_WRENCH = np.array([60.0, 60.0, 60.0, 20.0, 20.0, 20.0])
REFLEX_TORQUES = np.array([40.0, 40.0, 36.0, 36.0, 20.0, 16.0, 12.0])
# rad that the arm may stand beside a path's start: 3 mm at the fingertips, the table's clearance
_START = 0.005
_ARRIVED = 0.01
_SETTLE = 1.0  # seconds it may take to come to rest
_HAND_TIME = 10.0
_OPEN = 0.9  # share of its opening at which a hand stands open
_POLL = 0.01
_log = logging.getLogger(__name__)


class Arm:
    """A Franka arm, `with Arm(...) as arm`.

    hostname: its controller's address. execute: whether anything may move. speed: share of the
    arm's limits that no path may exceed. recover: from an error that it is in. model: its
    `ArmModel`. Raises RobotError when no controller answers there, or when it is in an error and
    `recover` is not asked for. `commands`: how many were given so far.
    """

    def __init__(
        self,
        hostname: str,
        *,
        execute: bool = False,
        speed: float = REAL_SPEED,
        recover: bool = False,
        model: ArmModel = FR3,
    ) -> None:
        self.hostname, self.execute, self.speed, self.model = hostname, execute, speed, model
        self.commands = 0
        self._say("connect", hostname=hostname, execute=execute, speed=speed)
        self._line = line = Connection(hostname)
        errors = line.errors("connect")
        if errors and recover:
            self.recover()
        elif errors:
            raise RobotError(
                f"{hostname}: the arm reports an error ({errors}); remove its cause, then recover"
                " the arm (--recover)"
            )
        reflexes = REFLEX_TORQUES, REFLEX_WRENCH
        line.ask("set the reflexes", lambda: line.robot.set_collision_behavior(*reflexes))

    @property
    def q(self) -> np.ndarray:
        """Joint angles (7,) at which the controller holds the arm, rad: where its next motion
        starts. Raises RobotError when the controller is gone.
        """
        return self._state("q_d")

    @property
    def pose(self) -> np.ndarray:
        """`base_T_hand` (4, 4) as measured."""
        return self.model.forward(self._state("q"))

    @property
    def width(self) -> float:
        """Metres between the hand's pads."""
        line = self._line
        return line.call("read the hand's state", lambda: float(line.hand.width))

    @property
    def moving(self) -> bool:
        """Whether the arm is under way."""
        return self._line.robot.is_in_control

    def run(self, path: paths.Path, *, contact: bool = False) -> bool:
        """Move along a checked path and come to rest at its end; whether it ended by a contact.

        Raises RobotError when the path was not checked, is another arm's, starts elsewhere or is
        too fast (nothing is sent then), when the motion is aborted, when the arm does not arrive,
        or when the controller is gone.

        path: what `paths.checked` returns.
        contact: stop where something is touched.
        """
        allowed = self.speed if self.execute else None
        reason = paths.refusal(path, self.model, lambda: self.q, allowed, _START)
        if reason:
            raise RobotError(f"{path.what}: {reason}")
        waypoints = [waypoint.q.round(4).tolist() for waypoint in path.waypoints]
        self._say("move", what=path.what, speed=path.speed, waypoints=waypoints)
        command, touched = _motion(path), threading.Event()
        if contact:
            _stop_at_contact(command, touched)
        try:
            self._follow(path, command)
            return self._settle(path, touched)
        except BaseException:
            self.stop()
            raise

    def open(self, *, speed: float = 0.05) -> None:
        """Open the hand. Raises RobotError when it does not open or the controller is gone.

        speed: of the fingers, m/s.
        """
        line, opening = self._line, self.model.jaw.opening
        self._move_hand("open the hand", lambda: line.hand.move_async(opening, speed))
        width, least = self.width, _OPEN * opening
        if width < least:
            raise RobotError(
                f"the hand is open by {width:.3f} m, expected at least {least:.3f} m: open the hand"
            )

    def grasp(self, force: float = 20.0, *, speed: float = 0.05) -> float:
        """Close the hand until it presses; the width at which it came to rest, metres.

        Raises RobotError when the hand does not finish, or when the controller is gone.

        force: of each finger, N, more than 0 and at most `MAX_FORCE`.
        speed: of the fingers, m/s.
        """
        if not 0 < force <= MAX_FORCE:
            raise RobotError(
                f"gripper force {force} N, expected more than 0 N and at most {MAX_FORCE:.0f} N"
            )
        opening = self.model.jaw.opening
        line, within = self._line, {"epsilon_inner": 0.01, "epsilon_outer": opening}
        self._move_hand(
            "close the hand",
            lambda: line.hand.grasp_async(0.0, speed, force, **within),
            force=force,
        )
        return self.width

    def recover(self) -> None:
        """Recover from errors, as after a reflex. Raises RobotError where that does not help."""
        line = self._line
        self._say("recover")
        line.ask("recover", lambda: line.robot.recover_from_errors())
        end = self._time("recover") + _SETTLE
        while errors := line.errors("recover"):  # the state may be older than the recovery
            if self._time("recover") > end:
                raise RobotError(f"{self.hostname}: the errors remain ({errors})")
            time.sleep(_POLL)

    def wait(self, seconds: float) -> None:
        """Let time pass, the arm standing still. Raises RobotError when the controller is gone.

        seconds: how long to wait, by the controller's clock.
        """
        end = self._time("wait") + seconds
        while self._time("wait") < end:
            time.sleep(_POLL)

    def stop(self) -> None:
        """Stop arm and hand; raises no RobotError: what cannot be reached is not moving by our
        command.
        """
        self._say("stop")
        line = self._line
        for what, stop in (
            ("stop the arm", line.halt),
            ("stop the hand", lambda: line.hand.stop()),
        ):
            try:
                line.ask(what, stop)
            except RobotError as error:
                _log.warning("%s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None and self.execute:
            self.stop()
        self._line.close()  # lets go of the controller, which takes one client at a time

    def _follow(self, path, command):
        """Send a motion and wait until it is over."""
        line, seconds = self._line, paths.duration(path)
        most = 3 * seconds + 5
        end = self._time(path.what) + most
        line.call(path.what, lambda: line.robot.move(command, asynchronous=True))
        while self.moving:  # franky's own waiting would keep Ctrl-C to itself
            if self._time(path.what) > end:
                raise RobotError(
                    f"{path.what}: the arm was stopped, because a motion of {seconds:.1f} s had not"
                    f" ended after {most:.1f} s"
                )
            time.sleep(_POLL)
        line.call(path.what, lambda: line.robot.join_motion())

    def _settle(self, path, touched):
        """Wait until the arm rests; whether a contact, the threading.Event `touched`, stopped it
        before the path's end.
        """
        line = self._line
        end = self._time(path.what) + _SETTLE
        while True:
            state = line.call(path.what, lambda: line.robot.state)
            beside = np.abs(np.array(state.q) - path.end).max()
            resting = np.abs(np.array(state.dq)).max() < 0.01
            if resting and beside < _ARRIVED:
                return False
            if state.time.to_sec() > end:
                if touched.is_set():
                    return True
                raise RobotError(
                    f"{path.what}: the arm stopped {beside:.3f} rad away from the end of its path,"
                    f" expected less than {_ARRIVED} rad"
                )
            time.sleep(_POLL)

    def _move_hand(self, what, command, **details):
        if not self.execute:
            raise RobotError(f"{what}: {paths.NO_LEAVE}")
        self._say(what, **details)
        line, end = self._line, self._time(what) + _HAND_TIME
        try:
            future = line.ask(what, command)
            while not line.call(what, lambda: future.wait(0.0)):
                if self._time(what) > end:
                    raise RobotError(f"{what}: stopped, since it took more than {_HAND_TIME:.0f} s")
                # Waits for the next: a hand that is gone sends none and ends nothing.
                line.call(what, lambda: line.hand.state)
                time.sleep(_POLL)
            line.call(what, lambda: finished(future))
        except BaseException:
            self.stop()
            raise

    def _state(self, name):
        line = self._line
        return line.call("read the state", lambda: np.array(getattr(line.robot.state, name), float))

    def _time(self, what):
        return self._line.time(what)

    def _say(self, command, **details):
        self.commands += 1
        _log.info("%s %s", command, details)


def _motion(path):
    """franky's motion along a path."""
    share = franky.RelativeDynamicsFactor(path.speed, path.acceleration, path.acceleration)
    waypoints = [
        franky.JointWaypoint(franky.JointState(*(np.asarray(each, float) for each in waypoint)))
        for waypoint in path.waypoints
    ]
    return franky.JointWaypointMotion(waypoints, relative_dynamics_factor=share)


def _stop_at_contact(command, touched):
    """Have a motion stop, and an event set, where something is touched."""
    force = franky.Measure
    squared = force.FORCE_X**2 + force.FORCE_Y**2 + force.FORCE_Z**2
    reaction = franky.JointPositionReaction(squared > CONTACT_FORCE**2, franky.JointStopMotion())
    reaction.register_callback(lambda *_: touched.set())
    command.add_reaction(reaction)
