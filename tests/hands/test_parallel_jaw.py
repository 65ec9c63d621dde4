import numpy as np
import pytest
from scipy.spatial import Delaunay

from graspbook.hands.grippers import GRIPPERS
from graspbook.hands.parallel_jaw import FRANKA


@pytest.fixture(params=GRIPPERS.values(), ids=list(GRIPPERS))
def gripper(request):
    return request.param


def bounds(vertices):
    return vertices.min(axis=0), vertices.max(axis=0)


def test_dimensions_of_the_franka_hand():
    low, high = bounds(np.concatenate(FRANKA.collision_parts()))
    assert high[2] == pytest.approx(FRANKA.tip_z) == pytest.approx(0.1122)
    assert low[2] == pytest.approx(-0.0259)
    assert FRANKA.opening == 0.08 and FRANKA.configuration == (0.04,)


def test_the_fingers_are_what_the_numbers_say(gripper):
    for share in (0.0, 0.4, 1.0):
        opening = share * gripper.opening
        parts = gripper.finger_parts(opening)
        for name in gripper.finger:
            left, right = (parts[f"{side}_{name}"] for side in ("left", "right"))
            np.testing.assert_allclose(left, right * [-1, -1, 1])
        low, high = bounds(
            np.concatenate([part for name, part in parts.items() if name.startswith("right")])
        )
        assert low[0] == pytest.approx(opening / 2)
        assert low[2] == pytest.approx(gripper.mount_z) and high[2] == pytest.approx(gripper.tip_z)
        assert gripper.pad_half_width <= high[1] + 1e-9
    assert gripper.mount_z < gripper.grip_z < gripper.pad_z
    assert gripper.pad_z + gripper.pad_half_height <= gripper.tip_z + 1e-9
    np.testing.assert_allclose(
        gripper.region[1] - gripper.region[0],
        [gripper.opening, 2 * gripper.pad_half_width, gripper.tip_z - gripper.mount_z],
    )


def test_control_points_stand_for_wrist_and_fingers(gripper):
    points = gripper.control_points
    assert points.shape == (6, 3) and not points[:2].any()
    np.testing.assert_allclose(points[2::2], points[3::2] * [-1, -1, 1])
    assert (points[2::2, 0] > gripper.opening / 2).all()
    assert (gripper.mount_z < points[2:, 2]).all() and (points[2:, 2] < gripper.tip_z).all()


def test_an_impossible_opening_is_refused(gripper):
    with pytest.raises(ValueError, match="0.09"):
        gripper.finger_parts(0.09)


def test_points_in_hand_agree_with_an_independent_containment_test(gripper):
    low, high = bounds(np.concatenate(gripper.collision_parts()))
    points = np.random.default_rng(0).uniform(low - 0.01, high + 0.01, (5000, 3))
    expected = np.zeros(len(points), bool)
    for part in gripper.collision_parts():
        expected |= Delaunay(part).find_simplex(points) >= 0
    np.testing.assert_array_equal(gripper.points_in_hand(points), expected)


def test_nothing_of_the_open_hand_is_between_its_pads(gripper):
    points = np.random.default_rng(0).uniform(*gripper.region, (5000, 3))
    between = points[gripper.points_in_closing_region(points)]
    assert len(between) > 500 and not gripper.points_in_hand(between).any()
    assert np.abs(between[:, 2] - gripper.pad_z).max() < gripper.pad_half_height


def test_points_in_hand_keeps_the_batch_shape_and_grows_by_the_margin():
    points = np.zeros((2, 3, 3))
    points[0, 0] = [0.039, 0, 0.1034]  # 1 mm before the right pad
    assert FRANKA.points_in_hand(points).tolist() == [[False, True, True], [True, True, True]]
    assert FRANKA.points_in_hand(points, margin=0.002)[0, 0]
    assert FRANKA.points_in_hand(np.zeros((0, 3))).shape == (0,)


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
    assert FRANKA.points_in_closing_region(points).tolist() == [True, True, False, False, False]
    assert not FRANKA.points_in_hand(points[:2]).any()
