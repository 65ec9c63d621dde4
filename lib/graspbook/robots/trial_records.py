"""Records of trials: one JSON line each, appended whole, so that a run that was killed goes on at
the next trial.
"""

import errno
import json
import os
from itertools import count
from pathlib import Path

import numpy as np

from graspbook.errors import OtherTrialsError, OutputError
from graspbook.storage import check_writable

OUTCOMES = ("success", "grasp failed", "no feasible grasp", "fault")
STAGES = (
    "look",
    "perceive",
    "predict",
    "plan",
    "approach",
    "close",
    "lift",
    "hold",
    "put_back",
    "total",
)
GRASPS = ("predicted", "clear", "reachable", "tried")
_REMEDY = "remove the line, and its trial runs again"


def _is_text(value):
    return isinstance(value, str) and value != ""


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pose(value):
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(
            isinstance(row, list) and len(row) == 4 and all(map(_is_number, row)) for row in value
        )
    )


def _are_counts(value):
    return (
        isinstance(value, dict)
        and set(value) == set(GRASPS)
        and all(map(_is_count, value.values()))
    )


def _are_times(value):
    return (
        isinstance(value, dict)
        and set(value) <= set(STAGES)
        and all(
            seconds is None or (_is_number(seconds) and seconds >= 0) for seconds in value.values()
        )
    )


def _or_none(is_right):
    return lambda value: value is None or is_right(value)


_TEXT, _TEXT_OR_NULL, _COUNT = (
    (_is_text, "text"),
    (_or_none(_is_text), "text or null"),
    (_is_count, "a whole number from 0"),
)
_NUMBER_OR_NULL = (_or_none(_is_number), "a number or null")
_POSE_OR_NULL = (_or_none(_is_pose), "a pose of 4 x 4 numbers or null")
_EXPECTED = {
    "object": _TEXT,
    "category": _TEXT,
    "pose": _COUNT,
    "method": _TEXT,
    "network": _TEXT_OR_NULL,
    "seed": _COUNT,
    "outcome": (lambda value: value in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
    "reason": (_or_none(lambda value: isinstance(value, str)), "text or null"),
    "fault": _TEXT_OR_NULL,
    "score": _NUMBER_OR_NULL,
    "rank": (_or_none(_is_count), "a whole number from 0, or null"),
    "scores": (
        lambda value: isinstance(value, list) and all(map(_is_number, value)),
        "a list of numbers",
    ),
    "grasps": (_are_counts, f"whole numbers of {', '.join(GRASPS)}"),
    "times": (_are_times, f"seconds, or null, of some of {', '.join(STAGES)}"),
    "lifted": _NUMBER_OR_NULL,
    "commands": _COUNT,
    "base_T_hand": _POSE_OR_NULL,
    "base_T_object": _POSE_OR_NULL,
    "object_hash": _TEXT,
    "setup": _TEXT,
    "revision": _TEXT_OR_NULL,
}


class TrialRecords:
    """The trials in a file of one JSON line each, and the only way to add one.

    path: the file, made with the first trial; setups: of each method, hash of everything that its
    trials depend on besides their objects, poses and seeds; objects: of each object, hash of its
    shape and mass. Trials of other methods and objects may be in the file. A trial that never began
    is superseded by the next record of it. A last line that a kill cut off is dropped, from the
    file too. Raises OutputError, naming the line, for any other line that is not a trial's record,
    for a trial recorded twice and where the file cannot be written; OtherTrialsError for trials of
    another setup or of another object of that name.
    """

    def __init__(self, path, setups, objects):
        self.path, self._setups, self._objects = Path(path), setups, objects
        check_writable(self.path)
        lines, self._size = _read(self.path)
        for number, record in lines.values():
            complaint = self._foreign(record)
            if complaint:
                raise OtherTrialsError(f"{self.path}, line {number}: {complaint}")
        self._found = {trial: record for trial, (_, record) in lines.items()}
        if self.path.exists() and self.path.stat().st_size > self._size:
            os.truncate(self.path, self._size)

    @property
    def records(self):
        """The trials, a list of dicts in the order of the file."""
        return list(self._found.values())

    def get(self, object, pose, method, seed):
        """The record of that trial, None where there is none."""
        return self._found.get((object, pose, method, seed))

    def done(self, object, pose, method, seed):
        """Whether that trial is recorded and began."""
        record = self.get(object, pose, method, seed)
        return record is not None and begun(record)

    def _foreign(self, record):
        """Why a record is not one of this run's methods and objects, in words; None if it may be."""
        method, name = record["method"], record["object"]
        setup, content = (
            self._setups.get(method, record["setup"]),
            self._objects.get(name, record["object_hash"]),
        )
        if record["setup"] != setup:
            return (
                f"a trial of setup {record['setup']}, expected {setup}, that of {method} in this"
                " run: parameters, weights or code differ"
            )
        if record["object_hash"] != content:
            return (
                f"a trial of another {name} ({record['object_hash']}), expected {content}: its"
                " shape or its mass differs"
            )
        return None

    def append(self, record):
        """Add a trial: one write of a whole line, on the disk when this returns, or none of it.

        record: a dict with the keys of the module's records; numpy numbers and arrays are taken.
        Raises ValueError for what is not a record, is of another setup or object, or is done
        already; OutputError, with the record in its message, where the file cannot be written or
        another run has written to it.
        """
        record = json.loads(json.dumps(record, allow_nan=False, default=_plain))
        complaint = _complaint(record) or self._foreign(record)
        if complaint is None and self.done(*_trial(record)):
            complaint = f"trial {_trial(record)} is recorded already"
        if complaint:
            raise ValueError(f"not a new trial for {self.path}: {complaint}")
        record = {key: record[key] for key in _EXPECTED}
        line = json.dumps(record)
        try:
            self._write(line.encode() + b"\n")
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; the trial that it lacks: {line}"
            ) from error
        self._found.pop(_trial(record), None)
        self._found[_trial(record)] = record

    def _write(self, line):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.fstat(file).st_size != self._size:
                raise OSError(errno.EBUSY, "something else has written to it since this run began")
            try:
                if os.write(file, line) < len(line):  # what a disk does that has room for a part
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file)
            except BaseException:  # Ctrl-C too leaves whole lines
                os.ftruncate(file, self._size)
                raise
            self._size += len(line)
        finally:
            os.close(file)


