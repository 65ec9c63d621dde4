import json

import pytest

from graspbook.cli import main
from graspbook.errors import ParameterError
from graspbook.highdof.reports import summarise


def report(
    name, seed, epsilons, chosen=0, *, held=False, depth=0.001, best_of_5=0.2, hand="barrett"
):
    """What `hand-grasp` writes, as far as it is added up: the chosen grasp is one of those of the
    rotations.
    """
    rotations = [
        {"epsilon": epsilon, "penetration_adjusted": depth / 2, "penetration_max": depth}
        for epsilon in epsilons
    ]
    return {
        "hand": hand,
        "object": f"{name}.stl",
        "parameters": {"seed": seed},
        "rotations": rotations,
        "epsilon": epsilons[chosen],
        "held": held,
        "contacts": [1],
        "planner": {"grasps": 50, "best_of_5": best_of_5},
    }


def write(folder, *reports):
    files = [folder / f"{i}.json" for i in range(len(reports))]
    for file, one in zip(files, reports, strict=True):
        file.write_text(json.dumps(one))
    return files


CUP = report("cup", 0, [0.3, -1.0], held=True, depth=0.003), report("cup", 1, [0.1, -1.0], chosen=1)
JUG = (
    report("jug", 1, [-1.0, -1.0], best_of_5=0.0),
    report("jug", 0, [0.2, 0.1], held=True, best_of_5=0.4),
)


def test_figures_by_hand(tmp_path, capsys):
    files = write(tmp_path, *CUP, *JUG)
    assert main(["hand-summary", *map(str, files), "--out", str(tmp_path / "s.json")]) == 0
    written = json.loads((tmp_path / "s.json").read_text())
    assert written["summary"] == {
        "hand": "barrett",
        "objects": 2,
        "seeds": [0, 1],
        "rotations": 2,
        "best in force closure, by seed": [1.0, 0.5],
        "chosen in force closure": 0.5,
        "held in six directions, by seed": [1.0, 0.0],
        "mean epsilon of the best": pytest.approx(0.6 / 4),
        "mean of the planner's best of five": pytest.approx(0.2),
        "epsilon relative to it": pytest.approx(0.75),
        "deepest of any rotation, adjusted, m": 0.0015,
        "deepest of any rotation, closed, m": 0.003,
    }
    assert (
        set(written["reports"]) == {"cup", "jug"}
        and "contacts" not in written["reports"]["cup"]["0"]
    )
    assert written["reports"]["jug"]["1"]["rotations"] == JUG[0]["rotations"]
    assert "best in force closure, by seed: 1, 0.5\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([*CUP, JUG[0]], r"jug: its reports have seeds \[1\], expected \[0, 1\]"),
        ([CUP[0], CUP[0]], "1.json: a second report on cup.stl with seed 0"),
        (
            [CUP[0], JUG[1] | {"hand": "shadow"}],
            "barrett in 2 rotations and shadow in 2 rotations: expected one hand",
        ),
        ([CUP[0], report("jug", 0, [0.1])], "barrett in 1 rotations and barrett in 2 rotations"),
        (
            [report("cup", 0, [0.1], best_of_5=None)],
            "0.json: its grasps are compared with 50 planned grasps, expected five or more",
        ),
        (
            [{key: value for key, value in CUP[0].items() if key != "planner"}],
            "0.json: not a report that `graspbook hand-grasp",
        ),
        ([[]], "0.json: not a report"),
    ],
)
def test_what_cannot_be_added_up_is_refused(tmp_path, reports, words):
    files = write(tmp_path, *reports)
    with pytest.raises(ParameterError, match=words):
        summarise(files)


def test_no_report_is_overwritten(tmp_path, capsys):
    (file,) = write(tmp_path, CUP[0])
    before = file.read_text()
    assert main(["hand-summary", str(file), "--out", str(tmp_path / "." / "0.json")]) == 2
    assert "0.json: it is an input of this command" in capsys.readouterr().err
    assert file.read_text() == before
