import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.hands import franka
from graspbook.objects import GraspObject
from graspbook.simulation.shake import GRAVITY, Shaker, ShakeSettings, shake_test

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
    return pose.from_rt(rotation, np.array([x, y, z]) - franka.PAD_CENTRE_Z * rotation[:, 2])[None]


def test_the_closing_width_is_the_width_of_the_box():
    for width in (0.02, 0.05, 0.07):
        outcome = shake_test(box(width, 0.04, 0.04), grasp_at(), STILL, threads=1)
        assert outcome.success[0]
        assert outcome.closing_width[0] == pytest.approx(width, abs=2e-4)


def test_what_must_fail_fails_and_says_how():
    small, wide = box(0.03, 0.03, 0.03), box(0.09, 0.03, 0.03)
    missing = shake_test(small, grasp_at(z=-0.2), STILL, threads=1)
    assert not missing.success[0] and not missing.collides[0] and np.isnan(missing.closing_width[0])
    too_wide = shake_test(wide, grasp_at(), STILL, threads=1)
    assert not too_wide.success[0] and too_wide.collides[0]
    through_palm = shake_test(small, grasp_at(z=franka.PAD_CENTRE_Z - 0.05), STILL, threads=1)
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


def test_a_far_grip_that_gravity_twists_out_has_the_lower_grades():
    bar = box(0.02, 0.3, 0.02)
    outcome = shake_test(bar, np.concatenate([grasp_at(), grasp_at(y=0.13)]), STILL, threads=1)
    assert outcome.success.all()
    assert outcome.gravity_held[0] and outcome.max_acceleration[0] > GRAVITY
    assert outcome.max_acceleration[1] < 0.5 * outcome.max_acceleration[0]


def test_the_largest_acceleration_is_bounded_by_friction():
    # Centred on a light-lever box, the ramp must stop near 2 μ F / 0.3 kg = 60 m/s².
    outcome = shake_test(box(0.04, 0.03, 0.03), grasp_at(), threads=1)
    assert 0.8 * 60 < outcome.max_acceleration[0] < 1.3 * 60


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


def test_density_instead_of_mass():
    shaker = Shaker(box(0.04, 0.05, 0.05), ShakeSettings(mass=None, density=800.0), threads=1)
    assert shaker.mass == pytest.approx(0.08)
    assert shaker.grade_model.body("object").mass[0] == pytest.approx(0.3)
