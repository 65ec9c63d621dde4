"""Records of trials: one JSON line each, appended whole, so that a run that was killed goes on at
the next trial.
"""

import errno
import json
import os
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graspbook.errors import OtherTrialsError, OutputError
from graspbook.storage import check_writable

Outcome = Literal["success", "grasp failed", "no feasible grasp", "fault"]
Stage = Literal[
    "look", "perceive", "predict", "plan", "approach", "close", "lift", "hold", "put_back", "total"
]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Four = {"min_length": 4, "max_length": 4}
Pose = Annotated[list[Annotated[list[float], Field(**Four)]], Field(**Four)]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
STAGES: tuple[str, ...] = get_args(Stage)
Record = dict[str, Any]  # as a TrialRecord, plain data
_REMEDY = "remove the line, and its trial runs again"


class _Strict(BaseModel):
    """Nothing is converted, and nothing unknown is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class GraspCounts(_Strict):
    """Of the grasps of a trial."""

    predicted: Count
    clear: Count
    reachable: Count
    tried: Count


class TrialRecord(_Strict):
    """What a line tells of a trial, in this order.

    Which: object, category, pose, method, seed, and how `network` is conditioned. What became of
    it: outcome and reason, fault of the equipment, score and rank of the grasp, the best scores,
    counts of grasps, seconds of each stage, metres that the object was `lifted`, commands to the
    arm. Where: base_T_hand, base_T_object. By what: hashes, and the code's revision.
    """

    object: Text
    category: Text
    pose: Count
    method: Text
    network: Text | None
    seed: Count
    outcome: Outcome
    reason: str | None
    fault: Text | None
    score: float | None
    rank: Count | None
    scores: list[float]
    grasps: GraspCounts
    times: dict[Stage, Annotated[float, Field(ge=0)] | None]
    lifted: float | None
    commands: Count
    base_T_hand: Pose | None
    base_T_object: Pose | None
    object_hash: Text
    setup: Text
    revision: Text | None

    @model_validator(mode="after")
    def _has_a_reason(self):
        if self.outcome != "success" and not self.reason:
            raise ValueError(f"outcome {self.outcome!r} has no reason")
        return self


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

    def __init__(self, path: Path | str, setups: dict[str, str], objects: dict[str, str]) -> None:
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
    def records(self) -> list[Record]:
        """The trials in the order of the file."""
        return list(self._found.values())

    def get(self, object: str, pose: int, method: str, seed: int) -> Record | None:
        """The record of a trial, None where there is none.

        object, pose, method, seed: which trial.
        """
        return self._found.get((object, pose, method, seed))

    def done(self, object: str, pose: int, method: str, seed: int) -> bool:
        """Whether a trial is recorded and began.

        object, pose, method, seed: which trial.
        """
        record = self.get(object, pose, method, seed)
        return record is not None and begun(record)

    def _foreign(self, record):
        """Why a record is not of this run's methods and objects, in words; None if it may be."""
        method, name = record["method"], record["object"]
        setup = self._setups.get(method, record["setup"])
        content = self._objects.get(name, record["object_hash"])
        if record["setup"] != setup:
            return (
                f"a trial of setup {record['setup']}, expected {setup}, the setup of {method} in"
                " this run: parameters, weights or code differ"
            )
        if record["object_hash"] != content:
            return (
                f"a trial of another {name} ({record['object_hash']}), expected {content}: its"
                " shape or its mass differs"
            )
        return None

    def append(self, record: Record) -> None:
        """Add a trial: one write of a whole line, on the disk when this returns, or none of it.

        Raises ValueError for what is not a record, is of another setup or object, or is done
        already; OutputError, with the record in its message, where the file cannot be written or
        another run has written to it.

        record: of a `TrialRecord`; numpy numbers and arrays are taken.
        """
        record = json.loads(json.dumps(record, allow_nan=False, default=_plain))
        complaint = _complaint(record) or self._foreign(record)
        if complaint is None and self.done(*_trial(record)):
            complaint = f"trial {_trial(record)} is recorded already"
        if complaint:
            raise ValueError(f"not a new trial for {self.path}: {complaint}")
        record = {key: record[key] for key in TrialRecord.model_fields}
        line = json.dumps(record)
        try:
            self._write(line.encode() + b"\n")
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; the trial that was not written:"
                f" {line}"
            ) from error
        self._found.pop(_trial(record), None)
        self._found[_trial(record)] = record

    def _write(self, line):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.fstat(file).st_size != self._size:
                raise OSError(errno.EBUSY, "another program has written to it since this run began")
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


def read_records(path: Path | str) -> list[Record]:
    """The trials in a file, in its order: none where there is no file; the file stays as it is.

    A trial that never began and was tried again is left out, and so is a last line without its end:
    a run may be writing it. Raises OutputError, naming line and field, as `TrialRecords` does.

    path: the file.
    """
    return [record for _, record in _read(Path(path))[0].values()]


def set_aside(path: Path | str) -> Path:
    """Rename a file of trials, so that new ones begin an empty file; its new path.

    path: the file.
    """
    path = Path(path)
    moved = next(new for n in count(1) if not (new := path.with_stem(f"{path.stem}_{n}")).exists())
    return path.rename(moved)


def begun(record: Record) -> bool:
    """Whether a recorded trial came to any stage; else there was no controller, or none that
    answered.

    record: of one trial, as in `robots.trial_records`.
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
        except (ValueError, RecursionError) as error:
            raise OutputError(f"{path}, line {number}: not JSON ({error}); {_REMEDY}") from error
        complaint = _complaint(record)
        earlier = found.pop(_trial(record), None) if complaint is None else None
        if earlier and begun(earlier[1]):
            complaint = f"the same trial as in line {earlier[0]}"
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
    try:
        TrialRecord.model_validate(record)
    except ValidationError as error:
        return "; ".join(map(_told, error.errors()))
    return None


def _told(error):
    """An error of pydantic's, with the name of the field and what is there."""
    field, message = ".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")
    if error["type"] in ("value_error", "missing", "extra_forbidden"):
        return f"{field}: {message}" if field else message
    return f"{field or 'it'} is {str(error['input'])[:60]!r}: {message}"


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain data: {value!r}")
