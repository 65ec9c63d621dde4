"""The arm's wrapper, against the simulated controller: what it refuses, what it sends, how it
stops.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import replace

import franky
import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots import arm as wrapper
from graspbook.robots import connection, paths
from graspbook.robots.arm import Arm
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.paths import Path, Waypoint, checked
from graspbook.robots.planning import MotionSettings, find_way, straight
from graspbook.robots.scene import Limits, Scene
from graspbook.robots.simulated_world import World
from graspbook.simulation.tabletop import tabletop

pytestmark = pytest.mark.timing  # the client has a clock of its own

FREE = Scene()
SUNK = Scene(
    limits=Limits((0.15, -0.6, -0.2), (0.85, 0.6, 0.95), table=-0.2)
)  # of somebody who takes the table to be lower
MOTION = MotionSettings(speed=0.5)


def over_table(height):
    """Joint angles with the hand pointing down and its fingertips at this height."""
    return FR3.inverse(
        pose.from_rt(np.diag([1.0, -1.0, -1.0]), [0.5, 0.0, height + 0.1122]), FR3.ready
    )


LOW = over_table(0.1)


@pytest.fixture(scope="module")
def controller():
    world = World(tabletop([], [], []).to_xml(), 0)
    with SimulatedController(world, realtime=False) as running:
        yield running


@pytest.fixture
def arm(controller):
    with Arm(controller.hostname, execute=True, speed=0.5, recover=True) as connected:
        yield connected


def turned(angle, start=FR3.ready):
    return np.asarray(start) + [angle, 0, 0, 0, 0, 0, 0]


def rest(controller, seconds=0.2):
    end = controller.truth().time + seconds
    while (truth := controller.truth()).time < end:
        time.sleep(0.002)
    return truth.q


def moved(commands):
    """The commands that move arm or hand."""
    return {
        name: count
        for name, count in commands.items()
        if name in ("kMove", "stream", "hand.kMove", "hand.kGrasp")
    }


def test_what_is_not_checked_or_not_allowed_is_refused_before_anything_is_sent(controller, arm):
    goal = turned(0.05, arm.q)
    free = checked(FREE, "free", arm.q, [goal], 0.3)
    before, given = controller.commands(), arm.commands
    unchecked = Path("unchecked", arm.q, (Waypoint(goal, np.zeros(7)),), 0.3, 0.3)
    for path, message in (
        (unchecked, "unchecked: refused: the path was not checked"),
        (replace(free, waypoints=unchecked.waypoints), "free: refused: the path was not checked"),
        (
            checked(FREE, "fast", arm.q, [goal], 0.6),
            "fast: refused: speed 0.6, expected at most 0.5",
        ),
        (
            checked(FREE, "elsewhere", turned(0.01, arm.q), [goal], 0.3),
            "refused: it starts 0.010 rad away from the arm's pose",
        ),
    ):
        with pytest.raises(RobotError, match=message):
            arm.run(path)
    for newtons in (0.0, -1.0, 41.0, np.nan):
        with pytest.raises(
            RobotError, match="gripper force .* expected more than 0 N and at most 40"
        ):
            arm.grasp(newtons)
    arm.execute = False
    for command in (lambda: arm.run(free), arm.open, arm.grasp):
        with pytest.raises(
            RobotError, match="refused: this arm may not move unless --execute is given"
        ):
            command()
    assert controller.commands() == before and arm.commands == given
    arm.execute = True
    assert not arm.run(free)  # the others were refused for what was wrong with them
    np.testing.assert_allclose(rest(controller), goal, atol=1e-3)


@pytest.mark.parametrize(
    "goal, message",
    [
        (FR3.ready + [3.0, 0, 0, 0, 0, 0, 0], "fr3_joint1 at 3.000 rad, expected -2.694 to 2.694"),
        (FR3.ready + [np.nan, 0, 0, 0, 0, 0, 0], "expected 7 finite numbers"),
        (
            FR3.ready + [2.0, 0, 0, 0, 0, 0, 0],
            r"the hand at .* expected within \(0.15, -0.6, 0.0\)",
        ),
        (over_table(-0.02), r"the fingertips at \[.*-0.02\] m, expected within"),
        (over_table(0.001), "the table.* would touch"),
    ],
)
def test_a_target_outside_the_limits_or_through_the_table_is_refused_before_anything_is_sent(
    controller, arm, goal, message
):
    before = controller.commands()
    with pytest.raises(RobotError, match=f"target: refused: .*{message}"):
        arm.run(checked(FREE, "target", arm.q, [goal], 0.3))
    assert controller.commands() == before


def test_a_line_through_the_table_is_refused_before_anything_is_sent(controller, arm):
    arm.run(checked(FREE, "low", arm.q, [LOW], 0.5))
    before = controller.commands()
    with pytest.raises(RobotError, match="down: refused: .*(table|fingertips)"):
        arm.run(straight(FREE, "down", arm.q, [0, 0, -0.2], MOTION))
    assert controller.commands() == before


def test_contact_ends_an_approach_gently_and_the_arm_goes_on(controller, arm):
    arm.run(checked(FREE, "low", arm.q, [LOW], 0.5))
    tips = FR3.forward(arm.q) @ [0, 0, 0.1122, 1]
    assert not arm.run(
        straight(SUNK, "approach", arm.q, [0, 0, 0.01 - tips[2]], MOTION), contact=True
    )  # touches nothing
    assert arm.run(
        straight(SUNK, "touch", arm.q, [0, 0, -0.05], MOTION, touching=True), contact=True
    )
    q = rest(controller)
    assert -0.005 < (FR3.forward(q) @ [0, 0, 0.1122, 1])[2] < 0.002
    pressing = np.linalg.norm(arm._line.robot.state.O_F_ext_hat_K[:3])
    assert 5 < pressing < 60
    up = straight(SUNK, "up", arm.q, [0, 0, 0.05], MOTION)
    rest(controller, 0.5)
    np.testing.assert_allclose(arm.q, up.start, atol=1e-3)  # it is held there, whatever presses
    assert not arm.run(up)


def test_an_arm_that_does_not_arrive_is_told(controller, arm, monkeypatch):
    monkeypatch.setattr(
        wrapper, "CONTACT_FORCE", 1e4
    )  # what stops it short is no contact that it reacted to
    arm.run(checked(FREE, "low", arm.q, [LOW], 0.5))
    tips = FR3.forward(arm.q) @ [0, 0, 0.1122, 1]
    arm._line.robot.set_collision_behavior(
        np.full(7, 1e4), np.full(6, 1e4)
    )  # no reflex: it presses on
    with pytest.raises(
        RobotError,
        match=r"press: the arm stopped 0\.\d+ rad away from the end of its path, expected less",
    ):
        arm.run(straight(SUNK, "press", arm.q, [0, 0, -tips[2] - 0.03], MOTION), contact=True)
    arm.run(straight(SUNK, "up", arm.q, [0, 0, 0.08], MOTION))


@pytest.fixture
def ctrl_c():
    """Ctrl-C as at a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_arm_and_hand_and_they_move_again_when_asked(controller, arm):
    arm.run(checked(FREE, "start", arm.q, [FR3.ready], 0.5))
    arm.open()
    far = checked(FREE, "far", arm.q, [turned(0.5)], 0.01)
    for command, at_end in (
        (lambda: arm.run(far), lambda: arm.q[0] > 0.4),
        (lambda: arm.grasp(speed=0.006), lambda: arm.width < 0.01),
    ):
        before = controller.commands()
        timer = threading.Timer(0.15, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            command()
        timer.join()
        rest(controller, 0.3)
        stopped, setpoints = controller.truth(), controller.commands()
        assert (
            setpoints["kStopMove"] > before["kStopMove"]
            and setpoints["hand.kStop"] > before["hand.kStop"]
        )
        rest(controller, 0.3)
        np.testing.assert_allclose(controller.truth().q, stopped.q, atol=1e-4)
        assert controller.truth().width == pytest.approx(stopped.width, abs=1e-4)
        assert controller.commands() == setpoints and not at_end()
    arm.open()
    assert arm.width > 0.078
    assert not arm.run(checked(FREE, "back", arm.q, [FR3.ready], 0.5))


def test_a_reflex_refuses_motion_and_connection_until_recovery_is_asked_for(controller):
    arm = Arm(controller.hostname, execute=True, speed=0.5, recover=True)
    controller.inject("reflex", after=0.05)
    with pytest.raises(RobotError, match="turn: .*reflex"):
        arm.run(checked(FREE, "turn", arm.q, [turned(0.2, arm.q)], 0.3))
    stopped = rest(controller)
    np.testing.assert_allclose(rest(controller), stopped, atol=1e-4)
    del arm
    with pytest.raises(
        RobotError,
        match="the arm reports an error .*cartesian_reflex.*; remove its cause, then recover",
    ):
        Arm(controller.hostname, execute=True)
    arm = Arm(controller.hostname, execute=True, speed=0.5, recover=True)
    back = checked(FREE, "back", arm.q, [FR3.ready], 0.5)
    rest(controller, 0.5)
    np.testing.assert_allclose(arm.q, back.start, atol=1e-3)
    assert not arm.run(back)


def test_the_limits_are_frankys(arm):
    for ours, name in (
        (FR3.velocity, "velocity"),
        (FR3.acceleration, "acceleration"),
        (FR3.jerk, "jerk"),
    ):
        np.testing.assert_array_equal(ours, getattr(arm._line.robot, f"joint_{name}_limit").get())


def recorded(arm, path):
    """Joint angles (K, 7) at which the controller wanted the arm while it ran a path."""
    seen, over = [], threading.Event()

    def watch():
        while not over.wait(0.002):
            seen.append(arm.q)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert not arm.run(path)
    finally:
        over.set()
        watcher.join()
    return np.unique(seen, axis=0)


def beside(points, path):
    """Largest distance (rad) of joint angles (K, 7) from the motion that is checked for a path."""
    angles = paths.samples(path, 0.002)
    steps = np.diff(angles, axis=0)
    shares = ((points[:, None] - angles[:-1]) * steps).sum(axis=2) / (steps**2).sum(axis=1)
    nearest = angles[:-1] + np.clip(shares, 0, 1)[..., None] * steps
    return np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1).max()


