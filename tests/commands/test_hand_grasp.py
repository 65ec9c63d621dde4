import json

import numpy as np
import pytest
import trimesh

from graspbook.cli import main
from graspbook.errors import ParameterError, PlanError
from graspbook.hands.library import HANDS, load_hand
from graspbook.highdof import mesh_grasp
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.mesh_grasp import beside_planner
from graspbook.highdof.plans import read_plan
from graspbook.highdof.predict import Candidates
from graspbook.highdof.surface_starts import PalmSettings
from graspbook.simulation.hold import Held
from graspbook.storage import SHIPPED


@pytest.fixture
def weights(hand_weights):
    """Here they are a hand's."""
    return hand_weights


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    monkeypatch.setattr(mesh_grasp, "PLANNED", 6)


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
    for name in ("joints", "pregrasp", "squeeze"):
        assert set(written[name]) == set(load_hand("barrett").joints)
    assert written["parameters"]["hold"] == "bench" and written["self_penetration_max"] <= 0.0021
    hand = load_hand("barrett")
    assert set(written["all_joints"]) == set(hand.all_joints) > set(hand.joints)
    assert written["joints"].items() <= written["all_joints"].items()
    for joint, (source, factor, offset) in hand.coupling.items():
        assert written["all_joints"][joint] == pytest.approx(
            factor * written["joints"][source] + offset
        )
    wrist = np.array(written["wrist"])
    np.testing.assert_allclose(wrist[:3, :3] @ wrist[:3, :3].T, np.eye(3), atol=1e-5)
    of_network = [one["epsilon"] for one in written["rotations"]]
    assert len(of_network) == 3
    assert (written["source"] == "network") == (written["epsilon"] in of_network)
    planned = written["planned"]
    assert planned["candidates"] == 6 >= planned["tested"] >= planned["held"] >= 0
    assert (
        written["clear"]
        and written["held"] == (written["held_directions"] == 6)
        and 0 <= written["penetration_max"] < 0.05
    )
    assert all(set(contact) == {"point", "normal", "link"} for contact in written["contacts"])
    assert written["parameters"]["rotations"] == 3
    page = (tmp_path / "g.html").read_text()
    assert "A grasp for box.stl" in page and 'src="http' not in page


@pytest.fixture
def found(monkeypatch):
    """A function that puts Candidates, of ε, clear and held by rotation, in place of what the
    network predicts.
    """

    def put(epsilon, clear, held):
        def complete(hand, *_):
            n = len(epsilon)
            nothing = (np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, int))
            wrists, joints = np.stack([np.eye(4)] * n), np.stack([hand.open] * n)
            depth = np.zeros((n, 3))
            values = (np.array(epsilon), np.array(clear), depth)
            return Candidates(np.arange(n), wrists, joints, *values, (nothing,) * n)

        monkeypatch.setattr(mesh_grasp, "complete", complete)
        tested = np.array([[True] * number + [False] * (6 - number) for number in held])
        monkeypatch.setattr(
            mesh_grasp.Holder, "test", lambda *_, **__: Held(tested, np.ones(len(tested), bool))
        )

    return put


@pytest.mark.parametrize(
    ("clear", "chosen"),
    [([True, True], (0.1, True)), ([True, False], (0.2, True)), ([False, False], (0.2, False))],
)
def test_a_grasp_that_holds_is_chosen_unless_the_hand_is_still_inside(
    weights, box, *, tmp_path, capsys, found, clear, chosen
):
    found([0.2, 0.1], clear, [5, 6])
    assert hand_grasp(box, weights, tmp_path, "--network-only") == 0
    report = json.loads((tmp_path / "g.json").read_text())
    assert (report["epsilon"], report["clear"]) == chosen
    for text in (capsys.readouterr().out, (tmp_path / "g.html").read_text()):
        assert ("no rotation yielded a collision-free hand pose" in text) == (not any(clear))


def test_without_planned_candidates_the_network_answers_and_it_is_said(
    weights, box, *, tmp_path, monkeypatch, capsys
):
    def refuse(*_):
        raise PlanError("no pose is free")

    monkeypatch.setattr(mesh_grasp, "search", refuse)
    assert hand_grasp(box, weights, tmp_path, "--rotations", 2) in (0, 1)
    report = json.loads((tmp_path / "g.json").read_text())
    assert report["source"] == "network" and report["planned"]["candidates"] == 0
    for text in (capsys.readouterr().err, (tmp_path / "g.html").read_text()):
        assert "no planned candidates: no pose is free" in text


@pytest.mark.parametrize(("refusing", "kept"), [(BalanceSettings, 3), (PalmSettings, 4)])
def test_where_one_search_finds_nothing_the_other_has_candidates(box, monkeypatch, refusing, kept):
    plan = mesh_grasp.search

    def only_other(hand, fields, settings, generator):
        if isinstance(settings.search, refusing):
            raise PlanError("no pose is free")
        return plan(hand, fields, settings, generator)

    monkeypatch.setattr(mesh_grasp, "search", only_other)
    report = mesh_grasp.grasp_mesh(box, None, "barrett", planned=7)[0]
    assert report["source"] == "planned" and report["planned"]["candidates"] == kept
    assert report["planned"]["refused"] == (
        "only one of two searches found planned candidates: no pose is free"
    )


