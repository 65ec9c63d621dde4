import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.hands.grippers import GRIPPERS
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.hands.robotiq import ROBOTIQ_2F85
from graspbook.objects import GraspObject
from graspbook.simulation.shake import Shaker, _shake_wrench, shake_test
from graspbook.simulation.shake_model import ShakeSettings

STILL = ShakeSettings(acceleration=0.0, angular_acceleration=0.0)


def box(*sides, offset=(0.0, 0.0, 0.0)):
    mesh = trimesh.creation.box(sides)
    mesh.apply_translation(offset)
    return GraspObject("box", "box", mesh, (mesh,))


def grasp_at(x=0.0, y=0.0, z=0.0, rotation=None):
    """A grasp (1, 4, 4) whose pads' centre is at (x, y, z) of the object, approaching along the
    object's z.
    """
    rotation = np.eye(3) if rotation is None else rotation
    return pose.from_rt(rotation, np.array([x, y, z]) - FRANKA.pad_z * rotation[:, 2])[None]


def test_the_closing_width_is_the_width_of_the_box():
    for width in (0.02, 0.05, 0.07):
        outcome = shake_test(box(width, 0.04, 0.04), grasp_at(), STILL, threads=1)
        assert outcome.success[0]
        assert outcome.closing_width[0] == pytest.approx(width, abs=2e-4)


@pytest.mark.parametrize("gripper", GRIPPERS.values(), ids=list(GRIPPERS))
def test_any_gripper_closes_on_a_box_and_keeps_it(gripper):
    grasp = pose.from_rt(np.eye(3), [0, 0, -gripper.pad_z])[None]
    outcome = shake_test(box(0.05, 0.04, 0.04), grasp, threads=1, gripper=gripper)
    assert outcome.success[0] and outcome.closing_width[0] == pytest.approx(0.05, abs=2e-4)
    assert outcome.gravity_held[0] and outcome.max_acceleration[0] > 0.8 * 60


def test_a_box_wider_than_one_hand_opens_is_held_by_the_one_that_opens_wider():
    wide = box(0.084, 0.04, 0.04)
    for gripper, fits in ((FRANKA, False), (ROBOTIQ_2F85, True)):
        grasp = pose.from_rt(np.eye(3), [0, 0, -gripper.pad_z])[None]
        outcome = shake_test(wide, grasp, threads=1, gripper=gripper)
        assert outcome.success[0] == fits and outcome.collides[0] != fits


def test_what_must_fail_fails_and_says_how():
    small, wide = box(0.03, 0.03, 0.03), box(0.09, 0.03, 0.03)
    missing = shake_test(small, grasp_at(z=-0.2), STILL, threads=1)
    assert not missing.success[0] and not missing.collides[0] and np.isnan(missing.closing_width[0])
    too_wide = shake_test(wide, grasp_at(), STILL, threads=1)
    assert not too_wide.success[0] and too_wide.collides[0]
    through_palm = shake_test(small, grasp_at(z=FRANKA.pad_z - 0.05), STILL, threads=1)
    assert through_palm.collides[0]


def test_the_pads_overlap_the_object_before_it_counts_as_a_collision():
    # Standing in the way of one finger by 1 mm and by 3 mm; the settings allow 1.5 mm.
    obj = box(0.03, 0.03, 0.03)
    grasps = np.concatenate([grasp_at(x=-0.026), grasp_at(x=-0.028)])
    assert Shaker(obj, threads=1).collides(grasps).tolist() == [False, True]


def test_a_rotated_world_changes_nothing():
    obj = box(0.03, 0.06, 0.09, offset=(0.01, 0.0, 0.02))
    world = pose.from_rt(
        pose.random_rotations(1, np.random.default_rng(0))[0], np.array([0.3, -2.0, 1.0])
    )
    turned_mesh = obj.mesh.copy().apply_transform(world)
    turned = GraspObject("box", "box", turned_mesh, (turned_mesh,))
    grasps = np.concatenate([grasp_at(0.01, y, 0.04) for y in (-0.04, -0.03, 0.0, 0.02, 0.031)])
    here, there = shake_test(obj, grasps, threads=1), shake_test(turned, world @ grasps, threads=1)
    assert here.success.tolist() == there.success.tolist()
    np.testing.assert_allclose(here.closing_width, there.closing_width, atol=1e-4)


