"""Grasp files of other programs: GraspGen's JSON and Isaac Sim's YAML (`isaac_grasp` 1.0).

GraspGen (NVlabs/GraspGen, its description of data sets) writes {"object": {"file", "scale"},
"grasps": {"transforms": N 4x4 matrices, "object_in_gripper": N booleans}}. Its gripper frame is
ACRONYM's: +z approaches and the fingers close along x (its description of grippers).

Isaac Sim's grasp editor writes {"format": "isaac_grasp", "format_version": 1.0, "object_frame",
"gripper_frame", "grasps": {name: {"confidence", "position": [x, y, z], "orientation": {"w", "xyz":
[x, y, z]}}}}. A pose is that of `gripper_frame` in `object_frame`, in metres. GraspGen writes such
files too, without `gripper_frame`; its own frame is meant then.

Our own additions, which both programs ignore: `gripper`, `grades` (null where a figure is not
known), `parameters`, and in the YAML `object_in_gripper` per grasp. Written for the Franka Hand,
the YAML's poses are of `panda_hand`.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from graspbook import pose
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
    numbers,
    text,
)
from graspbook.storage import plain, refuse_endless

_LARGEST = 256_000_000  # bytes
# Fingers of these frames close along y: Franka's, see `hands.franka`.
_FRANKA_FRAME = re.compile(r"(^|/)(panda|fr3|fer|franka)_hand$")
_GRASP_FRAME = "acronym_grasp"


def write_json(path: Path, grasps: Grasps) -> None:
    """Write grasps as GraspGen's JSON.

    path: of the file.
    grasps: of one object.
    """
    found: dict[str, Any] = {"transforms": np.asarray(grasps.transforms, float).tolist()}
    if grasps.success is not None:
        found["object_in_gripper"] = np.asarray(grasps.success).astype(bool).tolist()
    grades = _grades(grasps.grades, len(grasps.transforms))
    content = {
        "object": {"file": grasps.object_file, "scale": float(grasps.object_scale)},
        "grasps": found | ({"grades": _finite(grades)} if grades else {}),
        "gripper": {"type": grasps.gripper, "configuration": list(grasps.configuration)},
        "parameters": _finite(grasps.parameters),
    }
    path.write_text(json.dumps(content, default=plain) + "\n", encoding="utf-8")


def read_json(path: Path) -> Grasps:
    """Read GraspGen's JSON.

    path: of the file. Raises GraspFileError, without the path, for what is no such file.
    """
    content = _parsed(path, json.loads, "JSON")
    found = _part(content, "grasps")
    if "transforms" not in found:
        raise GraspFileError(
            f"it has no grasps.transforms, expected a GraspGen file; {_names(content)}"
        )
    poses = checked_poses(found["transforms"], "grasps.transforms")
    labels = found.get("object_in_gripper")
    if labels is not None:
        labels = checked_labels(labels, len(poses), "grasps.object_in_gripper")
    obj = content.get("object", {})
    if not isinstance(obj, dict):
        raise GraspFileError(f"object is {obj!r:.40}, expected {{file, scale}}")
    return Grasps(
        poses,
        labels,
        _grades(found.get("grades", {}), len(poses)),
        object_file=text(obj.get("file", "")),
        object_scale=checked_scale(obj.get("scale", 1.0), "object.scale"),
        **_common(content),
    )


def write_yaml(path: Path, grasps: Grasps) -> None:
    """Write grasps as Isaac's YAML, with the score, else the label, else 1 as the confidence.

    path: of the file.
    grasps: of one object.
    """
    franka, count = grasps.gripper == "panda", len(grasps.transforms)
    poses = np.asarray(grasps.transforms, float).reshape(count, 4, 4)
    if franka:
        poses = poses @ pose.inverse(_franka_T_grasp())
    quats = pose.matrix_to_quat_wxyz(poses[:, :3, :3])
    labels = grasps.success
    score = grasps.grades.get("score", np.ones(count) if labels is None else labels)
    score = checked_grade(score, count, "score")
    others = {name: values for name, values in grasps.grades.items() if name != "score"}
    entries: dict[str, Any] = {}
    for i, (w, *xyz) in enumerate(quats.tolist()):
        entry = {"confidence": float(score[i]), "position": poses[i, :3, 3].tolist()}
        entry |= {"orientation": {"w": w, "xyz": xyz}}
        entries[f"grasp_{i}"] = entry | (
            {} if labels is None else {"object_in_gripper": bool(labels[i])}
        )
    content = {
        "format": "isaac_grasp",
        "format_version": 1.0,
        "created_with": "graspbook",
        "object_frame": Path(grasps.object_file).stem or "object",
        "gripper_frame": "panda_hand" if franka else _GRASP_FRAME,
        "object_file": grasps.object_file,
        "object_scale": float(grasps.object_scale),
        "gripper": {"type": grasps.gripper, "configuration": list(grasps.configuration)},
        "parameters": json.loads(json.dumps(grasps.parameters, default=plain)),
        "grasps": entries,
    }
    if others:
        content["grades"] = _finite(_grades(others, count))
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    path.write_text(yaml.dump(content, Dumper=dumper, sort_keys=False), encoding="utf-8")


def read_yaml(path: Path) -> Grasps:
    """Read Isaac's YAML.

    Confidences become the grade "score". They are labels too where 0 and 1 occur and nothing else,
    as GraspDataGen writes them.

    path: of the file. Raises GraspFileError, without the path, for what is no such file.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content = _parsed(path, lambda source: yaml.load(source, Loader=loader), "YAML")
    if "isaac" not in str(content.get("format", ""))[:40] or "grasps" not in content:
        raise GraspFileError(f"it has no grasps in the format isaac_grasp; {_names(content)}")
    entries = content["grasps"] or {}
    if not isinstance(entries, dict) or len(entries) > MOST:
        raise GraspFileError("grasps is not a mapping of names to grasps")
    rows = [_isaac_pose(name, entry) for name, entry in entries.items()]
    poses = checked_poses(np.array(rows).reshape(-1, 4, 4), "grasps")
    frame = str(content.get("gripper_frame", content.get("gripper_frame_link", "")))[:200]
    if _FRANKA_FRAME.search(frame):
        poses = poses @ _franka_T_grasp()
    elif frame not in ("", _GRASP_FRAME):
        raise GraspFileError(
            f"its gripper_frame {frame!r} has unknown axes; expected panda_hand, {_GRASP_FRAME}"
            " (z approaches, fingers close along x), or no gripper_frame"
        )
    values = entries.values()
    score = numbers([entry.get("confidence", 1.0) for entry in values], "confidence")
    score = checked_grade(score, len(poses), "confidence")
    labels = None
    if entries and all("object_in_gripper" in entry for entry in values):
        given = [entry["object_in_gripper"] for entry in values]
        labels = checked_labels(given, len(poses), "object_in_gripper")
    elif set(score.tolist()) == {0.0, 1.0}:
        labels = score == 1
    return Grasps(
        poses,
        labels,
        _grades(content.get("grades", {}), len(poses)) | {"score": score},
        object_file=text(content.get("object_file", "")),
        object_scale=checked_scale(content.get("object_scale", 1.0), "object_scale"),
        **_common(content, known=_FRANKA_FRAME.search(frame) is not None),
    )


