"""The UR10 and the UR10e against their published numbers, computed here once more."""

import mujoco
import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots.paths import checked, passed
from graspbook.robots.scene import Scene
from graspbook.robots.ur10 import JOINTS, LINKS, UR10, UR10_DIMENSIONS, UR10E, UR10E_DIMENSIONS

# theta is the joint's angle; a and d in metres, alpha in degrees (Universal Robots' tables).
PUBLISHED = {
    "UR10": [
        (0, 0.1273, 90),
        (-0.612, 0, 0),
        (-0.5723, 0, 0),
        (0, 0.163941, 90),
        (0, 0.1157, -90),
        (0, 0.0922, 0),
    ],
    "UR10e": [
        (0, 0.1807, 90),
        (-0.6127, 0, 0),
        (-0.57155, 0, 0),
        (0, 0.17415, 90),
        (0, 0.11985, -90),
        (0, 0.11655, 0),
    ],
}
ARMS = pytest.mark.parametrize("arm", [UR10, UR10E], ids=lambda arm: arm.name)


def product(table, q):
    """The standard Denavit-Hartenberg product (4, 4)."""
    whole = np.eye(4)
    for (a, d, alpha), theta in zip(table, q, strict=True):
        c, s, ca, sa = (
            np.cos(theta),
            np.sin(theta),
            *np.round([np.cos(np.radians(alpha)), np.sin(np.radians(alpha))], 12),
        )
        whole = whole @ [
            [c, -s * ca, s * sa, a * c],
            [s, c * ca, -c * sa, a * s],
            [0, sa, ca, d],
            [0, 0, 0, 1],
        ]
    return whole


@ARMS
def test_its_kinematics_are_the_published_ones_in_both_models(arm):
    model = arm.mjcf().compile()
    data = mujoco.MjData(model)
    for q in np.random.default_rng(0).uniform(-6, 6, (20, 6)):
        expected = product(PUBLISHED[arm.name], q)
        np.testing.assert_allclose(arm.forward(q), expected, atol=1e-9)
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        flange = data.body("flange")
        found = pose.from_rt(flange.xmat.reshape(3, 3), flange.xpos)
        np.testing.assert_allclose(found, expected, atol=1e-9)


@ARMS
def test_poses_worked_by_hand(arm):
    (_, d1, _), (a2, _, _), (a3, _, _), (_, d4, _), (_, d5, _), (_, d6, _) = PUBLISHED[arm.name]
    # At zero the arm lies along -x; the flange looks along -y, beside the base by d4 and d6.
    zero = pose.from_rt([[1, 0, 0], [0, 0, -1], [0, 1, 0]], [a2 + a3, -d4 - d6, d1 - d5])
    np.testing.assert_allclose(arm.forward(np.zeros(6)), zero, atol=1e-9)
    # Straight up: the shoulder lifts both tubes; wrist 1 turns back by as much.
    up = arm.forward(np.radians([0, -90, 0, -90, 0, 0]))
    np.testing.assert_allclose(up[:3, 3], [0, -d4 - d6, d1 - a2 - a3 + d5], atol=1e-9)
    np.testing.assert_allclose(up[:3, 2], [0, -1, 0], atol=1e-9)
    # A quarter turn of the base carries all of it along.
    turned = arm.forward(np.radians([90, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(turned[:3, 3], [d4 + d6, a2 + a3, d1 - d5], atol=1e-9)


@ARMS
def test_its_limits_are_those_of_the_data_sheet(arm):
    degrees = [360, 360, 180, 360, 360, 360]  # the elbow's is ours
    np.testing.assert_allclose(np.degrees([-arm.low, arm.high]), [degrees] * 2)
    np.testing.assert_allclose(np.degrees(arm.velocity), [120, 120, 180, 180, 180, 180])
    assert arm.joints == JOINTS and len(LINKS) == 6


@ARMS
def test_it_is_ready_with_the_flange_before_the_base_pointing_down(arm):
    down = pose.from_rt(np.diag([1.0, -1.0, -1.0]), [0.6, 0, 0.5])
    np.testing.assert_allclose(arm.forward(arm.ready), down, atol=3e-3)
    assert Scene(arm=arm).refusal(arm.ready) is None


@ARMS
def test_its_capsules_cover_the_chain_and_hit_where_the_arm_folds(arm):
    lengths = {"UR10": UR10_DIMENSIONS, "UR10e": UR10E_DIMENSIONS}[arm.name]
    capsules = lengths.capsules()
    assert set(capsules) == {"base", *LINKS}
    # Tubes as long as the links; the last capsule ends at the flange's face.
    tubes = [capsules["upper_arm"][1], capsules["forearm"][1]]
    spans = [np.linalg.norm(np.subtract(end, begin)) for begin, end, _ in tubes]
    np.testing.assert_allclose(spans, np.abs(lengths.a[1:3]))
    _, end, radius = capsules["wrist_3"][0]
    assert end[2] + radius == pytest.approx(lengths.d[5])
    scene = Scene(arm=arm)
    straight, folded = np.radians([[180, -90, 0, -90, 90, 0], [180, -90, 175, 0, 90, 0]])
    assert scene.touches(straight) is None
    assert "and forearm" in scene.touches(folded)  # the base or the shoulder
    assert scene.touches(np.radians([180, 20, 0, 0, 90, 0])) is not None  # the table


@ARMS
def test_a_path_is_checked_for_it_and_no_hand_is_made_up(arm):
    path = checked(Scene(arm=arm), "turn", arm.ready, [arm.ready + [0.2, 0, 0, 0, 0, 0.2]], 0.1)
    assert passed(path)
    with pytest.raises(RobotError, match="table would touch|the hand at"):
        low = arm.inverse(pose.from_rt(np.diag([1.0, -1.0, -1.0]), [0.6, 0, -0.05]), arm.ready)
        checked(Scene(arm=arm), "down", arm.ready, [low], 0.1)
    with pytest.raises(RobotError, match=f"{arm.name}: its hand is no parallel gripper"):
        _ = arm.jaw
