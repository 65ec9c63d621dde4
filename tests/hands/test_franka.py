import numpy as np
import pytest
from scipy.spatial import Delaunay

from graspbook.hands import franka, shape
from graspbook.hands.library import load_hand
from graspbook.pose import transform


def test_dimensions_of_the_hand():
    vertices = np.concatenate(franka.collision_parts())
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    assert high[2] == pytest.approx(franka.TIP_Z) == pytest.approx(0.1122)
    assert low[2] == pytest.approx(-0.0259)
    pads = franka.finger_parts()
    assert pads["right_tip"][:, 0].min() - pads["left_tip"][:, 0].max() == pytest.approx(0.08)


@pytest.mark.parametrize("opening", [0.0, 0.03, 0.08])
def test_fingers_mirror_each_other_and_follow_the_opening(opening):
    parts = franka.finger_parts(opening)
    assert parts["right_tip"][:, 0].min() == pytest.approx(opening / 2)
    for name in ("mount", "neck", "tip"):
        np.testing.assert_allclose(parts[f"left_{name}"], parts[f"right_{name}"] * [-1, -1, 1])


def test_an_impossible_opening_is_refused():
    with pytest.raises(ValueError, match="0.09"):
        franka.finger_parts(0.09)


def test_points_in_hand_agree_with_an_independent_containment_test():
    points = np.random.default_rng(0).uniform([-0.12, -0.04, -0.04], [0.12, 0.04, 0.13], (5000, 3))
    expected = np.zeros(len(points), bool)
    for part in franka.collision_parts():
        expected |= Delaunay(part).find_simplex(points) >= 0
    np.testing.assert_array_equal(franka.points_in_hand(points), expected)


def test_points_in_hand_keeps_the_batch_shape_and_grows_by_the_margin():
    points = np.zeros((2, 3, 3))
    points[0, 0] = [0.039, 0, 0.1034]  # 1 mm before the right pad
    assert franka.points_in_hand(points).tolist() == [[False, True, True], [True, True, True]]
    assert franka.points_in_hand(points, margin=0.002)[0, 0]
    assert franka.points_in_hand(np.zeros((0, 3))).shape == (0,)


def test_closing_region_lies_between_the_pads():
    points = np.array(
        [
            [0, 0, 0.1034],
            [0.0399, 0, 0.1034],
            [0.0401, 0, 0.1034],
            [0, 0.0088, 0.1034],
            [0, 0, 0.0940],
        ]
    )
    assert franka.points_in_closing_region(points).tolist() == [True, True, False, False, False]
    assert not franka.points_in_hand(points[:2]).any()


def test_grasp_frame_closes_along_x_where_franka_closes_along_y():
    np.testing.assert_allclose(franka.FRANKA_T_GRASP[:3, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(franka.FRANKA_T_GRASP[:3, 2], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("opening", [0.0, 0.03, 0.08])
def test_the_articulated_hand_has_the_same_parts_at_any_opening(opening):
    hand = load_hand("franka")
    poses = dict(zip(hand.links, shape.link_poses(hand, np.eye(4), [opening / 2]), strict=True))
    for part, expected in zip(hand.parts, franka.collision_parts(opening), strict=True):
        np.testing.assert_allclose(transform(poses[part.link], part.core), expected, atol=1e-12)
