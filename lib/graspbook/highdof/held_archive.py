"""Grasps that hold, of many objects in one small file: to train on without planning them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.numpy import save_file

from graspbook.errors import GraspFileError
from graspbook.hands import pose_vector
from graspbook.highdof.joint_order import check_columns
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
    plans = {name: plans[name] for name in sorted(plans)}  # the header is sorted too
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


def read_archive(path: Path | str) -> dict[str, HandGrasps]:
    """Grasps that hold, by object, as `held.tell_held` gives them, but without the others and
    without the history of the search.

    Raises GraspFileError for a file that is missing, broken or foreign.

    path: of a file of `write_archive`.
    """
    if not Path(path).is_file():
        raise GraspFileError(f"{path}: no such file of held grasps")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            header = json.loads(file.metadata()["held_grasps"])
            arrays = {key: file.get_tensor(key).astype(np.float32) for key in _ARRAYS}
        return _by_object(header, arrays)
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise GraspFileError(f"{path}: not a file of held grasps ({error})") from error


def _by_object(header, arrays):
    joints, counts = tuple(header["joints"]), header["counts"]
    check_columns(arrays, joints)
    if len(arrays["states"]) != sum(counts.values()):
        raise ValueError(f"{len(arrays['states'])} grasps, expected {sum(counts.values())}")
    states = pose_vector.normalise(
        torch.from_numpy(arrays["states"])
    )  # half precision is not exact
    arrays["states"] = states.numpy()
    ends = np.cumsum([*counts.values()])[:-1]
    parts = {key: np.split(values, ends) for key, values in arrays.items()}
    return {
        name: HandGrasps(
            header["hand"],
            joints,
            **{key: parts[key][index] for key in _ARRAYS},
            iterations=np.zeros(0, int),
            history=np.zeros((0, count), np.float32),
            com=np.array(header["com"][name]),
            length=float(header["length"][name]),
            evaluations=0.0,
            parameters=dict(header["parameters"][name]),
            held=np.ones(count, bool),
        )
        for index, (name, count) in enumerate(counts.items())
    }


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
