"""Records of trials: one JSON line each, appended whole, so that a run that was killed goes on at the next trial."""

import errno
import json
import os
from pathlib import Path

import numpy as np

from graspbook.errors import OutputError
from graspbook.storage import check_writable

OUTCOMES = ("success", "grasp failed", "no feasible grasp", "fault")
STAGES = ("look", "perceive", "predict", "plan", "approach", "close", "lift", "hold", "put_back", "total")
GRASPS = ("predicted", "clear", "reachable", "tried")
_REMEDY = "remove the line, and its trial runs again"


def _is_text(value):
    return isinstance(value, str) and value != ""


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pose(value):
    return isinstance(value, list) and len(value) == 4 and all(
        isinstance(row, list) and len(row) == 4 and all(map(_is_number, row)) for row in value)


def _are_counts(value):
    return isinstance(value, dict) and set(value) == set(GRASPS) and all(map(_is_count, value.values()))


def _are_times(value):
    return isinstance(value, dict) and set(value) <= set(STAGES) and all(
        seconds is None or (_is_number(seconds) and seconds >= 0) for seconds in value.values())


def _or_none(is_right):
    return lambda value: value is None or is_right(value)


_TEXT, _TEXT_OR_NULL, _COUNT = (_is_text, "text"), (_or_none(_is_text), "text or null"), (_is_count, "a whole number from 0")
_NUMBER_OR_NULL = (_or_none(_is_number), "a number or null")
_POSE_OR_NULL = (_or_none(_is_pose), "a pose of 4 x 4 numbers or null")
_EXPECTED = {
    "object": _TEXT,
    "category": _TEXT,
    "pose": _COUNT,
    "method": _TEXT,
    "seed": _COUNT,
    "outcome": (lambda value: value in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
    "reason": (_or_none(lambda value: isinstance(value, str)), "text or null"),
    "fault": _TEXT_OR_NULL,
    "score": _NUMBER_OR_NULL,
    "rank": (_or_none(_is_count), "a whole number from 0, or null"),
    "scores": (lambda value: isinstance(value, list) and all(map(_is_number, value)), "a list of numbers"),
    "grasps": (_are_counts, f"whole numbers of {', '.join(GRASPS)}"),
    "times": (_are_times, f"seconds, or null, of some of {', '.join(STAGES)}"),
    "lifted": _NUMBER_OR_NULL,
    "commands": _COUNT,
    "base_T_hand": _POSE_OR_NULL,
    "base_T_object": _POSE_OR_NULL,
    "setup": _TEXT,
    "revision": _TEXT_OR_NULL,
}


class TrialRecords:
    """The trials in a file of one JSON line each, and the only way to add one.

    path: the file, made with the first trial; setup: hash of everything that the trials depend on. `records`: list of dicts, in
    the order of the file. A last line that a kill cut off is dropped, from the file too. Raises OutputError, naming the line,
    for any other line that is not a trial's record, for a trial recorded twice and for trials of another setup, and where
    the file cannot be written.
    """

    def __init__(self, path, setup):
        self.path, self.setup = Path(path), setup
        check_writable(self.path)
        self.records, self._size = _read(self.path)
        for number, record in enumerate(self.records, 1):
            if record["setup"] != setup:
                raise OutputError(
                    f"{self.path}, line {number}: a trial of setup {record['setup']}, expected {setup}, that of this run: "
                    "parameters, weights or code differ; write to another folder, or move this file away to begin anew")
        if self.path.exists() and self.path.stat().st_size > self._size:
            os.truncate(self.path, self._size)

    def done(self, object, pose, method, seed):
        """Whether that trial is recorded."""
        return any(_trial(record) == (object, pose, method, seed) for record in self.records)

    def append(self, record):
        """Add a trial: one write of a whole line, on the disk when this returns, or none of it.

        record: a dict with the keys of the module's records; numpy numbers and arrays are taken. Raises ValueError for what is
        not a record, is of another setup, or is recorded already; OutputError, with the record in its message, where the
        file cannot be written or another run has written to it.
        """
        record = json.loads(json.dumps(record, allow_nan=False, default=_plain))
        complaint = _complaint(record)
        if complaint is None and record["setup"] != self.setup:
            complaint = f"setup {record['setup']!r}, expected {self.setup!r}"
        if complaint is None and self.done(*_trial(record)):
            complaint = f"trial {_trial(record)} is recorded already"
        if complaint:
            raise ValueError(f"not a new trial for {self.path}: {complaint}")
        record = {key: record[key] for key in _EXPECTED}
        line = json.dumps(record)
        try:
            self._write(line.encode() + b"\n")
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; the trial that it lacks: {line}") from error
        self.records.append(record)

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
    """The trials in a file, a list of dicts in its order: none where there is no file; the file stays as it is.

    A last line without its end is left out: a run may be writing it. Raises OutputError, naming the line, as `TrialRecords` does.
    """
    return _read(Path(path))[0]


def _read(path):
    """Records (list) and the number of bytes of their lines."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    size = data.rfind(b"\n") + 1
    records, lines = [], {}
    for number, line in enumerate(data[:size].split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise OutputError(f"{path}, line {number}: not JSON ({error}); {_REMEDY}") from error
        complaint = _complaint(record)
        if complaint is None and _trial(record) in lines:
            complaint = f"the trial of line {lines[_trial(record)]} again"
        if complaint:
            raise OutputError(f"{path}, line {number}: not the record of a trial: {complaint}; {_REMEDY}")
        lines[_trial(record)] = number
        records.append(record)
    return records, size


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
