import mujoco
import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.hands.library import load_hand
from graspbook.highdof.closing import close
from graspbook.objects import GraspObject
from graspbook.objects.distance import signed_distance_grid, stack
from graspbook.simulation.hold import Holder, HoldSettings

HAND = load_hand("shadow")
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
    )
    assert held[0].all() and not held[1].any()


def test_what_is_too_heavy_falls(grasp):
    wrist, closed = grasp
    assert (
        not Holder(HAND, OBJECT, HoldSettings(friction=1.0, mass=15.0))
        .test(wrist[None], closed[None])
        .all()
    )


def test_a_slippery_object_slides_out_along_its_axis_alone(grasp):
    wrist, closed = grasp
    held = Holder(HAND, OBJECT, HoldSettings(friction=0.0)).test(wrist[None], closed[None])[0]
    assert not held[:2].any()


def test_the_object_frame_does_not_matter(grasp):
    wrist, closed = grasp
    turned = pose.from_rt(pose.rotation_about([1.0, 2, 3], 1.0), [0.3, -0.2, 0.1])
    mesh = MESH.copy().apply_transform(turned)
    shaky = HoldSettings(friction=0.3, effort=0.2)
    wrists = np.stack([wrist, wrist @ pose.from_rt(np.eye(3), [0, -0.004, 0.01])])
    there = Holder(HAND, GraspObject("turned", "cylinder", mesh, (mesh,)), shaky).test(
        turned @ wrists, np.stack([closed] * 2)
    )
    np.testing.assert_array_equal(
        there, Holder(HAND, OBJECT, shaky).test(wrists, np.stack([closed] * 2))
    )


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
    assert Holder(HAND, OBJECT).test(
        np.zeros((0, 4, 4)), np.zeros((0, len(HAND.joints)))
    ).shape == (0, 6)
