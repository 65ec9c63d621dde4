from dataclasses import replace

import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.robots.fr3 import FR3
from graspbook.robots.paths import duration, passed, samples
from graspbook.robots.planning import (
    TURNED,
    Feasibility,
    MotionSettings,
    feasibility,
    find_way,
    plan_first,
    straight,
)
from graspbook.robots.scene import Limits, Scene, hand_clears_table

DOWN = np.diag([1.0, -1, -1])
SETTINGS = MotionSettings()
ABOVE = pose.from_rt(DOWN, [0.5, 0.0, 0.2])
ASIDE = pose.from_rt(DOWN, [0.45, 0.25, 0.2])


def low(joint_1):
    """A posture with the hand near the table, turned by joint 1."""
    q = FR3.inverse(pose.from_rt(DOWN, [0.5, 0, 0.2]), FR3.ready)
    return q + [joint_1, 0, 0, 0, 0, 0, 0]


def wall(height):
    """Points of a wall in the plane y = 0, too close for a hand to pass between."""
    x, z = np.meshgrid(np.arange(0.3, 0.9, 0.03), np.arange(0.01, height, 0.03))
    return np.column_stack([x.ravel(), np.zeros(x.size), z.ravel()])


def in_hand(base_T_hand, point):
    return pose.transform(base_T_hand, np.array([point], float))


def aslant(tilt, turn=np.pi / 2, height=0.03):
    """A hand whose pads' centre is `height` over (0.5, 0), tilted from above about the way it
    closes.
    """
    rotation = pose.rotation_about([0, 0, 1], turn) @ pose.rotation_about([1, 0, 0], tilt) @ DOWN
    return pose.from_rt(rotation, [0.5, 0, height] - 0.1034 * rotation[:, 2])


# The way there


def test_an_open_way_is_one_motion():
    path = find_way(Scene(), low(-0.6), low(0.6), SETTINGS)
    assert passed(path) and len(path.waypoints) == 1
    np.testing.assert_array_equal(path.end, low(0.6))


def test_a_way_is_found_over_a_wall():
    scene = Scene(forbidden=wall(0.3))
    assert any(scene.refusal(low(angle)) for angle in np.linspace(-0.6, 0.6, 50))
    path = find_way(scene, low(-0.6), low(0.6), MotionSettings(time_limit=5.0))
    assert passed(path) and len(path.waypoints) > 1
    np.testing.assert_allclose(path.start, low(-0.6), atol=1e-12)
    np.testing.assert_allclose(path.end, low(0.6), atol=1e-9)
    hands = FR3.forward(samples(path, 0.02))
    crossing = hands[np.abs(hands[:, 1, 3]) < 0.03]
    assert (
        len(crossing) and (crossing[:, 2, 3] > 0.3 + 0.03).all()
    )  # higher than the wall, by the open hand at the least
    assert not any(scene.refusal(q) for q in samples(path, 0.05))


def test_no_way_leads_out_of_a_walled_place():
    scene = Scene(forbidden=wall(0.95), limits=Limits(low=(0.3, -0.6, 0.0)))
    with pytest.raises(
        RobotError, match=r"^way: refused: no path to \[.*\] rad was found within 0.3 s"
    ):
        find_way(scene, low(-0.6), low(0.6), MotionSettings(time_limit=0.3))


def test_ends_that_are_not_free_are_named():
    scene = Scene(forbidden=in_hand(FR3.forward(low(0.0)), [0, 0, 0.03]))
    with pytest.raises(
        RobotError, match="^look: refused: at its start an observed point and hand would touch"
    ):
        find_way(scene, low(0.0), low(0.6), SETTINGS, "look")
    with pytest.raises(
        RobotError, match="^way: refused: at its goal an observed point and hand would touch"
    ):
        find_way(scene, low(0.6), low(0.0), SETTINGS)
    with pytest.raises(RobotError, match="at its goal joint angles nan, expected 7 finite numbers"):
        find_way(scene, low(0.6), None, SETTINGS)


# What the arm can do


def test_a_grasp_from_above_is_reachable():
    found = feasibility(Scene(near=[[0.5, 0, 0.09]]), [ABOVE, ASIDE], SETTINGS)
    assert found.clear.all() and found.reachable.all()
    np.testing.assert_allclose(FR3.forward(found.joints), [ABOVE, ASIDE], atol=3e-4)
    np.testing.assert_array_equal(found.base_T_hand, [ABOVE, ASIDE])


def test_none_of_no_grasps():
    found = feasibility(Scene(), np.zeros((0, 4, 4)), SETTINGS)
    assert found.clear.shape == found.reachable.shape == (0,) and found.joints.shape == (0, 7)
    assert plan_first(Scene(), Scene(), FR3.look, found, SETTINGS) == (None, 0)


