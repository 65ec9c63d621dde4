"""The arm and its hand, through franky: it runs checked paths and nothing else.

franky (client of Franka's control interface, FCI) talks to a real arm or to
`controller.SimulatedController` alike. Every command goes to the log `graspbook.robots.arm` before
it is sent. What goes wrong raises RobotError, and the arm stands still then: franky stops on an
exception, and this wrapper stops it on whatever interrupts a motion.
"""

import contextlib
import logging
import threading
import time

import franky
import numpy as np

from graspbook.errors import RobotError
from graspbook.hands.franka import MAX_OPENING
from graspbook.robots import fr3, paths

SIMULATED_SPEED, REAL_SPEED = 0.5, 0.1  # share of the arm's limits
MAX_FORCE = 40.0  # N that the hand may be asked for; it could do 70
CONTACT_FORCE = 15.0  # N on the arm that end an approach
# Where the controller's own reflex stops the arm: N and Nm, of force, torque, and each joint's
# torque.
REFLEX_WRENCH = np.array([60.0, 60.0, 60.0, 20.0, 20.0, 20.0])
REFLEX_TORQUES = np.array([40.0, 40.0, 36.0, 36.0, 20.0, 16.0, 12.0])
_START = 0.005  # rad that the arm may stand beside a path's start: 3 mm at the fingertips, the table's clearance
_ARRIVED = 0.01
_SETTLE = 1.0  # seconds it may take to come to rest
_HAND_TIME = 10.0
_OPEN = 0.9 * MAX_OPENING  # an open hand stands at least so wide
_CONNECT, _ANSWER = (
    20.0,
    5.0,
)  # seconds in which a controller connects, and answers a command that moves nothing
_POLL = 0.01
_FAILURES = (
    franky.Exception,
    franky.GripperException,
    RuntimeError,
    TimeoutError,
)  # RuntimeError: its planner's, its sockets'
_log = logging.getLogger(__name__)


