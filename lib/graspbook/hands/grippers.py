"""The parallel-jaw grippers there are, and how to add one.

A gripper is data: a module beside this one that makes a `parallel_jaw.ParallelJaw`, and its row
here. `robotiq` is an example. Its name is what grasp files hold as `gripper/type`. The tests in
tests/hands/test_parallel_jaw.py and tests/simulation/test_shake.py then run for it too.
"""

from graspbook.errors import ParameterError
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.hands.robotiq import ROBOTIQ_2F85

GRIPPERS: dict[str, ParallelJaw] = {gripper.name: gripper for gripper in (FRANKA, ROBOTIQ_2F85)}


def load_gripper(name: str) -> ParallelJaw:
    """The gripper of a name.

    name: one of GRIPPERS.

    Raises ParameterError for another name.
    """
    if name not in GRIPPERS:
        raise ParameterError(f"unknown gripper {name!r}, expected one of {', '.join(GRIPPERS)}")
    return GRIPPERS[name]
