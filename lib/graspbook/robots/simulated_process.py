"""A simulated device in a process of its own, and the line to it for what no real device gives."""

import contextlib
import multiprocessing
from collections.abc import Callable
from typing import Any, Self

from graspbook.errors import RobotError


class SimulatedProcess:
    """A process that runs until it is closed, as a context manager.

    name: of the device, in messages.
    serve: runs in the process, with its end of the line first. It sends one value when it is ready.
        Then it answers questions, tuples of a name and arguments, until the name is "close".
    arguments: of `serve`, after the line; picklable.
    timeout: seconds in which it must start.

    Attributes. ready: the value that came when it was ready.

    Raises RobotError when it does not start.
    """

    def __init__(
        self, name: str, serve: Callable[..., object], arguments: tuple[Any, ...], timeout: float
    ) -> None:
        # Spawned: a fork would share the parent's threads and sockets.
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._line, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, *arguments), daemon=True)
        self._process.start()
        other.close()
        if not self._line.poll(timeout):
            self.close()
            raise RobotError(f"the {name} did not start within {timeout:.0f} s")
        try:
            self.ready = self._line.recv()
        except EOFError:
            self.close()
            raise RobotError(
                f"the {name} did not start (exit status {self._process.exitcode})"
            ) from None

    def close(self) -> None:
        """End the process; what it held is gone."""
        if self._process.is_alive():
            with contextlib.suppress(OSError):
                self._line.send(("close",))
            self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, *question: Any) -> Any:
        """The process's answer to a question. Raises RobotError when it is gone."""
        try:
            self._line.send(question)
            if self._line.poll(10):
                return self._line.recv()
        except (EOFError, OSError):
            pass
        raise RobotError(f"the {self._name} is gone")
