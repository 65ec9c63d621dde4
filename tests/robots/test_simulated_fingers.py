"""The simulated hand's controller and joints, step by step."""

import numpy as np
import pytest

from graspbook.hands.library import load_hand
from graspbook.robots.shadow_messages import trajectory
from graspbook.robots.simulated_fingers import TOP_SPEED, Controller, FreeHand

HAND = load_hand("shadow")
AT = {joint: i for i, joint in enumerate(HAND.all_joints)}


def run(controller, seconds):
    for _ in range(round(100 * seconds)):
        controller.step(0.01)


def zeros(controller, **joints):
    """Values for all joints by the hardware's names: 0, but for some."""
    names = set(controller.state()["name"]) - {"rh_WRJ1", "rh_WRJ2"}
    return dict.fromkeys(sorted(names), 0.0) | joints


def test_joints_follow_cubics_from_rest_to_rest():
    controller = Controller(FreeHand())
    points = [zeros(controller, rh_FFJ4=-0.2), zeros(controller, rh_FFJ4=0.2, rh_THJ1=0.6)]
    controller.command(trajectory(points, [1.0, 2.0]))
    run(controller, 0.25)
    # 3 t^2 - 2 t^3 at a quarter is 0.15625; the sign is our model's.
    assert controller.joints[AT["FFJ3"]] == pytest.approx(0.15625 * 0.2)
    run(controller, 0.25)
    assert controller.joints[AT["FFJ3"]] == pytest.approx(0.1)
    assert controller.velocity[AT["FFJ3"]] == pytest.approx(1.5 * 0.2, rel=0.01)
    run(controller, 1.0)
    assert controller.joints[AT["FFJ3"]] == pytest.approx(0.0, abs=1e-9)
    assert controller.joints[AT["THJ0"]] == pytest.approx(-0.3)
    run(controller, 1.0)
    assert controller.joints[AT["FFJ3"]] == pytest.approx(-0.2)
    assert controller.velocity == pytest.approx(0) and controller.time == pytest.approx(2.5)


def test_states_have_the_hardwares_names_and_signs():
    controller = Controller(FreeHand())
    controller.command(trajectory([zeros(controller, rh_FFJ4=-0.2, rh_FFJ2=0.6)], [0.5]))
    run(controller, 1.25)
    state = controller.state()
    assert state["name"][:4] == ["rh_FFJ1", "rh_FFJ2", "rh_FFJ3", "rh_FFJ4"]
    assert state["name"][-2:] == ["rh_WRJ1", "rh_WRJ2"] and len(state["name"]) == 24
    assert state["position"][:4] == pytest.approx([0.3, 0.3, 0.0, -0.2])
    assert state["header"]["stamp"] == {"secs": 1, "nsecs": 250_000_000}
    tendons = Controller(FreeHand(), tendons=True)
    tendons.command(trajectory([zeros(tendons, rh_FFJ0=0.9)], [0.5]))
    run(tendons, 1.0)
    state = dict(zip(tendons.state()["name"], tendons.state()["position"], strict=True))
    assert state["rh_FFJ0"] == pytest.approx(0.9) and "rh_FFJ1" not in state


def test_a_joint_that_is_stopped_leaves_its_share_of_the_tendon_to_the_other():
    target = np.zeros(len(AT))
    target[[AT["FFJ1"], AT["FFJ0"]]] = 0.5, 0.4
    for limits, shared in [
        ({}, (0.45, 0.45)),
        ({"FFJ1": (0, 0.2)}, (0.2, 0.7)),
        ({"FFJ0": (0, 0.1)}, (0.8, 0.1)),
        ({"FFJ1": (0, 0.2), "FFJ0": (0, 0.1)}, (0.2, 0.1)),
    ]:
        joints = FreeHand(limits)(target, 1.0)
        assert joints[[AT["FFJ1"], AT["FFJ0"]]] == pytest.approx(shared), limits


def test_no_joint_is_faster_than_its_top_speed_or_beyond_its_limits():
    joints, target = FreeHand(), np.full(len(AT), 9.0)
    assert np.abs(joints(target, 0.01)).max() == pytest.approx(0.01 * TOP_SPEED)
    links = [link for link in HAND.tree if link.joint]
    high = {link.joint: link.limits[1] for link in links}
    np.testing.assert_allclose(joints(target, 10.0), [high[joint] for joint in HAND.all_joints])


def test_a_trajectory_without_points_holds_the_joints():
    controller = Controller(FreeHand())
    controller.command(trajectory([zeros(controller, rh_FFJ3=0.6)], [1.0]))
    run(controller, 0.5)
    controller.command(trajectory([], []))
    run(controller, 1.0)
    assert controller.joints[AT["FFJ2"]] == pytest.approx(0.3, abs=0.01)
    assert len(controller.began) == 1


def test_a_stuck_joint_stays():
    controller = Controller(FreeHand())
    controller.stuck.add("FFJ2")
    controller.command(trajectory([zeros(controller, rh_FFJ3=0.6, rh_MFJ3=0.6)], [1.0]))
    run(controller, 1.5)
    assert controller.joints[[AT["FFJ2"], AT["MFJ2"]]] == pytest.approx([0, 0.6])


def test_what_a_real_controller_would_not_follow_is_refused():
    controller = Controller(FreeHand())
    whole = zeros(controller)
    for message, told in [
        (trajectory([whole | {"rh_FFJ0": 0.0}], [1.0]), "joint_names: rh_FFJ0 is missing or unk"),
        (trajectory([{"rh_FFJ3": 0.0}], [1.0]), "joint_names: rh_FFJ1 is missing or unknown"),
        (trajectory([whole, whole], [1.0, 1.0]), "time_from_start: expected more"),
        (trajectory([whole], [0.0]), "time_from_start: expected more"),
        (trajectory([whole | {"rh_FFJ3": np.inf}], [1.0]), "points: expected finite numbers"),
    ]:
        with pytest.raises(ValueError, match=told):
            controller.command(message)
    assert not controller.began
