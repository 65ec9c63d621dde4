"""The UR arm's wrapper, through the real client: what it refuses, what it sends, how it stops."""

import logging
import signal
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.robots import paths, ur
from graspbook.robots.paths import Path, Waypoint, checked
from graspbook.robots.scene import Scene
from graspbook.robots.simulated_ur import SimulatedUr
from graspbook.robots.ur import UrArm, unfit
from graspbook.robots.ur10 import UR10, UR10E
from graspbook.robots.ur_client import CYCLE

pytest.importorskip("rtde_control", reason="the UR client ur-rtde is not installed")
pytestmark = pytest.mark.timing  # the client has a clock of its own

FREE = Scene(arm=UR10E)


@pytest.fixture(scope="module")
def controller():
    with SimulatedUr() as running:
        yield running


@pytest.fixture(scope="module")
def connected(controller):
    with UrArm(controller.hostname, execute=True, speed=0.5, recover=True) as arm:
        yield arm


@pytest.fixture
def arm(connected):
    """The arm at its ready pose."""
    connected.execute = True
    state = connected.state("begin")
    if state.stop or not state.playing:
        connected.recover()
    if np.abs(connected.q - UR10E.ready).max() > 1e-3:
        connected.run(turn(connected.q, UR10E.ready, 0.5))
    return connected


def turn(start, goal, speed=0.4, what="turn"):
    return checked(FREE, what, start, [goal], speed)


def turned(angle):
    return UR10E.ready + [angle, 0, 0, 0, 0, 0]


def recorded(controller, run):
    """Joint angles and speeds (K, 6) that are true while something runs."""
    seen, over = [], threading.Event()

    def watch():
        while not over.wait(0.001):
            seen.append(controller.truth())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
    finally:
        over.set()
        watcher.join()
    return np.array([truth.q for truth in seen]), np.array([truth.qd for truth in seen])


def beside(points, stream):
    """Largest distance (rad) of joint angles (K, 6) from the lines between those of a stream."""
    steps = np.diff(stream, axis=0)
    shares = ((points[:, None] - stream[:-1]) * steps).sum(axis=2)
    shares /= np.maximum((steps**2).sum(axis=1), 1e-12)
    nearest = stream[:-1] + np.clip(shares, 0, 1)[..., None] * steps
    return np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1).max()


def stands(controller):
    """Joint angles (6,) at which the arm has come to rest."""
    time.sleep(0.1)
    end = time.monotonic() + 5
    while np.abs(controller.truth().qd).max() > 1e-7:
        assert time.monotonic() < end
        time.sleep(0.02)
    before = controller.truth().q
    time.sleep(0.1)
    np.testing.assert_allclose(controller.truth().q, before, atol=1e-6)
    return before


@pytest.mark.parametrize("polyscope", [(5, 9), (10, 5), (3, 15)], ids=str)
def test_every_controller_is_read_moved_along_the_checked_motion_and_arrives(polyscope):
    model = UR10 if polyscope < (5, 0) else UR10E
    goals = [model.ready + [0.3, 0, 0.1, 0, 0, 0.4], model.ready + [0.3, 0.2, 0, 0, -0.2, 0]]
    with SimulatedUr(model, polyscope=polyscope) as controller:
        with UrArm(controller.hostname, execute=True, speed=0.5, model=model) as arm:
            np.testing.assert_allclose(arm.q, model.ready)
            np.testing.assert_allclose(arm.pose, model.forward(model.ready))
            path = checked(Scene(arm=model), "there", arm.q, goals, 0.4)
            angles, speeds = recorded(controller, lambda: arm.run(path))
            np.testing.assert_allclose(arm.q, goals[-1], atol=2e-3)
            assert not arm.moving
            sent = controller.commands()
    stream = np.vstack([path.start, paths.timed(path, CYCLE)])
    assert sent == {"servoJ": len(stream) - 1, "servoStop": 1}
    # Late joint angles and timely ones may follow each other closely.
    assert (np.abs(speeds) <= 0.4 * model.velocity * 1.2).all() and np.abs(speeds).max() > 0.3
    assert len(angles) > 50 and beside(angles, stream) < 0.01


def test_what_is_not_checked_or_not_allowed_is_refused_before_anything_is_sent(controller, arm):
    goal = turned(0.05)
    free, other = turn(arm.q, goal), Scene(arm=UR10)
    before, given = controller.commands(), arm.commands
    unchecked = Path("unchecked", arm.q, (Waypoint(goal, np.zeros(6)),), 0.3, 0.3, UR10E)
    for path, message in (
        (unchecked, "unchecked: refused: the path was not checked"),
        (replace(free, what="copied"), "copied: refused: the path was not checked"),
        (turn(arm.q, goal, 0.6), "refused: speed 0.6, expected at most 0.5"),
        (turn(turned(0.06), goal), "refused: it starts 0.060 rad away from the arm's pose"),
        (
            checked(other, "other", UR10.ready, [UR10.ready + 0.01], 0.3),
            "other: refused: it is for UR10, expected a path for UR10e",
        ),
    ):
        with pytest.raises(RobotError, match=message):
            arm.run(path)
    with pytest.raises(RobotError, match="shoulder_pan at 6.300 rad, expected -6.233 to 6.233"):
        turn(arm.q, [6.3, *UR10E.ready[1:]])
    arm.execute = False
    with pytest.raises(RobotError, match="may not move unless --execute is given"):
        arm.run(free)
    assert controller.commands() == before and arm.commands == given
    arm.execute = True
    arm.run(free)
    np.testing.assert_allclose(stands(controller), goal, atol=2e-3)