def checked_grade(values: Any, count: int, name: str) -> np.ndarray:
    """A grade (N,) as float64, or as bool where all values are.

    values: numbers, or None for NaN.
    count: N, of the poses.
    name: of the grade, for messages.

    Raises GraspFileError for another shape or type.
    """
    if isinstance(values, list):
        values = [math.nan if value is None else value for value in values]
    found = numbers(values, name)
    if found.shape != (count,):
        raise GraspFileError(f"{name} has shape {found.shape}, expected ({count},)")
    return found.astype(bool) if np.asarray(values).dtype == bool else found


def _isaac_pose(name, entry):
    place = f"grasps.{str(name)[:40]}"
    orientation = entry.get("orientation") if isinstance(entry, dict) else None
    if not isinstance(orientation, dict) or "position" not in entry:
        raise GraspFileError(f"{place} lacks a position, or an orientation with w and xyz")
    position = _vector(entry["position"], 3, f"{place}.position")
    xyz = _vector(orientation.get("xyz"), 3, f"{place}.orientation.xyz")
    quat = np.array([*_vector([orientation.get("w")], 1, f"{place}.orientation.w"), *xyz])
    if not abs(np.linalg.norm(quat) - 1) < 1e-2:
        raise GraspFileError(
            f"{place}.orientation has length {np.linalg.norm(quat):.3g}, expected a unit quaternion"
        )
    return pose.from_rt(pose.quat_wxyz_to_matrix(quat), position)


def _vector(values, size, name):
    """Numbers of a flat list: nested ones could be endless by YAML's aliases."""
    flat = isinstance(values, list) and len(values) == size
    if not flat or any(isinstance(value, list | dict | str) for value in values):
        raise GraspFileError(f"{name} is not a list of {size} numbers")
    return numbers(values, name)


def _parsed(path, parse, kind):
    if path.stat().st_size > _LARGEST:
        raise GraspFileError(f"it has {path.stat().st_size} bytes, expected at most {_LARGEST}")
    try:
        source = path.read_bytes().decode("utf-8-sig")
        content = parse(source)
        refuse_endless(content, len(source) + 100)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise GraspFileError(f"not a readable {kind} file ({lines[0]})") from error
    if not isinstance(content, dict):
        raise GraspFileError(f"it holds a {type(content).__name__}, expected names with values")
    return content


def _part(content, name):
    part = content.get(name)
    if not isinstance(part, dict):
        raise GraspFileError(
            f"it has no mapping {name!r}, expected a GraspGen file; {_names(content)}"
        )
    return part


def _names(content):
    return f"it holds {', '.join(sorted(str(name)[:40] for name in content)[:10]) or 'nothing'}"


def _grades(found, count):
    if not isinstance(found, dict):
        raise GraspFileError("grades is not a mapping of names to numbers")
    names = {str(name): values for name, values in found.items()}
    return {name: checked_grade(values, count, f"grades.{name}") for name, values in names.items()}


def _finite(value):
    """Plain data with None for numbers that JSON has no word for."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _common(content, *, known=False):
    """Gripper and parameters, our own additions, of a file of either kind.

    `known` says that the frame of the gripper names it.
    """
    gripper, parameters = content.get("gripper"), content.get("parameters")
    file = Path(str(content.get("gripper_file", ""))[:500]).stem  # GraspDataGen's
    named = gripper if isinstance(gripper, dict) else {"type": gripper or file or Grasps.gripper}
    configuration = named.get("configuration", Grasps.configuration)
    parameters = parameters if isinstance(parameters, dict) else {}
    if not (gripper or file or known):
        parameters = noted(parameters, ASSUMED)
    return {
        "gripper": checked_gripper(named.get("type", Grasps.gripper)),
        "configuration": checked_configuration(configuration, "gripper.configuration"),
        "parameters": parameters,
    }


def _franka_T_grasp():
    from graspbook.hands.franka import FRANKA_T_GRASP

    return FRANKA_T_GRASP
