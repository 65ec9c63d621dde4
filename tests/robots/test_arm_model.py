"""Another arm, with six joints of its own, in all that does not depend on which arm it is."""

import contextlib

import mujoco
import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots.arm_model import MARGIN, ArmModel
from graspbook.robots.paths import checked, duration, line, passed, samples
from graspbook.robots.planning import MotionSettings, feasibility, find_way, plan_first, straight
from graspbook.robots.scene import Limits, Scene

# Each joint: its axis, and where it is from the one before. The last link carries the hand.
CHAIN = [
    ("z", (0, 0, 0.2)),
    ("y", (0, 0, 0)),
    ("y", (0, 0, 0.45)),
    ("y", (0, 0, 0.4)),
    ("x", (0, 0, 0.1)),
    ("z", (0, 0, 0.1)),
]
AXES = {"x": "1 0 0", "y": "0 1 0", "z": "0 0 1"}
NAMES = tuple(f"turn_{i}" for i in range(6))
SETTINGS = MotionSettings(time_limit=5.0)
DOWN = np.diag([-1.0, 1.0, -1.0])
ABOVE = pose.from_rt(DOWN, [0.5, 0.05, 0.2])


def urdf():
    links = "".join(f'<link name="link_{i}"/>' for i in range(7))
    joints = "".join(
        f'<joint name="{NAMES[i]}" type="revolute"><parent link="link_{i}"/>'
        f'<child link="link_{i + 1}"/><origin xyz="{" ".join(map(str, xyz))}"/>'
        f'<axis xyz="{AXES[axis]}"/><limit lower="-3" upper="3" effort="1" velocity="1"/></joint>'
        for i, (axis, xyz) in enumerate(CHAIN)
    )
    return f'<robot name="six">{links}{joints}</robot>'


