import mujoco
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graspbook import pose
from graspbook.errors import HandError
from graspbook.hands.own import load_own
from graspbook.hands.own_mjcf import read_mjcf
from graspbook.hands.own_settings import xml_root
from graspbook.hands.own_tree import build_tree
from graspbook.hands.shadow import build, model_path

from .conftest import mjcf

TEXT = mjcf()
# Joints beside the body's origin, several in one body, values that are not 0 where it is drawn.
ODD = """<mujoco><compiler angle="degree"/><worldbody>
 <body name="palm" pos="0 0 1"><freejoint/><geom type="box" size="0.05 0.05 0.01"/>
 <body name="a" pos="0.05 0 0.01" euler="0 20 0">
  <joint name="j1" axis="1 2 0" pos="0 0.01 0.02" range="-30 40" ref="10"/>
  <joint name="j2" type="slide" axis="0 0 1" pos="0 0 0.01" range="-0.01 0.03" ref="0.01"/>
  <joint name="j3" axis="0 1 0" range="-30 90"/>
  <geom type="ellipsoid" size="0.01 0.01 0.03" pos="0 0 0.03"/>
 <body name="b" pos="0 0 0.07"><joint name="j4" axis="0 1 0" pos="0.01 0 0" range="-30 90"/>
  <geom type="capsule" size="0.008 0.02" pos="0 0 0.02"/></body></body>
 <body name="c" pos="-0.05 0 0.01"><joint name="j5" axis="0 -1 0" range="-30 90" ref="20"/>
  <geom type="capsule" size="0.008 0.03" pos="0 0 0.04"/></body></body></worldbody>
 <equality><joint joint1="j4" joint2="j5" polycoef="0.1 0.5 0 0 0"/></equality>
 <actuator><motor joint="j3" ctrlrange="-1 1" forcerange="-0.4 0.4"/></actuator></mujoco>"""


def test_odd_joints_move_as_in_mujoco(own_folder):
    folder = own_folder("mjcf", ODD, settings=None)
    path = folder / "hand.xml"
    tree = build_tree(read := read_mjcf(path, xml_root(path)), "palm", path)
    hand = load_own(folder)
    assert hand.joints == ("j1", "j2", "j3", "j5") and hand.efforts[2] == 0.4
    model, rng = mujoco.MjModel.from_xml_string(ODD), np.random.default_rng(0)
    data = mujoco.MjData(model)
    for _ in range(5):
        joints = rng.uniform(*hand.limits.T)
        links = dict(zip(hand.links, hand.forward(torch.as_tensor(joints)).numpy(), strict=True))
        values = dict(zip(hand.all_joints, hand.expand(joints), strict=True))
        for joint, value in values.items():
            data.joint(joint).qpos = value
        # A joint equality counts from the drawn values: j4 = 0 + 0.1 + 0.5 (j5 - 20°).
        assert values["j4"] == pytest.approx(0.1 + 0.5 * (values["j5"] - np.radians(20)))
        mujoco.mj_kinematics(model, data)
        palm = data.body("palm")
        world_T_palm = pose.from_rt(palm.xmat.reshape(3, 3), palm.xpos)
        for name in ("a", "b", "c"):
            link, link_T_body = tree.frames[name]
            body = data.body(name)
            theirs = pose.from_rt(body.xmat.reshape(3, 3), body.xpos)
            np.testing.assert_allclose(world_T_palm @ links[link] @ link_T_body, theirs, atol=1e-9)
    assert not any("ignored" in note for note in read.notes)


def test_the_shadow_hand_s_own_file_is_read(own_folder):
    folder = own_folder("mjcf")
    (folder / "hand.xml").unlink()
    couples = [f"{f}J0: {{joint: 'robot0:{f}J1', factor: 0.8}}" for f in ("FF", "MF", "RF", "LF")]
    lines = [
        f"file: {model_path()}",
        "palm: robot0:palm",
        "mimic:",
        *(f" robot0:{c}" for c in couples),
    ]
    contacts = "contacts: [{link: 'robot0:palm', point: [0, -0.011, 0.05], normal: [0, -1, 0]}]"
    contacts = contacts.replace(
        "}]", "}, {link: 'robot0:palm', point: [0.01, -0.011, 0.05], normal: [0, -1, 0]}]"
    )
    (folder / "hand.yaml").write_text("\n".join([*lines, contacts]))
    hand, built = load_own(folder), build()
    assert [joint.removeprefix("robot0:") for joint in hand.joints] == list(built.joints)
    np.testing.assert_allclose(hand.limits, built.limits)
    values = torch.as_tensor(built.limits.mean(axis=1))
    np.testing.assert_allclose(hand.forward(values), built.forward(values), atol=1e-9)
    known = built.closing != 0
    thumb = np.array(["TH" in joint for joint in built.joints])
    np.testing.assert_array_equal(hand.closing[known & ~thumb], built.closing[known & ~thumb])
    assert any("between them and the palm: robot0:forearm" in note for note in hand.notes)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('file="tip.stl"', 'file="top.stl"', "MuJoCo does not read it .*top.stl"),
        ('<geom type="sphere"', '<joint type="ball"/><geom type="sphere"', "is a ball or free"),
        (' range="-0.3 1.2"', "", "joint 'left_bend' has no limits, expected range"),
        (
            "0.05 0.5 0 0 0",
            "0.05 0.5 1 0 0",
            "joint 'left_tip' is not a linear function of one other",
        ),
        ("</worldbody>", "<body><joint/></body></worldbody>", "MuJoCo does not read|no limits"),
        ("<worldbody>", '<worldbody><replicate count="9999999"/>', "has <replicate>, expected"),
        ("<worldbody>", '<worldbody><composite type="grid"/>', "has <composite>, expected"),
        ("<worldbody>", '<include file="hand.xml"/><worldbody>', "includes 'hand.xml'; expected"),
        ("<worldbody>", '<include file="no.xml"/><worldbody>', "includes 'no.xml'; expected"),
        ("<worldbody>", "<worldbody><thing/>", "MuJoCo does not read it"),
        ('type="sphere" size="0.006"', 'type="sphere" size="0"', "MuJoCo does not read it"),
    ],
)
def test_what_no_hand_can_be_made_of_is_refused_by_name(own_folder, old, new, words):
    assert old in TEXT
    with pytest.raises(HandError, match=words) as caught:
        load_own(own_folder("mjcf", TEXT.replace(old, new)))
    assert "\n" not in str(caught.value)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(own_folder, data):
    start = data.draw(st.integers(0, len(TEXT)))
    more = data.draw(st.integers(0, 60))
    inside = data.draw(st.text('<>/"= 01.-enaxyz', max_size=5))
    folder = own_folder("mjcf", TEXT[:start] + inside + TEXT[start + more :])
    try:
        assert load_own(folder).joints
    except HandError as error:
        assert "\n" not in str(error)
