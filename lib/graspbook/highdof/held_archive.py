"""Grasps that hold, of many objects in one small file: to train on without planning them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

from graspbook.errors import GraspFileError
from graspbook.hands.articulated import Hand
from graspbook.highdof.joint_order import check_hand, in_order_of
from graspbook.highdof.plans import HandGrasps, write_plan
from graspbook.storage import atomic_path

_ARRAYS = ("states", "closed", "pregrasp", "squeeze", "energies", "epsilon", "imbalance")


def write_archive(path: Path | str, plans: Mapping[str, HandGrasps]) -> None:
    """Write the grasps that hold, in half precision: about 0.1 mm and 0.001 rad.

    Raises GraspFileError for plans that are not tested, or of several hands.

    path: of the file, in safetensors.
    plans: tested plans by object, see `held.tell_held`.
    """
    hands = {(plan.hand, plan.joints) for plan in plans.values()}
    if len(hands) != 1 or any(plan.held is None for plan in plans.values()):
        raise GraspFileError(f"{path}: expected tested plans of one hand, to be written together")
    ((hand, joints),) = hands
    held = {name: np.flatnonzero(np.asarray(plan.held)) for name, plan in plans.items()}
    header = {
        "hand": hand,
        "joints": joints,
        "counts": {name: len(rows) for name, rows in held.items()},
        "length": {name: plan.length for name, plan in plans.items()},
        "com": {name: plan.com.tolist() for name, plan in plans.items()},
        "parameters": {name: plan.parameters for name, plan in plans.items()},
    }
    arrays = {
        key: np.concatenate([getattr(plan, key)[held[name]] for name, plan in plans.items()])
        for key in _ARRAYS
    }
    with atomic_path(path) as temporary:
        save_file(
            {key: values.astype(np.float16) for key, values in arrays.items()},
            temporary,
            metadata={"held_grasps": json.dumps(header, sort_keys=True)},
        )


def read_archive(path: Path | str, hand: Hand | None = None) -> dict[str, HandGrasps]:
    """Grasps that hold, by object, as `held.tell_held` gives them, but without the others and
    without the history of the search.

    Raises GraspFileError for a file that is missing, broken, foreign, or of another hand.

    path: of a file of `write_archive`.
    hand: the expected one, whose order of joints the values then have; None for any.
    """
    if not Path(path).is_file():
        raise GraspFileError(f"{path}: no such file of held grasps")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            header = json.loads(file.metadata()["held_grasps"])
            arrays = {key: file.get_tensor(key).astype(np.float32) for key in _ARRAYS}
        joints, ends = tuple(header["joints"]), np.cumsum([*header["counts"].values()])
        parts = {key: np.split(values, ends[:-1]) for key, values in arrays.items()}
        if len(arrays["states"]) != ends[-1]:
            raise ValueError(f"{len(arrays['states'])} grasps, expected {ends[-1]}")
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise GraspFileError(f"{path}: not a file of held grasps ({error})") from error
    found = {}
    for index, (name, count) in enumerate(header["counts"].items()):
        own, parameters = {key: parts[key][index] for key in _ARRAYS}, header["parameters"][name]
        if hand is not None:
            check_hand(path, hand, header["hand"], joints, parameters)
            own = in_order_of(hand, joints, own)
        found[name] = HandGrasps(
            header["hand"],
            joints if hand is None else hand.joints,
            **own,
            iterations=np.zeros(0, int),
            history=np.zeros((0, count), np.float32),
            com=np.array(header["com"][name]),
            length=header["length"][name],
            evaluations=0.0,
            parameters=parameters,
            held=np.ones(count, bool),
        )
    return found


def unpack(path: Path | str, paths: Mapping[str, Path]) -> None:
    """Write the grasps of each object to a file of its own, from which networks can learn.

    Raises GraspFileError as `read_archive` does, and where an object is not in the archive.

    path: of a file of `write_archive`.
    paths: the file to write for each name.
    """
    found = read_archive(path)
    missing = [name for name in paths if name not in found]
    if missing:
        raise GraspFileError(f"{path}: it has no grasps of {', '.join(missing)}")
    for name, file in paths.items():
        write_plan(file, found[name])
