"""The command line: exit status, one line an error, nothing half-written."""

import subprocess
import sys

import pytest
import trimesh

from graspbook.cli import main
from graspbook.commands import evaluate
from graspbook.objects import sets


def run(capsys, *arguments):
    """Status, standard output and standard error of `graspbook ARGUMENTS`."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def assert_one_line(error, *parts):
    assert error.startswith("graspbook: error: ") and error.count("\n") == 1, error
    assert not [part for part in parts if part not in error], error


def test_run_then_site(toy_workbook, capsys):
    toy_workbook.write_notebook("print(count)")
    status, out, err = run(
        capsys, "run", "notebooks/toy.ipynb", "--profile", "smoke", "--set", "toy.count=4"
    )
    assert (status, err) == (0, "") and out.endswith("outputs/smoke/notebooks/toy.ipynb\n")
    status, out, err = run(capsys, "site", "--profile", "smoke")
    assert (status, err) == (0, "") and out.endswith("outputs/smoke/site/index.html\n")


def test_a_failed_notebook_is_status_1_for_run_and_site(toy_workbook, capsys):
    toy_workbook.write_notebook("1 / 0")
    status, _, err = run(capsys, "run", "notebooks/toy.ipynb")
    assert status == 1 and "ZeroDivisionError" in err
    assert_one_line(
        err.splitlines(keepends=True)[-1],
        "toy failed in cell 4 (1 / 0)",
        "outputs/smoke/notebooks/toy.ipynb",
    )
    status, out, err = run(capsys, "site")
    assert status == 1 and out.endswith("index.html\n")
    assert_one_line(err, "toy failed in cell 4")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "notebooks/none.ipynb"], ["notebooks/none.ipynb", "no such notebook"]),
        (["run", "notebooks/toy.ipynb", "--profile", "huge"], ["unknown profile 'huge'", "smoke"]),
        (
            ["run", "notebooks/toy.ipynb", "--set", "toy.speed=1"],
            ["--set toy.speed=1", "unknown parameter", "count"],
        ),
        (
            ["run", "notebooks/toy.ipynb", "--set", "toy.count=few"],
            ["--set toy.count=few", "toy.count = 'few'"],
        ),
        (["run", "notebooks/toy.ipynb", "--output-root", "taken"], ["taken", "cannot write"]),
        (["site", "--profile", "huge"], ["unknown profile 'huge'"]),
    ],
)
def test_bad_input_is_status_2_in_one_line_and_writes_nothing(
    toy_workbook, capsys, arguments, parts
):
    toy_workbook.write_notebook("print(count)")
    (toy_workbook.root / "taken").write_text("a file where a folder is wanted")
    before = sorted(toy_workbook.root.rglob("*"))
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert_one_line(err, *parts)
    assert sorted(toy_workbook.root.rglob("*")) == before


def test_evaluate_says_what_it_found_and_what_it_left_out(tmp_path, weights, monkeypatch, capsys):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh,))
    monkeypatch.setattr(evaluate, "TRUTH_CANDIDATES", 20)
    for name, side in (("small", 0.05), ("wide", 0.2)):
        trimesh.creation.box([side] * 3).export(tmp_path / f"{name}.stl")
    arguments = [
        "--weights",
        weights,
        "--views",
        1,
        "--samples",
        4,
        "--workers",
        1,
        "--out",
        tmp_path / "new" / "eval.json",
    ]
    status, out, _ = run(
        capsys, "evaluate", tmp_path / "small.stl", tmp_path / "wide.stl", *arguments
    )
    lines = out.splitlines()
    assert status == 0 and lines[0] == "wide is left out: none of 20 simulated candidates holds"
    assert (
        lines[1].endswith("eval.json: 1 views of 1 objects, 1 objects left out")
        and "the best grasp holds in" in lines[2]
    )
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["eval.json"]
    again = [
        tmp_path / "small.stl",
        tmp_path / "wide.stl",
        *arguments,
        "--against",
        tmp_path / "new" / "eval.json",
    ]
    status, out, _ = run(capsys, "evaluate", *again)
    assert (
        status == 0
        and out.splitlines()[3]
        == "less graspnet (eval.json), 1 objects: auc +0.00, success_best +0.00,"
        " success_above_threshold –, coverage +0.00"
    )
    status, _, err = run(capsys, "evaluate", *again, "--seed", 1)
    assert status == 2
    assert_one_line(err, "eval.json: seed 0, expected 1")
    status, out, _ = run(capsys, "evaluate", tmp_path / "wide.stl", *arguments)
    assert status == 0 and out.splitlines()[1:] == [
        lines[1].replace("1 views of 1", "0 views of 0")
    ]


def test_ctrl_c_is_one_line_and_status_130(monkeypatch, capsys, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate_meshes", interrupted)
    status, out, err = run(capsys, "evaluate", "box.stl", "--out", tmp_path / "eval.json")
    assert (status, out) == (130, "")
    assert_one_line(err, "interrupted", "trials go on where they ended when run again")


def test_unknown_commands_are_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2 and "invalid choice" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    command = [sys.executable, "-X", "importtime", "-m", "graspbook", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "run" in done.stdout and "site" in done.stdout
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "graspbook" in imported and not imported & {
        "torch",
        "mujoco",
        "trimesh",
        "plotly",
        "papermill",
        "numpy",
    }
