"""The command line: exit status, one line an error, nothing half-written."""

import subprocess
import sys

import pytest

from graspbook.cli import main


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
    status, out, err = run(capsys, "run", "notebooks/toy.ipynb", "--profile", "smoke", "--set", "toy.count=4")
    assert (status, err) == (0, "") and out.endswith("outputs/smoke/notebooks/toy.ipynb\n")
    status, out, err = run(capsys, "site", "--profile", "smoke")
    assert (status, err) == (0, "") and out.endswith("outputs/smoke/site/index.html\n")


def test_a_failed_notebook_is_status_1_for_run_and_site(toy_workbook, capsys):
    toy_workbook.write_notebook("1 / 0")
    status, _, err = run(capsys, "run", "notebooks/toy.ipynb")
    assert status == 1 and "ZeroDivisionError" in err
    assert_one_line(err.splitlines(keepends=True)[-1], "toy failed in cell 4 (1 / 0)", "outputs/smoke/notebooks/toy.ipynb")
    status, out, err = run(capsys, "site")
    assert status == 1 and out.endswith("index.html\n")
    assert_one_line(err, "toy failed in cell 4")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "notebooks/none.ipynb"], ["notebooks/none.ipynb", "no such notebook"]),
        (["run", "notebooks/toy.ipynb", "--profile", "huge"], ["unknown profile 'huge'", "smoke"]),
        (["run", "notebooks/toy.ipynb", "--set", "toy.speed=1"], ["--set toy.speed=1", "unknown parameter", "count"]),
        (["run", "notebooks/toy.ipynb", "--set", "toy.count=few"], ["--set toy.count=few", "toy.count = 'few'"]),
        (["run", "notebooks/toy.ipynb", "--output-root", "taken"], ["taken", "cannot write"]),
        (["site", "--profile", "huge"], ["unknown profile 'huge'"]),
    ],
)
def test_bad_input_is_status_2_in_one_line_and_writes_nothing(toy_workbook, capsys, arguments, parts):
    toy_workbook.write_notebook("print(count)")
    (toy_workbook.root / "taken").write_text("a file where a folder is wanted")
    before = sorted(toy_workbook.root.rglob("*"))
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert_one_line(err, *parts)
    assert sorted(toy_workbook.root.rglob("*")) == before


def test_unknown_commands_are_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2 and "invalid choice" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    command = [sys.executable, "-X", "importtime", "-m", "graspbook", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "run" in done.stdout and "site" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "graspbook" in imported and not imported & {"torch", "mujoco", "trimesh", "plotly", "papermill", "numpy"}
