"""A right Shadow Hand through rosbridge: it moves through checked joint vectors and nothing else.

The client talks to a real hand's ROS machine or to `simulated_shadow.SimulatedShadow` alike. Every
command goes to the log `graspbook.robots.arm` before it is sent. What goes wrong raises RobotError,
and the hand gets the command to hold still.

On the hardware one tendon moves the last two joints of each finger: J0 = J1 + J2. The hand's
controller takes both values and follows their sum. The finger, and what it touches, share the sum
between the two joints. A vector of our independent joints sets the sum, and only sums are compared.

A path is sent as a whole. If the line is lost, the hand still moves to the end of its path. The
path is slow, within the limits, and ends at rest. Nothing here was run on real hardware.
"""

import logging
import time
from collections.abc import Mapping
from typing import Self

import numpy as np

from graspbook.errors import ParameterError, RobotError
from graspbook.hands.library import load_hand
from graspbook.hands.shadow_names import from_hardware, to_hardware
from graspbook.robots.rosbridge import RosBridge
from graspbook.robots.shadow_messages import (
    COMMAND,
    COMMAND_KIND,
    STATES,
    STATES_KIND,
    JointStates,
    trajectory,
)

PORT = 9090  # rosbridge's default
VELOCITY = 1.0  # rad/s of every joint at full speed, as in Shadow's configuration of MoveIt
SIMULATED_SPEED, REAL_SPEED = 1.0, 0.3  # shares of it
_ARRIVED = 0.1  # rad; the tolerance of Shadow's own controller is 0.4
_STILL, _REST = 0.02, 0.2  # a hand at rest moves by less than this, rad, in so many seconds
_SETTLE = 2.0  # seconds it may take to come to rest
_SHORTEST = 0.1  # seconds of a part of a path
_PEAK = 1.5  # largest speed of a cubic from rest to rest, over its mean speed
_STATES_TIME = 3.0  # seconds in which the first joint states arrive
_POLL = 0.01
_log = logging.getLogger("graspbook.robots.arm.hand")


