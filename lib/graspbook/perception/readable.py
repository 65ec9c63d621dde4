"""What all readers of small files check first, and how they say what went wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from graspbook.errors import CaptureError


@contextmanager
def readable(
    path: Path, what: str, *, suffixes: Sequence[str] = (), most: int | None = None
) -> Iterator[None]:
    """Check a file; within this context whatever its parser raises becomes one line.

    path: of the file.
    what: what to call it, such as "camera file".
    suffixes: those that it may have; any if empty.
    most: bytes that it may have; any number if None.

    Raises CaptureError when it is missing, of another kind, too large or not readable.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise CaptureError(
            f"{path}: unknown kind of {what} {path.suffix!r}; expected one of {', '.join(suffixes)}"
        )
    if not path.is_file():
        raise CaptureError(f"{path}: no such {what}")
    if most is not None and (size := path.stat().st_size) > most:
        raise CaptureError(f"{path}: {size} bytes, expected a {what} of at most {most} bytes")
    try:
        yield
    except CaptureError:
        raise
    except Exception as error:  # the readers raise whatever their format's parser raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CaptureError(f"{path}: not a readable {path.suffix} file ({reason})") from error
