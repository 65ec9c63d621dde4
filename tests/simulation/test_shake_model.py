import numpy as np
import pytest
import trimesh

from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects import GraspObject
from graspbook.simulation.shake_model import (
    ShakeSettings,
    ShakeWorld,
    build_model,
    mass_properties,
    with_mass,
)

BOX = trimesh.creation.box((0.04, 0.05, 0.06)).apply_translation([0.01, 0.0, 0.02])
OBJECT = GraspObject("box", "box", BOX, (BOX,))


def test_density_instead_of_mass():
    settings = ShakeSettings(mass=None, density=1000.0)
    mass, centre, inertia = mass_properties(OBJECT, settings)
    assert mass == pytest.approx(0.12)
    np.testing.assert_allclose(centre, [0.01, 0, 0.02])
    np.testing.assert_allclose(np.diag(inertia), [61e-6, 52e-6, 41e-6])
    model = with_mass(build_model(OBJECT, settings), 0.3)
    assert model.body("object").mass[0] == pytest.approx(0.3)
    assert sorted(model.body("object").inertia) == pytest.approx([102.5e-6, 130e-6, 152.5e-6])


def test_the_open_hand_stands_in_the_world_with_its_object():
    world = ShakeWorld(OBJECT, threads=1)
    state = world.initial_states(np.eye(4)[None])[0]
    np.testing.assert_allclose(state[1:3], FRANKA.opening / 2)
    np.testing.assert_allclose(state[3:10], [0.01, 0, 0.02, 1, 0, 0, 0], atol=1e-12)
    assert len(state) == 1 + world.model.nq + world.model.nv == 1 + 9 + 8
    assert world.model.joint("right").range.tolist() == [0, FRANKA.opening / 2]