def test_outcomes_do_not_depend_on_threads_order_or_company():
    obj = box(0.03, 0.06, 0.09)
    rng = np.random.default_rng(1)
    grasps = np.concatenate(
        [
            grasp_at(*rng.uniform(-0.04, 0.04, 3), pose.random_rotations(1, rng)[0])
            for _ in range(24)
        ]
    )
    one, two = shake_test(obj, grasps, threads=1), shake_test(obj, grasps, threads=2)
    order = rng.permutation(24)
    mixed, alone = (
        shake_test(obj, grasps[order], threads=2),
        shake_test(obj, grasps[5:6], threads=1),
    )
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(mixed, name))
        np.testing.assert_array_equal(getattr(one, name)[5:6], getattr(alone, name))
    assert 0 < one.success.sum() < 24


def test_the_shake_decides_what_closing_does_not():
    # The pads catch the last 4 mm of a bar's end, 8 cm from its centre of mass.
    bar, end = box(0.03, 0.16, 0.04), grasp_at(y=0.08 + 0.0087 - 0.004, z=-0.02)
    assert shake_test(bar, end, STILL, threads=1).success[0]
    assert not shake_test(bar, end, ShakeSettings(), threads=1).success[0]
    assert shake_test(bar, grasp_at(), ShakeSettings(), threads=1).success[0]


def test_no_grasps_and_no_grading():
    obj = box(0.03, 0.03, 0.03)
    assert shake_test(obj, np.zeros((0, 4, 4)), threads=1).success.shape == (0,)
    assert np.isnan(shake_test(obj, grasp_at(), threads=1, grade=False).max_acceleration).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_wrench_is_the_inertia_of_an_object_that_moves_with_the_hand(axis):
    """Newton and Euler in the world's frame, by finite differences of the centre's place and of the
    angular momentum.
    """
    low, high = (
        np.array([0.03, 0.01, -0.02]),
        np.array([0.15, 0.04, 0.03]),
    )  # longest along x: principal axes permuted
    box = trimesh.creation.box(bounds=[low, high])
    shaker = Shaker(GraspObject("box", "test", box, (box,)), threads=1)
    object_T_hand = pose.from_rt(
        pose.random_rotations(1, np.random.default_rng(0)), np.array([[0.01, 0.02, -0.1]])
    )
    found = _shake_wrench(shaker, shaker.initial_states(object_T_hand), axis)[0]

    settings, h = shaker.settings, 1e-5
    hand_T_object, sides = pose.inverse(object_T_hand[0]), high - low
    centre = pose.transform(hand_T_object, (low + high)[None] / 2)[0]
    turn = hand_T_object[:3, :3]
    inertia = turn @ np.diag(settings.mass / 12 * (sides @ sides - sides**2)) @ turn.T
    unit, w = np.eye(3)[axis], 2 * np.pi * settings.frequency

    def rotation(t):
        return pose.rotation_about(unit, settings.angular_acceleration / w**2 * (1 - np.cos(w * t)))

    def place(t):
        return (
            settings.acceleration / w**2 * (1 - np.cos(w * t))[:, None] * unit
            + rotation(t) @ centre
        )

    def momentum(t):
        spin = settings.angular_acceleration / w * np.sin(w * t)[:, None] * unit
        return (rotation(t) @ (spin @ inertia)[..., None])[..., 0]

    t = settings.timestep * np.arange(round(1 / settings.frequency / settings.timestep))
    force = -settings.mass * (place(t + h) - 2 * place(t) + place(t - h)) / h**2
    torque = -(momentum(t + h) - momentum(t - h)) / (2 * h)
    in_hand = np.stack([force, torque], axis=1) @ rotation(t)
    assert found.shape == (len(t), 6)
    for k, values in enumerate((found[:, :3], found[:, 3:])):
        np.testing.assert_allclose(values, in_hand[:, k], rtol=0, atol=1e-6 * np.abs(values).max())