def test_neither_a_network_nor_candidates_is_refused(box):
    with pytest.raises(ParameterError, match="neither a network nor a planned candidate"):
        mesh_grasp.grasp_mesh(box, None, "barrett", planned=0)


def test_where_no_hand_holds_the_status_is_1_and_it_says_what_was_tried(
    weights, box, *, tmp_path, capsys, found
):
    found([-1.0, -1.0], [True, True], [2, 3])
    assert hand_grasp(box, weights, tmp_path, "--network-only") == 1
    said = capsys.readouterr()
    assert "not in force closure (ε −1), held in 2 of 6 directions" in said.out
    assert (
        "no grasp of the barrett hand holds this object. 0 of the grasps for 2 rotations"
        in said.err
    )
    assert "0 of 0 planned candidates hold it" in said.err
    assert "one view is a guess" not in said.err and said.err.count("\n") == 2
    assert json.loads((tmp_path / "g.json").read_text())["epsilon"] == -1
    found([-1.0], [True], [6])  # held without force closure
    assert hand_grasp(box, weights, tmp_path, "--network-only") == 0


def test_a_capture_is_made_a_solid_and_every_text_says_so(weights, *, tmp_path, capsys, found):
    """The object that is asked for, by its id, in a depth image of millimetres."""
    found([-1.0], [True], [0])
    depth, ids = np.full((120, 160), 600, np.uint16), np.zeros((120, 160), np.uint8)
    rows, columns = np.mgrid[:40, :40]
    for label, left in ((3, 20), (5, 90)):
        depth[40:80, left : left + 40] = 560 - 20 * (rows + columns > 40)
        ids[40:80, left : left + 40] = label
    K = [[300.0, 0, 80], [0, 300, 60], [0, 0, 1]]
    np.savez(tmp_path / "two.npz", depth=depth, K=K, segmap=ids)
    assert hand_grasp(tmp_path / "two.npz", weights, tmp_path, "--target", 5, "--network-only") == 1
    said, report = capsys.readouterr().err, json.loads((tmp_path / "g.json").read_text())
    assert report["shape"] == "reconstruction" and report["parameters"]["scale"] == 1.0
    for text in (said, (tmp_path / "g.html").read_text(), " ".join(report["notes"])):
        assert "what it does not show is a guess" in text
        assert "id 5 of" in text and "read as millimetres" in text
    assert "one view is a guess" in said
    assert hand_grasp(tmp_path / "two.npz", weights, tmp_path, "--target", 4) == 2
    assert "4" in capsys.readouterr().err


def test_a_mesh_takes_no_camera(weights, box, *, tmp_path, capsys):
    assert hand_grasp(box, weights, tmp_path, "--mask", "m.png") == 2
    assert "box.stl: --mask m.png is for depth captures and clouds" in capsys.readouterr().err


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
        and "this grasp's ε, divided by the best ε" in second
    )


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (
            ["--scale", "0.9"],
            [
                "box.h5: its grasps were planned for another mesh or another scale (mesh box)",
                "box.stl",
            ],
        ),
        (
            ["--hand", "franka"],
            ["box.h5: its grasps are for the barrett hand", "expected the franka hand"],
        ),
    ],
)
def test_a_plan_of_something_else_is_refused(
    weights, box, *, tmp_path, plan, capsys, more, parts, monkeypatch
):
    """Before the network is loaded."""
    monkeypatch.setattr(mesh_grasp, "load_network", lambda *_: pytest.fail("too early"))
    (tmp_path / "highdof_franka.safetensors").write_bytes(b"")
    assert against(box, tmp_path if "franka" in more else weights, tmp_path, plan, *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not [part for part in parts if part not in error], error
    assert not (tmp_path / "o").exists()


def test_help_offers_the_hands_whose_networks_come_with_the_package(capsys):
    shipped = {file.stem.removeprefix("highdof_") for file in SHIPPED.glob("highdof_*.safetensors")}
    with pytest.raises(SystemExit):
        main(["hand-grasp", "-h"])
    offered = " ".join(capsys.readouterr().out.split()).partition("franka only")[0]
    assert shipped == {hand for hand in HANDS if hand in offered.partition("--hand HAND")[2]}


def test_only_the_shadow_hand_has_hardware_names(tmp_path, capsys):
    out = ["--out", str(tmp_path / "g.json"), "--html", str(tmp_path / "v.html")]
    status = main(["hand-grasp", "a.stl", "--hand", "barrett", "--joint-names", "hardware", *out])
    assert status == 2 and "for the shadow hand only, not for barrett" in capsys.readouterr().err
