"""Rigid poses as hand-eye files write them: positions with quaternions, angles or matrices."""

import re
from typing import Any

import numpy as np

from graspbook.errors import CaptureError
from graspbook.pose import from_rt, quat_wxyz_to_matrix, rotation_about

_POSITIONS = ("translation", "position", "xyz", "trans", "tvec", "t")
_QUATERNIONS = ("quaternion_xyzw", "quat_xyzw", "quaternion_wxyz", "quat_wxyz")
_ROTATIONS = ("rotation", "orientation", "quaternion", "quat", "q", "R")
_UNIT = 1e-2  # a quaternion's length may differ so much from 1


def array_of(value: Any) -> np.ndarray | None:
    """An array of at most 16 x 16 numbers, None for what is no such thing.

    value: a list, a list of lists, or a mapping with `data` and maybe `rows` and `cols`.
    """
    if isinstance(value, dict):
        shape = str(value.get("rows")), str(value.get("cols"))
        found = array_of(value.get("data"))
        if found is not None and all(n.isdecimal() and int(n) < 17 for n in shape):
            rows, cols = map(int, shape)
            return found.reshape(rows, cols) if found.size == rows * cols else None
        return found
    if not isinstance(value, list) or not 0 < len(value) <= 16:
        return None
    lines: list[list[Any]] = [row if isinstance(row, list) else [row] for row in value]
    if any(len(row) != len(lines[0]) or len(row) > 16 for row in lines):
        return None
    if not all(
        isinstance(x, int | float) and not isinstance(x, bool) for row in lines for x in row
    ):
        return None
    try:
        found = np.array(lines, float)
    except OverflowError:
        return None
    return found if isinstance(value[0], list) else found[:, 0]


def pose_of(part: dict[str, Any]) -> np.ndarray:
    """The pose (4, 4) of a mapping with a position and a rotation.

    part: `translation` or `position` (a list, or x, y, z), or x, y, z themselves; a quaternion with
        named parts or a named order, a matrix (3, 3), a vector `rvec`, or `rpy`.

    Raises CaptureError where one of them is missing, or the quaternion's order is not known.
    """
    positions = [name for name in part if _is(name, _POSITIONS)]
    where = _vector(part[positions[0]], "xyz") if positions else _vector(part, "xyz")
    if where is None:
        raise CaptureError(f"no position in {_keys(part)}")
    return from_rt(_rotation(part), where)


def publisher_pose(text: str) -> tuple[np.ndarray, str, str]:
    """Pose, parent and child of the one static_transform_publisher of a launch file.

    Its arguments are x y z qx qy qz qw parent child, or x y z yaw pitch roll parent child, or named
    ones as in ROS 2 (--x, --qx, --roll, --frame-id ...).

    text: of an XML, Python or shell file.

    Raises CaptureError where there is none, or several, or numbers are not written out.
    """
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.DOTALL)
    text = re.sub(r"(?m)(^|\s)#.*$", " ", text)
    places = re.split(r"static_transform_publisher", text)[1:]
    found = [tokens for place in places if (tokens := _tokens(place))]
    if len(found) != 1:
        raise CaptureError(f"{len(found)} static_transform_publishers with arguments, expected one")
    return _named_arguments(found[0]) if found[0][0].startswith("--") else _arguments(found[0])


def _tokens(place):
    """The arguments that follow the name of a publisher's program."""
    if match := re.search(r"""arguments\s*=\s*\[(.*?)\]""", place, re.DOTALL):
        return re.findall(r"""[^\s,"']+""", match[1])
    if match := re.search(r"""\bargs\s*=\s*(["'])(.*?)\1""", place, re.DOTALL):
        return match[2].split()
    line = place.lstrip().replace("\\\n", " ").splitlines()[:1]
    numbers = re.match(r"\s*(-?[\d.]|--)", line[0]) if line else None
    return line[0].split() if numbers else []


