"""The simulated UR controller's process: its sockets, its clock, and its faults.

It speaks RTDE (port 30004) and the dashboard's protocol (29999), and takes up any script that is
sent (30003). The client has no option for other ports; addresses of this machine are free to choose
on Linux. PolyScope X (version 10) has no dashboard, and before 10.11 takes up no script: there, a
program runs from the start.
"""

import contextlib
import os
import selectors
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from graspbook.errors import RobotError
from graspbook.robots import rtde_protocol as rtde
from graspbook.robots.rtde_protocol import Recipe
from graspbook.robots.simulated_ur_program import EMERGENCY, PLAYING, PROTECTIVE, Program

RTDE, SCRIPT, DASHBOARD = 30004, 30003, 29999
PORTS = RTDE, SCRIPT, DASHBOARD
_BACKLOG = 1 << 16  # bytes for a client that does not read, before data packages are left out
_LATE = 0.004  # seconds that a late controller catches up, no more


@dataclass
class _Client:
    socket: socket.socket
    port: int
    arrived: bytearray = field(default_factory=bytearray)
    waiting: bytearray = field(default_factory=bytearray)
    output: Recipe | None = None
    inputs: list[Recipe] = field(default_factory=list)
    started: bool = False
    every: int = 1  # cycles from one state to the next


