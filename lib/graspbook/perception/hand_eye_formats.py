"""Hand-eye results as calibration programs write them: `read_mount`.

Read are our JSON, easy_handeye (1 and 2), MoveIt's calibration (launch files), ViSP, OpenCV's
FileStorage, Zivid, ROS transforms, a position with a quaternion, and bare matrices. Nothing is
checked here but that there is one transform; `hand_eye` does that.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import yaml

from graspbook.errors import CaptureError
from graspbook.perception.hand_eye_poses import array_of, pose_of, publisher_pose
from graspbook.pose import from_rt, rotation_about
from graspbook.storage import refuse_deep, refuse_endless

_LARGEST = 1_000_000  # bytes
_EXPECTED = 'expected {"hand_T_camera": 4 x 4 matrix in metres}, or see `graspbook formats`'


@dataclass(frozen=True)
class Mount:
    """What a file says of where the camera is.

    pose: (4, 4), or whatever our own JSON has in its place.
    parent, child: the frames that the file names, "" where it names none.
    ours: whether the pose is in the project's own frames.
    meant: whether the file says that an odd mount is meant.
    millimetres: whether the translation is in them.
    """

    pose: Any
    parent: str = ""
    child: str = ""
    ours: bool = False
    meant: bool = False
    millimetres: bool = False


class _Format(NamedTuple):
    """Files of some suffixes, what they are called, and their reader (of text, else bytes)."""

    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Any], Mount]


def read_mount(path: Path | str) -> Mount:
    """The transform of a hand-eye file, with the frames that it names.

    path: of the file, whose suffix says how it is written. A byte order mark may come first.

    Raises CaptureError, without the path, for a file that is too large, of an unknown kind, not
    readable, without a transform or with several, or whose camera is not on the hand.
    """
    path = Path(path)
    kind = {suffix: kind for kind in FORMATS for suffix in kind.suffixes}.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(suffix for kind in FORMATS for suffix in kind.suffixes)
        raise CaptureError(f"unknown kind of hand-eye file {path.suffix!r}, expected {known}")
    if (size := path.stat().st_size) > _LARGEST:
        raise CaptureError(f"it has {size} bytes, expected at most {_LARGEST} in a hand-eye file")
    data = path.read_bytes()
    try:
        if kind.suffixes == (".npy",):
            return kind.read(path)
        bom = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return kind.read(data.decode("utf-16" if bom else "utf-8-sig"))
    except (ValueError, yaml.YAMLError, ElementTree.ParseError, RecursionError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CaptureError(f"not a readable {kind.title} file ({reason})") from error


def _read_json(text):
    return _of_tree(json.loads(text))


def _read_yaml(text):
    lines = [line for line in text.splitlines() if not line.startswith("%YAML")]
    refuse_deep(text)
    tree = yaml.load("\n".join(lines), Loader=_Loader)  # a safe loader
    refuse_endless(tree, len(text) + 100)
    return _of_tree(tree)


class _Loader(yaml.SafeLoader):
    """YAML with OpenCV's matrices as plain mappings."""


_Loader.add_constructor(
    "tag:yaml.org,2002:opencv-matrix",
    lambda loader, node: loader.construct_mapping(node, deep=True),
)


def _read_xml(text):
    if "static_transform_publisher" in text:
        return _read_launch(text)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CaptureError("it declares XML entities, expected none")
    root = ElementTree.fromstring(text)  # without entities nothing expands
    matrices = {}
    for node in root:
        entry = {part.tag: (part.text or "").strip() for part in node}
        if "data" in entry:
            entry["data"] = [float(number) for number in entry["data"].split()]
        matrices[node.tag] = entry
    return _of_tree(matrices)


def _read_launch(text):
    pose, parent, child = publisher_pose(text)
    return Mount(pose, parent, child)


def _read_numbers(text):
    rows = [line.split("#")[0] for line in text.splitlines()]
    numbers = [float(number) for number in re.split(r"[\s,;\[\]]+", " ".join(rows)) if number]
    return Mount(_matrix(np.array(numbers)))


def _read_npy(path):
    try:
        # Mapped, so that a header that claims gigabytes reserves none.
        values = np.array(np.load(path, mmap_mode="r", allow_pickle=False)[:4], float)
    except (TypeError, IndexError, OverflowError) as error:
        raise CaptureError("it does not hold an array (4, 4) of numbers") from error
    return Mount(_matrix(values))


FORMATS = (
    _Format("JSON", (".json",), _read_json),
    _Format("YAML", (".yaml", ".yml", ".calib"), _read_yaml),
    _Format("XML", (".xml",), _read_xml),
    _Format("launch", (".launch", ".py", ".sh"), _read_launch),
    _Format("text", (".txt", ".csv", ".dat"), _read_numbers),
    _Format("NumPy", (".npy",), _read_npy),
)
WRITERS = (
    "our own hand_T_camera",
    "easy_handeye 1 and 2",
    "MoveIt calibration",
    "ViSP",
    "OpenCV's FileStorage",
    "Zivid",
    "ROS transforms",
    "position and quaternion",
    "4 x 4 matrix",
)


