"""The command line: exit status, one line an error, nothing half-written."""

import re
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest
import trimesh

from graspbook.cli import COMMANDS, _imports_uninterrupted, _parser, main
from graspbook.errors import ParameterError
from graspbook.graspnet import mesh_evaluation


@pytest.fixture
def interruptible():
    """Ctrl-C as in a terminal: a shell that starts the tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
    assert (status, err) == (0, "") and "outputs/smoke/notebooks/toy.ipynb\n" in out
    assert out.endswith("Next: graspbook site --profile smoke\n")
    status, out, err = run(capsys, "site", "--profile", "smoke")
    assert (status, err) == (0, "") and "outputs/smoke/site/index.html\nNext: open" in out


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


def test_ctrl_c_is_one_line_and_status_130(monkeypatch, capsys, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mesh_evaluation, "evaluate_meshes", interrupted)
    trimesh.creation.box([0.05] * 3).export(tmp_path / "box.stl")
    status, out, err = run(capsys, "evaluate", tmp_path / "box.stl")
    assert (status, out) == (130, "")
    assert_one_line(err, "interrupted", "trials continue when you run the command again")


def test_ctrl_c_in_an_import_that_swallows_it_counts(monkeypatch, capsys, tmp_path, interruptible):
    def imports(*_, **__):
        import_module("swallows")
        done.append("import")
        time.sleep(5)
        raise ParameterError("not interrupted")

    done = []
    text = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    open('x')\n"
    (tmp_path / "swallows.py").write_text(text + "except BaseException:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "swallows", raising=False)
    monkeypatch.setattr(mesh_evaluation, "evaluate_meshes", imports)
    trimesh.creation.box([0.05] * 3).export(tmp_path / "box.stl")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    status, _, err = run(capsys, "evaluate", tmp_path / "box.stl")
    assert status == 130 and done
    assert_one_line(err, "interrupted")
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]


def test_ctrl_c_in_the_last_import_counts(monkeypatch, tmp_path, interruptible):
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nopen('/dev/null').close()\n"
    (tmp_path / "last.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), _imports_uninterrupted():
        assert import_module("last")


def test_a_second_ctrl_c_does_not_wait_for_an_import(monkeypatch, tmp_path, interruptible):
    text = "import os, signal\nfor i in range(3):\n    os.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "twice.py").write_text(f"{text}    print(i)\nprint(1 / 0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), _imports_uninterrupted():
        import_module("twice")


def test_version_has_the_revision(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.match(r"graspbook \d+\.\d+\.\d+( \(revision \w{12}.*\))?\n", capsys.readouterr().out)


def test_unknown_commands_are_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2 and "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_loads_nothing_heavy(command):
    command = [sys.executable, "-X", "importtime", "-m", "graspbook", *command, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: graspbook") and "\nexamples:\n  graspbook" in done.stdout
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    heavy = {"torch", "mujoco", "trimesh", "plotly", "papermill", "numpy", "pydantic", "h5py"}
    assert "graspbook" in imported and not imported & heavy


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_help_parse(name):
    examples = import_module(f"graspbook.commands.{COMMANDS[name].stem}").EXAMPLES
    assert examples
    for example in examples:
        program, *words = shlex.split(example)
        assert (program, words[0]) == ("graspbook", name)
        assert _parser(words).parse_args(words)


def test_help_tells_the_first_line_of_each_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "hand-grasp find a grasp of a many-jointed hand for a mesh, a point cloud or" in told
    assert set(COMMANDS) >= {"run", "site", "hand-summary"} and not [
        c for c in COMMANDS if "_" in c
    ]
