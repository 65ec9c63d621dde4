"""Where a run's files lie, from anywhere in the workbook."""

import numpy as np
import pytest

from graspbook.errors import NotebookError
from graspbook.workbook.outputs import Outputs


def test_a_relative_folder_is_taken_from_the_top(toy_workbook, monkeypatch):
    from_top = Outputs("outputs/smoke")
    monkeypatch.chdir(toy_workbook.root / "notebooks")
    assert Outputs("outputs/smoke") == from_top
    assert (
        from_top.results("toy") == toy_workbook.root / "outputs" / "smoke" / "results" / "toy.json"
    )


def test_an_absolute_folder_needs_no_workbook(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert Outputs(tmp_path).notebook("a/b") == tmp_path / "notebooks" / "a" / "b.ipynb"


def test_results_pass_from_notebook_to_notebook_and_say_what_is_missing(tmp_path):
    outputs = Outputs(tmp_path)
    outputs.write_results("toy", {"share": np.float64(0.25), "counts": np.arange(3)})
    assert outputs.read_results("toy") == {"share": 0.25, "counts": [0, 1, 2]}
    with pytest.raises(
        NotebookError, match="toys.json is missing: run the notebook of section toys"
    ):
        outputs.read_results("toys")
