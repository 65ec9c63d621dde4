import json

import numpy as np
import pytest
import torch
import trimesh

from graspbook.cli import main
from graspbook.hands.library import load_hand
from graspbook.highdof import mesh_grasp
from graspbook.highdof.mesh_grasp import beside_planner
from graspbook.highdof.plans import read_plan
from graspbook.highdof.predict import Candidates


@pytest.fixture
def weights(hand_weights):
    """Here they are a hand's."""
    return hand_weights


@pytest.fixture
def box(tmp_path):
    trimesh.creation.box((0.06, 0.08, 0.12)).export(tmp_path / "box.stl")
    return tmp_path / "box.stl"


def hand_grasp(box, weights, folder, *more, name="g"):
    """The status of `graspbook hand-grasp`, which writes NAME.json and NAME.html to a folder."""
    files = ["--out", folder / f"{name}.json", "--html", folder / f"{name}.html"]
    arguments = ["hand-grasp", box, "--weights", weights, *files, "--hand", "barrett", "--force"]
    arguments += more
    return main([str(argument) for argument in arguments])


def test_a_mesh_gives_a_grasp_and_a_page(weights, box, tmp_path):
    assert hand_grasp(box, weights, tmp_path, "--rotations", 3) == 0
    written = json.loads((tmp_path / "g.json").read_text())
    assert set(written["joints"]) == set(load_hand("barrett").joints)
    hand = load_hand("barrett")
    assert set(written["all_joints"]) == set(hand.all_joints) > set(hand.joints)
    assert written["joints"].items() <= written["all_joints"].items()
    for joint, (source, factor, offset) in hand.coupling.items():
        assert written["all_joints"][joint] == pytest.approx(
            factor * written["joints"][source] + offset
        )
    wrist = np.array(written["wrist"])
    np.testing.assert_allclose(wrist[:3, :3] @ wrist[:3, :3].T, np.eye(3), atol=1e-5)
    assert len(written["rotations"]) == 3 and written["epsilon"] in [
        one["epsilon"] for one in written["rotations"]
    ]
    assert (
        written["clear"]
        and written["held"] == (written["held_directions"] == 6)
        and 0 <= written["penetration_max"] < 0.05
    )
    assert all(set(contact) == {"point", "normal", "link"} for contact in written["contacts"])
    assert written["parameters"]["rotations"] == 3
    page = (tmp_path / "g.html").read_text()
    assert "A grasp for box.stl" in page and 'src="http' not in page


def test_a_grasp_that_holds_is_chosen_unless_the_hand_is_still_inside(
    weights, box, tmp_path, capsys, monkeypatch
):
    chosen, told = [], []
    for clear in ([True, True], [True, False], [False, False]):

        def generate(hand, *_, clear=clear, **options):
            wrists, joints = np.stack([np.eye(4)] * 2), np.stack([hand.open] * 2)
            return Candidates(
                np.arange(2),
                wrists,
                joints,
                np.array([0.2, 0.1]),
                np.array(clear),
                np.zeros((2, 3)),
                ((np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, int)),) * 2,
            )

        monkeypatch.setattr(mesh_grasp, "generate", generate)
        monkeypatch.setattr(
            mesh_grasp.Holder, "test", lambda *_: np.array([[True] * 5 + [False], [True] * 6])
        )
        assert hand_grasp(box, weights, tmp_path) == 0
        report = json.loads((tmp_path / "g.json").read_text())
        chosen.append((report["epsilon"], report["clear"]))
        texts = capsys.readouterr().out, (tmp_path / "g.html").read_text()
        told.append(["no rotation gave a hand that could be freed of it" in text for text in texts])
    assert chosen == [(0.1, True), (0.2, True), (0.2, False)] and told == [
        [False] * 2,
        [False] * 2,
        [True] * 2,
    ]


def test_the_same_seed_gives_the_same_bytes(weights, box, tmp_path):
    for name in "ab":
        assert hand_grasp(box, weights, tmp_path, "--rotations", 2, name=name) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--hand", "claw"], ["unknown hand 'claw'", "shadow, barrett, franka"]),
        (["--hand", "shadow"], ["highdof_shadow.safetensors", "no such weights file"]),
        (["--hand", "barrett", "--scale", "6"], ["box.stl", "mm wide at its narrowest"]),
    ],
)
def test_bad_input_is_one_line(weights, box, *, tmp_path, capsys, arguments, parts):
    status = hand_grasp(box, weights, tmp_path / "o", *arguments)
    error = capsys.readouterr().err
    assert (
        status == 2 and error.count("\n") == 1 and not [part for part in parts if part not in error]
    ), error
    assert not (tmp_path / "o").exists()


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Five planned grasps of the Barrett Hand for the box."""
    folder = tmp_path_factory.mktemp("plans")
    trimesh.creation.box((0.06, 0.08, 0.12)).export(folder / "box.stl")
    few = ["--grasps", "5", "--iterations", "3", "--workers", "1", "--out", str(folder)]
    assert main(["plan", str(folder / "box.stl"), "--hand", "barrett", *few]) == 0
    return folder / "box.h5"


def against(box, weights, tmp_path, plan, *more):
    more = ["--rotations", 2, "--against", plan, *more]
    return hand_grasp(box, weights, tmp_path / "o", *more)


def test_the_planner_s_grasps_of_the_same_mesh_stand_beside(weights, box, tmp_path, plan, capsys):
    assert against(box, weights, tmp_path, plan) == 0
    found = json.loads((tmp_path / "o" / "g.json").read_text())
    assert (
        found["planner"] == beside_planner(found["epsilon"], read_plan(plan).epsilon)
        and found["planner"]["grasps"] == 5
    )
    assert found["parameters"]["planner"] == read_plan(plan).parameters
    first, second, _ = capsys.readouterr().out.splitlines()
    assert (
        "deepest point" in first
        and second.startswith(f"{plan}: 5 planned grasps, ")
        and "relative to these ε here" in second
    )


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (
            ["--scale", "0.9"],
            ["box.h5: grasps for another mesh, box, or at another scale", "box.stl"],
        ),
        (["--hand", "franka"], ["box.h5: grasps of the barrett hand", "expected the franka hand"]),
    ],
)
def test_a_plan_of_something_else_is_refused(
    weights, box, *, tmp_path, plan, capsys, more, parts, monkeypatch
):
    monkeypatch.setattr(mesh_grasp, "load_network", lambda *_: (torch.nn.Identity(), None))
    (tmp_path / "highdof_franka.safetensors").write_bytes(b"")
    assert against(box, tmp_path if "franka" in more else weights, tmp_path, plan, *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not [part for part in parts if part not in error], error
    assert not (tmp_path / "o").exists()


def test_only_the_shadow_hand_has_hardware_names(tmp_path, capsys):
    out = ["--out", str(tmp_path / "g.json"), "--html", str(tmp_path / "v.html")]
    status = main(["hand-grasp", "a.stl", "--hand", "barrett", "--joint-names", "hardware", *out])
    assert status == 2 and "the barrett hand has no other names" in capsys.readouterr().err
