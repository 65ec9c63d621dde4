import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
import trimesh

from graspbook.cli import main
from graspbook.commands import hand_grasp as module
from graspbook.commands.hand_grasp import beside_planner, hand_grasp, read_solid, weights_path
from graspbook.hands.library import load_hand
from graspbook.highdof.dataset import DataSettings
from graspbook.highdof.network import GraspNetwork, NetworkSettings
from graspbook.highdof.plans import read_plan
from graspbook.highdof.predict import Candidates
from graspbook.training import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a network of the Barrett Hand that has learned nothing."""
    folder, hand, sizes = (
        tmp_path_factory.mktemp("weights"),
        load_hand("barrett"),
        NetworkSettings(16, 4, (64, 32)),
    )
    torch.manual_seed(0)
    save_weights(
        weights_path(folder, "barrett"),
        GraspNetwork(len(hand.joints), sizes),
        {
            "network": "highdof",
            "hand": "barrett",
            "joints": list(hand.joints),
            "sizes": asdict(sizes),
            "data": asdict(DataSettings(grid=16, length=0.3, nodes=32)),
        },
    )
    return folder


@pytest.fixture
def box(tmp_path):
    trimesh.creation.box((0.06, 0.08, 0.12)).export(tmp_path / "box.stl")
    return tmp_path / "box.stl"


def test_a_mesh_gives_a_grasp_and_a_page(weights, box, tmp_path):
    report = hand_grasp(
        box, weights, tmp_path / "g.json", tmp_path / "v.html", "barrett", rotations=3
    )
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
    assert report["epsilon"] == written["epsilon"] and written["parameters"]["rotations"] == 3
    page = (tmp_path / "v.html").read_text()
    assert "A grasp for box.stl" in page and 'src="http' not in page


def test_a_grasp_that_holds_is_chosen_unless_the_hand_is_still_inside(
    weights, box, tmp_path, capsys, monkeypatch
):
    chosen, told = [], []
    for clear in ([True, True], [True, False], [False, False]):

        def generate(hand, *_, clear=clear):
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

        monkeypatch.setattr(module, "generate", generate)
        monkeypatch.setattr(
            module.Holder, "test", lambda *_: np.array([[True] * 5 + [False], [True] * 6])
        )
        assert (
            main(
                [
                    "hand-grasp",
                    str(box),
                    "--hand",
                    "barrett",
                    "--weights",
                    str(weights),
                    "--out",
                    str(tmp_path / "g.json"),
                    "--html",
                    str(tmp_path / "v.html"),
                ]
            )
            == 0
        )
        report = json.loads((tmp_path / "g.json").read_text())
        chosen.append((report["epsilon"], report["clear"]))
        told.append(
            [
                module.STUCK in text
                for text in (capsys.readouterr().out, (tmp_path / "v.html").read_text())
            ]
        )
    assert chosen == [(0.1, True), (0.2, True), (0.2, False)] and told == [
        [False] * 2,
        [False] * 2,
        [True] * 2,
    ]


def test_the_same_seed_gives_the_same_bytes(weights, box, tmp_path):
    for name in "ab":
        hand_grasp(
            box,
            weights,
            tmp_path / f"{name}.json",
            tmp_path / f"{name}.html",
            "barrett",
            rotations=2,
        )
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_of_a_cloud_the_hull_is_taken(tmp_path):
    points = trimesh.sample.sample_surface(trimesh.creation.box((0.06, 0.08, 0.12)), 4000, seed=0)[
        0
    ]
    np.save(tmp_path / "box.npy", points + [0, 0, 0.5])
    np.save(tmp_path / "mm.npy", 1000 * (points + [0, 0, 0.5]))
    for solid in (read_solid(tmp_path / "box.npy"), read_solid(tmp_path / "mm.npy", 0.001)):
        assert solid.is_watertight and solid.volume == pytest.approx(0.06 * 0.08 * 0.12, rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--hand", "claw"], ["unknown hand 'claw'", "shadow, barrett, franka"]),
        (["--hand", "shadow"], ["highdof_shadow.safetensors", "no such weights file"]),
        (["--hand", "barrett", "--scale", "6"], ["box.stl", "mm wide at its narrowest"]),
    ],
)
def test_bad_input_is_one_line(weights, box, tmp_path, capsys, arguments, parts):
    status = main(
        [
            "hand-grasp",
            str(box),
            "--out",
            str(tmp_path / "o" / "g.json"),
            "--html",
            str(tmp_path / "o" / "v.html"),
            "--weights",
            str(weights),
            *arguments,
        ]
    )
    error = capsys.readouterr().err
    assert (
        status == 2 and error.count("\n") == 1 and not [part for part in parts if part not in error]
    ), error
    assert not (tmp_path / "o").exists()


def test_plan_writes_a_file_a_mesh(box, tmp_path, capsys):
    status = main(
        [
            "plan",
            str(box),
            "--hand",
            "barrett",
            "--grasps",
            "2",
            "--iterations",
            "20",
            "--workers",
            "1",
            "--out",
            str(tmp_path / "plans"),
        ]
    )
    assert status == 0 and "box.h5: 2 grasps" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "plans").iterdir()] == ["box.h5"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Five planned grasps of the Barrett Hand for the box."""
    folder = tmp_path_factory.mktemp("plans")
    trimesh.creation.box((0.06, 0.08, 0.12)).export(folder / "box.stl")
    assert (
        main(
            [
                "plan",
                str(folder / "box.stl"),
                "--hand",
                "barrett",
                "--grasps",
                "5",
                "--iterations",
                "3",
                "--workers",
                "1",
                "--out",
                str(folder),
            ]
        )
        == 0
    )
    return folder / "box.h5"


