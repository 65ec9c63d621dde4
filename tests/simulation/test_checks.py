import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.hands.library import load_hand
from graspbook.simulation.checks import kinematics_deviation, slip_of_a_box
from graspbook.simulation.shake_model import ShakeSettings


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize(
    "settings", [ShakeSettings(), ShakeSettings(mass=0.2, friction=0.7, force=10.0)]
)
def test_a_box_slips_where_the_load_exceeds_twice_friction_times_force(axis, settings):
    limit = 2 * settings.friction * settings.force
    held, slides = slip_of_a_box(settings, [0.9 * limit, 1.1 * limit], axis)
    assert held < 0.0005
    # Newton by hand: the 10 % that friction does not carry accelerate the box for 0.2 s, or until
    # the pads let go.
    assert slides > 0.7 * min(0.5 * 0.1 * limit / settings.mass * 0.2**2, 0.02)


def test_links_that_are_shifted_or_turned_deviate_by_as_much(monkeypatch):
    hand = load_hand("barrett")
    forward, off = hand.forward, np.tile(np.eye(4), (len(hand.links), 1, 1))
    monkeypatch.setattr(hand, "forward", lambda joints: forward(joints) @ torch.as_tensor(off))
    assert kinematics_deviation(hand, 3, seed=0) < 1e-9
    off[-1] = pose.from_rt(pose.rotation_about([0, 0, 1.0], 0.01), np.zeros(3))
    assert 0.003 < kinematics_deviation(hand, 3, seed=0) < 0.0101
    off[-1] = pose.from_rt(np.eye(3), [0, 0.02, 0])
    assert 0.01 < kinematics_deviation(hand, 3, seed=0) < 0.0201
