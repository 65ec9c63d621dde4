"""The Shadow Hand's client, the real one, against the simulated hand."""

import json
import socket
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.hands.library import load_hand
from graspbook.robots import rosbridge, shadow
from graspbook.robots.command_log import command_log
from graspbook.robots.shadow import ShadowHand
from graspbook.robots.shadow_messages import COMMAND
from graspbook.robots.simulated_fingers import FreeHand
from graspbook.robots.simulated_shadow import SimulatedShadow

pytestmark = pytest.mark.timing  # the client has a clock of its own

HAND = load_hand("shadow")
OPEN = HAND.named(HAND.open)
SHAPE = {"FFJ3": 0.1, "FFJ2": 0.3, "FFJ1": 0.25, "RFJ3": 0.1, "LFJ4": 0.2}
SHAPE |= {"THJ4": 0.35, "THJ1": -0.3, "THJ0": -0.4}


def vector(**joints):
    """A joint vector of the open hand, but for some joints."""
    return HAND.vector(OPEN | {"THJ1": 0.0} | joints)


@pytest.fixture(scope="module")
def running():
    with SimulatedShadow() as hand:
        yield hand


@pytest.fixture
def sim(running):
    """The simulated hand without faults, in the shape of `vector()`."""
    running.repair()
    with connected(running) as hand:
        hand.move({"open": vector()})
    return running


def connected(sim, speed=1.0):
    return ShadowHand(sim.host, sim.port, execute=True, speed=speed)


def independent(joints):
    """Values (J,) of all joints (A,), those of each tendon by their sum."""
    found = dict(zip(HAND.all_joints, joints, strict=True))
    for coupled, (source, factor, _) in HAND.coupling.items():
        found[source] = (found[source] + found[coupled]) / (1 + factor)
    return np.array([found[joint] for joint in HAND.joints])


def commands(sim):
    """The trajectories that have come over the wire so far."""
    messages = map(json.loads, sim.received())
    return [m["msg"] for m in messages if m["op"] == "publish" and m["topic"] == COMMAND]


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_hand_connects_reads_moves_and_arrives(sim):
    with connected(sim) as hand:
        np.testing.assert_allclose(hand.joints, vector(), atol=0.01)
        before = sim.truth().motions
        assert hand.move({"pregrasp": vector(), "grasp": vector(**SHAPE)}) == {}
        np.testing.assert_allclose(hand.joints, vector(**SHAPE), atol=0.01)
        truth = sim.truth()
        np.testing.assert_allclose(hand.all_joints, truth.joints, atol=1e-6)
        assert truth.motions == before + 1
    # The tendon's sum is what was asked, however the finger shares it.
    found = dict(zip(HAND.all_joints, truth.joints, strict=True))
    assert found["FFJ1"] + found["FFJ0"] == pytest.approx(0.25 + 0.2)
    assert found["FFJ0"] == pytest.approx(0.225), "the hand's own share is not the model's 0.8"


def test_joint_states_come_one_by_one(sim):
    came = []
    with connected(sim) as hand:
        hand._line._ros.on("/joint_states", lambda _: came.append(time.perf_counter()))
        wait_until(lambda: len(came) > 100)
    # TCP that waits for acknowledgements lets four come together, every 43 ms.
    assert np.percentile(np.diff(came), 80) < 0.03


def test_names_signs_and_times_on_the_wire_are_the_hardwares(sim):
    with connected(sim) as hand:
        hand.move({"grasp": vector(**SHAPE)})
    sent = commands(sim)[-1]
    assert sorted(sent["joint_names"]) == sorted(
        [f"rh_{finger}J{k}" for finger in ("FF", "MF", "RF") for k in (1, 2, 3, 4)]
        + [f"rh_{finger}J{k}" for finger in ("LF", "TH") for k in (1, 2, 3, 4, 5)]
    )
    [point] = sent["points"]
    values = dict(zip(sent["joint_names"], point["positions"], strict=True))
    worked = {"rh_FFJ4": -0.1, "rh_FFJ3": 0.3, "rh_FFJ2": 0.25, "rh_FFJ1": 0.2}  # 0.8 x
    worked |= {"rh_RFJ4": 0.1, "rh_LFJ5": 0.2, "rh_THJ5": 0.35, "rh_THJ2": 0.3, "rh_THJ1": 0.4}
    assert {name: value for name, value in values.items() if value} == pytest.approx(worked)
    # 0.4 rad at 1 rad/s in the middle of a cubic, which is 1.5 times its mean: 0.6 s.
    assert point["time_from_start"]["secs"] == 0
    assert point["time_from_start"]["nsecs"] == pytest.approx(600_000_000, abs=5_000_000)
    assert point["velocities"] == [0.0] * 22
    assert sent["header"]["stamp"] == {"secs": 0, "nsecs": 0}, "begin at once"


