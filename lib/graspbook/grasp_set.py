"""The grasps of one object: the value that grasp files hold, and the checks of what was read."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graspbook.errors import GraspFileError

MOST = 1_000_000  # grasps per file
RIGID = 1e-3  # entries of R·Rᵀ may differ so much from the identity's

ASSUMED = "the grasp file names no gripper; panda (the Franka Hand) is assumed"
# What other programs call the grippers of `hands.grippers`.
OTHER_NAMES = {
    "franka": "panda",
    "franka_panda": "panda",
    "franka_hand": "panda",
    "panda_hand": "panda",
    "robotiq_2f_85": "robotiq_2f85",
    "robotiq2f85": "robotiq_2f85",
}


@dataclass(frozen=True)
class Grasps:
    """The grasps of one object.

    transforms: (N, 4, 4) `object_T_hand`, metres, in the frame of the mesh after scaling; ACRONYM's
        grasp frame.
    success: (N,) bool, or None where that was not tested.
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

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the grasps or of what they were predicted from, a sentence each."""
        notes = self.parameters.get("notes", ())
        return tuple(map(str, notes)) if isinstance(notes, list | tuple) else (str(notes),)

    @property
    def frame(self) -> str:
        """The frame of the poses: "object" or "camera"."""
        return str(self.parameters.get("frame", "object"))


def checked_poses(transforms: Any, name: str) -> np.ndarray:
    """Poses (N, 4, 4) as float64, N = 0 where there are none.

    transforms: (N, 4, 4), (4, 4) of a single grasp, or an empty list.
    name: of the dataset, for messages.

    Raises GraspFileError for another shape or type, and for poses that are not rigid.
    """
    poses = numbers(transforms, name)
    poses = np.zeros((0, 4, 4)) if poses.size == 0 and poses.ndim < 3 else poses
    poses = poses[None] if poses.shape == (4, 4) else poses
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise GraspFileError(f"{name} has shape {poses.shape}, expected (N, 4, 4)")
    rotation, bottom = poses[:, :3, :3], np.abs(poses[:, 3] - [0, 0, 0, 1]).max(initial=0.0)
    with np.errstate(all="ignore"):
        deviation = np.abs(rotation @ rotation.swapaxes(1, 2) - np.eye(3)).max(initial=0.0)
    if not np.isfinite(poses).all() or deviation > RIGID:
        raise GraspFileError(
            f"{name} are not rigid poses (R·Rᵀ differs from the identity by {deviation:.2g})"
        )
    if bottom > RIGID or (np.linalg.det(rotation) < 0).any():
        raise GraspFileError(
            f"{name} are not rigid poses: expected no reflection and (0, 0, 0, 1) as the last row"
        )
    return poses


def checked_labels(labels: Any, count: int, name: str) -> np.ndarray:
    """Labels (N,) bool.

    labels: (N,), (N, 1) or (1, N), numbers or booleans.
    count: N, of the poses.
    name: of the dataset, for messages.

    Raises GraspFileError for another shape or type.
    """
    values = numbers(labels, name)
    if values.size != count or (values.ndim > 0 and values.size != max(values.shape)):
        raise GraspFileError(f"{name} has shape {values.shape}, expected ({count},)")
    if not np.isfinite(values).all():
        raise GraspFileError(f"{name} has entries that are not finite, expected 0 and 1")
    return values.reshape(count).astype(bool)


def checked_scale(scale: Any, name: str) -> float:
    """The one factor from a mesh's units to metres.

    scale: a number, an array of one, or the same number per axis.
    name: of the dataset, for messages.

    Raises GraspFileError for a scale that differs between the axes, or is no positive number.
    """
    value = scale.decode(errors="replace") if isinstance(scale, bytes) else scale
    try:
        values = np.array([float(value)]) if isinstance(value, str) else numbers(value, name)
    except ValueError:
        raise GraspFileError(f"{name} is {value!r:.40}, expected a number") from None
    if values.size not in (1, 3):
        raise GraspFileError(f"{name} has shape {values.shape}, expected one number")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise GraspFileError(f"{name} is {values.ravel().tolist()}, expected a positive number")
    if np.ptp(values) > 1e-6 * values.max():
        raise GraspFileError(
            f"{name} is {values.ravel().tolist()}, expected the same factor for every axis:"
            " scale the mesh itself and write 1"
        )
    return float(values.ravel()[0])


def checked_gripper(name: Any) -> str:
    """The gripper's name in `hands.grippers`, or the name in the file.

    name: text, bytes, or an array of one.
    """
    found = text(name)
    return OTHER_NAMES.get(found.lower(), found)


def noted(parameters: dict[str, Any], note: str) -> dict[str, Any]:
    """Parameters with one more note.

    parameters: of grasps.
    note: a sentence.
    """
    notes = Grasps(np.zeros((0, 4, 4)), parameters=parameters).notes
    return parameters | {"notes": list(dict.fromkeys((*notes, note)))}


def checked_configuration(values: Any, name: str) -> tuple[float, ...]:
    """How far the fingers open, as floats.

    values: numbers of any shape.
    name: of the dataset, for messages.

    Raises GraspFileError for what is not numbers.
    """
    return tuple(numbers(values, name).ravel().tolist())


def numbers(values: Any, name: str) -> np.ndarray:
    """An array of float64.

    values: numbers, booleans or nested lists of them.
    name: for messages.

    Raises GraspFileError for anything else.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError
        return array.astype(float)
    except (TypeError, ValueError, OverflowError, RecursionError, MemoryError):
        raise GraspFileError(f"{name} holds no numbers, expected an array of numbers") from None


def text(value: Any) -> str:
    """Text of what HDF5 and JSON hold as text.

    value: text, bytes, or an array of one of them.
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    found = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return found.encode(errors="replace").decode()  # h5py marks bytes that are no UTF-8


def small(shape: tuple[int, ...], most: int) -> bool:
    """Whether an array of a shape has at most so many entries.

    shape: of the array.
    most: entries.
    """
    return math.prod(shape) <= most