def _named_arguments(tokens):
    pairs = " ".join(tokens).replace("=", " ").split()
    named = dict(zip(pairs[::2], pairs[1::2], strict=False))
    x = {name.removeprefix("--"): value for name, value in named.items()}
    angles = [_float(x.get(name, "0")) for name in ("yaw", "pitch", "roll")]
    quat = [_float(x[name]) for name in ("qw", "qx", "qy", "qz") if name in x]
    if len(quat) not in (0, 4):
        raise CaptureError("some of --qx --qy --qz --qw are missing, expected all four or none")
    rotation = _unit(quat) if quat else _of_angles(*angles)
    where = [_float(x.get(name, "0")) for name in "xyz"]
    return from_rt(rotation, where), x.get("frame-id", ""), x.get("child-frame-id", "")


def _arguments(tokens):
    frames = [token for token in tokens if re.match(r"/?[A-Za-z_]", token)]
    if len(frames) != 2 or any("$" in token for token in tokens):
        raise CaptureError(
            "some arguments are not written out, expected numbers and then two frames"
        )
    numbers = [_float(token) for token in tokens[: tokens.index(frames[0])]]
    if len(numbers) == 7:
        x, y, z, w = numbers[3:]
        return from_rt(_unit([w, x, y, z]), numbers[:3]), *frames
    if len(numbers) == 6:
        return from_rt(_of_angles(*numbers[3:]), numbers[:3]), *frames
    raise CaptureError(f"{len(numbers)} numbers before the frames, expected 6 or 7")


def _rotation(part):
    for name, value in part.items():
        if _is(name, _QUATERNIONS) and (found := _vector(value, "xyzw")) is not None:
            given = isinstance(value, list) and str(name).lower().endswith("wxyz")
            return _unit(found if given else np.roll(found, 1))
        if _is(name, ("rpy", "euler")) and (found := _vector(value, "rpy")) is not None:
            return _of_angles(*found[::-1])
        if _is(name, ("rvec",)) and (found := _vector(value, "xyz")) is not None:
            return _of_vector(found)
        if _is(name, _ROTATIONS) or str(name).startswith("R_"):
            return _any_rotation(name, value)
    if (found := _vector(part, ("qw", "qx", "qy", "qz"))) is not None:
        return _unit(found)
    raise CaptureError(f"no rotation in {_keys(part)}")


def _any_rotation(name, value):
    """A rotation whose name says nothing: a mapping, a matrix or a vector."""
    if isinstance(value, dict):
        for keys in ("wxyz", ("qw", "qx", "qy", "qz")):
            if (found := _vector(value, keys)) is not None:
                return _unit(found)
    found = array_of(value)
    if found is not None and found.size == 9:
        return found.reshape(3, 3)
    if found is not None and found.size == 3 and str(name).startswith("R"):
        return _of_vector(found.ravel())
    if found is not None and found.size == 4:
        raise CaptureError(
            f"{name}: four numbers in an unknown order; expected quaternion_xyzw or quaternion_wxyz"
        )
    raise CaptureError(f"{name} is not a rotation")


def _vector(value, keys):
    """Numbers of a list, or of a mapping by its keys; None for what is no such thing."""
    if isinstance(value, dict) and "data" not in value:
        value = [value.get(key) for key in keys]
    found = array_of(value)
    return None if found is None or found.size != len(keys) else found.ravel()


def _of_angles(yaw, pitch, roll):
    axes = np.eye(3)[::-1]  # z, y, x
    turns = [rotation_about(axis, a) for axis, a in zip(axes, (yaw, pitch, roll), strict=True)]
    return turns[0] @ turns[1] @ turns[2]


def _of_vector(vector):
    angle = float(np.linalg.norm(vector))
    return rotation_about(vector, angle) if angle > 0 else np.eye(3)


def _unit(quat_wxyz):
    length = np.linalg.norm(quat_wxyz)
    if not abs(length - 1) < _UNIT:
        raise CaptureError(f"a quaternion of length {length:.3g}, expected 1")
    return quat_wxyz_to_matrix(np.asarray(quat_wxyz, float))


def _float(token):
    try:
        return float(token)
    except ValueError:
        raise CaptureError(f"{token[:40]!r} is not a number, expected a number") from None


def _is(name, names):
    lowered = str(name).lower()
    return any(lowered == n.lower() for n in names) or (
        "t" in names and bool(re.match(r"(t|trans|translation)_", lowered))
    )


def _keys(part):
    return ", ".join(str(name)[:30] for name in list(part)[:10]) or "an empty mapping"
