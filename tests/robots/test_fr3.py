import re
import xml.etree.ElementTree as ET
from pathlib import Path

import franky_sim
import mujoco
import numpy as np
import pytest

from graspbook import pose
from graspbook.robots.arm_model import CAMERA_BODY, CAMERA_T_BODY, MARGIN
from graspbook.robots.fr3 import FR3

ASSETS = Path(franky_sim.__file__).parent / "assets"
HAND_T_CAMERA_BODY = FR3.hand_T_camera @ CAMERA_T_BODY
TEXT = (ASSETS / "fr3.xml").read_text()


@pytest.fixture(scope="module")
def mujoco_fr3():
    """A function of joint angles and a finger's shift: MuJoCo's data for franky-sim's own file,
    less what is only seen.
    """
    text = re.sub(
        r'<geom [^>]*class="visual"/>',
        "",
        TEXT.replace('meshdir="assets"', f'meshdir="{ASSETS / "meshes"}"'),
    )
    used = set(re.findall(r'<geom [^>]*mesh="(\w+)"', text))
    text = re.sub(
        r'<mesh name="(\w+)"[^>]*/>', lambda found: found[0] if found[1] in used else "", text
    )
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)

    def at(q, finger=0.04):
        data.qpos[:7], data.qpos[7:] = q, finger
        mujoco.mj_kinematics(model, data)
        return data

    return at


def body(data, name):
    return pose.from_rt(data.body(name).xmat.reshape(3, 3), data.body(name).xpos)


def random_angles(n, seed):
    return np.random.default_rng(seed).uniform(FR3.low + MARGIN, FR3.high - MARGIN, (n, 7))


def test_the_limits_are_those_of_the_model():
    ranges = {
        joint.get("name"): joint.get("range")
        for joint in ET.fromstring(TEXT).iter("joint")
        if joint.get("name")
    }
    assert len(FR3.joints) == 7
    for name, low, high in zip(FR3.joints, FR3.low, FR3.high, strict=True):
        assert [float(word) for word in ranges[name].split()] == [low, high]