def against(box, weights, tmp_path, plan, *more):
    return main(
        [
            "hand-grasp",
            str(box),
            "--out",
            str(tmp_path / "o" / "g.json"),
            "--html",
            str(tmp_path / "o" / "v.html"),
            "--hand",
            "barrett",
            "--weights",
            str(weights),
            "--rotations",
            "2",
            "--against",
            str(plan),
            *more,
        ]
    )


def test_the_planner_s_grasps_of_the_same_mesh_stand_beside(weights, box, tmp_path, plan, capsys):
    assert against(box, weights, tmp_path, plan) == 0
    found = json.loads((tmp_path / "o" / "g.json").read_text())
    assert (
        found["planner"] == beside_planner(found["epsilon"], read_plan(plan).epsilon)
        and found["planner"]["grasps"] == 5
    )
    assert found["parameters"]["planner"] == read_plan(plan).parameters
    first, second = capsys.readouterr().out.splitlines()
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
    weights, box, tmp_path, plan, capsys, more, parts, monkeypatch
):
    monkeypatch.setattr(module, "load_network", lambda *_: (torch.nn.Identity(), None))
    assert against(box, weights, tmp_path, plan, *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not [part for part in parts if part not in error], error
    assert not (tmp_path / "o").exists()


def test_relative_to_the_planner():
    found = beside_planner(0.05, np.array([0.1, -1, 0.3, -1, -1, 0.2]))
    # Of six choices of five one leaves out 0.3.
    assert found["best_of_5"] == pytest.approx((5 * 0.3 + 0.2) / 6) and found["best_epsilon"] == 0.3
    assert found["force_closure"] == 0.5 and found["relative_to_best"] == pytest.approx(1 / 6)
    assert found["relative_epsilon"] == pytest.approx(0.05 / found["best_of_5"])
    assert beside_planner(-1.0, [0.1] * 5)["relative_epsilon"] == 0
    few = beside_planner(0.1, [0.2, -1])
    assert few["best_of_5"] is few["relative_epsilon"] is None and few["relative_to_best"] == 0.5
    assert (
        beside_planner(0.1, [-1.0] * 5)["relative_epsilon"]
        is beside_planner(0.1, [-1.0] * 5)["relative_to_best"]
        is None
    )
