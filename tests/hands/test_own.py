import json
import shutil

import mujoco
import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.cli import main
from graspbook.errors import GraspFileError, HandError, ParameterError
from graspbook.hands import mjcf, shape
from graspbook.hands.library import load_hand, parameters_of
from graspbook.hands.own import load_own
from graspbook.hands.self_collision import deepest_self
from graspbook.highdof import mesh_grasp
from graspbook.highdof.closing import close, touching
from graspbook.highdof.object_field import make_target
from graspbook.highdof.plans import read_plan
from graspbook.objects import GraspObject
from graspbook.simulation.checks import kinematics_deviation
from graspbook.simulation.hold import Holder

from .conftest import FINGERS, LISTED
from .conftest import mjcf as mjcf_text
from .conftest import urdf as urdf_text


@pytest.mark.parametrize("kind", ["urdf", "mjcf"])
def test_kinematics_are_those_of_mujoco_s_own_reader(own_folder, kind):
    folder = own_folder(kind)
    hand = load_own(folder)
    model = compiled(kind, folder)
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    for _ in range(5):
        joints = rng.uniform(*hand.limits.T)
        links = hand.forward(torch.as_tensor(joints)).numpy()
        for joint, value in zip(hand.all_joints, hand.expand(joints), strict=True):
            data.joint(joint).qpos = value
        mujoco.mj_kinematics(model, data)
        palm = frame(data, "palm")
        for name, link in zip(hand.links, links, strict=True):
            np.testing.assert_allclose(pose.inverse(palm) @ frame(data, name), link, atol=1e-6)
    assert kinematics_deviation(hand, 3, seed=0) < 1e-6


def compiled(kind, folder):
    """The file as MuJoCo itself reads it, made complete where it has no masses."""
    text = urdf_text() if kind == "urdf" else mjcf_text()
    bounds = 'boundmass="0.001" boundinertia="0.00001"'
    if kind == "urdf":
        more = f'<mujoco><compiler meshdir="meshes" fusestatic="false" {bounds}/></mujoco>'
        text = text.replace('<robot name="three fingers">', f'<robot name="three">{more}')
        assets = {"tip.stl": (folder / "meshes" / "tip.stl").read_bytes()}
        return mujoco.MjModel.from_xml_string(text, assets)
    text = text.replace('<mesh name="look"\n  file="not_there.obj"/>', "").replace(
        '<geom type="mesh" mesh="look" contype="0"\n  conaffinity="0"/>', ""
    )
    start, end = text.index("<texture"), text.index("</asset>")
    text = (text[:start] + text[end:]).replace('material="wood"', "")
    text = text.replace("<compiler ", f"<compiler {bounds} ")
    assets = {"tip.stl": (folder / "meshes" / "tip.stl").read_bytes()}
    return mujoco.MjModel.from_xml_string(text, assets)


def frame(data, name):
    body = data.body(name)
    return pose.from_rt(body.xmat.reshape(3, 3), body.xpos)


def test_both_files_give_the_same_hand(own_folder):
    one, other = load_own(own_folder("urdf")), load_own(own_folder("mjcf"))
    assert (one.name, one.links, one.coupling) == (other.name, other.links, other.coupling)
    assert one.joints == tuple(f"{f}_{j}" for f in FINGERS for j in ("turn", "bend"))
    assert one.name == "three_fingers" and len(one.parts) == len(other.parts) == 10
    np.testing.assert_allclose(one.limits, other.limits)
    np.testing.assert_array_equal(one.closing, [0, 1] * 3)
    np.testing.assert_array_equal(one.closing, other.closing)
    half = (one.limits.mean(axis=1) + one.open) / 2
    bounds = [shape.mesh(hand, np.eye(4), half).bounds for hand in (one, other)]
    np.testing.assert_allclose(*bounds, atol=5e-4)
    assert one.content != other.content


def test_what_was_assumed_is_said_and_contacts_face_what_is_gripped(own_folder):
    hand = load_own(own_folder(settings=None))
    notes = "\n".join(hand.notes)
    assert "the palm is palm, the first link with a shape" in notes
    assert "efforts are missing or unrealistic: 1 N·m is used for left_bend, right_bend" in notes
    assert "these closing signs are estimates, please check: left_turn: 0, left_bend: 1" in notes
    assert "29 contact points are sampled" in notes
    points, normals, links = hand.contacts["default"]
    counts = {hand.links[link]: int((links == link).sum()) for link in np.unique(links)}
    assert counts["palm"] == 8 and counts["left_upper"] == counts["thumb_upper"] == 5
    inward = {"left": [1, 0, 0], "right": [-1, 0, 0], "thumb": [0, 1, 0], "palm": [0, 0, 1]}
    for point, normal, link in zip(points, normals, links, strict=True):
        name = hand.links[link]
        assert normal @ inward[name.partition("_")[0]] > 0.5
        parts = [part for part in hand.parts if part.link == name]
        assert min(abs(shape.part_distance(part, point[None])[0]) for part in parts) < 1e-4