def test_the_hand_is_where_mujoco_puts_it(mujoco_fr3):
    angles = random_angles(50, 0)
    for q, base_T_hand in zip(angles, FR3.forward(angles), strict=True):
        franka = body(mujoco_fr3(q), "hand")
        np.testing.assert_allclose(base_T_hand[:3, 3], franka[:3, 3], atol=1e-6)
        # Franka's own frame closes along y: ours is that frame turned, so that our x is its y.
        np.testing.assert_allclose(
            base_T_hand[:3, :3], franka[:3, :3] @ [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-6
        )


def test_the_fingers_close_along_x_about_the_pads_centre(mujoco_fr3):
    for q in random_angles(5, 1):
        hand_T_base = pose.inverse(FR3.forward(q))
        places = {}
        for opening in (0.04, 0.01):
            data = mujoco_fr3(q, opening)
            for side in ("left", "right"):
                # the pad: the first box on a finger, after its mesh
                geom = data.model.body(f"{side}_finger").geomadr[0] + 1
                places[side, opening] = pose.transform(hand_T_base, data.geom_xpos[geom][None])[0]
        for opening in (0.04, 0.01):
            middle = (places["left", opening] + places["right", opening]) / 2
            np.testing.assert_allclose(middle, [0, 0, 0.1034], atol=1e-3)
        for side in ("left", "right"):
            moved = places[side, 0.04] - places[side, 0.01]
            np.testing.assert_allclose(
                moved, [np.sign(places[side, 0.04][0]) * 0.03, 0, 0], atol=1e-6
            )


def test_the_camera_lies_along_the_closing_direction_in_front_of_the_palm(mujoco_fr3):
    for q in random_angles(5, 2):
        by_ours = FR3.forward(q) @ HAND_T_CAMERA_BODY
        np.testing.assert_allclose(
            by_ours, body(mujoco_fr3(q), "hand") @ FR3.body_T_hand @ HAND_T_CAMERA_BODY, atol=1e-6
        )
    # In the hand's frame: the body 15 mm beside the image's origin, 10 mm behind it, turned like
    # the hand.
    np.testing.assert_allclose(
        HAND_T_CAMERA_BODY, pose.from_rt(np.eye(3), [0.015, -0.075, 0.010]), atol=1e-12
    )
    assert CAMERA_BODY.argmax() == 0
    corners = pose.transform(HAND_T_CAMERA_BODY, np.array([[-0.5], [0.5]]) * CAMERA_BODY)
    assert corners[1, 2] == pytest.approx(
        FR3.hand_T_camera[2, 3]
    )  # the image's origin lies in the front face


def test_from_where_one_looks_the_camera_sees_the_middle_of_the_table():
    base_T_camera = FR3.base_T_camera(FR3.forward(FR3.look))
    origin, along = base_T_camera[:3, 3], base_T_camera[:3, 2]
    np.testing.assert_allclose(origin, [0.5, -0.287, 0.47], atol=0.002)
    np.testing.assert_allclose(
        origin + along * (0.06 - origin[2]) / along[2], [0.5, 0, 0.06], atol=0.002
    )
    assert np.degrees(np.arcsin(-along[2])) == pytest.approx(55, abs=0.5)


def test_forward_takes_any_leading_dimensions():
    angles = random_angles(6, 3)
    poses = FR3.forward(angles.reshape(2, 3, 7))
    assert poses.shape == (2, 3, 4, 4)
    for q, base_T_hand in zip(angles, poses.reshape(6, 4, 4), strict=True):
        np.testing.assert_array_equal(FR3.forward(q), base_T_hand)


def test_joint_1_turns_the_world():
    for q in random_angles(5, 4):
        turned = q + [0.2 if q[0] < 0 else -0.2, 0, 0, 0, 0, 0, 0]
        world = pose.from_rt(pose.rotation_about([0, 0, 1], turned[0] - q[0]), np.zeros(3))
        np.testing.assert_allclose(FR3.forward(turned), world @ FR3.forward(q), atol=1e-9)


def test_limits_keep_their_margin():
    assert FR3.within_limits([FR3.ready, FR3.look]).all()
    for i in range(7):
        for edge, inwards in ((FR3.low, 1), (FR3.high, -1)):
            q = FR3.ready.copy()
            q[i] = edge[i] + inwards * 0.051
            assert FR3.within_limits(q)
            q[i] = edge[i] + inwards * 0.049
            np.testing.assert_array_equal(FR3.within_limits([[q], [FR3.ready]]), [[False], [True]])


def test_inverse_reaches_poses_nearby(mujoco_fr3):
    rng = np.random.default_rng(5)
    angles = random_angles(100, 6)
    found = [FR3.inverse(FR3.forward(q), q + rng.normal(0, 0.15, 7)) for q in angles]
    assert sum(q is not None for q in found) >= 95
    for q, other in zip(angles, found, strict=True):
        if other is None:
            continue
        assert FR3.within_limits(other)
        # by MuJoCo's kinematics, not by those that were inverted
        ours, asked = body(mujoco_fr3(other), "hand"), body(mujoco_fr3(q), "hand")
        assert np.linalg.norm(ours[:3, 3] - asked[:3, 3]) < 2e-4
        assert np.linalg.norm(ours[:3, :3] - asked[:3, :3]) < 3e-4


def test_inverse_starts_from_beyond_the_limits_too():
    q = FR3.inverse(FR3.forward(FR3.ready), FR3.ready + [0, 0, 0, 0, 0, 0, 4.0])
    assert FR3.within_limits(q)
    np.testing.assert_allclose(FR3.forward(q), FR3.forward(FR3.ready), atol=3e-4)


@pytest.mark.parametrize(
    "place", [(1.2, 0, 0.3), (0, 0, 1.6), (0.5, 0, -1.0), (0.02, 0, 0.05), (np.nan, 0, 0.3)]
)
def test_inverse_finds_nothing_out_of_reach(place):
    assert FR3.inverse(pose.from_rt(np.diag([1.0, -1, -1]), place), FR3.ready) is None


def test_inverse_does_not_pass_a_limit():
    # The hand turned on by joint 7 alone, over its limit: only another posture of the arm could
    # follow.
    target = FR3.forward(FR3.ready) @ pose.from_rt(pose.rotation_about([0, 0, 1], 2.5), np.zeros(3))
    q = FR3.inverse(target, FR3.ready)
    assert q is None or FR3.within_limits(q)
    within = FR3.forward(FR3.ready) @ pose.from_rt(pose.rotation_about([0, 0, 1], 2.0), np.zeros(3))
    np.testing.assert_allclose(FR3.forward(FR3.inverse(within, FR3.ready)), within, atol=3e-4)


def test_inverse_kinematics_stays_clear_of_the_margin_as_an_arm_may_rest_beside_its_goal():
    at_edge = FR3.ready.copy()
    at_edge[6] = FR3.high[6] - MARGIN
    q = FR3.inverse(FR3.forward(at_edge), at_edge)
    assert q is None or FR3.within_limits(q + 0.004).all()
    inside = at_edge - 0.2 * np.eye(7)[6]
    assert FR3.within_limits(
        FR3.inverse(FR3.forward(inside), FR3.ready) + [[0.004], [-0.004]]
    ).all()
