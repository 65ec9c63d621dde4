import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.objects import GraspObject
from graspbook.simulation.shake import Shaker, _initial_states, _shake_wrench


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
    found = _shake_wrench(shaker, _initial_states(shaker, object_T_hand), axis)[0]

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
