import numpy as np
import pytest
import torch

from graspbook.hands.barrett import A_1, A_2, A_3, A_W, D_W
from graspbook.hands.library import load_hand


@pytest.fixture(scope="module")
def hand():
    return load_hand("barrett")


def tips(hand, joints):
    """Ends (3, 3) of the axes of the three distal links."""
    poses = hand.forward(torch.tensor(joints, dtype=torch.float64)).numpy()
    return np.array(
        [(poses[hand.links.index(f"distal_{k}")] @ [A_3, 0, 0, 1])[:3] for k in (1, 2, 3)]
    )


def test_fingers_of_the_open_hand_lie_level_but_for_their_bent_tips(hand):
    reach, height = A_1 + A_2 + A_3 * np.cos(np.radians(40)), D_W + A_3 * np.sin(np.radians(40))
    expected = [[-A_W, -reach, height], [A_W, -reach, height], [0, reach, height]]
    np.testing.assert_allclose(tips(hand, [0, 0, 0, 0]), expected, atol=1e-12)


def test_a_proximal_joint_at_ninety_degrees_has_its_tip_seventy_degrees_further(hand):
    bend = np.radians(90 + 30 + 40)
    expected = [0, A_1 + A_3 * np.cos(bend), D_W + A_2 + A_3 * np.sin(bend)]
    np.testing.assert_allclose(tips(hand, [0, 0, 0, np.pi / 2])[2], expected, atol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.7, np.pi])
def test_spread_moves_two_fingers_in_mirror_and_leaves_the_third(hand, spread):
    first, second, third = tips(hand, [spread, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(first * [-1, 1, 1], second, atol=1e-12)
    np.testing.assert_allclose(third, tips(hand, [0, 1.0, 1.0, 1.0])[2], atol=1e-12)
    assert np.sign(first[1]) == (-1 if spread < np.pi / 2 else 1)


def test_four_independent_joints_and_45_contact_points(hand):
    assert hand.joints == ("spread", "finger_1", "finger_2", "finger_3")
    np.testing.assert_allclose(np.degrees(hand.limits), [[0, 180], [0, 140], [0, 140], [0, 140]])
    assert {layout: len(points.points) for layout, points in hand.contacts.items()} == {
        "default": 45,
        "fingertips": 45,
    }
