"""The simulated UR controller, through the real client and through sockets of our own."""

import socket
import struct
import time
from functools import partial

import numpy as np
import pytest

from graspbook.errors import RobotError
from graspbook.robots import rtde_protocol as rtde
from graspbook.robots.simulated_ur import SimulatedUr
from graspbook.robots.ur10 import UR10, UR10E

rtde_control = pytest.importorskip("rtde_control", reason="the UR client ur-rtde is not installed")
rtde_receive = pytest.importorskip("rtde_receive", reason="the UR client ur-rtde is not installed")
dashboard_client = pytest.importorskip("dashboard_client", reason="ur-rtde is not installed")
pytestmark = pytest.mark.timing  # the client has a clock of its own


@pytest.fixture(scope="module")
def controller():
    with SimulatedUr() as running:
        yield running


def test_the_real_client_moves_the_arm_by_every_command_and_reads_it(controller):
    receive = rtde_receive.RTDEReceiveInterface(controller.hostname)
    control = rtde_control.RTDEControlInterface(controller.hostname)
    before, goal = controller.commands(), UR10E.ready + [0.1, 0, 0, 0, 0, 0.1]
    assert control.isProgramRunning() and receive.getRobotMode() == 7
    assert control.moveJ(goal.tolist(), 0.5, 1.4)
    np.testing.assert_allclose(controller.truth().q, goal)
    pose = receive.getActualTCPPose()
    np.testing.assert_allclose(pose[:3], UR10E.forward(goal)[:3, 3], atol=1e-6)
    assert control.moveL([*np.add(pose[:3], [0, 0, 0.05]), *pose[3:]], 0.25, 1.2)
    risen = UR10E.forward(controller.truth().q)[:3, 3]
    np.testing.assert_allclose(risen - pose[:3], [0, 0, 0.05], atol=1e-3)
    assert control.speedJ([0.2, 0, 0, 0, 0, 0], 2.0)
    time.sleep(0.3)
    assert controller.truth().qd[0] == pytest.approx(0.2)
    assert control.speedStop(4.0) and not controller.truth().qd.any()
    here = controller.truth().q
    assert control.servoJ((here + 0.01).tolist(), 0, 0, 0.008, 0.05, 300)
    time.sleep(0.6)
    np.testing.assert_allclose(controller.truth().q, here + 0.01, atol=1e-4)
    assert control.servoStop(4.0)
    control.stopScript()
    assert not control.isProgramRunning() and not control.moveJ(goal.tolist(), 0.5, 1.4)
    told = controller.commands() - before
    kinds = ["moveJ", "moveL", "speedJ", "speedStop", "servoJ", "servoStop", "stopScript"]
    assert told == dict.fromkeys(kinds, 1)
    control.disconnect()
    receive.disconnect()


def test_the_dashboard_answers_the_real_client_and_releases_a_protective_stop(controller):
    dashboard = dashboard_client.DashboardClient(controller.hostname)
    dashboard.connect()
    assert dashboard.polyscopeVersion() == "5.9.0.0" and dashboard.isInRemoteControl()
    assert dashboard.getSerialNumber().isdigit() and dashboard.getRobotModel() == "UR10e"
    assert dashboard.safetystatus() == "Safetystatus: NORMAL"
    controller.inject("protective", motion=0)
    while dashboard.safetystatus() != "Safetystatus: PROTECTIVE_STOP":
        time.sleep(0.01)
    dashboard.unlockProtectiveStop()
    assert dashboard.safetystatus() == "Safetystatus: NORMAL"
    with pytest.raises(RuntimeError, match="There is no protective stop"):
        dashboard.unlockProtectiveStop()
    assert not dashboard.running()
    dashboard.disconnect()


def states(hostname, seconds, rate):
    """Times (K,) of the states that arrive within so many seconds by the controller's clock."""
    with socket.create_connection((hostname, 30004), 5) as line:
        line.sendall(rtde.package(rtde.OUTPUTS, struct.pack(">d", rate) + b"timestamp,"))
        line.sendall(rtde.package(rtde.START))
        buffer, found = bytearray(), []
        while not found or found[-1] - found[0] < seconds:
            buffer += line.recv(4096)
            packages = [content for kind, content in rtde.split(buffer) if kind == rtde.DATA]
            found += [struct.unpack(">d", content[1:])[0] for content in packages]
    return np.array(found)


def test_an_e_series_has_500_cycles_per_second_a_cb3_125_and_fewer_are_told_when_asked(controller):
    for rate in (500.0, 125.0):
        steps = np.diff(states(controller.hostname, 0.4, rate))
        np.testing.assert_allclose(steps, 1 / rate, atol=1e-9)
    with SimulatedUr(UR10, polyscope=(3, 15)) as old:
        np.testing.assert_allclose(np.diff(states(old.hostname, 0.4, 125.0)), 0.008, atol=1e-9)


def test_what_hangs_on_the_arm_gets_its_joints_in_the_controllers_process(tmp_path):
    file = tmp_path / "q.npy"
    with SimulatedUr(polyscope=(10, 5), follow=partial(np.save, file)) as controller:
        assert controller.truth().q.tolist() == UR10E.ready.tolist()
        while not file.exists():
            time.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):  # PolyScope X has no dashboard
            socket.create_connection((controller.hostname, 29999), 5)
    np.testing.assert_array_equal(np.load(file), UR10E.ready)


def test_a_taken_address_and_an_unknown_fault_are_refused(controller):
    taken = f"{controller.hostname}:30004 cannot be used .Address already in use.; expected a free"
    with pytest.raises(RobotError, match=taken):
        SimulatedUr(host=controller.hostname)
    with pytest.raises(RobotError, match="fault 'fire', expected one of die, drop, emergency"):
        controller.inject("fire")
    assert controller.truth().q.shape == (6,)
