import mujoco
import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands.articulated import Hand
from graspbook.hands.library import load_hand
from graspbook.hands.mjcf import stiffness
from graspbook.hands.parts import Link, Part
from graspbook.highdof.closing import close
from graspbook.objects import GraspObject
from graspbook.objects.distance import signed_distance_grid, stack
from graspbook.simulation.hold import HOLD_PRESETS, Holder, HoldSettings, hold_settings

HAND = load_hand("shadow")
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
MESH = trimesh.creation.cylinder(
    0.03, 0.16, transform=trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0])
)
OBJECT = GraspObject("cylinder", "cylinder", MESH, (MESH,))


@pytest.fixture(scope="module")
def grasp():
    """The palm faces -y: the cylinder lies before it along x, and the hand is closed around it."""
    wrist = torch.eye(4)
    wrist[:3, 3] = torch.tensor([-0.01, 0.0435, -0.075])
    joints = torch.as_tensor(HAND.open, dtype=torch.float32)[None].clone()
    joints[0, HAND.joints.index("THJ4")] = -0.3
    joints[0, HAND.joints.index("THJ3")] = 1.1
    closed = close(
        HAND, stack([signed_distance_grid(MESH, 96)]), torch.tensor([0]), wrist[None], joints
    )
    return wrist.double().numpy(), closed[0].double().numpy()


def test_a_wrapped_cylinder_is_held_and_an_open_hand_holds_nothing(grasp):
    wrist, closed = grasp
    held = Holder(HAND, OBJECT, HoldSettings(friction=1.0)).test(
        np.stack([wrist, wrist]), np.stack([closed, HAND.open])
    )[0]
    assert held[0].all() and not held[1].any()


def test_what_is_too_heavy_falls(grasp):
    wrist, closed = grasp
    assert (
        not Holder(HAND, OBJECT, HoldSettings(friction=1.0, mass=15.0))
        .test(wrist[None], closed[None])
        .held
    )


def test_a_slippery_object_slides_out_along_its_axis_alone(grasp):
    wrist, closed = grasp
    held = Holder(HAND, OBJECT, HoldSettings(friction=0.0)).test(wrist[None], closed[None])
    assert not held.directions[0, :2].any()


def test_the_object_frame_does_not_matter(grasp):
    wrist, closed = grasp
    turned = pose.from_rt(pose.rotation_about([1.0, 2, 3], 1.0), [0.3, -0.2, 0.1])
    mesh = MESH.copy().apply_transform(turned)
    shaky = HoldSettings(friction=0.3, effort=0.2)
    wrists = np.stack([wrist, wrist @ pose.from_rt(np.eye(3), [0, -0.004, 0.01])])
    there = Holder(HAND, GraspObject("turned", "cylinder", mesh, (mesh,)), shaky).test(
        turned @ wrists, np.stack([closed] * 2)
    )
    here = Holder(HAND, OBJECT, shaky).test(wrists, np.stack([closed] * 2))
    np.testing.assert_array_equal(there.directions, here.directions)


@pytest.mark.parametrize("name", ["shadow", "barrett", "franka"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_joints_press_with_the_stated_effort_up_to_their_limits(name, share):
    hand = load_hand(name)
    holder = Holder(hand, OBJECT, HoldSettings(effort=0.7))
    data, (low, high) = mujoco.MjData(holder.model), hand.limits.T
    joints = low + share * (high - low)
    data.qpos[holder.joint_columns - np.array(1)] = hand.expand(joints)
    data.ctrl[:] = joints + holder.press
    mujoco.mj_forward(holder.model, data)
    np.testing.assert_allclose(
        data.actuator_force, 0.7 * hand.efforts * hand.closing, rtol=1e-6, atol=1e-9
    )


def test_no_grasps_hold_nothing():
    held = Holder(HAND, OBJECT).test(np.zeros((0, 4, 4)), np.zeros((0, len(HAND.joints))))
    assert held.directions.shape == (0, 6) and held.kept.shape == held.held.shape == (0,)


def pinch():
    """Two sliding fingers with flat pads that face each other along x."""
    corners = np.array([[x, y, z] for x in (0, 0.01) for y in (-1, 1) for z in (-1, 1)])
    links, parts = [Link("palm")], [Part("palm", CORNERS * 0.02 + [0, 0, -0.1])]
    for name, side in (("right", 1), ("left", -1)):
        slide = {"limits": (0.0, 0.4), "effort": 4.0, "slides": True, "closes": -1}
        links.append(Link(name, "palm", np.eye(4), name, (side, 0, 0), **slide))
        parts.append(Part(name, corners * [side, 0.01, 0.01]))
    return Hand("pinch", links, parts, {"default": [("right", np.zeros(3), -np.eye(3)[0])]})


@pytest.mark.parametrize("preset", list(HOLD_PRESETS))
@pytest.mark.parametrize(("share", "holds"), [(0.97, False), (1.03, True)])
def test_a_pinch_slips_where_the_pull_is_twice_the_friction_of_a_finger(preset, share, holds):
    settings, hand = hold_settings(preset), pinch()
    cube = trimesh.creation.box((0.03, 0.03, 0.03))
    holder = Holder(hand, GraspObject("cube", "box", cube, (cube,)), settings, threads=1)
    force = share * settings.mass * settings.acceleration / (2 * settings.friction)
    closed = np.array([[0.015, 0.015]])
    squeeze = closed - force / stiffness(hand)
    held = holder.test(np.eye(4)[None], closed, squeeze=squeeze, pregrasp=closed + 0.005)
    assert held.kept.all()
    np.testing.assert_array_equal(held.directions[0, 2:], holds)


def test_only_the_bench_preset_turns_away_what_turns_or_starts_deep_inside():
    hand, cube = pinch(), trimesh.creation.box((0.03, 0.03, 0.03))
    obj = GraspObject("cube", "box", cube, (cube,))
    deep = np.array([[0.004, 0.004], [0.0145, 0.0145]])
    bench = Holder(hand, obj, hold_settings("bench"), threads=1)
    kept = bench.test(np.stack([np.eye(4)] * 2), deep, squeeze=deep).kept
    np.testing.assert_array_equal(kept, [False, True])


def test_a_failed_direction_can_end_the_test_of_a_grasp(grasp):
    wrist, closed = grasp
    holder = Holder(HAND, OBJECT, HoldSettings(friction=0.0))
    held = holder.test(wrist[None], closed[None], every=False)
    assert held.kept.all() and not held.directions.any()


def test_an_unknown_preset_is_refused():
    with pytest.raises(ParameterError, match="'gentle', expected strict or bench"):
        hold_settings("gentle")
