"""Grasp files in the ACRONYM HDF5 layout.

ACRONYM (Eppner et al. 2021) keeps the grasps of one object in one file: `grasps/transforms` (N, 4,
4) holds `object_T_hand` in the frame of the scaled mesh, `grasps/qualities/flex/object_in_gripper`
(N) the label, `object/*` and `gripper/*` what was grasped and by what.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from graspbook.errors import GraspFileError
from graspbook.storage import atomic_path, plain

LABEL = "grasps/qualities/flex/object_in_gripper"


@dataclass(frozen=True)
class Grasps:
    """The grasps of one object.

    transforms: (N, 4, 4) `object_T_hand`, metres, in the frame of the mesh after scaling; ACRONYM's
        grasp frame.
    success: (N,) bool, or None where nobody has tested them.
    grades: further figures by name, each (N,).
    object_file, object_scale: the mesh, relative to the mesh root, and the factor to metres.
    physics: of the object by name, such as its mass.
    parameters: what made them.
    gripper, configuration: the hand's name in ACRONYM's files, and how far its fingers open, see
        `hands.grippers`.
    """

    transforms: np.ndarray
    success: np.ndarray | None = None
    grades: dict[str, np.ndarray] = field(default_factory=dict)
    object_file: str = ""
    object_scale: float = 1.0
    physics: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    gripper: str = "panda"
    configuration: tuple[float, ...] = (0.04,)


def write_grasps(path: Path | str, grasps: Grasps) -> None:
    """Write a grasp file in the ACRONYM layout.

    Our own additions are `grasps/grades/*` and the attribute `parameters`.

    path: of the file.
    grasps: of one object.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
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


def read_grasps(path: Path | str) -> Grasps:
    """Read a grasp file, ours or ACRONYM's own.

    Raises GraspFileError for a missing, truncated or foreign file, for poses that are not rigid or
    of a wrong shape, and for labels that do not fit.

    path: of the file.
    """
    path = Path(path)
    if not path.is_file():
        raise GraspFileError(f"{path}: no such grasp file")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except OSError as error:
        message = f"{path}: not a readable HDF5 file (truncated, or of another kind)"
        raise GraspFileError(message) from error


def _read(path, file):
    if "grasps/transforms" not in file:
        raise GraspFileError(f"{path}: no dataset grasps/transforms; it holds {sorted(file)}")
    transforms = np.asarray(file["grasps/transforms"], float)
    if transforms.ndim != 3 or transforms.shape[1:] != (4, 4):
        raise GraspFileError(
            f"{path}: grasps/transforms has shape {transforms.shape}, expected (N, 4, 4)"
        )
    rotation = transforms[:, :3, :3]
    deviation = np.abs(rotation @ rotation.swapaxes(1, 2) - np.eye(3)).max(initial=0.0)
    if not np.isfinite(transforms).all() or deviation > 1e-3:
        raise GraspFileError(
            f"{path}: grasps/transforms are not rigid poses (R·Rᵀ is off the identity by"
            f" {deviation:.2g})"
        )
    success = np.asarray(file[LABEL]).astype(bool) if LABEL in file else None
    if success is not None and success.shape != (len(transforms),):
        raise GraspFileError(
            f"{path}: {LABEL} has shape {success.shape}, expected ({len(transforms)},)"
        )
    # HDF5's groups by name, each {name: value}.
    grades, physics, gripper = (
        {name: value[()] for name, value in file[group].items()} if group in file else {}
        for group in ("grasps/grades", "object", "gripper")
    )
    return Grasps(
        transforms,
        success,
        grades,
        object_file=_text(physics.pop("file", "")),
        object_scale=float(physics.pop("scale", 1.0)),
        physics=physics,
        parameters=json.loads(file.attrs.get("parameters", "{}")),
        gripper=_text(gripper.get("type", Grasps.gripper)),
        configuration=tuple(np.ravel(gripper.get("configuration", Grasps.configuration)).tolist()),
    )


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