def test_a_stream_that_jumps_or_leaves_the_limits_is_refused():
    path = turn(UR10E.ready, turned(0.1))
    stream = paths.timed(path, CYCLE)
    assert unfit(stream, path.start, UR10E, 0.4) is None
    for wrong, message in (
        (stream + [0.05, 0, 0, 0, 0, 0], "shoulder_pan would move by 0.05"),
        (stream[::3], "within 0.008 s, expected at most 0.0068 rad"),
        (stream * np.nan, "not all finite"),
        (stream + [4.0, 0, 0, 0, 0, 0], "expected within the limits of UR10e"),
    ):
        assert message in unfit(wrong, path.start, UR10E, 0.4)
    assert "expected at most" in unfit(stream, path.start, UR10E, 0.1)


def test_a_protective_stop_ends_the_motion_and_nothing_moves_until_it_is_recovered(controller, arm):
    controller.inject("protective", after=0.2)
    with pytest.raises(RobotError, match="turn: the arm is in protective stop; remove its cause"):
        arm.run(turn(arm.q, turned(0.6)))
    stopped, before = stands(controller), controller.commands()
    assert 0.005 < stopped[0] - UR10E.ready[0] < 0.4
    with pytest.raises(RobotError, match="again: the arm is in protective stop"):
        arm.run(turn(arm.q, turned(0.6), what="again"))
    with pytest.raises(RobotError, match="the arm is in protective stop; remove .* then recover"):
        UrArm(controller.hostname, execute=True)
    assert controller.commands() == before
    arm.recover()
    arm.run(turn(arm.q, UR10E.ready))
    np.testing.assert_allclose(stands(controller), UR10E.ready, atol=2e-3)


def test_an_arm_that_does_not_arrive_is_told(controller, arm, monkeypatch):
    monkeypatch.setattr(ur, "_SETTLE", -1.0)
    monkeypatch.setattr(ur, "_ARRIVED", 1e-9)
    with pytest.raises(RobotError, match=r"turn: the arm stopped 0\.\d+ rad away from the end"):
        arm.run(turn(arm.q, turned(0.05)))
    stands(controller)


def test_ctrl_c_stops_the_arm_and_it_moves_again_when_asked(controller, arm):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            arm.run(turn(arm.q, turned(0.8)))
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert stands(controller)[0] - UR10E.ready[0] < 0.7
    arm.run(turn(arm.q, UR10E.ready))


def test_an_answer_that_nobody_waited_for_is_left_out(arm):
    arm._line._line.send((-1, "state"))  # as when Ctrl-C comes between question and answer
    time.sleep(0.1)
    begun = arm.state("now").time
    time.sleep(0.1)
    assert arm.state("later").time > begun + 0.05


def test_waiting_goes_by_the_controllers_clock_and_every_command_is_logged(controller, arm, caplog):
    begun, sent = arm.state("begin").time, controller.commands()
    arm.wait(0.2)
    assert arm.state("end").time - begun > 0.199 and controller.commands() == sent
    with caplog.at_level(logging.INFO, "graspbook.robots.arm"):
        arm.run(turn(arm.q, turned(0.02), what="a turn"))
        arm.stop()
    told = [record.getMessage() for record in caplog.records]
    assert [message.split(" {")[0] for message in told] == ["move", "stop"]
    assert "'what': 'a turn', 'speed': 0.4, 'waypoints': [[2.867" in told[0]


def lose(controller, fault):
    """A motion in which the line is lost."""
    with UrArm(controller.hostname, execute=True, speed=0.5) as arm:
        arm.stop()  # the stream of a client that was lost before
        path = turn(arm.q, arm.q + [0.6, 0, 0, 0, 0, 0], what="far")
        controller.inject(fault, after=0.2)
        begun = time.monotonic()
        with pytest.raises(RobotError, match="far: the controller at .* is gone"):
            arm.run(path)
        assert time.monotonic() - begun < 6
        assert 0.005 < stands(controller)[0] - path.start[0] < 0.5
        sent = controller.commands()
        with pytest.raises(RobotError, match="read the state: the controller at .* is gone"):
            _ = arm.q
        arm.stop()  # raises nothing
        assert controller.commands() == sent


def test_a_line_that_is_lost_or_silent_ends_the_motion_and_the_arm_stands():
    with SimulatedUr(polyscope=(10, 5)) as controller:
        for fault in ("drop", "silent"):  # ur_rtde itself ends its process, and waits for ever
            lose(controller, fault)


def test_a_lost_line_an_emergency_stop_and_a_controller_that_ends_are_told():
    with SimulatedUr() as controller:
        lose(controller, "drop")  # ur_rtde connects again by itself, and starts the program
        with UrArm(controller.hostname, execute=True, speed=0.5) as arm:
            controller.inject("emergency", after=0.1)
            with pytest.raises(RobotError, match="turn: the arm is in emergency stop"):
                arm.run(turn(arm.q, UR10E.ready))
            stands(controller)
            with pytest.raises(RobotError, match="the arm is in emergency stop; .* the pendant"):
                arm.recover()
            controller.inject("die", motion=0)
            with pytest.raises(RobotError, match="no UR controller answers at port 30004"):
                arm.recover()


def test_nobody_there_no_remote_control_and_a_strange_listener_are_told():
    begun = time.monotonic()
    with pytest.raises(RobotError, match="127.9.9.9: no UR controller answers at port 30004"):
        UrArm("127.9.9.9")
    assert time.monotonic() - begun < 10
    with SimulatedUr(remote=False) as controller:
        with pytest.raises(RobotError, match="not in remote control; expected remote control"):
            UrArm(controller.hostname)
        assert not controller.commands()
    with socket.create_server(("127.9.9.9", 30004)) as other:
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        threading.Timer(0.5, other.close).start()
        with pytest.raises(RobotError, match="127.9.9.9: "):
            UrArm("127.9.9.9")
