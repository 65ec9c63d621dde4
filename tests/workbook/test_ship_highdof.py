import nbformat
import numpy as np
import pytest
import torch

from graspbook.cli import main
from graspbook.errors import NotebookError, WeightsError
from graspbook.storage import SHIPPED, read_json, write_json
from graspbook.training import load_weights, save_weights
from graspbook.workbook import ship_highdof as module
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import NOTEBOOKS as MODELS
from graspbook.workbook.ship_highdof import CARD, NETWORKS, NOTEBOOKS, RECORD, ship_highdof


def contrast(variants, figures):
    """What `comparison.contrast` gives of variants, the value of the n-th figure of each being n +
    0.5, within [n, n + 1].
    """
    row = {figure: {"value": n + 0.5, "interval": [n, n + 1]} for n, figure in enumerate(figures)}
    return {
        "objects": 2,
        "seeds": {},
        "variants": {name: row for name in variants},
        "differences": {},
    }


def execute(outputs, name, **recorded):
    path = outputs.notebook(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    recorded = {
        "failure": None,
        "revision": "1f2e3d",
        "dirty": False,
        "parameters": MODELS[name]().model_dump(),
    } | recorded
    nbformat.write(nbformat.v4.new_notebook(metadata={"graspbook": recorded}), path)


@pytest.fixture
def run(tmp_path):
    """A complete run of paper 2, and of nothing else, with toy weights, in default parameters."""
    outputs = Outputs(tmp_path / "run")
    losses = {
        "l2": 5.0,
        "mean_l2": 6.0,
        "consistency": 2.0,
        "collision": 0.25,
        "combined": 1.5,
        "points": 3.0,
        "depth": 0.0125,
    }
    success = contrast(
        ["planner", "network, polished"], ["force closure", "epsilon", "best of 5", "held"]
    )
    results = {
        "highdof/1_hands_and_objects": {
            "recipe": {"counts": {"box": 3, "mug": 2}, "folder": ""},
            "names": {"all": list("abcde"), "train": list("abc"), "held_out": list("de")},
        },
        "highdof/2_grasp_data": {},
        "highdof/3_training": {
            "final": {
                hand: {"train": losses, "test": losses | {"l2": 7.0}} for hand in module.HANDS
            }
        },
        "highdof/4_penetration": {
            "success": {"shadow": success, "barrett": success},
            "deepest": {"shadow": 0.0015},
            "ways": contrast(["predicted", "polished"], ["points", "deepest", "clear"]),
        },
    }
    for name in NOTEBOOKS:
        execute(outputs, name)
        write_json(outputs.results(name.replace("/", "_")), results[name])
    for network in NETWORKS:
        save_weights(
            outputs.weights / f"{network}.safetensors", torch.nn.Linear(2, 1), {"joints": ["one"]}
        )
    return outputs


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_what_is_shipped_is_in_half_precision_with_its_record_and_card(run, tmp_path):
    folder = tmp_path / "weights"
    assert ship_highdof("smoke", run.root, folder) == folder / CARD
    assert set(contents(folder)) == {f"{name}.safetensors" for name in NETWORKS} | {RECORD, CARD}
    tensors, parameters = load_weights(folder / "highdof_shadow.safetensors")
    whole = load_weights(run.weights / "highdof_shadow.safetensors")[0]
    assert tensors["weight"].dtype == torch.half and parameters == {"joints": ["one"]}
    np.testing.assert_allclose(tensors["weight"].float(), whole["weight"], rtol=5e-4)
    record = read_json(folder / RECORD)
    assert record["counts"] == {"all": 5, "train": 3, "held_out": 2} and record["dirty"] is False
    assert record["parameters"]["highdof/3_training"] == MODELS["highdof/3_training"]().model_dump()
    assert record["losses"]["barrett"]["test"]["l2"] == 7.0
    assert record["success"]["shadow"]["planner"]["held"] == {"value": 3.5, "interval": [3, 4]}


def test_the_card_tells_the_figures_with_units_and_the_planner_s_beside(run, tmp_path):
    card = ship_highdof("smoke", run.root, tmp_path / "weights").read_text()
    data, training = MODELS["highdof/2_grasp_data"](), MODELS["highdof/3_training"]()
    for text in (
        "smoke, 1f2e3d |",
        "5 parametric objects (box 3, mug 2), 2 of them held out",
        f"{training.grid}³ occupied",
        f"{training.final_steps} steps of batches of 16",
        f"{data.grasps} grasps of each hand, planned by gradient",
        "| shadow, held out | 7 | 6 | 2 | 0.25 | 1.5 | 3 | 12.5 |",
        "| barrett, trained on | 5 | 6 |",
        "units of 0.1 m",
        "| shadow, planner | 0.5 [0, 1] | 1.5 [1, 2] | 2.5 [2, 3] | 3.5 [3, 4] |",
        "| barrett, network, polished | 0.5 ",
        "| predicted | 0.5 [0, 1] | 1.5e+03 [1e+03, 2e+03] | 250 [200, 300] |",
        "shadow 1.5 mm",
        "## Limits",
        f"of the {data.grasps} grasps that are\nplanned for each object as many random ones",
    ):
        assert text in card
    execute(run, "highdof/2_grasp_data", dirty=True)
    assert (
        "smoke, 1f2e3d (with changes) |"
        in ship_highdof("smoke", run.root, tmp_path / "weights").read_text()
    )


def test_a_folder_of_meshes_is_told_by_their_number(run, tmp_path):
    objects = run.read_results("highdof_1_hands_and_objects")
    objects["recipe"]["folder"] = "somewhere"
    run.write_results("highdof_1_hands_and_objects", objects)
    card = ship_highdof("smoke", run.root, tmp_path / "weights").read_text()
    assert "| 5 meshes, 2 of them held out" in card and "somewhere" not in card


def test_the_files_of_the_other_paper_stay_as_they_are(run, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in SHIPPED.iterdir():
        if "highdof" not in file.name:
            (folder / file.name).write_bytes(file.read_bytes())
    before = contents(folder)
    monkeypatch.setattr(ship_highdof, "__defaults__", (None, folder))
    assert main(["ship", "--paper", "highdof", "--output-root", str(run.root)]) == 0
    assert capsys.readouterr().out == f"{folder / CARD}\n"
    after = contents(folder)
    assert before.items() < after.items() and len(after) == len(before) + 4


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (
            lambda run: run.notebook("highdof/4_penetration").unlink(),
            NotebookError,
            "4_penetration.ipynb is missing",
        ),
        (
            lambda run: execute(run, "highdof/2_grasp_data", failure={"cell": 1}),
            NotebookError,
            "2_grasp_data.ipynb failed",
        ),
        (
            lambda run: run.results("highdof_3_training").unlink(),
            NotebookError,
            "highdof_3_training.json is missing",
        ),
        (
            lambda run: (run.weights / "highdof_barrett.safetensors").unlink(),
            WeightsError,
            "highdof_barrett.safetensors: no such",
        ),
    ],
)
def test_a_run_that_is_not_complete_is_not_shipped(run, tmp_path, spoil, error, message):
    spoil(run)
    with pytest.raises(error, match=message):
        ship_highdof("smoke", run.root, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_reports_on_the_other_paper_are_refused(run, capsys):
    assert (
        main(
            [
                "ship",
                "--paper",
                "highdof",
                "--output-root",
                str(run.root),
                "--evaluations",
                "eval.json",
            ]
        )
        == 2
    )
    assert "--evaluations eval.json: reports on graspnet" in capsys.readouterr().err
