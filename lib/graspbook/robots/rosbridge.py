"""The line to a ROS machine: a client of rosbridge, its failures RobotErrors.

rosbridge carries the topics of ROS as JSON over a websocket. The client is roslibpy, which is
imported here alone. By itself, roslibpy connects again after a loss and then sends what has waited.
A hand must not move that late. So a line that is lost stays lost here, and nothing more is sent.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from graspbook.errors import RobotError
from graspbook.extras import require

_REACH = 3.0  # seconds in which the machine accepts a connection
_CONNECT = 5.0  # and in which rosbridge answers
_CLOSE = 2.0


class RosBridge:
    """A connection to a rosbridge server.

    host, port: where it listens.

    Attributes. address: host and port, as errors name them.

    Raises RobotError where nobody listens, and where the server is no rosbridge.
    """

    def __init__(self, host: str, port: int) -> None:
        require("robot", "roslibpy")
        import roslibpy

        self.address = f"{host}:{port}"
        self._gone, self._complaint = threading.Event(), ""
        self._topics: dict[str, Any] = {}
        self._library = roslibpy
        # A numeric address: twisted looks names up in threads that keep the program alive.
        self._ros = roslibpy.Ros(_reached(host, port), port)
        self._ros.on("close", self._lost)
        self._ros.factory.on_ready(self._opened)
        try:
            self._ros.run(_CONNECT)
        except TimeoutError as error:
            self._ros.call_later(0, self._ros.factory.stopTrying)
            raise RobotError(
                f"{self.address}: what listens there does not answer as a rosbridge, expected its"
                " websocket (port 9090 by default)"
            ) from error

    def subscribe(self, topic: str, kind: str, take: Callable[[dict[str, Any]], None]) -> None:
        """Have a function called with every message of a topic, in another thread.

        topic: its name in ROS.
        kind: its message type, as `sensor_msgs/JointState`.
        take: receives the message's fields by name.
        """
        self._topic(topic, kind).subscribe(take)

    def advertise(self, topic: str, kind: str) -> None:
        """Announce messages on a topic, so that ROS has connected it when they come.

        topic: its name in ROS.
        kind: its message type.
        """
        self._topic(topic, kind).advertise()

    def publish(self, what: str, topic: str, message: dict[str, Any]) -> None:
        """Send a message on a topic that was advertised.

        what: the message's name in errors.
        topic: its name in ROS.
        message: the fields by name.

        Raises RobotError where the line is lost.
        """
        self._hold(what)
        self._topics[topic].publish(self._library.Message(message))

    def check(self, what: str) -> None:
        """Check that the line holds, and that the server sent no error since the last check.

        what: what is being done, for errors.

        Raises RobotError.
        """
        self._hold(what)
        complaint, self._complaint = self._complaint, ""
        if complaint:
            raise RobotError(f"{what}: the rosbridge at {self.address} refuses: {complaint}")

    def close(self) -> None:
        """Close the line after what was published has been sent."""
        if not self._gone.is_set():
            with contextlib.suppress(TimeoutError):
                self._ros.close(_CLOSE)
            self._gone.wait(_CLOSE)

    def _hold(self, what):
        if self._gone.is_set():
            raise RobotError(f"{what}: the rosbridge at {self.address} is gone")

    def _topic(self, name, kind):
        topic = self._library.Topic(self._ros, name, kind, reconnect_on_close=False)
        return self._topics.setdefault(name, topic)

    def _lost(self, _):
        """Called in the client's thread, before it would try again."""
        self._gone.set()
        self._ros.factory.stopTrying()

    def _opened(self, protocol):
        protocol.transport.setTcpNoDelay(True)  # else a command may wait 40 ms
        # roslibpy has no handler for errors, and no public way to add one.
        protocol._message_handlers["status"] = self._complain

    def _complain(self, message):
        if message.get("level") == "error":
            self._complaint = " ".join(str(message.get("msg")).split())


def _reached(host, port):
    """The address in numbers of a host that accepts a connection; RobotError without one."""
    try:
        address = socket.gethostbyname(host)
        socket.create_connection((address, port), _REACH).close()
    except (OSError, UnicodeError, OverflowError) as error:
        raise RobotError(
            f"{host}:{port}: no rosbridge listens there ({error}); start it on the hand's machine"
        ) from error
    return address