class Arm:
    """A Franka arm at `hostname`, `with Arm(...) as arm`.

    execute: whether anything may move; speed: share of the arm's limits that no path may exceed.
    Raises RobotError when no controller answers there, or when it is in an error and `recover` is
    not asked for. `commands`: how many were given so far.
    """

    def __init__(self, hostname, execute=False, speed=REAL_SPEED, recover=False):
        self.hostname, self.execute, self.speed, self.commands = hostname, execute, speed, 0
        self._say("connect", hostname=hostname, execute=execute, speed=speed)
        try:
            self._robot, self._hand = _bounded(_CONNECT, lambda: _connect(hostname))
        except _FAILURES as error:
            raise RobotError(f"{hostname}: no controller answers ({_reason(error)})") from error
        errors = self._errors("connect")
        if errors and recover:
            self.recover()
        elif errors:
            raise RobotError(
                f"{hostname}: the arm is in an error ({errors}); see to it, then allow recovery"
            )
        self._ask(
            "set the reflexes",
            lambda: self._robot.set_collision_behavior(REFLEX_TORQUES, REFLEX_WRENCH),
        )

    @property
    def q(self):
        """Joint angles (7,) at which the controller holds the arm, rad: where its next motion
        starts. Raises RobotError when the controller is gone.
        """
        return self._call("read the state", lambda: np.array(self._robot.state.q_d, float))

    @property
    def pose(self):
        """`base_T_hand` (4, 4) as measured."""
        return fr3.forward(
            self._call("read the state", lambda: np.array(self._robot.state.q, float))
        )

    @property
    def width(self):
        """Metres between the hand's pads."""
        return self._call("read the hand's state", lambda: float(self._hand.width))

    def run(self, path, contact=False):
        """Move along a checked path and come to rest at its end; with `contact`, stop where
        something is touched.

        Returns whether it ended by a contact. Raises RobotError when the path was not checked,
        starts elsewhere or is too fast (nothing is sent then), when the motion is aborted, when the
        arm does not arrive, or when the controller is gone.
        """
        if not paths.passed(path):
            raise RobotError(f"{path.what}: refused: the path was not checked against a scene")
        if not self.execute:
            raise RobotError(
                f"{path.what}: refused: this arm may not move unless --execute is given"
            )
        if path.acceleration > self.speed:
            raise RobotError(
                f"{path.what}: refused: speed {path.acceleration}, expected at most {self.speed}"
            )
        beside = np.abs(self.q - path.start).max()
        if beside > _START:
            raise RobotError(
                f"{path.what}: refused: it starts {beside:.3f} rad beside the arm, expected at most"
                f" {_START}"
            )
        waypoints = [waypoint.q.round(4).tolist() for waypoint in path.waypoints]
        self._say("move", what=path.what, speed=path.speed, waypoints=waypoints)
        share = franky.RelativeDynamicsFactor(path.speed, path.acceleration, path.acceleration)
        command = franky.JointWaypointMotion(
            [_waypoint(waypoint) for waypoint in path.waypoints], relative_dynamics_factor=share
        )
        touched = threading.Event()
        if contact:
            squared = (
                franky.Measure.FORCE_X**2 + franky.Measure.FORCE_Y**2 + franky.Measure.FORCE_Z**2
            )
            reaction = franky.JointPositionReaction(
                squared > CONTACT_FORCE**2, franky.JointStopMotion()
            )
            reaction.register_callback(lambda *_: touched.set())
            command.add_reaction(reaction)
        try:
            self._follow(path, command)
            return self._settle(path, touched)
        except BaseException:
            self.stop()
            raise

    def open(self, speed=0.05):
        """Open the hand. Raises RobotError when it does not open or the controller is gone."""
        self._move_hand("open the hand", lambda: self._hand.move_async(MAX_OPENING, speed))
        width = self.width
        if width < _OPEN:
            raise RobotError(
                f"open the hand: it stands at {width:.3f} m, expected at least {_OPEN:.3f}"
            )

    def grasp(self, force=20.0, speed=0.05):
        """Close the hand until it presses with `force` (N, of each finger); returns the width (m)
        at which it came to rest.

        Raises RobotError for a force beyond 0 to `MAX_FORCE`, when the hand does not finish, or
        when the controller is gone.
        """
        if not 0 < force <= MAX_FORCE:
            raise RobotError(
                f"gripper force {force} N, expected more than 0 and at most {MAX_FORCE:.0f}"
            )
        self._move_hand(
            "close the hand",
            lambda: self._hand.grasp_async(
                0.0, speed, force, epsilon_inner=0.01, epsilon_outer=MAX_OPENING
            ),
            force=force,
        )
        return self.width

    def recover(self):
        """Recover from errors, as after a reflex. Raises RobotError where that does not help."""
        self._say("recover")
        self._ask("recover", lambda: self._robot.recover_from_errors())
        end = self._time("recover") + _SETTLE
        while errors := self._errors("recover"):  # the state may be older than the recovery
            if self._time("recover") > end:
                raise RobotError(f"{self.hostname}: the errors remain ({errors})")
            time.sleep(_POLL)

    def wait(self, seconds):
        """Let seconds pass by the controller's clock, the arm standing still. Raises RobotError
        when the controller is gone.
        """
        end = self._time("wait") + seconds
        while self._time("wait") < end:
            time.sleep(_POLL)

    def stop(self):
        """Stop arm and hand; raises no RobotError: what cannot be reached is not moving by our
        command.
        """
        self._say("stop")
        for what, stop in (
            ("stop the arm", lambda: _halt(self._robot)),
            ("stop the hand", lambda: self._hand.stop()),
        ):
            try:
                self._ask(what, stop)
            except RobotError as error:
                _log.warning("%s", error)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.execute:
            self.stop()
        self._robot = self._hand = (
            None  # lets go of the controller, which takes one client at a time
        )

    def _follow(self, path, command):
        """Send a motion and wait until it is over."""
        end = self._time(path.what) + 3 * paths.duration(path) + 5
        self._call(path.what, lambda: self._robot.move(command, asynchronous=True))
        while self._robot.is_in_control:  # franky's own waiting would keep Ctrl-C to itself
            if self._time(path.what) > end:
                raise RobotError(
                    f"{path.what}: not over after three times its {paths.duration(path):.1f} s;"
                    " stopped"
                )
            time.sleep(_POLL)
        self._call(path.what, lambda: self._robot.join_motion())

    def _settle(self, path, touched):
        """Wait until the arm rests; whether a contact, the threading.Event `touched`, stopped it
        before the path's end.
        """
        end = self._time(path.what) + _SETTLE
        while True:
            state = self._call(path.what, lambda: self._robot.state)
            beside = np.abs(np.array(state.q) - path.end).max()
            resting = np.abs(np.array(state.dq)).max() < 0.01
            if resting and beside < _ARRIVED:
                return False
            if state.time.to_sec() > end:
                if touched.is_set():
                    return True
                raise RobotError(
                    f"{path.what}: the arm stands {beside:.3f} rad beside the end of its path,"
                    f" expected {_ARRIVED}"
                )
            time.sleep(_POLL)

    def _move_hand(self, what, command, **details):
        if not self.execute:
            raise RobotError(f"{what}: refused: this arm may not move unless --execute is given")
        self._say(what, **details)
        end = self._time(what) + _HAND_TIME
        try:
            future = self._ask(what, command)
            while not self._call(what, lambda: future.wait(0.0)):
                if self._time(what) > end:
                    raise RobotError(f"{what}: not over after {_HAND_TIME:.0f} s; stopped")
                self._call(
                    what, lambda: self._hand.state
                )  # waits for the next: a hand that is gone sends none and ends nothing
                time.sleep(_POLL)
            self._call(what, lambda: _result(future))
        except BaseException:
            self.stop()
            raise

    def _time(self, what):
        """Seconds by the controller's clock, which a simulation on a busy machine runs slower than
        ours.
        """
        return self._call(what, lambda: self._robot.state.time.to_sec())

    def _errors(self, what):
        """The errors that the arm is in, as text, None without any."""
        return self._call(
            what, lambda: str(self._robot.state.current_errors) if self._robot.has_errors else None
        )

    def _say(self, command, **details):
        self.commands += 1
        _log.info("%s %s", command, details)

    def _ask(self, what, function):
        """As `_call`, of what waits for the controller's answer."""
        return self._call(what, lambda: _bounded(_ANSWER, function))

    def _call(self, what, function):
        """The result of a call of franky's, its exceptions as RobotErrors, whose tracebacks do not
        hold the connection.
        """
        try:
            return function()
        except _FAILURES as error:
            gone = isinstance(
                error, franky.NetworkException | TimeoutError
            ) or "Net Exception" in str(error)
            told = (
                f"the controller at {self.hostname} is gone ({_reason(error)})"
                if gone
                else _reason(error)
            )
            raise RobotError(f"{what}: {told}") from error


def _connect(hostname):
    return franky.Robot(hostname, realtime_config=franky.RealtimeConfig.Ignore), franky.Gripper(
        hostname
    )


def _halt(robot):
    robot.stop()
    with contextlib.suppress(
        franky.ControlException
    ):  # that it was stopped, which the next motion would be told otherwise
        robot.join_motion(1.0)


def _bounded(seconds, function):
    """The result of a function, TimeoutError when it takes longer: a controller that falls silent
    is waited for for ever.
    """
    answer = []

    def work():
        try:
            answer.append((function(), None))
        except Exception as error:
            answer.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    result, error = answer.pop()
    try:
        if error is not None:
            raise error
        return result
    finally:
        del error  # its traceback holds this frame, and with it the connection


def _result(future):
    try:
        return future.get()
    except franky.CommandException:
        return False  # closed on nothing, or moved on past: the width tells


def _waypoint(waypoint):
    return franky.JointWaypoint(
        franky.JointState(np.asarray(waypoint.q, float), np.asarray(waypoint.velocity, float))
    )


def _reason(error):
    return " ".join(str(error).split())
