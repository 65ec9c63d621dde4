"""The files that captures come in, one reader per kind: arrays by the names of the file."""

import json
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.images import SUFFIXES as IMAGES
from graspbook.perception.images import read_image
from graspbook.perception.pcd import read_pcd
from graspbook.perception.ply import read_ply_points
from graspbook.perception.readable import readable
from graspbook.perception.recordings import SUFFIXES as RECORDINGS
from graspbook.perception.recordings import is_recording, read_recording

_LARGEST = 1_000_000_000  # bytes of arrays in one file
_HEADER_LINES = 30  # of a text file, at most, before its numbers


def read_arrays(
    path: Path | str, notes: list[str] | None = None, *, topic: str | None = None
) -> dict[str, np.ndarray]:
    """Read the arrays of a capture file by the names that they have there.

    path: of one of SUFFIXES, or the folder of a ROS 2 recording.
    notes: gets which frame of a recording is taken.
    topic: of a recording with several.

    Raises CaptureError when the file is missing, unreadable or of another kind.
    """
    path = Path(path)
    if is_recording(path):
        return read_recording(path, [] if notes is None else notes, topic)
    if topic is not None:
        raise CaptureError(f"{path}: --topic {topic} is for recordings ({' '.join(RECORDINGS)})")
    with readable(path, "capture file", suffixes=SUFFIXES):
        try:
            return _READERS[path.suffix.lower()](path)
        except ValueError as error:
            if "pickle" in str(error).lower() and path.suffix.lower() in (".npy", ".npz"):
                raise ValueError(_pickle_advice(path)) from error
            raise


def read_numbers(path: Path | str) -> np.ndarray:
    """Read the numbers of a small .txt, .json or .npy file, in the shape that they have there.

    path: of the file.

    Raises CaptureError when it is missing, unreadable or of another kind.
    """
    path = Path(path)
    with readable(path, "file"):
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path), float)
        if path.suffix.lower() == ".json":
            return np.asarray(json.loads(path.read_text(encoding="utf-8")), float)
        text = path.read_text(encoding="utf-8").replace(",", " ")
        return np.loadtxt(text.splitlines())


def _pickle_advice(path):
    """What to do about Python objects in a file; no pickle is ever loaded here."""
    new = shlex.quote(str(path.with_name(path.stem + "_arrays.npz")))
    old = shlex.quote(str(path))
    return (
        "it holds pickled Python objects, which can run any code when they are loaded. If you"
        " trust its origin, convert it once: python -c 'import sys, numpy as n;"
        ' d = n.load(sys.argv[1], allow_pickle=True, encoding="latin1");'
        ' n.savez(sys.argv[2], **(d.item() if getattr(d, "ndim", 1) == 0 else dict(d)))\''
        f" {old} {new}"
    )


def _read_npz(path):
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _LARGEST:
        raise CaptureError(f"{path}: its arrays have {size} bytes, expected at most {_LARGEST}")
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _read_npy(path):
    stored = np.load(path)
    if not isinstance(stored, np.ndarray):  # an archive under the name of an array
        with stored:
            return _read_npz(path)
    shape = stored.shape
    flat = stored.ndim == 2 and min(shape) > 12
    if flat or (stored.ndim == 3 and 1 in (shape[0], shape[2]) and shape[2] not in (3, 4, 6)):
        return {"depth": stored}
    return {"points": stored}


def _read_text(path):
    """Numbers in columns, after lines of a header; columns named x, y and z are taken."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        names, numbers, before = [], [], 0
        for line in lines:
            words = line.replace(",", " ").replace(";", " ").split()
            try:
                numbers = [float(word) for word in words]
            except ValueError:
                names, numbers = [word.strip("#/\"'").lower() for word in words], []
            if len(numbers) >= 3:
                break
            before += 1
            if before > _HEADER_LINES:
                break
    if len(numbers) < 3:
        raise CaptureError(f"{path}: no numbers x y z were read, expected three or more per line")
    delimiter = "," if "," in line else ";" if ";" in line else None
    table = np.loadtxt(path, delimiter=delimiter, skiprows=before, ndmin=2, comments=("#", "//"))
    names = [name for name in names if name]
    if {"x", "y", "z"} <= set(names) and len(names) == table.shape[1]:
        table = table[:, [names.index(axis) for axis in "xyz"]]
    return {"points": table}


def _read_picture(path):
    return {"depth": read_image(path)}


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".ply": read_ply_points,
    ".pcd": read_pcd,
    **dict.fromkeys((".xyz", ".txt", ".pts", ".asc", ".csv"), _read_text),
    **dict.fromkeys(IMAGES, _read_picture),
}
SUFFIXES = (*_READERS, *RECORDINGS)