def read_records(path):
    """The trials in a file, a list of dicts in its order: none where there is no file; the file
    stays as it is.

    A trial that never began and was tried again is left out, and so is a last line without its end:
    a run may be writing it. Raises OutputError, naming the line, as `TrialRecords` does.
    """
    return [record for _, record in _read(Path(path))[0].values()]


def set_aside(path):
    """Rename a file of trials, which others shall begin anew; its new path."""
    path = Path(path)
    moved = next(new for n in count(1) if not (new := path.with_stem(f"{path.stem}_{n}")).exists())
    return path.rename(moved)


def begun(record):
    """Whether a recorded trial came to any stage; else there was no controller, or none that
    answered.
    """
    return any(seconds is not None for seconds in record["times"].values())


def _read(path):
    """(number of line, record) by trial, in the order of the file, and the number of bytes of all
    lines.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    size = data.rfind(b"\n") + 1
    found = {}
    for number, line in enumerate(data[:size].split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise OutputError(f"{path}, line {number}: not JSON ({error}); {_REMEDY}") from error
        complaint = _complaint(record)
        earlier = found.pop(_trial(record), None) if complaint is None else None
        if earlier and begun(earlier[1]):
            complaint = f"the trial of line {earlier[0]} again"
        if complaint:
            raise OutputError(
                f"{path}, line {number}: not the record of a trial: {complaint}; {_REMEDY}"
            )
        found[_trial(record)] = number, record
    return found, size


def _trial(record):
    return record["object"], record["pose"], record["method"], record["seed"]


def _complaint(record):
    """What is wrong with a record of plain data, in words; None if nothing is."""
    if not isinstance(record, dict):
        return f"{str(record)[:60]!r}, expected keys and values"
    missing, unknown = sorted(set(_EXPECTED) - set(record)), sorted(set(record) - set(_EXPECTED))
    if missing or unknown:
        return f"lacks {missing or 'nothing'}, has unknown {unknown or 'nothing'}"
    for key, (is_right, expected) in _EXPECTED.items():
        if not is_right(record[key]):
            return f"{key} is {str(record[key])[:60]!r}, expected {expected}"
    if record["outcome"] != "success" and not record["reason"]:
        return f"outcome {record['outcome']!r} without a reason"
    return None


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain data: {value!r}")
