"""Packages of RTDE, the real-time data exchange of Universal Robots' controllers, version 2.

A package is its length (2 bytes, big-endian, with the header), its kind (1 byte), and its content.
A recipe is the list of variables that a data package carries. Source: Universal Robots, "Real-Time
Data Exchange (RTDE) Guide".
"""

import re
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from graspbook.errors import RobotError

VERSION, CONTROLLER, OUTPUTS, INPUTS = b"V", b"v", b"O", b"I"
START, PAUSE, DATA = b"S", b"P", b"U"
_HEADER = struct.Struct(">Hc")
_CODES = {
    "DOUBLE": "d",
    "INT32": "i",
    "UINT32": "I",
    "UINT64": "Q",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
}
_VECTORS = (
    "target_q target_qd target_qdd target_current target_moment actual_q actual_qd actual_current"
    " joint_control_output actual_TCP_pose actual_TCP_speed actual_TCP_force target_TCP_pose"
    " target_TCP_speed joint_temperatures actual_joint_voltage ft_raw_wrench payload_inertia"
    " external_force_torque actual_current_as_torque"
).split()
_NUMBERS = (
    "timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum"
    " actual_main_voltage actual_robot_voltage actual_robot_current standard_analog_input0"
    " standard_analog_input1 standard_analog_output0 standard_analog_output1 payload"
).split()
_TYPES = {
    **dict.fromkeys(_VECTORS, "VECTOR6D"),
    **dict.fromkeys(_NUMBERS, "DOUBLE"),
    **dict.fromkeys(("actual_digital_input_bits", "actual_digital_output_bits"), "UINT64"),
    **dict.fromkeys(("runtime_state", "robot_status_bits", "safety_status_bits"), "UINT32"),
    **dict.fromkeys(("robot_mode", "safety_mode"), "INT32"),
    **dict.fromkeys(("actual_tool_accelerometer", "payload_cog"), "VECTOR3D"),
    "joint_mode": "VECTOR6INT32",
}
_REGISTER = re.compile(r"(?:in|out)put_(int|double)_register_\d+")


def variable_type(name: str) -> str:
    """The type of a variable, as RTDE names it; "NOT_FOUND" for an unknown one.

    name: as in a recipe, for example actual_q.
    """
    register = _REGISTER.fullmatch(name)
    if register:
        return {"int": "INT32", "double": "DOUBLE"}[register[1]]
    return _TYPES.get(name, "NOT_FOUND")


def _size(kind):
    return int(_CODES[kind][0]) if kind.startswith("VECTOR") else 1


class Recipe:
    """The variables of a data package, in their order.

    names: text with commas between them; a comma may follow the last one. Raises RobotError for an
    unknown variable.
    """

    def __init__(self, names: str) -> None:
        self.names = [name for name in names.split(",") if name]
        self.types = [variable_type(name) for name in self.names]
        for name, kind in zip(self.names, self.types, strict=True):
            if kind == "NOT_FOUND":
                raise RobotError(f"RTDE variable {name!r}: unknown, expected one of the RTDE guide")
        self._layout = struct.Struct(">" + "".join(_CODES[kind] for kind in self.types))

    def pack(self, values: Mapping[str, float | np.ndarray]) -> bytes:
        """The content of a data package, without the recipe's number.

        values: numbers or vectors by name; a variable that is missing counts as 0.
        """
        numbers: list[float] = []
        for name, kind in zip(self.names, self.types, strict=True):
            value = np.broadcast_to(values.get(name, 0), _size(kind)).tolist()
            numbers += map(int, value) if "INT" in kind else value
        return self._layout.pack(*numbers)

    def unpack(self, content: bytes) -> dict[str, np.ndarray]:
        """Values by name, each an array of one number or of a vector's numbers.

        content: of a data package, without the recipe's number. Raises RobotError when its length
        is not the recipe's.
        """
        if len(content) != self._layout.size:
            raise RobotError(
                f"an RTDE data package has {len(content)} bytes, expected {self._layout.size} for"
                f" {', '.join(self.names)}"
            )
        numbers, found, begin = self._layout.unpack(content), {}, 0
        for name, kind in zip(self.names, self.types, strict=True):
            found[name] = np.array(numbers[begin : begin + _size(kind)])
            begin += _size(kind)
        return found


def package(kind: bytes, content: bytes = b"") -> bytes:
    """A whole package.

    kind: one of the letters of this module.
    content: what follows the header.
    """
    return _HEADER.pack(_HEADER.size + len(content), kind) + content


def split(buffer: bytearray) -> list[tuple[bytes, bytes]]:
    """Kind and content of each whole package, which are taken out of the buffer.

    buffer: what has arrived so far. Raises RobotError when it cannot be RTDE.
    """
    found = []
    while len(buffer) >= _HEADER.size:
        size, kind = _HEADER.unpack_from(buffer)
        if size < _HEADER.size:
            raise RobotError(f"an RTDE package of {size} bytes, expected at least {_HEADER.size}")
        if len(buffer) < size:
            break
        found.append((kind, bytes(buffer[_HEADER.size : size])))
        del buffer[:size]
    return found


def text(types: Sequence[str]) -> bytes:
    """Types as the answer to a recipe lists them.

    types: of the variables, in the recipe's order.
    """
    return ",".join(types).encode()
