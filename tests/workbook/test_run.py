"""The runner on a toy notebook: what reaches the kernel, what is recorded, what failure leaves
behind.
"""

import json
import os

import nbformat
import pytest

from graspbook.errors import NotebookError, ParameterError
from graspbook.workbook.run import run_notebook

REPORT = """
import json, os
from pathlib import Path
threads = os.environ["OMP_NUM_THREADS"]
values = dict(count=count, rate=rate, seed=seed, threads=threads, cwd=os.getcwd())
Path("report.json").write_text(json.dumps(values))
"""


def executed(toy_workbook):
    return nbformat.read(toy_workbook.root / "outputs" / "smoke" / "notebooks" / "toy.ipynb", 4)


def files(toy_workbook):
    return sorted(
        path.name for path in (toy_workbook.root / "outputs").rglob("*") if path.is_file()
    )


def test_parameters_reach_the_kernel_and_provenance_the_file(toy_workbook):
    toy_workbook.write_notebook(REPORT)
    toy_workbook.write_profile("shared: {torch_threads: 1, seed: 6}")
    before = dict(os.environ)
    path = run_notebook(toy_workbook.notebook, overrides=["toy.count=5"])
    assert json.loads((toy_workbook.root / "report.json").read_text()) == {
        "count": 5, "rate": 0.5, "seed": 6, "threads": "1", "cwd": str(toy_workbook.root),
    }  # fmt: skip
    assert path == toy_workbook.root / "outputs" / "smoke" / "notebooks" / "toy.ipynb"
    assert files(toy_workbook) == ["toy.ipynb"] and os.environ == before
    record = executed(toy_workbook).metadata["graspbook"]
    assert record["parameters"]["count"] == 5 and record["parameters"]["torch_threads"] == 1
    assert record["overrides"] == ["toy.count=5"] and record["failure"] is None
    assert record["packages"].keys() >= {"torch", "numpy", "mujoco"}
    assert record["wall_time"] > 0 and record["cores"] >= 1 and record["processor"]
    assert record.keys() >= {"revision", "dirty", "finished", "python"}


def test_output_root_can_be_chosen(toy_workbook, tmp_path):
    toy_workbook.write_notebook("print(output_root)")
    path = run_notebook(toy_workbook.notebook, output_root=tmp_path / "elsewhere")
    assert path == tmp_path / "elsewhere" / "notebooks" / "toy.ipynb"
    assert nbformat.read(path, 4).cells[-1].outputs[0].text.strip() == str(tmp_path / "elsewhere")


def test_a_failing_cell_is_named_and_its_traceback_stays_on_disk(toy_workbook, capsys):
    toy_workbook.write_notebook(
        "print('fine')", "# Words", "numbers = []\nnumbers[3]", "print('never')"
    )
    with pytest.raises(NotebookError) as caught:
        run_notebook(toy_workbook.notebook)
    for part in (
        "toy failed in cell 6 (numbers[3])",
        "IndexError: list index out of range",
        "notebooks/toy.ipynb",
    ):
        assert part in str(caught.value)
    assert "----> 2 numbers[3]" in capsys.readouterr().err
    assert files(toy_workbook) == ["toy.ipynb"]
    notebook = executed(toy_workbook)
    assert notebook.cells[5].outputs[0].ename == "IndexError"
    assert notebook.cells[6].execution_count is None
    assert notebook.metadata["graspbook"]["failure"]["cell"] == 6


def test_a_dead_kernel_is_a_failure(toy_workbook):
    toy_workbook.write_notebook(
        "print('fine')", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "print('never')"
    )
    with pytest.raises(
        NotebookError, match=r"toy failed in cell 5 \(import os, signal\): .*the kernel died"
    ):
        run_notebook(toy_workbook.notebook)
    assert executed(toy_workbook).cells[4].outputs[0].ename == "DeadKernelError"


def test_leaving_early_is_a_failure_whatever_the_status(toy_workbook):
    toy_workbook.write_notebook("import sys\nsys.exit(0)", "print('never')")
    with pytest.raises(NotebookError, match="toy failed in cell 4 .*SystemExit"):
        run_notebook(toy_workbook.notebook)


def test_nothing_runs_with_bad_input(toy_workbook):
    toy_workbook.write_notebook("open('ran', 'w')", parameters="count: int = 3  # how many")
    with pytest.raises(
        ParameterError, match="tagged `parameters` does not have profile, output_root, seed, .*rate"
    ):
        run_notebook(toy_workbook.notebook)
    toy_workbook.write_notebook("open('ran', 'w')")
    with pytest.raises(ParameterError, match="speed"):
        run_notebook(toy_workbook.notebook, overrides=["toy.speed=1"])
    with pytest.raises(ParameterError, match="no such notebook"):
        run_notebook("notebooks/other.ipynb")
    (toy_workbook.root / "stray.ipynb").write_text(toy_workbook.notebook.read_text())
    with pytest.raises(ParameterError, match="no parameters are declared"):
        run_notebook("stray.ipynb")
    toy_workbook.notebook.write_text('{"cells": ')
    with pytest.raises(ParameterError, match="not a readable notebook"):
        run_notebook(toy_workbook.notebook)
    assert not (toy_workbook.root / "ran").exists() and not (toy_workbook.root / "outputs").exists()
