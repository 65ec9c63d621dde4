import pytest

from graspbook.errors import ParameterError
from graspbook.hands.grippers import GRIPPERS, load_gripper
from graspbook.hands.parallel_jaw import FRANKA


def test_grippers_are_found_by_the_name_in_grasp_files():
    assert GRIPPERS["panda"] is FRANKA  # ACRONYM's name of the Franka Hand
    assert {name: gripper.name for name, gripper in GRIPPERS.items()} == {
        name: name for name in GRIPPERS
    }


def test_an_unknown_gripper_is_refused_with_the_known_ones():
    assert load_gripper("panda") is FRANKA
    with pytest.raises(
        ParameterError, match="unknown gripper 'claw', expected one of panda, robotiq"
    ):
        load_gripper("claw")
