"""The real client of Universal Robots' controllers, ur_rtde, in a process of its own.

A line that is lost makes ur_rtde wait for ever with the interpreter's lock held, or end its
process. So it runs in another process, which sends a stream of joint angles by itself. `UrLine` is
the line to that process. When the process ends or falls silent, the stream ends, and the arm comes
to rest at the last angles that were sent.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from graspbook.errors import RobotError
from graspbook.extras import require

CYCLE = 0.008  # seconds between two joint angles of a stream: a cycle of a CB3, four of an e-Series
LOOKAHEAD, GAIN = 0.05, 300.0  # of servoj: seconds, and the controller's usual number
STOPPING = 2.0  # m/s2 of the tool and rad/s2, with which the arm is stopped
_PORT, _DIAL = 30004, 3.0  # seconds in which a controller takes up a connection
_CONNECT, _ANSWER = 30.0, 3.0  # and in which the client's process connects, and answers
_POLL = 0.001
_SILENT = 0.5  # seconds without a new state after which the line counts as lost
_PLAYING = 2  # runtime_state
_STATE = ["timestamp", "actual_q", "actual_qd", "robot_mode", "runtime_state", "safety_status_bits"]
# Bits of safety_status_bits and what they mean; the first that is set counts.
_STOPS = {
    6: "emergency stop",
    5: "emergency stop",
    7: "emergency stop",
    2: "protective stop",
    4: "safeguard stop",
    8: "safety violation",
    9: "safety fault",
}


class State(NamedTuple):
    """What the controller says.

    time: its clock, seconds.
    q, qd: joint angles and speeds (6,), rad and rad/s.
    stop: why the arm was stopped for safety, None if it was not.
    playing: whether its program runs.
    left: how many joint angles of the stream are not sent yet.
    """

    time: float
    q: np.ndarray
    qd: np.ndarray
    stop: str | None
    playing: bool
    left: int


class UrLine:
    """The line to a controller, through ur_rtde in another process.

    hostname: its address.
    recover: release a protective stop first.

    Raises RobotError when nobody listens there, when the arm is stopped for safety, or when it
    takes no program.
    """

    def __init__(self, hostname: str, *, recover: bool = False) -> None:
        require("robot", "rtde_control", "rtde_receive", "dashboard_client")
        self.hostname, self._asked = hostname, 0
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, hostname, recover), daemon=True)
        self._process.start()
        other.close()
        try:
            answer = self._line.recv() if self._line.poll(_CONNECT) else "no answer"
        except EOFError:
            answer = "the line was lost"
        if answer is not None:
            self.close()
            raise RobotError(f"{hostname}: {answer}")

    def ask(self, what: str, name: str, *arguments: Any) -> Any:
        """The answer of the client's process. Raises RobotError when the controller is gone.

        what: the question's purpose, in messages.
        name: "state", "stream" or "stop".
        arguments: of the question.
        """
        self._asked += 1
        with contextlib.suppress(EOFError, OSError):
            self._line.send((self._asked, name, *arguments))
            while self._line.poll(_ANSWER):
                number, answer = self._line.recv()
                if number == self._asked:  # Ctrl-C may have left an earlier answer behind
                    return answer
        self._end()
        raise RobotError(f"{what}: the controller at {self.hostname} is gone (connection lost)")

    def close(self) -> None:
        """Let go of the controller."""
        with contextlib.suppress(OSError):
            self._line.send((0, "close"))
            self._process.join(_ANSWER)
        self._end()

    def _end(self):
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._line.close()


def _serve(line, hostname, recover):
    """The client's process: connect, then answer and stream until asked to close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's to answer
    sys.stderr = os.fdopen(os.dup(2), "w")  # for an error of ours
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # ur_rtde prints there what `UrLine` raises
    os.dup2(quiet, 2)
    try:
        client = _Client(hostname, recover)
    except (RobotError, RuntimeError, ValueError, OSError) as error:
        line.send(" ".join(str(error).split()))
        return
    line.send(None)
    with contextlib.suppress(EOFError, OSError):
        client.work(line)
    if client.streaming:
        client.stop()
    os._exit(0)  # disconnecting takes a second, and waits for ever where the line is lost


