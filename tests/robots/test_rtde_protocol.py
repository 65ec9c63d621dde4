"""The packages of RTDE, byte by byte."""

import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.robots import rtde_protocol as rtde


def test_a_package_is_its_length_its_kind_and_its_content():
    assert rtde.package(rtde.VERSION, b"\x00\x02") == b"\x00\x05V\x00\x02"
    assert rtde.package(rtde.START) == b"\x00\x03S"


def test_packages_are_taken_out_of_what_arrives_in_pieces():
    whole = rtde.package(rtde.START) + rtde.package(rtde.DATA, b"abc")
    buffer, found = bytearray(), []
    for byte in whole:
        buffer.append(byte)
        found += rtde.split(buffer)
    assert found == [(b"S", b""), (b"U", b"abc")] and not buffer
    with pytest.raises(RobotError, match="package of 1 bytes, expected at least 3"):
        rtde.split(bytearray(b"\x00\x01U"))


def test_a_recipe_ends_in_a_comma_and_carries_its_variables_in_order():
    recipe = rtde.Recipe("input_int_register_0,input_double_register_23,actual_q,")
    assert recipe.types == ["INT32", "DOUBLE", "VECTOR6D"]
    assert rtde.text(recipe.types) == b"INT32,DOUBLE,VECTOR6D"
    values = {"input_int_register_0": 255, "actual_q": np.arange(6.0)}
    packed = recipe.pack(values)
    assert packed[:4] == b"\x00\x00\x00\xff" and len(packed) == 4 + 8 + 48
    back = recipe.unpack(packed)
    assert back["input_int_register_0"] == 255 and back["input_double_register_23"] == 0
    np.testing.assert_array_equal(back["actual_q"], np.arange(6))
    with pytest.raises(RobotError, match="has 3 bytes, expected 60 for input_int_register_0"):
        recipe.unpack(b"abc")


def test_an_unknown_variable_is_refused():
    assert rtde.variable_type("output_int_register_47") == "INT32"
    assert rtde.variable_type("warp") == "NOT_FOUND"
    with pytest.raises(RobotError, match="RTDE variable 'warp': unknown"):
        rtde.Recipe("timestamp,warp,")