def test_what_hand_yaml_says_is_not_worked_out(own_folder):
    settings = "effort: 0.5\nclosing: {left_bend: 1, thumb_bend: 0}\n"
    hand = load_own(own_folder(settings=LISTED + settings))
    assert (hand.efforts == 0.5).all() and hand.closing[5] == 0
    assert "right_bend: 1" in hand.notes[-1] and "left_bend" not in hand.notes[-1]


def test_an_unknown_palm_is_refused(own_folder):
    with pytest.raises(HandError, match="palm 'elbow', expected one of the links wrist, palm"):
        load_own(own_folder(settings="palm: elbow\n"))


def test_fingers_meet_each_other_and_the_open_hand_is_free(own_folder):
    hand = load_own(own_folder())
    opened = hand.forward(torch.as_tensor(hand.open)[None])
    closed = hand.expand(np.where(hand.closing > 0, hand.limits[:, 1], 0.0))
    crossed = hand.forward_all(torch.as_tensor(closed)[None])
    assert deepest_self(hand, opened)[0] == 0 and deepest_self(hand, crossed)[0] > 0.004


def test_it_closes_on_a_box_and_holds_it(own_folder):
    hand = load_own(own_folder(settings=LISTED + "closing: {thumb_bend: 0}\neffort: 3\n"))
    box = trimesh.creation.box((0.056, 0.03, 0.05))
    target, wrist = make_target(box), torch.eye(4)[None]
    wrist[0, 2, 3] = -0.082  # so the fingertips are beside the box's middle
    start = torch.as_tensor(hand.open, dtype=torch.float32)[None]
    closed = close(hand, target.fields, torch.tensor([0]), wrist, start)
    _, inward, links = touching(hand, target.fields, 0, wrist[0], closed[0])
    assert {hand.links[link] for link in links} >= {"left_upper", "right_upper"}
    assert inward[:, 0].max() > 0.9 and inward[:, 0].min() < -0.9
    held = Holder(hand, GraspObject("box", "", box, (box,))).test(wrist.numpy(), closed.numpy())
    assert np.asarray(getattr(held, "held", held)).all()


def test_a_world_with_the_hand_moves_as_it_is_told(own_folder):
    hand, spec = load_own(own_folder("mjcf")), mujoco.MjSpec()
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    data = mujoco.MjData(model)
    address = [model.joint("hand/" + joint).qposadr[0] for joint in hand.all_joints]
    data.ctrl[:] = target = np.where(hand.closing == 0, 0.05, 0.1)
    for _ in range(500):
        mujoco.mj_step(model, data)
    np.testing.assert_allclose(data.qpos[address], hand.expand(target), atol=2e-3)


def test_a_folder_is_a_hand_by_its_content(own_folder):
    folder = own_folder()
    hand = load_hand(str(folder))
    assert load_hand(str(folder)) is hand
    assert parameters_of(str(folder)) == {"hand": "three_fingers", "hand_content": hand.content}
    assert parameters_of("barrett") == {"hand": "barrett"}
    moved = shutil.copytree(folder, folder.parent / "elsewhere")
    assert load_hand(str(moved)).content == hand.content
    text = (folder / "hand.urdf").read_text()
    (folder / "hand.urdf").write_text(text.replace('upper="1.2"', 'upper="1.25"'))
    assert load_hand(str(folder)).content != hand.content


def test_plan_takes_the_folder_and_plans_again_when_its_files_change(own_folder, capsys):
    folder = own_folder()
    box = folder.parent / "box.stl"
    trimesh.creation.box((0.03, 0.03, 0.05)).export(box)
    few = ["plan", str(box), "--hand", str(folder), "--grasps", "1", "--workers", "1"]
    few += ["--search", "annealing", "--iterations", "2"]
    assert main(few) == 0
    said = capsys.readouterr()
    assert "note: " in said.err and "closing signs are estimates" in said.err
    path = folder.parent / "box_three_fingers_plan.h5"
    assert said.out.startswith(f"{path}: 1 grasps") and "Next: graspbook hand-grasp " in said.out
    hand = load_hand(str(folder))
    planned = read_plan(path, hand)
    assert planned.hand == hand.name and planned.parameters["hand_content"] == hand.content
    with (folder / "hand.yaml").open("a") as file:
        file.write("effort: 2\n")
    assert main(few) == 2
    assert f"{path} exists" in capsys.readouterr().err
    with pytest.raises(GraspFileError, match="before the files of the three_fingers hand changed"):
        read_plan(path, load_hand(str(folder)))