def mjcf():
    """Thin links with gaps, and a hand of one box with a sliding finger."""
    spec = mujoco.MjSpec()
    capsule, box = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_BOX
    body, reach = spec.worldbody, [xyz[2] for _, xyz in CHAIN[1:]] + [0]
    for i, (axis, xyz) in enumerate(CHAIN):
        body = body.add_body(name=f"link_{i + 1}", pos=xyz)
        body.add_joint(name=NAMES[i], axis=[float(c) for c in AXES[axis].split()])
        body.add_geom(size=[0.01, 0, 0], contype=0, conaffinity=0)  # a mass
        if reach[i] > 0.2:
            ends = [0, 0, 0.06, 0, 0, reach[i] - 0.06]
            body.add_geom(type=capsule, fromto=ends, size=[0.03, 0, 0])
    hand = body.add_body(name="grip")
    hand.add_geom(type=box, size=[0.05, 0.03, 0.03], pos=[0, 0, 0.03])
    finger = hand.add_body(name="finger", pos=[0, 0, 0.09])
    finger.add_joint(name="slide", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
    finger.add_geom(type=box, size=[0.005, 0.01, 0.02])
    return spec


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    path = tmp_path_factory.mktemp("arm") / "six.urdf"
    path.write_text(urdf())
    return ArmModel(
        name="Six",
        joints=NAMES,
        low=np.full(6, -3.0),
        high=np.full(6, 3.0),
        velocity=np.full(6, 2.0),
        acceleration=np.full(6, 8.0),
        jerk=np.full(6, 4000.0),
        ready=np.array([0, 0.375, 1.774, 0.993, 0, 0]),
        look=np.array([-0.5, 0.375, 1.774, 0.993, 0, 0]),
        urdf=path,
        flange="link_6",
        flange_T_hand=np.eye(4),
        mjcf=mjcf,
        hand=("grip", "finger"),
        body_T_hand=np.eye(4),
        fingers={"slide": 0.045},
    )


@pytest.fixture(scope="module")
def low(six):
    """Joint angles with the hand over the table."""
    return six.inverse(ABOVE, six.ready)


def test_its_kinematics_are_those_of_its_file_by_another_engine(six):
    model = mjcf().compile()
    data = mujoco.MjData(model)
    for q in np.random.default_rng(0).uniform(-2, 2, (10, 6)):
        data.qpos[:6] = q
        mujoco.mj_kinematics(model, data)
        grip = data.body("grip")
        expected = pose.from_rt(grip.xmat.reshape(3, 3), grip.xpos)
        np.testing.assert_allclose(six.forward(q), expected, atol=1e-9)
    assert six.forward(np.zeros((2, 3, 6))).shape == (2, 3, 4, 4)


def test_its_inverse_keeps_its_limits(six, low):
    np.testing.assert_allclose(six.forward(low), ABOVE, atol=3e-4)
    assert low.shape == (6,) and six.within_limits(low)
    np.testing.assert_array_equal(six.bounds, [six.low + MARGIN, six.high - MARGIN])
    assert six.inverse(pose.from_rt(DOWN, [2.0, 0, 0]), six.ready) is None


def test_an_arm_without_a_camera_says_so(six):
    with pytest.raises(RobotError, match="Six: it has no camera on the hand"):
        six.base_T_camera(np.eye(4))


def test_a_scene_has_its_joints_its_limits_and_its_hand(six, low):
    scene = Scene(arm=six)
    assert scene.refusal(low) is None
    assert scene.refusal(np.zeros(7)) == f"joint angles {[0.0] * 7}, expected 6 finite numbers"
    beyond = low.copy()
    beyond[4] = 2.97
    assert scene.refusal(beyond) == "turn_4 at 2.970 rad, expected -2.950 to 2.950"
    assert "table" in Scene(limits=Limits(table=0.15), arm=six).refusal(low)
    # In the open finger, not where it would be if it were closed.
    finger = pose.transform(six.forward(low), np.array([[0.045, 0, 0.09]]))
    near = Scene(near=finger, arm=six)
    assert near.refusal(low) == "the object and finger would touch"
    assert near.refusal(low, grasping=True) is None


def test_paths_keep_its_limits(six, low):
    goal = low + [0.3, 0, 0, 0, 0, 0.2]
    path = checked(Scene(arm=six), "turn", low, [goal], 0.5)
    angles, seconds = samples(path, 0.002), duration(path)
    speeds = np.abs(np.diff(angles, axis=0)).max(axis=0) * (len(angles) - 1) / seconds
    assert passed(path) and path.arm is six and angles.shape[1] == 6
    assert 0.5 < speeds.max() <= 0.5 * 2.0 * 1.001
    assert line([six.forward(low)], low, 0.02, 0.1, 0.5, arm=six)[-1].velocity.shape == (6,)


def searched(scene, start, goal):
    """A way by a random search, which may fail: the third failure is raised."""
    for _ in range(2):
        with contextlib.suppress(RobotError):
            return find_way(scene, start, goal, SETTINGS)
    return find_way(scene, start, goal, SETTINGS)


def test_grasps_are_reached_and_ways_found(six, low):
    scene = Scene(near=[[0.5, 0.05, 0.02]], arm=six)
    turned = ABOVE @ pose.from_rt(pose.rotation_about([0, 0, 1], 0.7), np.zeros(3))
    far = pose.from_rt(DOWN, [0.84, 0.5, 0.2])
    found = feasibility(scene, np.array([far, ABOVE, turned]), SETTINGS)
    assert found.joints.shape == (3, 6)
    np.testing.assert_array_equal(found.reachable, [False, True, True])
    start = low + [-0.6, 0, 0, 0, 0, 0]
    plan, tried = plan_first(scene, scene, start, found, SETTINGS)
    assert plan.rank == 1 and tried == 1 and passed(plan.there) and passed(plan.approach)
    np.testing.assert_allclose(six.forward(plan.approach.end), plan.base_T_hand, atol=3e-4)
    up = straight(scene, "lift", plan.approach.end, [0, 0, 0.1], SETTINGS)
    risen = six.forward(up.end)[:3, 3] - six.forward(up.start)[:3, 3]
    np.testing.assert_allclose(risen, [0, 0, 0.1], atol=4e-4)
    x, z = np.meshgrid(np.arange(0.3, 0.9, 0.03), np.arange(0.01, 0.3, 0.03))
    wall = np.column_stack([x.ravel(), np.full(x.size, -0.2), z.ravel()])
    around = Scene(forbidden=wall, arm=six)
    way = searched(around, low + [-0.9, 0, 0, 0, 0, 0], low)
    assert passed(way) and len(way.waypoints) > 1
