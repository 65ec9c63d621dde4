from dataclasses import replace

import numpy as np
import pytest

from graspbook import pose
from graspbook.robots.fr3 import FR3
from graspbook.robots.scene import Limits, Scene, hand_clears_table, thinned

BLIND = replace(FR3, hand_T_camera=None)
WIDE = Limits((-2.0,) * 3, (2.0,) * 3, -1.0)
DOWN = np.diag([1.0, -1, -1])
LEVEL = np.array(
    [[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]
)  # pointing along the world's x, the camera below


def in_hand(point, q=FR3.ready):
    """A point of the hand's frame, in the base frame."""
    return pose.transform(FR3.forward(q), np.array([point], float))


FINGER, PALM, CAMERA = (
    in_hand([0.047, 0, 0.1]),
    in_hand([0, 0, 0.03]),
    in_hand([0.015, -0.085, 0.01]),
)


@pytest.mark.parametrize("arm", [FR3, BLIND])
def test_where_one_looks_and_waits_is_free(arm):
    scene = Scene(arm=arm)
    assert scene.refusal(FR3.look) is None and scene.refusal(FR3.ready) is None
    assert scene.touches(FR3.look) is None


def test_joint_limits_are_kept():
    scene = Scene()
    q = FR3.ready.copy()
    q[3] = 0.0
    assert scene.refusal(q) == "fr3_joint4 at 0.000 rad, expected -2.992 to -0.202"
    q = FR3.ready.copy()
    q[6] = -3.0
    assert scene.refusal(q) == "fr3_joint7 at -3.000 rad, expected -2.966 to 2.966"


@pytest.mark.parametrize(
    "q", [np.full(7, np.nan), [*FR3.ready[:6], np.inf], FR3.ready[:6], [], None]
)
def test_what_is_no_seven_numbers_is_refused(q):
    assert "expected 7 finite numbers" in Scene().refusal(q)


def test_hand_and_fingertips_stay_in_the_workspace():
    refusal = Scene().refusal(FR3.ready + [2.0, 0, 0, 0, 0, 0, 0])
    assert refusal.startswith("the hand at [-0.128, 0.279, 0.59] m, expected within (0.15,")
    refusal = Scene(limits=Limits(low=(0.15, -0.6, 0.5))).refusal(FR3.ready)
    assert (
        refusal.startswith("the fingertips at [0.307, ")
        and "0.478] m, expected within (0.15, -0.6, 0.5)" in refusal
    )


@pytest.mark.parametrize("height, touches", [(0.002, True), (0.004, False)])
def test_three_millimetres_over_the_table_are_kept(height, touches):
    q = FR3.inverse(pose.from_rt(DOWN, [0.5, 0, height + 0.1122]), FR3.ready)
    refusal = Scene().refusal(q)
    assert (
        ("the table and" in refusal and "finger would touch" in refusal)
        if touches
        else refusal is None
    )


def test_the_table_is_where_the_limits_say():
    assert "the table and" in Scene(limits=Limits(table=0.5)).refusal(FR3.ready)
    assert Scene(limits=Limits(table=0.47)).refusal(FR3.ready) is None


def test_observed_points_are_named():
    assert Scene(near=FINGER).refusal(FR3.ready) == "the object and left finger would touch"
    assert (
        Scene(forbidden=FINGER).refusal(FR3.ready)
        == "an observed point and left finger would touch"
    )
    assert Scene(forbidden=PALM).refusal(FR3.ready) == "an observed point and hand would touch"
    assert (
        Scene(forbidden=CAMERA).refusal(FR3.ready) == "an observed point and the camera would touch"
    )
    assert Scene(forbidden=CAMERA, arm=BLIND).refusal(FR3.ready) is None
    assert Scene(near=in_hand([0, 0, 0.1])).refusal(FR3.ready) is None  # between the open fingers


def test_the_camera_is_where_it_was_mounted():
    turned = pose.from_rt(pose.rotation_about([0, 0, 1], np.pi), np.zeros(3)) @ FR3.hand_T_camera
    opposite = replace(FR3, hand_T_camera=turned)
    scene = Scene(forbidden=in_hand([-0.015, 0.085, 0.01]), arm=opposite)
    assert scene.refusal(FR3.ready) == "an observed point and the camera would touch"
    assert Scene(forbidden=CAMERA, arm=opposite).refusal(FR3.ready) is None
    # Level, it lies above the hand.
    level = pose.from_rt(LEVEL, [[0, 0, height] for height in (0.0345, 0.0347)])
    np.testing.assert_array_equal(hand_clears_table(level, 0.0, arm=opposite), [False, True])


def test_the_arm_keeps_off_itself():
    folded = FR3.ready.copy()
    folded[5], folded[6] = 0.6, 2.3
    assert Scene(limits=WIDE).refusal(folded) == "fr3 link5 and fr3 link7 would touch"
    folded[6] = -0.8
    assert Scene(limits=WIDE).refusal(folded, grasping=True) == "fr3 link5 and hand would touch"


def test_only_the_hand_may_touch_the_object_and_only_when_it_grasps():
    for point in (FINGER, PALM):
        scene = Scene(near=point)
        assert scene.refusal(FR3.ready) and scene.refusal(FR3.ready, grasping=True) is None
        assert Scene(forbidden=point).refusal(FR3.ready, grasping=True)
    assert (
        Scene(near=CAMERA).refusal(FR3.ready, grasping=True)
        == "the object and the camera would touch"
    )
    forearm = np.array([[0.218, 0, 0.697]])  # in the fifth link
    assert (
        Scene(near=forearm).refusal(FR3.ready, grasping=True)
        == "the object and fr3 link5 would touch"
    )
    both = Scene(near=FINGER, forbidden=PALM)
    assert both.refusal(FR3.ready, grasping=True) == "an observed point and hand would touch"


@pytest.mark.parametrize("angle", [0.4, -1.1])
def test_the_world_turned_with_joint_1_gives_the_same_answers(angle):
    rng = np.random.default_rng(0)
    points = rng.uniform([0.1, -0.4, 0.1], [0.8, 0.4, 0.8], (80, 3))
    world = pose.from_rt(pose.rotation_about([0, 0, 1], angle), np.zeros(3))
    still, turned = Scene(points, limits=WIDE), Scene(pose.transform(world, points), limits=WIDE)
    angles = np.clip(FR3.ready + rng.normal(0, 0.5, (200, 7)), FR3.low + 0.06, FR3.high - 0.06)
    answers = [(still.refusal(q), turned.refusal(q + [angle, 0, 0, 0, 0, 0, 0])) for q in angles]
    assert 20 < sum(a is None for a, _ in answers) < 180
    assert all((a is None) == (b is None) for a, b in answers)


def test_points_of_a_voxel_are_one():
    points = np.array(
        [
            [0.001, 0.002, 0.003],
            [0.003, 0.004, 0.009],
            [0.011, 0.002, 0.003],
            [-0.001, 0.002, 0.003],
        ]
    )
    by_hand = [[-0.001, 0.002, 0.003], [0.002, 0.003, 0.006], [0.011, 0.002, 0.003]]
    np.testing.assert_allclose(thinned(points), by_hand, atol=1e-15)
    np.testing.assert_allclose(
        thinned(points, 1.0), [[-0.001, 0.002, 0.003], points[:3].mean(axis=0)]
    )
    assert thinned(()).shape == (0, 3)


def test_the_hand_clears_a_table_by_hand():
    heights = np.array([0.1122, 0.1151, 0.1153])  # of a hand pointing down, fingers 0.1122 m long
    down = pose.from_rt(DOWN, [[0, 0, height] for height in heights])
    np.testing.assert_array_equal(hand_clears_table(down, 0.0), [False, False, True])
    raised = down.copy()
    raised[:, 2, 3] += 0.2
    np.testing.assert_array_equal(hand_clears_table(raised, 0.2), [False, False, True])
    # Level: the camera's body reaches 0.075 + 0.0115 m down, the palm 0.0316.
    level = pose.from_rt(LEVEL, [[0, 0, height] for height in (0.0894, 0.0896)])
    np.testing.assert_array_equal(hand_clears_table(level, 0.0), [False, True])
    level[:, 2, 3] = 0.0345, 0.0347
    np.testing.assert_array_equal(hand_clears_table(level, 0.0), [False, False])
    np.testing.assert_array_equal(hand_clears_table(level, 0.0, arm=BLIND), [False, True])