class _Client:
    """ur_rtde's clients of a controller, and the stream."""

    def __init__(self, hostname, recover):
        import rtde_control
        import rtde_receive

        try:
            socket.create_connection((hostname, _PORT), _DIAL).close()
        except OSError as error:
            reason = error.strerror or error
            raise RobotError(f"no UR controller answers at port {_PORT} ({reason})") from error
        self._stream, self.streaming = [], False
        self._receive = rtde_receive.RTDEReceiveInterface(hostname, 1 / CYCLE, _STATE)
        self._seen, self._time, self._sent = time.monotonic(), 0.0, -1.0
        while not self._receive.getTimestamp() and self._alive():
            time.sleep(_POLL)  # until the first state is there
        stop = self._stop_reason()
        if stop == "protective stop" and recover:
            _unlock(hostname)
        elif stop:
            raise RobotError(
                f"the arm is in {stop}; remove its cause, then recover the arm (--recover; after an"
                " emergency stop, on the pendant)"
            )
        try:
            self._control = rtde_control.RTDEControlInterface(hostname)
        except RuntimeError as error:
            if "remote control" not in str(error):
                raise
            raise RobotError(
                "the arm is not in remote control; expected remote control, which is switched on at"
                " the pendant"
            ) from error
        if not self._control.isProgramRunning():
            raise RobotError(
                "no control program runs on the controller; on PolyScope X before 10.11, start its"
                " External Control program at the pendant first"
            )

    def work(self, line):
        """Answer and stream; returns when asked to close or when the line is lost."""
        while self._alive():
            while line.poll():
                number, name, *arguments = line.recv()
                if name == "close":
                    return
                if name == "stream":
                    self._stream = arguments[0].tolist()[::-1]
                if name == "stop":
                    self.stop()
                line.send((number, self._state()))
            # By the controller's clock: whoever is late, the arm waits and no angle is left out.
            if self._stream and self._time > self._sent + 0.9 * CYCLE and self._servo():
                self._stream.pop()
                self._sent = self._time
            time.sleep(_POLL)
        os._exit(1)

    def stop(self):
        """Forget the stream and bring the arm to rest."""
        self._stream.clear()
        if self._alive():
            (self._control.servoStop if self.streaming else self._control.stopJ)(STOPPING)
            self.streaming = False

    def _servo(self):
        """Whether the next joint angles of the stream were sent."""
        if self._stop_reason() or not self._playing():
            return False
        self.streaming = True
        return self._control.servoJ(self._stream[-1], 0.0, 0.0, CYCLE, LOOKAHEAD, GAIN)

    def _alive(self):
        """Whether states arrive."""
        now, stamp = time.monotonic(), self._receive.getTimestamp()
        if stamp != self._time:
            self._seen, self._time = now, stamp
        return self._receive.isConnected() and now - self._seen < _SILENT

    def _playing(self):
        return self._receive.getRuntimeState() == _PLAYING

    def _stop_reason(self):
        bits = self._receive.getSafetyStatusBits()
        return next((name for bit, name in _STOPS.items() if bits >> bit & 1), None)

    def _state(self):
        receive = self._receive
        return State(
            receive.getTimestamp(),
            np.array(receive.getActualQ()),
            np.array(receive.getActualQd()),
            self._stop_reason(),
            self._playing(),
            len(self._stream),
        )


def _unlock(hostname):
    """Release a protective stop, through the dashboard."""
    import dashboard_client

    dashboard = dashboard_client.DashboardClient(hostname)
    dashboard.connect()
    dashboard.closeSafetyPopup()
    dashboard.unlockProtectiveStop()
    dashboard.disconnect()
