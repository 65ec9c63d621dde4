"""The simulated controller, through the real client."""

import time

import mujoco
import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.objects.trial_objects import make_trial_object
from graspbook.robots.arm import Arm
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.paths import checked
from graspbook.robots.planning import MotionSettings, straight
from graspbook.robots.scene import Limits, Scene
from graspbook.robots.simulated_server import Servers
from graspbook.robots.simulated_world import Simulator, World
from graspbook.simulation.shake_model import GRAVITY
from graspbook.simulation.tabletop import tabletop

pytestmark = pytest.mark.timing  # the client has a clock of its own

BOX, WIDTH, MASS = (
    make_trial_object("jello_strawberry"),
    0.028,
    0.4,
)  # its side along x, which the hand spans
GRASP = pose.from_rt(
    np.diag([1.0, -1.0, -1.0]), [0.5, 0.0, 0.045 + 0.1034]
)  # from above, pads 45 mm over the table
AT_GRASP = FR3.inverse(GRASP, FR3.ready)
MOTION = MotionSettings(speed=0.5)
SUNK = Scene(
    limits=Limits((0.15, -0.6, -0.2), (0.85, 0.6, 0.95), table=-0.2)
)  # of somebody who takes the table to be lower


def world():
    return World(tabletop([BOX], [pose.from_rt(np.eye(3), [0.5, 0, 0])], [MASS]).to_xml(), 1)


@pytest.fixture(scope="module")
def controller():
    with SimulatedController(world(), AT_GRASP, realtime=False) as running:
        yield running


def connected(controller):
    return Arm(controller.hostname, execute=True, speed=0.5, recover=True)


def rest(controller, seconds=0.2):
    """What is true after so many simulated seconds."""
    end = controller.truth().time + seconds
    while (truth := controller.truth()).time < end:
        time.sleep(0.002)
    return truth


def force(arm):
    """N on the arm, base frame, as its state tells."""
    return np.array(arm._line.robot.state.O_F_ext_hat_K[:3])


def test_a_box_rests_on_the_table_is_held_weighed_carried_and_dropped(controller):
    before = rest(controller, 0.5)
    np.testing.assert_allclose(
        before.base_T_objects, [pose.from_rt(np.eye(3), [0.5, 0, 0])], atol=2e-4
    )
    np.testing.assert_allclose(before.q, AT_GRASP, atol=1e-3)
    assert before.table.tolist() == [True] and before.held.tolist() == [False]
    with connected(controller) as arm:
        np.testing.assert_allclose(arm.pose, GRASP, atol=1e-3)
        np.testing.assert_allclose(force(arm), 0, atol=0.05)
        assert arm.grasp(20.0) == pytest.approx(WIDTH, abs=1e-3)
        truth = rest(controller)
        assert truth.held.tolist() == [True] and truth.width == pytest.approx(WIDTH, abs=1e-3)
        assert not arm.run(straight(SUNK, "lift", arm.q, [0, 0, 0.05], MOTION))
        lifted = rest(controller)
        assert lifted.held.tolist() == [True] and lifted.table.tolist() == [False]
        assert lifted.base_T_objects[0, 2, 3] == pytest.approx(0.05, abs=3e-3)
        np.testing.assert_allclose(force(arm), [0, 0, -MASS * GRAVITY], atol=0.02 * MASS * GRAVITY)
        grasped = pose.inverse(FR3.forward(lifted.q)) @ lifted.base_T_objects[0]
        arm.run(straight(SUNK, "carry", arm.q, [-0.05, 0.08, 0.02], MOTION))
        carried = rest(controller)
        np.testing.assert_allclose(carried.base_T_objects[0, :3, 3], [0.45, 0.08, 0.07], atol=5e-3)
        np.testing.assert_allclose(
            pose.inverse(FR3.forward(carried.q)) @ carried.base_T_objects[0], grasped, atol=2e-3
        )
        arm.open()
        dropped = rest(controller, 0.5)
        assert (
            dropped.table.tolist() == [True]
            and dropped.held.tolist() == [False]
            and dropped.width > 0.078
        )
        np.testing.assert_allclose(force(arm), 0, atol=0.05)


