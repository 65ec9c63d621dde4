import numpy as np
import pytest

from graspbook.hands import shape
from graspbook.hands.franka import FRANKA_T_GRASP
from graspbook.hands.library import load_hand
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.pose import transform


def test_grasp_frame_closes_along_x_where_franka_closes_along_y():
    np.testing.assert_allclose(FRANKA_T_GRASP[:3, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(FRANKA_T_GRASP[:3, 2], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("opening", [0.0, 0.03, 0.08])
def test_the_articulated_hand_has_the_same_parts_at_any_opening(opening):
    hand = load_hand("franka")
    poses = dict(zip(hand.links, shape.link_poses(hand, np.eye(4), [opening / 2]), strict=True))
    for part, expected in zip(hand.parts, FRANKA.collision_parts(opening), strict=True):
        np.testing.assert_allclose(transform(poses[part.link], part.core), expected, atol=1e-12)
