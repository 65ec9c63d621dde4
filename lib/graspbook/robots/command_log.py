"""The log of every command to an arm, written before the command is sent."""

import contextlib
import logging
from pathlib import Path

from graspbook.errors import RobotError


class _LogFile(logging.FileHandler):
    """A log whose folder, too, is made with the first command, and which lets no command but "stop"
    pass that it cannot write.
    """

    def _open(self):
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def emit(self, record):
        try:
            super().emit(record)
        except OSError as error:
            if record.levelno == logging.INFO and not record.getMessage().startswith("stop"):
                told = f"cannot write {self.baseFilename}: {error.strerror}"
                raise RobotError(f"{told}; a command that cannot be logged is not sent") from error

    def handleError(self, record):
        raise  # what `emit` of the base class has caught


class command_log:
    """Within `with`, every command to an arm is written to a file, with its time; RobotError,
    before it is sent, where it cannot be, but for one to stop, which is sent all the same.
    """

    def __init__(self, path: Path | str) -> None:
        self._path, self._logger = Path(path), logging.getLogger("graspbook.robots.arm")

    def __enter__(self) -> None:
        self._handler = _LogFile(self._path, delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._level, self._passes_on = self._logger.level, self._logger.propagate
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)
        self._logger.propagate = self._passes_on
        with contextlib.suppress(OSError):  # what could not be written has been told
            self._handler.close()
