"""The simulated hand's rosbridge, through a plain websocket, and its faults."""

import json
import time

import numpy as np
import pytest
from websockets.sync.client import connect

from graspbook.errors import RobotError
from graspbook.hands.library import load_hand
from graspbook.robots.shadow_messages import COMMAND, COMMAND_KIND, STATES, STATES_KIND, trajectory
from graspbook.robots.simulated_shadow import SimulatedShadow

pytestmark = pytest.mark.timing  # it acts in real time

AT = {joint: i for i, joint in enumerate(load_hand("shadow").all_joints)}


@pytest.fixture(scope="module")
def sim():
    with SimulatedShadow() as hand:
        yield hand


@pytest.fixture
def line(sim):
    """A client that speaks JSON: a function that sends, and one that receives."""
    with connect(f"ws://{sim.host}:{sim.port}", proxy=None, max_queue=None) as socket:

        def send(**message):
            socket.send(json.dumps(message))

        def receive(op, passed=None):
            """The next message of an op; those before it go to a list."""
            while (message := json.loads(socket.recv(timeout=10)))["op"] != op:
                if passed is not None:
                    passed.append(message)
            return message

        yield send, receive


def test_joint_states_come_a_hundred_times_a_second(sim, line):
    send, receive = line
    send(op="subscribe", topic=STATES, type=STATES_KIND)
    first, begin = receive("publish"), time.perf_counter()
    for _ in range(100):
        last = receive("publish")
    took = time.perf_counter() - begin
    assert 0.9 < took < 2.0, "a busy machine is slower"
    assert first["topic"] == STATES and len(first["msg"]["name"]) == 24
    times = [m["msg"]["header"]["stamp"] for m in (first, last)]
    begin, end = (stamp["secs"] + stamp["nsecs"] / 1e9 for stamp in times)
    assert 0.8 < end - begin < took + 0.1
    send(op="unsubscribe", topic=STATES)
    for _ in range(2):  # the second answer comes without states before it
        time.sleep(0.05)
        send(op="call_service", service="/none")
        passed = []
        receive("service_response", passed)
    assert not passed


def test_a_trajectory_moves_the_joints(sim, line):
    send, receive = line
    send(op="subscribe", topic=STATES)
    state = receive("publish")["msg"]
    point = {n: 0.0 for n in state["name"] if "WR" not in n} | {"rh_FFJ4": -0.1, "rh_FFJ2": 0.3}
    send(op="advertise", topic=COMMAND, type=COMMAND_KIND)
    send(op="publish", topic=COMMAND, msg=trajectory([point], [0.2]))
    while state["position"][state["name"].index("rh_FFJ4")] > -0.0999:
        state = receive("publish")["msg"]
    truth = sim.truth()
    assert truth.target[AT["FFJ3"]] == pytest.approx(0.1, abs=1e-3)
    assert truth.joints[[AT["FFJ1"], AT["FFJ0"]]] == pytest.approx([0.15, 0.15], abs=1e-3)
    assert json.loads(sim.received()[-1])["msg"]["points"][0]["time_from_start"]["secs"] == 0


def test_what_cannot_be_done_is_answered_by_an_error(sim, line):
    send, receive = line
    motions = sim.truth().motions
    for message, told in [
        ({"op": "dance"}, "op 'dance', expected one of advertise"),
        ({"op": "publish", "topic": COMMAND, "msg": {}}, f"{COMMAND} was not advertised"),
        ({"op": "subscribe", "topic": STATES, "type": "std_msgs/String"}, "not std_msgs/String"),
        ({"topic": STATES}, "KeyError: 'op'"),
    ]:
        send(**message)
        status = receive("status")
        assert status["level"] == "error" and told in status["msg"]
    send(op="advertise", topic=COMMAND, type=COMMAND_KIND)
    send(op="publish", topic=COMMAND, msg=trajectory([{"rh_FFJ3": 0.0}], [1.0]))
    assert "joint_names: rh_FFJ1 is missing" in receive("status")["msg"]
    send(op="unadvertise", topic=COMMAND)
    send(op="publish", topic=COMMAND, msg=trajectory([], []))
    assert "was not advertised" in receive("status")["msg"]
    assert sim.truth().motions == motions
    send(op="call_service", service="/rosapi/topics", id="a")
    found = receive("service_response")
    assert found["result"] and found["id"] == "a"
    assert found["values"]["topics"] == [COMMAND, STATES]
    send(op="call_service", service="/nothing")
    assert receive("service_response")["result"] is False


def test_unknown_faults_and_joints_are_refused(sim):
    with pytest.raises(RobotError, match="fault 'fire', expected one of silent, drop, stuck, nan"):
        sim.inject("fire")
    with pytest.raises(RobotError, match="joint 'rh_FFJ4', expected one of FFJ3, FFJ2"):
        sim.inject("stuck", joint="rh_FFJ4")


def never(target, seconds):
    raise ArithmeticError


def jump(target, seconds):
    """Joints that a caller gives: they stand in for a simulated world."""
    return target + 0.25 * (seconds > 0)


def test_joints_are_a_function_that_is_called_once_a_cycle():
    with SimulatedShadow(jump) as sim:
        while (truth := sim.truth()).time < 0.05:
            pass
        np.testing.assert_allclose(truth.joints, 0.25)
    with pytest.raises(RobotError, match="the simulated hand is gone"):
        sim.truth()
    with pytest.raises(RobotError, match=r"the simulated hand did not start \(exit status 1\)"):
        SimulatedShadow(never)