def _of_tree(tree):
    """The mount of what JSON or YAML hold."""
    if isinstance(tree, dict) and "hand_T_camera" in tree:
        value = tree["hand_T_camera"]
        if not (isinstance(value, dict) and "data" in value):
            return Mount(value, ours=True, meant=tree.get("odd_mount") is True)
    if isinstance(tree, list):
        found = array_of(tree)
        if found is None or found.size not in (12, 16):
            raise CaptureError(f"it has no hand_T_camera, {_EXPECTED}")
        return Mount(_matrix(found))
    if not isinstance(tree, dict):
        raise CaptureError(f"it has no hand_T_camera, {_EXPECTED}")
    parent, child = _frames(tree)
    zivid = tree.get("FloatMatrix")
    if isinstance(zivid, dict):
        found = array_of(zivid.get("Data"))
        found = _matrix(np.zeros(0) if found is None else found)
        return Mount(found, parent, child, millimetres=np.linalg.norm(found[:3, 3]) > 1)
    for name in ("transformation", "transform", "pose"):
        part = tree.get(name)
        if isinstance(part, dict) and "data" not in part:
            return Mount(pose_of(part), parent, child)
    found = array_of(tree)
    if found is not None:  # ViSP: {rows, cols, data}
        return Mount(_matrix(found), parent, child)
    return _of_names(tree, parent, child)


def _of_names(tree, parent, child):
    """The mount of named matrices, or of a position and a rotation."""
    arrays = {str(name): array_of(value) for name, value in tree.items()}
    whole = {n: a for n, a in arrays.items() if a is not None and a.size == 16}
    named = {n: a for n, a in whole.items() if _direction(n)}
    chosen = named if len(named) == 1 else whole
    if len(chosen) > 1:
        raise CaptureError(
            f"several matrices ({', '.join(sorted(whole))}), expected one: hand_T_camera"
        )
    if chosen:
        ((name, found),) = chosen.items()
        direction = _direction(name)
        if direction == "inverse":
            raise CaptureError(f"{name} is the inverse of hand_T_camera, {_EXPECTED}")
        if direction == "base":
            raise CaptureError(f"{name}: the camera is on the robot's base, expected on the hand")
        if re.search(r"flange|link8", name, re.IGNORECASE):
            parent = parent or "flange"
        return Mount(_matrix(found), parent, child)
    directions = {_direction(name) for name in tree}
    if "inverse" in directions or "base" in directions:
        raise CaptureError(
            f"it has no hand_T_camera, but {', '.join(map(str, tree))[:200]}; expected the pose of"
            " the camera in the hand's frame"
        )
    try:
        return Mount(pose_of(tree), parent, child)
    except CaptureError as error:
        raise CaptureError(f"no hand_T_camera ({error}), {_EXPECTED}") from error


_HAND, _CAMERA = r"(hand|gripper|ee|eef|effector|flange|tool|tcp|link8)", r"cam(era)?"


def _direction(name):
    """ "hand" of the camera in the hand's frame, "inverse", "base", or "" by a matrix's name."""
    name = str(name).lower()
    if re.search(rf"{_CAMERA}_?(2|to)_?{_HAND}|{_HAND}_t_{_CAMERA}|^emc$|^ttc$", name):
        return "hand"
    if re.search(rf"{_HAND}_?(2|to)_?{_CAMERA}|{_CAMERA}_t_{_HAND}|^cme$", name):
        return "inverse"
    if re.search(rf"{_CAMERA}_?(2|to)_?(base|world)|(base|world)_t_{_CAMERA}", name):
        return "base"
    return ""


def _frames(tree):
    """Names of the parent's and the child's frame. Raises CaptureError for a camera on the base."""
    inner = tree.get("parameters")
    names = {**tree, **inner} if isinstance(inner, dict) else dict(tree)
    header = names.get("header")
    if isinstance(header, dict):
        names.setdefault("frame_id", header.get("frame_id"))
    kind = str(names.get("calibration_type", ""))
    on_base = any(names.get(name) is False for name in ("eye_on_hand", "eye_in_hand"))
    if on_base or re.search(r"on_base|to_hand", kind):
        raise CaptureError("the camera is on the robot's base (eye on base), expected on the hand")
    parents = ("robot_effector_frame", "frame_id", "parent_frame", "parent")
    children = ("tracking_base_frame", "child_frame_id", "child_frame", "child")
    texts = {name: value for name, value in names.items() if isinstance(value, str)}
    parent, child = (
        next((texts[key] for key in keys if texts.get(key)), "") for keys in (parents, children)
    )
    return parent[:100], child[:100]


def _matrix(values):
    """(4, 4) of 16 numbers, of the 12 above the last row, or of ViSP's translation and theta-u."""
    if values.size == 6:
        x = values.ravel()
        angle = float(np.linalg.norm(x[3:]))
        return from_rt(rotation_about(x[3:], angle) if angle > 0 else np.eye(3), x[:3])
    if values.size == 12 and values.shape in ((12,), (3, 4)):
        return np.vstack([values.reshape(3, 4), [0, 0, 0, 1]])
    if values.size != 16:
        raise CaptureError(f"{values.size} numbers, expected a 4 x 4 matrix")
    return values.reshape(4, 4)
