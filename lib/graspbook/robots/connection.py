"""The line to a Franka controller: franky's clients of arm and hand, their failures RobotErrors.

A controller that falls silent is never waited for for ever.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import franky

from graspbook.errors import RobotError

T = TypeVar("T")
_CONNECT = 20.0  # seconds in which a controller connects
_ANSWER = 5.0  # and answers a command that moves nothing
_STOPS = 3
# RuntimeError: its planner's, its sockets'
_FAILURES = (franky.Exception, franky.GripperException, RuntimeError, TimeoutError)


class Connection:
    """franky's clients of the arm, `robot`, and the hand, `hand`, at an address.

    hostname: of the controller. Raises RobotError when none answers there.
    """

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        try:
            self.robot: Any
            self.hand: Any
            self.robot, self.hand = _bounded(_CONNECT, lambda: _connect(hostname))
        except _FAILURES as error:
            raise RobotError(f"{hostname}: no controller answers ({_reason(error)})") from error

    def call(self, what: str, function: Callable[[], T]) -> T:
        """The result of a call of franky's, its exceptions as RobotErrors.

        what: the call's name in messages.
        function: the call; it takes no arguments.
        """
        try:
            return function()
        except _FAILURES as error:
            silent = isinstance(error, franky.NetworkException | TimeoutError)
            told = _reason(error)
            if silent or "Net Exception" in str(error):
                told = f"the controller at {self.hostname} is gone ({told})"
            raise RobotError(f"{what}: {told}") from error

    def ask(self, what: str, function: Callable[[], T]) -> T:
        """As `call`, of what waits for the controller's answer.

        what: the call's name in messages.
        function: the call; it takes no arguments.
        """
        return self.call(what, lambda: _bounded(_ANSWER, function))

    def time(self, what: str) -> float:
        """Seconds by the controller's clock, which a simulation on a busy machine runs slower than
        ours.

        what: the name in messages of that for which they are read.
        """
        return self.call(what, lambda: self.robot.state.time.to_sec())

    def errors(self, what: str) -> str | None:
        """The errors that the arm is in, as text, None without any.

        what: the name in messages of that for which they are read.
        """

        def told():
            return str(self.robot.state.current_errors) if self.robot.has_errors else None

        return self.call(what, told)

    def halt(self) -> None:
        """Stop the arm, and take note that it was stopped, which its next motion would be told
        otherwise.

        A stop can miss a motion that only begins, which would go on: it is repeated then.
        """
        for _ in range(_STOPS):
            self.robot.stop()
            with contextlib.suppress(franky.ControlException):
                self.robot.join_motion(1.0)
            if not self.robot.is_in_control:
                return

    def close(self) -> None:
        """Let go of the controller, which takes one client at a time."""
        self.robot = self.hand = None


def finished(future: Any) -> bool:
    """Whether the hand did what it was told: not if it closed on nothing or moved on past it, which
    its width tells.

    future: franky's, of a motion of the hand that has begun.
    """
    try:
        return future.get()
    except franky.CommandException:
        return False


def _connect(hostname):
    arm = franky.Robot(hostname, realtime_config=franky.RealtimeConfig.Ignore)
    return arm, franky.Gripper(hostname)


def _bounded(seconds, function):
    """The result of a function, TimeoutError when it takes longer."""
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


def _reason(error):
    return " ".join(str(error).split())