def test_a_hand_that_names_tendons_gets_tendons():
    with SimulatedShadow(tendons=True) as sim:
        with connected(sim) as hand:
            hand.move({"grasp": vector(**SHAPE)})
            np.testing.assert_allclose(hand.joints, vector(**SHAPE), atol=0.01)
            sent = commands(sim)[-1]
            values = dict(zip(sent["joint_names"], sent["points"][0]["positions"], strict=True))
            assert values["rh_FFJ0"] == pytest.approx(0.45) and values["rh_THJ1"] == 0.4
            assert len(values) == 18 and not {"rh_FFJ1", "rh_FFJ2"} & set(values)
            sim.close()
            wait_until(lambda: hand._line._gone.is_set())
            with pytest.raises(RobotError, match=f"grasp: the rosbridge at .*{sim.port} is gone"):
                hand.move({"grasp": vector()})
            with pytest.raises(RobotError, match="read the joints: .* is gone"):
                hand.joints  # noqa: B018
        with pytest.raises(RobotError, match=f"{sim.port}: no rosbridge listens there"):
            connected(sim)


def test_a_squeeze_ends_by_contact_and_says_which_joints_stopped_early():
    held = FreeHand(limits={"FFJ2": (0, 0.3), "FFJ1": (0, 0.2), "FFJ0": (0, 0.15)})
    grasp = vector(FFJ2=0.3, FFJ1=0.18, MFJ2=0.3)
    squeeze = vector(FFJ2=0.6, FFJ1=0.4, MFJ2=0.4)
    with SimulatedShadow(held) as sim, connected(sim) as hand:
        path = {"pregrasp": vector(MFJ2=0.15), "grasp": grasp, "squeeze": squeeze}
        early = hand.move(path, contact=True)
        # FFJ1 by the sum: 0.2 + 0.15 is 1.8 times 0.194.
        assert early == pytest.approx({"FFJ2": 0.3, "FFJ1": 0.4 - 0.35 / 1.8}, abs=0.01)
        # The hand still presses: its target is beyond where the joints are.
        truth = sim.truth()
        assert (truth.target - truth.joints).max() == pytest.approx(0.3, abs=0.02)
        points = commands(sim)[-1]["points"]
        # From rest to rest, each 1.5 times its longest way: 0.15, 0.3 and 0.3 rad.
        times = [p["time_from_start"]["secs"] + p["time_from_start"]["nsecs"] / 1e9 for p in points]
        assert times == pytest.approx(np.cumsum([1.5 * 0.15, 1.5 * 0.3, 1.5 * 0.3]), abs=0.01)
        hand.stop()
        wait_until(lambda: np.abs(sim.truth().target - sim.truth().joints).max() < 0.01)
        np.testing.assert_allclose(sim.truth().joints, truth.joints, atol=0.01)
        # The way back counts from the last target or from the joints, whichever is further.
        hand.move({"squeeze": squeeze}, contact=True)
        hand.move({"open": vector()})
        seconds = commands(sim)[-1]["points"][0]["time_from_start"]
        assert seconds["secs"] + seconds["nsecs"] / 1e9 == pytest.approx(1.5 * 0.6, abs=0.01)


def test_what_is_refused_sends_nothing(sim):
    before = len(commands(sim))
    with ShadowHand(sim.host, sim.port) as still:
        with pytest.raises(RobotError, match="grasp: refused: this hand may not move unless --exe"):
            still.move({"grasp": vector()})
    with connected(sim) as hand:
        for q, told in [
            (vector() + 2.0, "refused: grasp: FFJ3 is 2, expected -0.349 to 0.349"),
            (vector() * np.nan, "refused: grasp: FFJ3 is nan, expected a finite number"),
            (vector()[:17], "refused: the joint vector has 17 values, expected 18"),
        ]:
            with pytest.raises(RobotError, match=told):
                hand.move({"pregrasp": vector(), "grasp": q})
        with pytest.raises(RobotError, match="a path without waypoints"):
            hand.move({})
        assert hand.commands == 1, "to connect"
        hand.move({"grasp": vector()})
    after = Counter(m["op"] for m in map(json.loads, sim.received()))
    assert len(commands(sim)) == before + 1
    assert set(after) == {"subscribe", "advertise", "publish"}
    for speed in (0, 1.1, float("nan")):
        with pytest.raises(RobotError, match="the hand's speed is .*, expected more than 0"):
            connected(sim, speed)


def test_a_hand_that_stops_answering_is_told_to_hold(sim, monkeypatch):
    sim.inject("silent", after=0.2)
    with connected(sim, 0.3) as hand:
        with pytest.raises(
            RobotError,
            match=r"grasp: the hand no longer answers: the last state of rh_\w+ is 0\.\d s old",
        ):
            hand.move({"grasp": vector(**SHAPE)})
        wait_until(lambda: commands(sim)[-1]["points"] == [])
        truth = sim.truth()
        assert 0.05 < np.abs(truth.joints).max() < 0.38, "stopped on its way"
        np.testing.assert_allclose(truth.target, truth.joints, atol=0.03)
        sent = len(commands(sim))
        with pytest.raises(RobotError, match="again: the hand no longer answers"):
            hand.move({"again": vector()})
        assert len(commands(sim)) == sent
    monkeypatch.setattr(shadow, "_STATES_TIME", 0.3)
    with pytest.raises(RobotError, match="no joint states arrive on /joint_states"):
        connected(sim)


