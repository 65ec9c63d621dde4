"""What the simulated UR controller does with commands in its registers."""

import numpy as np
import pytest

from graspbook.robots.simulated_ur_program import (
    EMERGENCY,
    PAUSED,
    PLAYING,
    PROTECTIVE,
    STOPPED,
    Program,
)
from graspbook.robots.ur10 import UR10E

DT = 0.002
ANSWER = "output_int_register_0"


@pytest.fixture
def program():
    made = Program(UR10E, UR10E.ready)
    made.start()
    return made


def command(program, number, *doubles, background=0):
    registers = {f"input_double_register_{i}": [value] for i, value in enumerate(doubles)}
    program.receive(
        registers | {"input_int_register_0": [number], "input_int_register_1": [background]}
    )


def finish(program, seconds=5.0):
    """Let cycles pass until the answer is "done"."""
    for _ in range(int(seconds / DT)):
        program.advance(DT)
        if program.state()[ANSWER] == 2:
            return
    pytest.fail("the command was not done")


def test_a_move_is_done_when_the_arm_is_there_and_the_next_waits_for_a_clear_register(program):
    goal = UR10E.ready + [0.2, 0, 0, 0, 0, 0]
    assert program.state()[ANSWER] == 1
    command(program, 1, *goal, 0.5, 1.0)
    program.advance(DT)
    assert program.state()[ANSWER] == 1
    finish(program)
    np.testing.assert_allclose(program.q, goal)
    assert program.time == pytest.approx(0.2 / 0.5 + 0.5 - 0.1, abs=0.1)
    command(program, 0)
    program.advance(DT)
    assert program.state()[ANSWER] == 1 and program.counts == {"moveJ": 1}


def test_a_move_in_the_background_is_done_at_once_and_can_be_stopped(program):
    command(program, 1, *UR10E.ready + [0.5, 0, 0, 0, 0, 0], 0.5, 1.0, background=1)
    finish(program, 0.01)
    assert program.state()["output_int_register_2"] >> 15 & 1
    for _ in range(200):
        program.advance(DT)
    assert program.qd[0] > 0.3
    command(program, 0)
    program.advance(DT)
    command(program, 34, 2.0)
    finish(program)
    assert not program.qd.any() and 0.05 < program.q[0] - UR10E.ready[0] < 0.3
    assert program.motions == 1 and program.counts == {"moveJ": 1, "stopJ": 1}


def test_the_tool_goes_straight(program):
    start = program.state()["actual_TCP_pose"]
    goal = start + [0, 0.05, 0.1, 0, 0, 0]
    command(program, 3, *goal, 0.2, 0.5)
    beside = 0.0
    for _ in range(2000):
        program.advance(DT)
        passed = program.state()["actual_TCP_pose"][:3] - start[:3]
        beside = max(beside, abs(passed[0]), abs(passed[1] - passed[2] / 2))
        if program.state()[ANSWER] == 2:
            break
    np.testing.assert_allclose(program.state()["actual_TCP_pose"][:3], goal[:3], atol=1e-3)
    assert beside < 1e-3
    command(program, 0)
    program.advance(DT)
    command(program, 3, 3.0, 0, 0, 0, 0, 0, 0.2, 0.5)  # out of reach
    program.advance(DT)
    assert program.safety == PROTECTIVE


def test_limits_end_in_a_protective_stop_until_it_is_released(program):
    command(program, 9, 3.0, 0, 0, 0, 0, 0, 40.0, 0.0)
    for _ in range(1500):
        program.advance(DT)
    assert program.safety == PROTECTIVE and program.runtime == PAUSED and not program.qd.any()
    assert program.q[0] == pytest.approx(UR10E.high[0], abs=0.5)
    state = program.state()
    assert state["safety_status_bits"] >> 2 & 1 and state["safety_mode"] == 3
    stood = program.q.copy()
    command(program, 1, *UR10E.ready, 0.5, 1.0)
    program.advance(DT)
    np.testing.assert_array_equal(program.q, stood)
    assert program.unlock() and not program.unlock()
    assert program.runtime == STOPPED


def test_an_emergency_stop_takes_the_power_and_no_script_starts(program):
    program.fall(EMERGENCY)
    program.start()
    state = program.state()
    assert program.runtime == STOPPED and state["robot_mode"] == 3
    assert state["safety_status_bits"] >> 7 & 1 and not state["robot_status_bits"]
    assert not program.unlock()


def test_a_move_that_begins_while_the_arm_moves_and_an_unknown_command_stop_it(program):
    command(program, 9, 0.5, 0, 0, 0, 0, 0, 4.0, 0.0)
    for _ in range(100):
        program.advance(DT)
    command(program, 1, *UR10E.ready, 0.5, 1.0)
    program.advance(DT)
    assert program.safety == PROTECTIVE
    other = Program(UR10E, UR10E.ready, playing=True)
    assert other.runtime == PLAYING
    command(other, 52)
    other.advance(DT)
    assert other.runtime == STOPPED and other.counts == {"command 52": 1}


def test_what_hangs_on_the_arm_follows_every_cycle():
    seen = []
    program = Program(UR10E, UR10E.ready, playing=True, follow=lambda q: seen.append(q.copy()))
    command(program, 11, *UR10E.ready + 0.01, 0, 0, 0.008, 0.05, 300)
    for _ in range(500):
        program.advance(DT)
    assert len(seen) == 500 and np.abs(np.diff(seen, axis=0)).max() < 0.01
    np.testing.assert_allclose(seen[-1], UR10E.ready + 0.01, atol=1e-5)
    assert program.counts == {"servoJ": 1}