def test_pressing_on_the_table_ends_in_a_reflex_and_nothing_moves_until_it_is_recovered(controller):
    with connected(controller) as arm:
        arm.run(straight(SUNK, "aside", arm.q, [0, 0.12, 0.02], MOTION))
        with pytest.raises(RobotError, match="press: .*reflex"):
            arm.run(straight(SUNK, "press", arm.q, [0, 0, -0.15], MOTION))
        pressed = rest(controller)
        tips = pose.transform(FR3.forward(pressed.q), np.array([[0, 0, 0.1122]]))[0, 2]
        assert -0.003 < tips < 0.003  # the table is where it is
        up = straight(SUNK, "up", arm.q, [0, 0, 0.08], MOTION)
        with pytest.raises(RobotError, match="up: .*aborted"):
            arm.run(up)
        np.testing.assert_allclose(rest(controller).q, pressed.q, atol=1e-3)
        arm.recover()
        assert not arm.run(up)
        assert pose.transform(FR3.forward(rest(controller).q), np.zeros((1, 3)))[0, 2] > 0.15


def test_commands_are_counted_arm_and_hand_apart(controller):
    with connected(controller) as arm:
        before = controller.commands()
        arm.open()
        arm.run(checked(Scene(), "turn", arm.q, [arm.q + [0, 0, 0, 0, 0, 0, -0.1]], 0.5))
        arm.grasp(10.0)
        arm.open()
        after = controller.commands()
    told = {name: count for name, count in (after - before).items() if name != "stream"}
    assert told == {"kMove": 1, "hand.kMove": 2, "hand.kGrasp": 1}
    assert after["stream"] - before["stream"] > 100  # a setpoint a millisecond


def test_a_motion_does_not_depend_on_how_fast_the_machine_is(controller):
    stopped = []
    with SimulatedController(
        World(tabletop([], [], []).to_xml(), 0), AT_GRASP, realtime=True
    ) as real:
        for each in (controller, real):
            with connected(each) as arm:
                arm.run(checked(SUNK, "start", arm.q, [FR3.ready], 0.5))
                assert np.abs(rest(each).q - FR3.ready).max() < 1e-3
                each.inject("reflex", after=0.25)  # where the arm is after a quarter of a second
                with pytest.raises(RobotError, match="far: .*reflex"):
                    arm.run(
                        checked(
                            SUNK, "far", FR3.ready, [FR3.ready + [0.6, 0, 0, 0, 0, 0, 0.3]], 0.4
                        )
                    )
                stopped.append(arm.q)
                arm.recover()
        np.testing.assert_allclose(*stopped, atol=3e-3)  # at 0.9 rad/s: to three milliseconds
        assert 0.05 < stopped[0][0] < 0.5
        real.inject("die", motion=0)
        with pytest.raises(RobotError, match="the simulated controller is gone"):
            rest(real, 10)
        real.close()
        with pytest.raises(RobotError, match="gone"):
            real.truth()


def test_an_unknown_fault_is_refused(controller):
    with pytest.raises(RobotError, match="fault 'fire', expected one of die, reflex, slip, vanish"):
        controller.inject("fire")
    assert controller.truth().time > 0


def test_a_world_that_cannot_be_built_is_told():
    with pytest.raises(RobotError, match="did not start"):
        SimulatedController(World("<mujoco><worldbody><geom type='box'/></worldbody></mujoco>", 1))


def test_the_fingers_press_with_the_force_they_were_asked_for():
    sim = Simulator(world(), AT_GRASP)
    with sim, Servers(sim) as servers:
        robot, server = sim.robots[0], servers.robot_servers[0]
        fingers = [sim.model.body(f"robot0_{side}_finger").id for side in ("left", "right")]
        for asked in (10.0, 40.0):
            robot.set_hand_goal(0.0, 0.1, asked)
            for _ in range(1000):
                server.process_commands()
                sim.step()
            pressed, wrench = np.zeros(2), np.zeros(6)
            for i, contact in enumerate(sim.data.contact):
                mujoco.mj_contactForce(sim.model, sim.data, i, wrench)
                for body in sim.model.geom_bodyid[contact.geom]:
                    if body in fingers:
                        pressed[fingers.index(body)] += wrench[0]
            np.testing.assert_allclose(pressed, asked, rtol=0.02)
