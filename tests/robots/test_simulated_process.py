import os
import time

import pytest

from graspbook.errors import RobotError
from graspbook.robots.simulated_process import SimulatedProcess


def answer(line, ready):
    """Says that it is ready, then gives back each question."""
    line.send(ready)
    while (question := line.recv()) != ("close",):
        if question == ("die",):
            os._exit(3)
        line.send(question)


def fail(line):
    os._exit(7)


def sleep(line):
    time.sleep(60)


def test_it_answers_until_it_is_closed():
    with SimulatedProcess("simulated clock", answer, ("noon",), 60) as clock:
        assert clock.ready == "noon" and clock._ask("hour", 3) == ("hour", 3)
        process = clock._process
    assert not process.is_alive() and process.exitcode == 0
    clock.close()  # once more does nothing
    with pytest.raises(RobotError, match="^the simulated clock is gone$"):
        clock._ask("hour")


def test_a_process_that_ends_is_gone():
    with SimulatedProcess("simulated clock", answer, (0,), 60) as clock:
        with pytest.raises(RobotError, match="^the simulated clock is gone$"):
            clock._ask("die")


def test_a_process_that_does_not_start_is_told():
    with pytest.raises(RobotError, match=r"simulated clock did not start \(exit status 7\)"):
        SimulatedProcess("simulated clock", fail, (), 60)
    with pytest.raises(RobotError, match="simulated clock did not start within 0 s"):
        SimulatedProcess("simulated clock", sleep, (), 0.1)