def test_the_arm_is_sent_along_the_very_motion_that_was_checked(controller, arm):
    x, z = np.meshgrid(np.arange(0.3, 0.9, 0.03), np.arange(0.01, 0.3, 0.03))
    wall = Scene(forbidden=np.column_stack([x.ravel(), np.zeros(x.size), z.ravel()]))
    left, right = turned(0.6, LOW), turned(-0.6, LOW)
    arm.run(checked(FREE, "left", arm.q, [left], 0.5))
    for plan, limit in (
        (
            lambda: find_way(wall, arm.q, right, MotionSettings(speed=0.5, time_limit=2.0)),
            "velocity",
        ),
        (lambda: straight(FREE, "line", arm.q, [-0.05, 0.05, 0.1], MOTION), "acceleration"),
    ):
        path = plan()
        points = recorded(arm, path)
        assert len(path.waypoints) > 1 and len(points) > 50
        assert beside(points, path) < 4e-4
        # Limits that are not the arm's make another motion.
        slower = replace(FR3, **{limit: getattr(FR3, limit) / 2})
        assert beside(points, replace(path, arm=slower)) > 1e-3


def test_waiting_goes_by_the_controllers_clock(controller, arm):
    sent, begun = controller.commands(), controller.truth().time
    arm.wait(0.5)
    assert controller.truth().time - begun > 0.499 and controller.commands() == sent
    clock = iter([7.0, 7.1, 7.1, 7.29, 7.3, 7.4])
    arm._line.time = lambda what: next(clock)
    arm.wait(0.3)
    assert next(clock) == 7.4


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_waiting(controller, arm):
    begun = controller.truth().time
    timer = threading.Timer(0.15, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        arm.wait(60.0)
    timer.join()
    assert controller.truth().time - begun < 30


def test_every_command_is_in_the_log_before_it_is_sent(controller, caplog):
    with caplog.at_level(logging.INFO, "graspbook.robots.arm"):
        arm = Arm(controller.hostname, execute=True, speed=0.5)
        arm.run(checked(FREE, "a turn", arm.q, [turned(0.05)], 0.4))
        arm.grasp(12.0)
        arm.open()
        controller.inject("reflex")
        with pytest.raises(RobotError):
            arm.run(checked(FREE, "another", arm.q, [FR3.ready], 0.4))
        arm.recover()
    told = [
        record.getMessage() for record in caplog.records if record.name == "graspbook.robots.arm"
    ]
    kinds = ["connect", "move", "close the hand", "open the hand", "move", "stop", "recover"]
    assert [message.split(" {")[0] for message in told] == kinds and arm.commands == len(kinds)
    assert (
        "'what': 'a turn', 'speed': 0.4, 'waypoints': [[0.05, -0.7854" in told[1]
        and "'force': 12.0" in told[2]
    )


def test_nobody_there_is_told_quickly():
    start = time.monotonic()
    with pytest.raises(RobotError, match="127.9.9.9: no controller answers"):
        Arm("127.9.9.9", execute=True)
    assert time.monotonic() - start < 5


def test_a_controller_that_falls_silent_once_connected_is_told(controller, monkeypatch):
    connect, pid = connection._connect, controller._process.pid

    def lost(hostname):
        robot, hand = connect(hostname)
        os.kill(pid, signal.SIGSTOP)
        with contextlib.suppress(franky.Exception):
            while robot.state:  # until what it had sent is read
                pass
        return robot, hand

    monkeypatch.setattr(connection, "_connect", lost)
    try:
        with pytest.raises(RobotError, match="connect: the controller at .* is gone"):
            Arm(controller.hostname, execute=True)
    finally:
        os.kill(pid, signal.SIGCONT)
    rest(controller)


def test_a_controller_that_is_gone_or_silent_is_told_and_never_waited_for(controller, monkeypatch):
    """Last in this file: it kills the controller that the others share."""
    monkeypatch.setattr(connection, "_ANSWER", 0.5)
    arm = Arm(controller.hostname, execute=True, speed=0.5, recover=True)
    pid = controller._process.pid
    path = checked(FREE, "far", arm.q, [turned(0.5)], 0.05)
    start = time.monotonic()
    stall = threading.Timer(0.3, os.kill, [pid, signal.SIGSTOP])  # as when the cable is pulled
    stall.start()
    try:
        with pytest.raises(RobotError, match="the controller at .* is gone"):
            arm.run(path)
        with pytest.raises(RobotError, match="open the hand: the controller at .* is gone"):
            arm.open()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - start < 20
    arm.__exit__(None)
    rest(controller)
    arm = Arm(controller.hostname, execute=True, speed=0.5, recover=True)
    arm.open()
    death = threading.Timer(0.2, os.kill, [pid, signal.SIGKILL])
    death.start()
    with pytest.raises(RobotError, match="close the hand: the controller at .* is gone"):
        arm.grasp(speed=0.01)
    arm.stop()  # raises nothing
    for read in (
        lambda: arm.q,
        lambda: arm.width,
        lambda: arm.pose,
        arm.recover,
        lambda: arm.wait(1.0),
        controller.truth,
    ):
        with pytest.raises(RobotError, match="gone"):
            read()
