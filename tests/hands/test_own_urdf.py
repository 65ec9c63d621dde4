import re

import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graspbook.errors import HandError
from graspbook.hands import own_settings, own_shapes
from graspbook.hands.own import load_own

from .conftest import urdf

TEXT = urdf()
PALM = '<mesh filename="meshes/ring.stl"/>'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("three/meshes/tip.stl", "three/tip.stl", r"the mesh 'package://three/tip.stl' of link"),
        ('scale="0.001 0.001 0.001"', "", "the open hand is .* m long, expected 0.02 to 1"),
        ('type="revolute"', 'type="fixed"', "the palm palm has no moving joint below it"),
        ('type="revolute"', 'type="continuous"', "'left_turn' is continuous, expected revolute"),
        ('type="revolute"', 'type="ball"', "'left_turn' is ball, expected revolute, prismatic"),
        (' lower="-0.3" upper="1.2"', "", "joint 'left_bend' has no limits"),
        ('upper="1.2"', 'upper="-0.3"', "'left_bend' has limits -0.3 to -0.3"),
        ('upper="1.2"', 'upper="much"', "upper='much' in <limit>, expected 1 finite number"),
        ('upper="1.2"', 'upper="inf"', "upper='inf' in <limit>, expected 1 finite"),
        ('<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>', "'left_turn' has axis 0 0 0"),
        ('<axis xyz="0 0 1"/>', '<axis xyz="0 0"/>', "xyz='0 0' in <axis>, expected 3 finite"),
        ('<parent link="wrist"/>', '<parent link="arm"/>', "'mount' has the parent 'arm', but"),
        (
            '<link name="wrist"/>',
            '<link name="wrist"/><link name="arm"/>',
            "2 root links .wrist, arm.",
        ),
        ('<link name="wrist"/>', '<link name="wrist"/>' * 2, "two links are named 'wrist'"),
        ('<link name="wrist"/>', "<link/>", "a link has no name"),
        ('<child link="palm"/>', '<child link="left_base"/>', "'left_base' has two parents"),
        ('<parent link="wrist"/>', '<parent link="left_end"/>', "root links|form a circle"),
        ('joint="left_bend" m', 'joint="elbow" m', "joint left_tip mimics elbow, expected one of"),
        ('joint="left_bend" m', 'joint="left_tip" m', "joint left_tip mimics itself"),
        ('<sphere radius="0.006"/>', '<sphere radius="0"/>', "'left_end' has radius 0, expected"),
        ('<sphere radius="0.006"/>', '<cone r="1"/>', "'left_end' has the shape 'cone', expected"),
        ('<sphere radius="0.006"/>', "", "a shape of link 'left_end' has no geometry"),
        ("</robot>", "", "hand.urdf: not readable as XML"),
        ("<robot", "<!DOCTYPE a><robot", "has a DOCTYPE or an ENTITY"),
        (
            "</robot>",
            '<xacro:include filename="a"/></robot>',
            "a xacro file, expected URDF: run `xac",
        ),
        ("</robot>", '<link name="x"/>' * 201 + "</robot>", "<link> elements, expected at most"),
    ],
)
def test_what_no_hand_can_be_made_of_is_refused_by_name(own_folder, old, new, words):
    assert old in TEXT
    with pytest.raises(HandError, match=words) as caught:
        load_own(own_folder(text=TEXT.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_files_that_are_too_large_are_not_read(own_folder, monkeypatch):
    monkeypatch.setattr(own_settings, "LARGEST", 1000)
    with pytest.raises(HandError, match=r"hand.urdf: it has \d+ bytes, expected at most 1000"):
        load_own(own_folder())


def test_other_kinds_of_xml_are_refused(own_folder):
    with pytest.raises(HandError, match="<sdf>, expected <robot> or <mujoco>"):
        load_own(own_folder(text="<sdf/>"))


def test_visual_shapes_are_used_where_there_are_no_others(own_folder):
    text = re.sub(r"<visual>.*?</visual>", "", TEXT).replace("collision>", "visual>")
    hand = load_own(own_folder(text=text))
    assert len(hand.parts) == 10 and "the visual ones are used" in hand.notes[0]


def test_a_missing_mesh_can_be_left_out(own_folder):
    folder = own_folder()
    (folder / "meshes" / "tip.stl").unlink()
    with (folder / "hand.yaml").open("a") as file:
        file.write("skip_missing: true\n")
    hand = load_own(folder)
    assert (
        len(hand.parts) == 7 and "of link left_upper is missing, and was left out" in hand.notes[0]
    )


def test_a_hollow_mesh_is_cut_into_convex_parts(own_folder, monkeypatch):
    folder = own_folder(text=TEXT.replace('<box size="0.1 0.09 0.03"/>', PALM))
    halves = [
        trimesh.creation.box((0.02, 0.09, 0.03)).apply_translation([x, 0, 0]) for x in (0, 0.08)
    ]
    monkeypatch.setattr(own_shapes, "convex_parts", lambda mesh: halves)
    for inner, parts, said in (
        (0.03, 10, "only 64% of its convex hull; the hull is"),
        (0.04, 11, "cut into"),
    ):
        trimesh.creation.annulus(inner, 0.05, 0.03).export(folder / "meshes" / "ring.stl")
        hand = load_own(folder)
        assert len(hand.parts) == parts and said in hand.notes[0]


def test_a_broken_mesh_is_refused_by_name(own_folder):
    folder = own_folder()
    for content in (b"", b"solid\nnothing\n", (folder / "meshes" / "tip.stl").read_bytes()[:200]):
        (folder / "meshes" / "tip.stl").write_bytes(content)
        with pytest.raises(HandError, match="tip.stl: ") as caught:
            load_own(folder)
        assert "\n" not in str(caught.value)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(own_folder, data):
    start = data.draw(st.integers(0, len(TEXT)))
    more = data.draw(st.integers(0, 60))
    inside = data.draw(st.text('<>/"= 01.-enaxyz', max_size=5))
    folder = own_folder(text=TEXT[:start] + inside + TEXT[start + more :])
    try:
        assert load_own(folder).joints
    except HandError as error:
        assert "\n" not in str(error)