class Server:
    """The sockets of a controller at an address; `with Server(...) as server`.

    host: address.
    program: what it does.
    polyscope: version, two numbers.
    remote: whether it is in remote control.

    Raises RobotError when a port is taken.
    """

    def __init__(
        self, host: str, program: Program, polyscope: tuple[int, int], *, remote: bool = True
    ) -> None:
        self.program, self.polyscope, self.remote = program, polyscope, remote
        self.cycle = 1 / 125 if polyscope[0] < 5 else 1 / 500
        self._selector, self._cycles = selectors.DefaultSelector(), 0
        self._listeners: list[socket.socket] = []
        self._clients: list[_Client] = []
        for port in PORTS[: 2 if polyscope[0] >= 10 else 3]:
            try:
                listener = socket.create_server((host, port))
            except OSError as error:
                self.__exit__()
                reason = os.strerror(error.errno or 0)
                raise RobotError(
                    f"{host}:{port} cannot be used ({reason}); expected a free port, as the UR"
                    " client knows no other: end what uses it, or choose another address"
                ) from error
            listener.settimeout(0)
            self._selector.register(listener, selectors.EVENT_READ, port)
            self._listeners.append(listener)

    def serve(self, seconds: float) -> None:
        """Answer what arrives.

        seconds: how long.
        """
        end = time.perf_counter() + seconds
        while True:
            left = end - time.perf_counter()
            for key, _ in self._selector.select(max(left, 0.0)):
                if isinstance(key.data, _Client):
                    self._read(key.data)
                else:
                    self._accept(key.fileobj, key.data)
            if left <= 0:
                return

    def send_state(self) -> None:
        """Send a data package to every client that has started to listen."""
        state, self._cycles = self.program.state(), self._cycles + 1
        for client in list(self._clients):
            if client.output is None or not client.started or self._cycles % client.every:
                continue
            if len(client.waiting) < _BACKLOG:
                self._send(client, rtde.package(rtde.DATA, b"\x01" + client.output.pack(state)))

    def drop(self) -> None:
        """Close the connection to every client."""
        for client in list(self._clients):
            self._close(client)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def _accept(self, listener, port):
        connection, _ = listener.accept()
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(connection, port)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)
        if port == DASHBOARD:
            self._send(client, b"Connected: Universal Robots Dashboard Server\n")

    def _close(self, client):
        self._clients.remove(client)
        self._selector.unregister(client.socket)
        client.socket.close()

    def _send(self, client, data):
        client.waiting += data
        try:
            del client.waiting[: client.socket.send(client.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._close(client)

    def _read(self, client):
        try:
            data = client.socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._close(client)
            return
        client.arrived += data
        if client.port == SCRIPT:
            if client.arrived.endswith(b"\nend\n"):  # a whole function
                client.arrived.clear()
                self.program.start()
        elif client.port == DASHBOARD:
            *lines, rest = client.arrived.split(b"\n")
            client.arrived = bytearray(rest)
            for line in lines:
                self._send(client, f"{self._reply(line.decode().strip())}\n".encode())
        else:
            for kind, content in rtde.split(client.arrived):
                self._answer(client, kind, content)

    def _answer(self, client, kind, content):
        """Answer a package of RTDE."""
        if kind == rtde.VERSION:
            answer = b"\x01"
        elif kind == rtde.CONTROLLER:
            answer = struct.pack(">4I", *self.polyscope, 0, 0)
        elif kind == rtde.OUTPUTS:
            (rate,) = struct.unpack_from(">d", content)
            client.every = max(1, round(1 / (rate * self.cycle)))
            client.output = Recipe(content[8:].decode())
            answer = b"\x01" + rtde.text(client.output.types)
        elif kind == rtde.INPUTS:
            client.inputs.append(Recipe(content.decode()))
            answer = bytes([len(client.inputs)]) + rtde.text(client.inputs[-1].types)
        elif kind in (rtde.START, rtde.PAUSE):
            client.started = kind == rtde.START and client.output is not None
            answer = bytes([client.started == (kind == rtde.START)])
        else:
            if kind == rtde.DATA:
                self.program.receive(client.inputs[content[0] - 1].unpack(content[1:]))
            return
        self._send(client, rtde.package(kind, answer))

    def _reply(self, line):
        """The dashboard's answer to a line."""
        program = self.program
        playing = program.runtime == PLAYING
        if line == "stop":
            program.stop()
            return "Stopped"
        if line == "unlock protective stop":
            there = program.unlock()
            return "Protective stop releasing" if there else "There is no protective stop"
        version = ".".join(map(str, self.polyscope))
        return {
            "PolyscopeVersion": f"URSoftware {version}.0.0 (simulated)",
            "get serial number": "20000000000",
            "get robot model": program.arm.name,
            "is in remote control": str(self.remote).lower(),
            "robotmode": f"Robotmode: {'POWER_OFF' if program.safety == EMERGENCY else 'RUNNING'}",
            "safetystatus": f"Safetystatus: {program.safety}",
            "programState": f"{'PLAYING' if playing else 'STOPPED'} rtde_control",
            "running": f"Program running: {str(playing).lower()}",
            "close safety popup": "closing safety popup",
        }.get(line, f"could not understand: '{line}'")


def run(
    line: Connection,
    hosts: list[str],
    program: Program,
    polyscope: tuple[int, int],
    remote: bool,
) -> None:
    """Be the controller, until asked to close or until nobody listens any more.

    line: a multiprocessing connection for questions and faults.
    hosts: addresses; the first one that is free is taken.
    program: what the controller does.
    polyscope: version, two numbers.
    remote: whether it is in remote control.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to answer
    for host in hosts:
        try:
            server = Server(host, program, polyscope, remote=remote)
            break
        except RobotError as error:
            refusal = error
    else:
        line.send(refusal)
        return
    with server, contextlib.suppress(EOFError, OSError):  # whoever asked is gone
        line.send(host)
        faults, due = [], time.perf_counter()
        while True:
            while line.poll():
                name, *arguments = line.recv()
                if name == "close":
                    return
                if name == "inject":
                    kind, motion, after = arguments
                    faults.append((kind, program.motions + motion, after))
                line.send({"truth": (program.q, program.qd), "commands": program.counts}.get(name))
            faults = [fault for fault in faults if not _make(fault, server)]
            program.advance(server.cycle)
            server.send_state()
            due = max(due + server.cycle, time.perf_counter() - _LATE)
            server.serve(due - time.perf_counter())


def _make(fault, server):
    """Whether the moment of a fault has come, and then make it."""
    kind, motion, after = fault
    program = server.program
    if program.motions < motion or motion > 0 and program.moving_for < after:
        return False
    if kind == "die":
        os._exit(1)
    if kind == "drop":
        server.drop()
    if kind == "silent":
        server.send_state = lambda: None
    if kind in ("protective", "emergency"):
        program.fall(PROTECTIVE if kind == "protective" else EMERGENCY)
    return True
