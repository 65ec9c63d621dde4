import numpy as np
import trimesh

from graspbook import pose
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects import GraspObject
from graspbook.simulation.shake import shake_test
from graspbook.simulation.shake_model import GRAVITY, ShakeSettings

STILL = ShakeSettings(acceleration=0.0, angular_acceleration=0.0)


def graded(sides, *places, settings=None):
    """The outcome of grasps of a box, whose pads' centre is at y = each of the places."""
    mesh = trimesh.creation.box(sides)
    grasps = pose.from_rt(np.eye(3), [[0, y, -FRANKA.pad_z] for y in places])
    return shake_test(GraspObject("box", "box", mesh, (mesh,)), grasps, settings, threads=1)


def test_a_far_grip_that_gravity_twists_out_has_the_lower_grades():
    outcome = graded((0.02, 0.3, 0.02), 0.0, 0.13, settings=STILL)
    assert outcome.success.all()
    assert outcome.gravity_held[0] and outcome.max_acceleration[0] > GRAVITY
    assert outcome.max_acceleration[1] < 0.5 * outcome.max_acceleration[0]


def test_the_largest_acceleration_is_bounded_by_friction():
    # Centred on a light-lever box, the ramp must stop near 2 μ F / 0.3 kg = 60 m/s².
    outcome = graded((0.04, 0.03, 0.03), 0.0)
    assert 0.8 * 60 < outcome.max_acceleration[0] < 1.3 * 60