def test_hand_grasp_plans_its_candidates(own_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mesh_grasp, "PLANNED", 4)
    folder, box = own_folder(settings="effort: 3\n"), tmp_path / "box.stl"
    trimesh.creation.box((0.03, 0.03, 0.05)).export(box)
    assert main(["hand-grasp", str(box), "--hand", str(folder)]) in (0, 1)
    report = json.loads((tmp_path / "box_three_fingers_grasp.json").read_text())
    assert report["source"] == "planned" and report["rotations"] == []
    assert report["parameters"]["weights"] is None and report["self_penetration_max"] <= 0.0021
    capsys.readouterr()
    assert main(["hand-grasp", str(box), "--hand", str(folder), "--network-only"]) == 2
    assert "there is no network for a hand of your own" in capsys.readouterr().err


def test_listed_contacts_are_in_the_frame_of_their_link(own_folder):
    hand = load_own(own_folder())
    points, normals, links = hand.contacts["default"]
    assert [hand.links[link] for link in links] == ["left_upper", "palm"]
    np.testing.assert_allclose(points, [[0.006, 0, 0.034], [0, 0, 0.015]], atol=1e-9)
    np.testing.assert_allclose(normals, [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("file: other.urdf\n", "other.urdf: no such file, but hand.yaml names it"),
        ("wrist: palm\n", "hand.yaml: unknown keys wrist, expected only name, file, palm"),
        ("- palm\n", "hand.yaml: it holds a list, expected lines KEY: VALUE"),
        ("palm: [1\n", "hand.yaml: not readable as YAML"),
        ("palm: [a]\n", r"palm is \['a'\], expected text"),
        ("name: a/b\n", "name 'a/b', expected letters"),
        ("closing: {elbow: 1}\n", "`closing` has elbow: 1, expected one of the joints"),
        ("closing: {left_bend: up}\n", "`closing` has left_bend: 'up', expected one of"),
        ("closing: {left_tip: 1}\n", "`closing` has left_tip: 1, expected .* left_turn, left_bend"),
        ("effort: -1\n", "`effort` has left_turn: -1, expected one of"),
        ("effort: {left_bend: .nan}\n", "`effort` has left_bend: nan"),
        (
            "mimic: {left_bend: left_turn}\n",
            "`mimic` has a wrong entry for left_bend, expected {joint: NAME",
        ),
        ("mimic: {left_bend: {joint: left_tip}}\n", "joint left_bend mimics itself"),
        ("mimic: {left_bend: {joint: elbow}}\n", "joint left_bend mimics elbow, expected one of"),
        ("contacts: some\n", "contacts has the wrong form, expected `sample`, or a list"),
        ("contacts: [1, 2]\n", "contact 0: 1, expected link, point and normal"),
        (
            "contacts: [{link: palm, point: [0, 0, 1], normal: [0, 0, 1]}, {}]\n",
            "contact 0: the point is 985.0 mm from the surface of palm",
        ),
        ("skip_missing: please\n", "skip_missing: 'please', expected true or false"),
        ("palm: left_base\n", "the palm left_base has no collision shape"),
    ],
)
def test_what_is_wrong_in_hand_yaml_is_refused_by_name(own_folder, settings, words):
    with pytest.raises(HandError, match=words):
        load_own(own_folder(settings=settings))


def test_names_of_hands_that_are_there_are_refused(own_folder):
    folder = own_folder(settings="name: shadow\n")
    with pytest.raises(ParameterError, match="named 'shadow', but the package already has"):
        load_hand(str(folder))
    with pytest.raises(ParameterError, match="hand.urdf is a file, expected the folder of a hand"):
        load_hand(str(folder / "hand.urdf"))


def test_a_folder_with_no_hand_or_several_is_refused(tmp_path, own_folder):
    with pytest.raises(HandError, match="0 files of a hand .none., expected a single .urdf"):
        load_own(tmp_path)
    folder = own_folder()
    (folder / "other.xml").write_text("<mujoco/>")
    with pytest.raises(HandError, match="2 files of a hand .hand.urdf, other.xml.,"):
        load_own(folder)
    with pytest.raises(HandError, match="no such folder"):
        load_own(tmp_path / "none")


def test_the_real_leap_hand_without_its_meshes(real_data, tmp_path):
    shutil.copy(real_data / "inputs" / "leap_hand_right.urdf", tmp_path)
    with pytest.raises(HandError, match="the mesh 'meshes/collision/white_tip.obj' of link 'finge"):
        load_own(tmp_path)