def test_a_grasp_into_the_table_or_from_below_is_not_clear():
    into, below = ABOVE.copy(), pose.from_rt(np.eye(3), [0.5, 0, 0.02])
    into[2, 3] = 0.11
    found = feasibility(Scene(), [into, below], SETTINGS)
    assert not found.clear.any() and not found.reachable.any() and np.isnan(found.joints).all()
    assert feasibility(Scene(limits=Limits(table=-0.02)), [into], SETTINGS).clear.all()


def test_a_hand_that_sweeps_through_the_object_is_not_clear():
    in_finger, behind_palm, between = [0.047, 0, 0.1], [0, 0, -0.05], [0, 0, 0.1]
    assert not FRANKA.points_in_hand(np.array([behind_palm, between])).any()
    for point, clear in ((in_finger, False), (behind_palm, False), (between, True)):
        assert feasibility(Scene(near=in_hand(ABOVE, point)), [ABOVE], SETTINGS).clear == [clear]


def test_out_of_reach_is_clear_but_not_reachable():
    far = ABOVE.copy()
    far[0, 3] = 0.84
    outside = ABOVE.copy()
    outside[1, 3] = 0.62  # of the workspace
    found = feasibility(Scene(), [far, outside, ABOVE], SETTINGS)
    np.testing.assert_array_equal(found.clear, [True, True, True])
    np.testing.assert_array_equal(found.reachable, [False, False, True])
    assert np.isnan(found.joints[:2]).all()


def test_a_grasp_that_cannot_be_lifted_from_is_not_reachable():
    assert feasibility(Scene(), [ABOVE], MotionSettings(lift=0.3)).reachable.all()
    assert not feasibility(Scene(), [ABOVE], MotionSettings(lift=0.8)).reachable.any()


def test_the_hand_is_turned_where_only_so_the_camera_fits():
    one = aslant(1.0, height=0.02)
    both = np.stack([one, one @ TURNED])
    fits, blind = hand_clears_table(both, 0.0), replace(FR3, hand_T_camera=None)
    assert fits.sum() == 1 and hand_clears_table(both, 0.0, arm=blind).all()
    found = feasibility(Scene(), both, SETTINGS)
    assert found.clear.all() and found.reachable.all()
    np.testing.assert_array_equal(found.base_T_hand, np.repeat(both[fits], 2, axis=0))
    np.testing.assert_allclose(FR3.forward(found.joints), found.base_T_hand, atol=3e-4)


def test_the_world_turned_gives_the_same_grasps():
    far, into = (pose.from_rt(DOWN, place) for place in ([0.84, 0, 0.2], [0.5, 0, 0.11]))
    grasps = np.array([ABOVE, ASIDE, aslant(0.6), aslant(0.9), far, into])
    points = in_hand(ASIDE, [0.047, 0, 0.1])
    world = pose.from_rt(pose.rotation_about([0, 0, 1], 0.25), np.zeros(3))
    limits = Limits((0.1, -1, 0), (1, 1, 1))
    still = feasibility(Scene(points, limits=limits), grasps, SETTINGS)
    turned = feasibility(
        Scene(pose.transform(world, points), limits=limits), world @ grasps, SETTINGS
    )
    np.testing.assert_array_equal(still.clear, turned.clear)
    np.testing.assert_array_equal(still.reachable, turned.reachable)
    np.testing.assert_array_equal(still.clear, [True, False, True, True, True, False])
    np.testing.assert_allclose(turned.joints, still.joints + [0.25, 0, 0, 0, 0, 0, 0], atol=1e-3)


def test_reachable_grasps_can_be_approached_and_lifted():
    rng = np.random.default_rng(0)
    grasps = np.array(
        [
            aslant(tilt, turn)
            for tilt, turn in zip(rng.uniform(-1, 1, 15), rng.uniform(-3, 3, 15), strict=True)
        ]
    )
    scene = Scene()
    found = feasibility(scene, grasps, SETTINGS)
    assert found.reachable.sum() >= 8
    for rank in np.flatnonzero(found.reachable):
        one = Feasibility(
            *(
                values[rank : rank + 1]
                for values in (found.clear, found.reachable, found.joints, found.base_T_hand)
            )
        )
        plan, tried = plan_first(scene, scene, FR3.look, one, SETTINGS)
        assert tried == 1 and passed(
            straight(scene, "lift", plan.approach.end, [0, 0, SETTINGS.lift], SETTINGS)
        )


# The first that can be done


