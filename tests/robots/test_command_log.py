"""The log of commands to an arm."""

import logging
import time
from pathlib import Path

import franky
import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.robots.arm import Arm
from graspbook.robots.command_log import command_log
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.simulated_world import World
from graspbook.robots.trial import attempt
from graspbook.simulation.tabletop import tabletop

LOG = logging.getLogger("graspbook.robots.arm")
full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


def empty_table():
    world = World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0)
    return SimulatedController(world, realtime=False)


def test_the_log_of_commands_is_written_and_the_logger_left_as_it_was(tmp_path):
    before = _logger()
    with command_log(tmp_path / "new" / "commands.log"):
        LOG.info("move %s", "there")
    LOG.info("not this")
    text = (tmp_path / "new" / "commands.log").read_text()
    assert text.endswith("move there\n") and "not this" not in text
    assert _logger() == before


def _logger():
    return LOG.level, LOG.propagate, list(LOG.handlers)


def wait_until(true, seconds=30):
    """Wait for what comes about in its own time, on a busy machine later."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@full_disk
@pytest.mark.timing
def test_a_command_that_cannot_be_logged_is_not_sent_and_the_arm_stops_all_the_same(capsys):
    before, end = _logger(), np.array(FR3.ready) + [0.8, 0, 0, 0, 0, 0, 0]
    with empty_table() as controller, Arm(controller.hostname, execute=True, speed=0.5) as arm:
        motion = franky.JointMotion(end, relative_dynamics_factor=0.1)
        arm._line.robot.move(motion, asynchronous=True)
        wait_until(lambda: np.abs(controller.truth().q - FR3.ready).max() > 0.01)
        with command_log("/dev/full"):
            with pytest.raises(
                RobotError, match="cannot write /dev/full: No space left on device; .* is not sent"
            ):
                arm.open()
            found = attempt(arm, None, None, TrialSettings(), rng=None, judge=None)
            stopped = controller.truth().q
        assert found["outcome"] == "fault" and found["reason"].startswith("cannot write /dev/full")
        commands = controller.commands()
        assert (
            commands["hand.kMove"] == 0 and commands["kMove"] == 1 and commands["hand.kStop"] >= 1
        )
        assert np.abs(stopped - end).max() > 0.3
        wait_until(lambda: not arm.moving)  # the client is told a little later
    assert _logger() == before and "Traceback" not in capsys.readouterr().err
