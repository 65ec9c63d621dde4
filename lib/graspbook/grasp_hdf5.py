"""Grasp files in the ACRONYM HDF5 layout.

ACRONYM (Eppner et al. 2021) keeps the grasps of one object in one file: `grasps/transforms` (N, 4,
4) holds `object_T_hand` in the frame of the scaled mesh, `grasps/qualities/flex/object_in_gripper`
(N) the label, `object/*` and `gripper/*` what was grasped and by what.
"""

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from graspbook.errors import GraspFileError
from graspbook.grasp_set import (
    ASSUMED,
    MOST,
    Grasps,
    checked_configuration,
    checked_gripper,
    checked_labels,
    checked_poses,
    checked_scale,
    noted,
    small,
    text,
)
from graspbook.storage import plain

LABEL = "grasps/qualities/flex/object_in_gripper"


def write_hdf5(path: Path, grasps: Grasps) -> None:
    """Write a grasp file in the ACRONYM layout.

    Our own additions are `grasps/grades/*` and the attribute `parameters`.

    path: of the file.
    grasps: of one object.
    """
    with h5py.File(path, "w") as file:
        file["grasps/transforms"] = np.asarray(grasps.transforms, float)
        if grasps.success is not None:
            file[LABEL] = np.asarray(grasps.success).astype(np.int64)
        for name, values in sorted(grasps.grades.items()):
            file[f"grasps/grades/{name}"] = values
        file["object/file"] = grasps.object_file
        file["object/scale"] = float(grasps.object_scale)
        for name, value in sorted(grasps.physics.items()):
            file[f"object/{name}"] = value
        file["gripper/type"] = grasps.gripper
        file["gripper/configuration"] = np.array(grasps.configuration)
        file.attrs["parameters"] = json.dumps(grasps.parameters, sort_keys=True, default=plain)


def read_hdf5(path: Path) -> Grasps:
    """Read a grasp file in the ACRONYM layout.

    path: of the file. Raises GraspFileError, without the path, for a file that is damaged or in
        another layout.
    """
    try:
        with h5py.File(path, "r") as file:
            found, parameters = _contents(file), file.attrs.get("parameters", "{}")
    except GraspFileError:
        raise
    except Exception as error:  # h5py raises many kinds for damaged files
        message = "not a readable HDF5 file (truncated, or of another kind)"
        raise GraspFileError(message) from error
    if "transforms" not in found["grasps"]:
        raise GraspFileError(f"it has no dataset grasps/transforms; it holds {found['names']}")
    poses = checked_poses(found["grasps"]["transforms"], "grasps/transforms")
    physics, gripper, labels = found["object"], found["gripper"], found["grasps"].get("labels")
    configuration = gripper.get("configuration", Grasps.configuration)
    return Grasps(
        poses,
        None if labels is None else checked_labels(labels, len(poses), LABEL),
        found["grasps/grades"],
        object_file=text(physics.pop("file", "")),
        object_scale=checked_scale(physics.pop("scale", 1.0), "object/scale"),
        physics=physics,
        parameters=_parameters(parameters, gripper),
        gripper=checked_gripper(gripper.get("type", Grasps.gripper)),
        configuration=checked_configuration(configuration, "gripper/configuration"),
    )


def _contents(file):
    """What the reader needs, as plain values by group; "names" lists what the file holds."""
    found: dict[str, Any] = {"names": sorted(file), "grasps": {}}
    if "grasps/transforms" in file:
        found["grasps"]["transforms"] = _transforms(file["grasps/transforms"])
    if LABEL in file:
        found["grasps"]["labels"] = _value(file[LABEL])
    for name in ("grasps/grades", "object", "gripper"):
        group = file[name] if name in file else {}
        if isinstance(group, h5py.Dataset):
            raise GraspFileError(f"{name} is a dataset, expected a group")
        items = group.items()
        found[name] = {key: _value(value) for key, value in items if _is_dataset(value)}
    return found


def _transforms(node):
    """(N, 4, 4) of a dataset, or of a group with one (4, 4) per grasp, ordered by their numbers."""
    if _is_dataset(node):
        return _value(node)
    children = [node[name] for name in sorted(node, key=_by_number)]
    shapes = {child.shape if _is_dataset(child) else None for child in children}
    if shapes != {(4, 4)} or len(children) > MOST:
        raise GraspFileError(
            "grasps/transforms is a group, expected a dataset (N, 4, 4)"
            " or a group of datasets (4, 4)"
        )
    return np.stack([child[()] for child in children])


def _by_number(name):
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def _is_dataset(node):
    return isinstance(node, h5py.Dataset)


def _value(node):
    """A dataset's value. Raises GraspFileError for a group, and for what is too large to be it."""
    if not _is_dataset(node):
        raise GraspFileError(f"{node.name.strip('/')} is a group, expected a dataset")
    if node.shape is None or not small(node.shape, 16 * MOST):
        raise GraspFileError(
            f"{node.name.strip('/')} has shape {node.shape}, expected at most {MOST} grasps"
        )
    return node[()]


def _parameters(value, gripper):
    """The attribute as a dict; text that is no JSON of a dict is kept under "text"."""
    try:
        found = json.loads(text(value))
    except (ValueError, RecursionError):
        found = None
    found = found if isinstance(found, dict) else {"text": text(value)[:1000]}
    return found if "type" in gripper else noted(found, ASSUMED)
