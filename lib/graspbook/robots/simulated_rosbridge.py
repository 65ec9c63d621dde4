"""The simulated Shadow Hand's rosbridge: the part of its protocol, version 2, that clients use.

Messages are JSON objects over a websocket on loopback, each with an `op`. What cannot be done is
answered by a `status` of level `error`, as rosbridge does. The server runs in twisted's loop, in a
process of its own. Source: the protocol's specification in rosbridge_suite.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor

_KEPT = 1000  # messages
_OPERATIONS = "advertise", "unadvertise", "publish", "subscribe", "unsubscribe", "call_service"


class _Client(WebSocketServerProtocol):
    """One client's connection."""

    def __init__(self):
        super().__init__()
        self.advertised, self.subscribed = set(), set()

    def onOpen(self):
        self.transport.setTcpNoDelay(True)  # else states wait up to 40 ms, then come together
        self.factory.clients.add(self)

    def onClose(self, *_):
        self.factory.clients.discard(self)

    def onMessage(self, payload, *_):
        text = payload.decode()
        self.factory.received.append(text)
        try:
            message = json.loads(text)
            if message["op"] not in _OPERATIONS:
                raise ValueError(f"op {message['op']!r}, expected one of {', '.join(_OPERATIONS)}")
            getattr(self, f"_{message['op']}")(message)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            self.send(op="status", level="error", msg=f"{type(error).__name__}: {error}")

    def send(self, **message):
        self.sendMessage(json.dumps(message).encode())

    def _advertise(self, message):
        self._known(message)
        self.advertised.add(message["topic"])

    def _unadvertise(self, message):
        self.advertised.discard(message["topic"])

    def _subscribe(self, message):
        self._known(message)
        self.subscribed.add(message["topic"])

    def _unsubscribe(self, message):
        self.subscribed.discard(message["topic"])

    def _publish(self, message):
        topic = message["topic"]
        if topic not in self.advertised or topic not in self.factory.takes:
            raise ValueError(f"{topic} was not advertised, or takes no messages")
        self.factory.takes[topic](message["msg"])

    def _call_service(self, message):
        found = {"id": message["id"]} if "id" in message else {}
        name, topics = message["service"], self.factory.topics
        if name == "/rosapi/topics":
            values = {"topics": list(topics), "types": list(topics.values())}
        else:
            values = f"Service {name} does not exist"
        done = not isinstance(values, str)
        self.send(op="service_response", service=name, values=values, result=done, **found)

    def _known(self, message):
        topic, kind = message["topic"], message.get("type")
        expected = self.factory.topics.get(topic)
        if kind not in (None, expected):
            raise ValueError(f"{topic} is of type {expected}, not {kind}")


class Server(WebSocketServerFactory):
    """A rosbridge on a free port of loopback, which listens while twisted's loop runs.

    topics: their types by name.
    takes: functions by topic, for those that clients may publish on. Each gets a message's fields,
        and raises ValueError for what it cannot follow.

    Attributes. port: where it listens. received: the last messages that came, as JSON texts.
    """

    protocol = _Client

    def __init__(
        self,
        topics: Mapping[str, str],
        takes: Mapping[str, Callable[[dict[str, Any]], None]],
    ) -> None:
        super().__init__()
        self.topics, self.takes = dict(topics), dict(takes)
        self.clients: set[Any] = set()
        self.received: deque[str] = deque(maxlen=_KEPT)
        loop: Any = reactor  # a module that becomes an object
        self.port = loop.listenTCP(0, self, interface="127.0.0.1").getHost().port

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Send a message to all clients that subscribe to its topic.

        topic: its name.
        message: the fields by name.
        """
        for client in self.clients:
            if topic in client.subscribed and client.state == client.STATE_OPEN:
                client.send(op="publish", topic=topic, msg=message)

    def drop(self) -> None:
        """End all connections, without a word."""
        for client in list(self.clients):
            client.transport.abortConnection()