def test_a_line_that_is_lost_stays_lost_and_the_hand_ends_its_motion(sim):
    sim.inject("drop", after=0.2)
    with connected(sim) as hand:
        with pytest.raises(RobotError, match="grasp: the rosbridge at .* is gone"):
            hand.move({"grasp": vector(**SHAPE)})
        came = len(sim.received())
        hand.stop()
        with pytest.raises(RobotError, match="open: the rosbridge at .* is gone"):
            hand.move({"open": vector()})
        time.sleep(1.7)  # in which roslibpy would connect again and send what it kept
    assert len(sim.received()) == came
    np.testing.assert_allclose(independent(sim.truth().joints), vector(**SHAPE), atol=0.01)


def test_a_joint_that_is_stuck_is_named(sim, monkeypatch):
    monkeypatch.setattr(shadow, "_SETTLE", 0.5)
    sim.inject("stuck", joint="FFJ2", motion=0)
    with connected(sim) as hand:
        with pytest.raises(RobotError, match=r"grasp: FFJ2 is 0\.300 rad away from 0\.300, expec"):
            hand.move({"grasp": vector(**SHAPE)})
        hold = commands(sim)[-1]
        assert hold["points"][0]["time_from_start"] == {"secs": 0, "nsecs": 100_000_000}
        held = dict(zip(hold["joint_names"], hold["points"][0]["positions"], strict=True))
        assert held["rh_FFJ3"] == pytest.approx(0, abs=0.01)
        assert held["rh_THJ1"] == pytest.approx(0.4, abs=0.01)
        # Where contacts are expected, it looks like one.
        early = hand.move({"grasp": vector(**SHAPE)}, contact=True)
        assert early == pytest.approx({"FFJ2": 0.3}, abs=0.01)


def test_a_state_that_is_no_number_ends_the_motion(sim):
    sim.inject("nan", joint="THJ0", after=0.1)
    with connected(sim) as hand:
        with pytest.raises(RobotError, match="grasp: the state of rh_THJ1 is nan, expected a fin"):
            hand.move({"grasp": vector(**SHAPE)})
        wait_until(lambda: commands(sim)[-1]["points"] == [])


def test_an_interrupt_stops_the_hand(sim, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    with connected(sim) as hand:
        monkeypatch.setattr(shadow.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            hand.move({"grasp": vector(**SHAPE)})
        monkeypatch.undo()
        wait_until(lambda: len(commands(sim)[-1]["points"]) == 1)
        goal = commands(sim)[-2]["points"][0]["positions"]
        assert np.abs(np.subtract(commands(sim)[-1]["points"][0]["positions"], goal)).max() > 0.2
        wait_until(lambda: np.abs(sim.truth().target - sim.truth().joints).max() < 0.01)


def test_a_failure_around_the_hand_stops_it_too(sim):
    before = len(commands(sim))
    with pytest.raises(ZeroDivisionError), connected(sim):
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), ShadowHand(sim.host, sim.port):
        _ = 1 / 0
    assert len(commands(sim)) == before + 1, "sent before the line closed, by the one that may move"


def test_what_rosbridge_refuses_is_said_and_the_stop_is_sent_all_the_same(sim, monkeypatch):
    with connected(sim) as hand:
        monkeypatch.setattr(shadow, "trajectory", lambda points, times, ros2: {"points": [{}]})
        with pytest.raises(RobotError, match="grasp: the rosbridge at .* refuses: KeyError"):
            hand.move({"grasp": vector(**SHAPE)})
        # The command and the stop after it, which is under way when the error is raised.
        wait_until(lambda: commands(sim)[-2:] == [{"points": [{}]}] * 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_commands_are_logged_before_they_are_sent(sim, tmp_path):
    with connected(sim) as hand:
        with command_log(tmp_path / "commands.log"):
            hand.move({"grasp": vector(FFJ2=0.1)})
        text = (tmp_path / "commands.log").read_text()
        assert "move the hand" in text and "'what': 'grasp'" in text
        before = len(commands(sim))
        with command_log("/dev/full"):
            with pytest.raises(RobotError, match="cannot write /dev/full: .* is not sent"):
                hand.move({"grasp": vector()})
            assert len(commands(sim)) == before
            hand.stop()
            wait_until(lambda: len(commands(sim)) == before + 1)


def test_what_listens_but_is_no_rosbridge_is_told_apart(monkeypatch):
    monkeypatch.setattr(rosbridge, "_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with pytest.raises(
            RobotError, match=f"{port}: what listens there does not answer as a ros"
        ):
            ShadowHand("127.0.0.1", port)
    name = "a" * 70
    with pytest.raises(RobotError, match=f"{name}:9090: no rosbridge listens there"):
        ShadowHand(name)