class ShadowHand:
    """A right Shadow Hand, `with ShadowHand(host) as hand`.

    host, port: where its rosbridge listens.
    execute: whether anything may move.
    speed: share of `VELOCITY` that no joint may exceed, more than 0 and at most 1.

    Attributes. commands: how many were given so far. model: the `Hand`, whose `joints` name every
    joint vector.

    Raises RobotError where no rosbridge listens, no joint states arrive, or joints are missing in
    them.
    """

    def __init__(
        self, host: str, port: int = PORT, *, execute: bool = False, speed: float = REAL_SPEED
    ) -> None:
        if not 0 < speed <= 1:
            raise RobotError(f"the hand's speed is {speed}, expected more than 0 and at most 1")
        self.execute, self.speed, self.model, self.commands = execute, speed, load_hand("shadow"), 0
        self._say("connect the hand", host=host, port=port, execute=execute, speed=speed)
        self._states, self._line = JointStates(), RosBridge(host, port)
        self._sent = None  # the end of the last path, (J,)
        try:
            self._line.subscribe(STATES, STATES_KIND, self._states.take)
            self._line.advertise(COMMAND, COMMAND_KIND)
            self._await_states()
        except BaseException:
            self._line.close()
            raise

    @property
    def joints(self) -> np.ndarray:
        """Joint vector (J,) as measured, rad, in the order of `model.joints`.

        A finger's last two joints count by their sum. The model's coupling gives each its share.
        Raises RobotError where the hand no longer answers, or a value is not finite.
        """
        return self._joints("read the joints")

    @property
    def all_joints(self) -> np.ndarray:
        """Every joint (A,) as measured, rad, in the order of `model.all_joints`.

        Where the hand gives J0 alone, the model's coupling gives each joint its share. Raises
        RobotError as `joints` does.
        """
        named = self._measured("read the joints")
        return np.array([named[joint] for joint in self.model.all_joints])

    def move(
        self, waypoints: Mapping[str, np.ndarray], *, contact: bool = False
    ) -> dict[str, float]:
        """Move through joint vectors, and wait until the hand rests at the last of them.

        The hand comes to rest at each waypoint. No joint of the vectors is faster than `speed`
        allows. The first way is measured from where the joints are and from where they were sent
        last: the longer one counts. A finger's last two joints count as one.

        Two things are checked at the end. The hand rests: no joint moves by more than 0.02 rad in
        0.2 s. It arrived: each joint is within 0.1 rad of its goal. With `contact` only the first
        is checked, because an object in the hand stops joints early. A joint that is stuck looks
        the same then, and is among those returned.

        waypoints: joint vectors (J,) by name, in the order of `model.joints`, rad. Names are what
            errors say, such as `pregrasp`, `grasp` and `squeeze`.
        contact: whether what joints touch may stop them.

        Returns the joints that stopped early: the goal minus the joint's value, rad, by name.

        Raises RobotError, before anything is sent, where the hand may not move, and for values
        that are not finite or outside the limits. Raises RobotError, and stops the hand, where it
        does not arrive or no longer answers, and where its rosbridge is gone.
        """
        what, path = ", ".join(waypoints), self._checked(waypoints)
        times = self._times(self._joints(what), path)
        told = {"times": times.round(3).tolist(), "waypoints": path.round(4).tolist()}
        self._say("move the hand", what=what, **told)
        try:
            self._send(what, path, times)
            return self._settle(what, path[-1], times[-1], contact)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hold the joints where they are; raises no RobotError.

        Where joint states are missing or no numbers, a path without points is sent. The controller
        of ROS 1 then holds the joints where it finds them itself.
        """
        self._say("stop the hand")
        self._sent = None
        try:
            points = [self._states.read("stop the hand")]
        except RobotError:
            points = []
        message = trajectory(points, [_SHORTEST] * len(points), ros2=self._states.ros2)
        try:
            self._line.publish("stop the hand", COMMAND, message)
        except RobotError as error:
            _log.warning("%s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None and self.execute:
            self.stop()
        self._line.close()

    def _await_states(self):
        end = time.monotonic() + _STATES_TIME
        while missing := self._states.missing():
            if time.monotonic() > end:
                raise RobotError(f"{self._line.address}: {missing}")
            self._line.check("connect the hand")
            time.sleep(_POLL)

    def _measured(self, what):
        """Values of all joints of our model by name."""
        self._line.check(what)
        return from_hardware(self._states.read(what))

    def _joints(self, what):
        named = self._measured(what)
        for coupled, (source, factor, _) in self.model.coupling.items():
            named[source] = (named[source] + named[coupled]) / (1 + factor)
        return np.array([named[joint] for joint in self.model.joints])

    def _checked(self, waypoints):
        """The joint vectors (N, J), all within the limits, of a hand that may move."""
        if not waypoints:
            raise RobotError("a path without waypoints, expected at least one joint vector")
        if not self.execute:
            raise RobotError(
                f"{', '.join(waypoints)}: refused: this hand may not move unless --execute is given"
            )
        try:
            named = {what: self.model.named(joints) for what, joints in waypoints.items()}
            return np.array([self.model.vector(values, what) for what, values in named.items()])
        except ParameterError as error:
            raise RobotError(f"refused: {error}") from error

    def _times(self, begin, path):
        """Seconds (N,) from the start at which the waypoints (N, J) are reached."""
        before = np.vstack([begin, path[:-1]])
        ways = np.abs(path - before).max(axis=1)
        if self._sent is not None:
            ways[0] = max(ways[0], np.abs(path[0] - self._sent).max())
        return np.cumsum(np.maximum(_PEAK * ways / (self.speed * VELOCITY), _SHORTEST))

    def _send(self, what, path, times):
        points = [
            to_hardware(
                dict(zip(self.model.all_joints, joints, strict=True)), tendons=self._states.tendons
            )
            for joints in self.model.expand(path)
        ]
        self._sent = path[-1]
        message = trajectory(points, times, ros2=self._states.ros2)
        self._line.publish(what, COMMAND, message)

    def _settle(self, what, goal, seconds, contact):
        """Wait until the hand rests after a motion of so many seconds; what `move` returns."""
        # The hand's clock: a simulation on a busy machine is slower than ours.
        begin = since = self._states.time
        last, still = time.monotonic() + 3 * (seconds + _SETTLE), self._joints(what)
        while True:
            joints, now = self._joints(what), self._states.time
            if np.abs(joints - still).max() > _STILL:
                still, since = joints, now
            beside = np.abs(goal - joints)
            if now - begin >= seconds and now - since >= _REST:
                early = {
                    self.model.joints[i]: float(goal[i] - joints[i])
                    for i in np.flatnonzero(beside > _ARRIVED)
                }
                if contact or not early:
                    return early
            if now - begin > seconds + _SETTLE or time.monotonic() > last:
                joint = int(beside.argmax())
                raise RobotError(
                    f"{what}: {self.model.joints[joint]} is {beside[joint]:.3f} rad away from"
                    f" {goal[joint]:.3f}, expected at rest within {_ARRIVED} rad of it; the hand"
                    " was stopped"
                )
            time.sleep(_POLL)

    def _say(self, command, **details):
        self.commands += 1
        _log.info("%s %s", command, details)