def test_the_first_reachable_grasp_with_a_way_is_planned():
    far = ABOVE.copy()
    far[0, 3] = 0.84
    other = pose.from_rt(DOWN, [0.45, -0.25, 0.2])
    found = feasibility(Scene(), [far, ASIDE, ABOVE, other], SETTINGS)
    plan, tried = plan_first(Scene(), Scene(), FR3.look, found, SETTINGS)
    assert plan.rank == 1 and tried == 1
    # Where the hand would stand before the second: nothing may stand there on the way.
    before = ASIDE @ pose.from_rt(np.eye(3), [0, 0, -SETTINGS.retreat])
    way = Scene(forbidden=in_hand(before, [0, 0, 0.03]))
    plan, tried = plan_first(Scene(), way, FR3.look, found, SETTINGS)
    assert plan.rank == 2 and tried == 2
    np.testing.assert_array_equal(plan.base_T_hand, ABOVE)
    assert passed(plan.there) and passed(plan.approach)
    np.testing.assert_array_equal(plan.there.start, FR3.look)
    np.testing.assert_allclose(plan.there.end, plan.approach.start, atol=1e-9)
    hands = FR3.forward(samples(plan.approach))
    np.testing.assert_allclose(
        hands[0], ABOVE @ pose.from_rt(np.eye(3), [0, 0, -SETTINGS.retreat]), atol=3e-4
    )
    np.testing.assert_allclose(hands[-1], ABOVE, atol=3e-4)
    assert plan_first(Scene(), way, FR3.look, found, MotionSettings(tries=1)) == (None, 1)


def test_there_is_no_plan_where_nothing_is_reachable_or_every_way_is_closed():
    found = feasibility(Scene(), [ABOVE, ASIDE], SETTINGS)
    nowhere = Scene(limits=Limits(low=(0.8, -0.6, 0.0)))
    assert plan_first(Scene(), nowhere, FR3.look, found, SETTINGS) == (None, 2)
    none = Feasibility(found.clear, np.zeros(2, bool), np.full((2, 7), np.nan), found.base_T_hand)
    assert plan_first(Scene(), Scene(), FR3.look, none, SETTINGS) == (None, 0)


@pytest.mark.parametrize("retreat", [0.015, 0.03, 0.05])
def test_a_short_retreat_is_a_line_too(retreat):
    settings = MotionSettings(retreat=retreat)
    plan, _ = plan_first(
        Scene(), Scene(), FR3.look, feasibility(Scene(), [ABOVE], settings), settings
    )
    moved = FR3.forward(plan.approach.end)[:3, 3] - FR3.forward(plan.approach.start)[:3, 3]
    np.testing.assert_allclose(moved, [0, 0, -retreat], atol=4e-4)


# Straight lines


@pytest.mark.parametrize("offset", [(0, 0, 0.1), (0.05, -0.03, 0.02), (0, 0, -0.005), (0, 0, 0)])
def test_a_straight_line_moves_the_hand_by_what_was_asked(offset):
    q = low(0.2)
    before, after = FR3.forward([q, straight(Scene(), "lift", q, offset, SETTINGS).end])
    np.testing.assert_allclose(after[:3, 3] - before[:3, 3], offset, atol=2e-4)
    np.testing.assert_allclose(after[:3, :3], before[:3, :3], atol=2e-4)


def test_a_straight_line_that_cannot_be_is_refused():
    with pytest.raises(
        RobotError,
        match=r"^reach: refused: the arm cannot move along a straight line by \[0.6, 0.0, 0.0\] m",
    ):
        straight(Scene(), "reach", low(0.0), [0.6, 0, 0], SETTINGS)
    with pytest.raises(RobotError, match="^lower: refused: the fingertips at"):
        straight(Scene(), "lower", low(0.0), [0, 0, -0.1], SETTINGS)
    point = in_hand(FR3.forward(low(0.0)), [0.047, 0, 0.12])
    assert passed(straight(Scene(near=point), "lower", low(0.0), [0, 0, -0.03], SETTINGS))
    with pytest.raises(
        RobotError, match="^lower: refused: .*an observed point and .* finger would touch"
    ):
        straight(Scene(forbidden=point), "lower", low(0.0), [0, 0, -0.03], SETTINGS)


def test_where_something_may_be_touched_the_hand_is_slow():
    for speed, seconds in ((0.5, 0.03 / 0.03), (0.1, 0.03 / 0.015)):
        settings = MotionSettings(speed=speed)
        slow = straight(Scene(), "lower", low(0.0), [0, 0, -0.03], settings, touching=True)
        assert seconds <= duration(slow) < seconds + 0.5
    assert (
        duration(straight(Scene(), "lower", low(0.0), [0, 0, -0.03], MotionSettings(speed=0.5)))
        < 0.9
    )
