"""Networks, records and model cards of both papers, from complete runs alone."""

import nbformat
import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.cli import main
from graspbook.errors import NotebookError, WeightsError
from graspbook.graspnet.predict import PredictSettings, load_networks, predict
from graspbook.graspnet.views import weights_hashes
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.simulation.shake import shake_test
from graspbook.storage import SHIPPED, read_json, write_json
from graspbook.weights_files import load_weights, save_weights
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import NOTEBOOKS as MODELS
from graspbook.workbook.ship import HANDS, SHIPMENTS, ship

GRASPNET, HIGHDOF = SHIPMENTS["graspnet"], SHIPMENTS["highdof"]


def complete(outputs, shipment, results, parameters):
    """Make the run of a paper complete, with toy weights, in default parameters."""
    for name in shipment.made_by:
        execute(outputs, name)
        write_json(outputs.results(name.replace("/", "_")), results.get(name, {}))
    for network in shipment.networks:
        save_weights(outputs.weights / f"{network}.safetensors", torch.nn.Linear(2, 1), parameters)
    return outputs


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


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_that_is_not_complete_is_not_shipped(tmp_path):
    with pytest.raises(NotebookError, match="1_objects.ipynb is missing"):
        ship("smoke", tmp_path / "run", folder=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_a_run_that_failed_is_not_shipped(tmp_path):
    path = Outputs(tmp_path).notebook(GRASPNET.made_by[0])
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(metadata={"graspbook": {"failure": {"cell": 1}}}), path)
    with pytest.raises(NotebookError, match="1_objects.ipynb failed"):
        ship("smoke", tmp_path, folder=tmp_path / "weights")


@pytest.fixture
def run(tmp_path):
    """A complete run with toy weights, in default parameters."""
    outputs = Outputs(tmp_path / "run")
    results = {
        "graspnet/1_objects": {"recipe": {}},
        "graspnet/3_training": {"validation": {}},
        "graspnet/2_grasp_data": {"settings": {"mass": 0.7, "friction": 0.35, "force": 15.0}},
        "graspnet/4_refinement": {"final": {"success_above_threshold": 0.75}, "views": 2},
    }
    return complete(outputs, GRASPNET, results, {})


def test_a_run_without_the_notebook_that_trains_gpd_is_not_shipped(run, tmp_path):
    run.notebook("graspnet/5_baselines").unlink()
    with pytest.raises(NotebookError, match="5_baselines.ipynb is missing"):
        ship("smoke", run.root, folder=tmp_path / "weights")


def test_the_card_tells_the_run_s_shake_and_how_gpd_was_trained(run, tmp_path):
    card = ship("smoke", run.root, folder=tmp_path / "weights").read_text()
    assert "0.7 kg, friction 0.35, 15 N per finger" in card and "smoke, 1f2e3d |" in card
    gpd = MODELS["graspnet/5_baselines"]()
    assert (
        f"{gpd.gpd_steps} steps on up to {gpd.gpd_candidates} labelled candidates in each of"
        f" {gpd.gpd_views} views" in card
    )
    assert f"grasps scored above {MODELS['graspnet/4_refinement']().threshold} hold | 0.750" in card
    described = read_json(tmp_path / "weights" / "run.json")
    assert (
        described["parameters"]["graspnet/5_baselines"]["gpd_steps"] == gpd.gpd_steps
        and described["dirty"] is False
    )


def test_the_card_tells_that_the_code_had_changes(run, tmp_path):
    execute(run, "graspnet/3_training", dirty=True)
    assert (
        "smoke, 1f2e3d (with changes) |"
        in ship("smoke", run.root, folder=tmp_path / "weights").read_text()
    )


def test_reports_on_other_weights_are_refused(run, tmp_path):
    folder, path = tmp_path / "weights", tmp_path / "eval.json"
    ship("smoke", run.root, folder=folder)
    report = {
        "overall": {
            "counts": {"views": 5, "objects": 1},
            "success_best": 0.5,
            "success_above_threshold": 0.25,
        },
        "objects": {"mug": {"success_best": 0.5}},
        "parameters": {
            "method": "gpd",
            "predict": {"samples": 200, "threshold": 0.9},
            "weights": weights_hashes(folder, "gpd"),
        },
    }
    write_json(path, report)
    assert (
        "scored above 0.9 hold | 0.250"
        in ship("smoke", run.root, evaluations=[path], folder=folder).read_text()
    )
    save_weights(run.weights / "gpd.safetensors", torch.nn.Linear(2, 1), {})
    before = contents(folder)
    with pytest.raises(
        NotebookError,
        match="eval.json: it is a report on weights .*gpd.*, expected .*evaluate the weights in",
    ):
        ship("smoke", run.root, evaluations=[path], folder=folder)
    assert contents(folder) == before


def test_what_is_shipped_is_small_and_says_what_it_is_made_of():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 15e6
    first, second = (
        {f"{name}.safetensors" for name in shipment.networks} | {shipment.record, shipment.card}
        for shipment in (GRASPNET, HIGHDOF)
    )
    assert {path.name for path in SHIPPED.iterdir()} in (first, first | second)
    for shipment in (GRASPNET, HIGHDOF):
        record, card = SHIPPED / shipment.record, SHIPPED / shipment.card
        assert not record.is_file() or read_json(record)["revision"] in card.read_text()


@pytest.mark.parametrize("family", ["bottle", "tool"])
def test_the_shipped_networks_grasp_what_they_were_not_trained_on(family):
    objects = FamilySet(**read_json(SHIPPED / "run.json")["objects"])
    obj = objects.load(next(name for name in objects.names("held_out") if name.startswith(family)))
    rng = np.random.default_rng(0)
    cloud, camera_T_object = DepthRenderer(obj.mesh).observe(rng, 3000)
    found = predict(cloud, *load_networks(SHIPPED), PredictSettings(samples=100), rng)
    outcome = shake_test(obj, pose.inverse(camera_T_object) @ found.camera_T_hand[:10])
    assert outcome.success.mean() >= 0.7


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


@pytest.fixture
def hand_run(tmp_path):
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
    controls = contrast(["own", "constant"], ["consistency", "force_closure", "held_bench"])
    results = {
        "highdof/1_hands_and_objects": {
            "recipe": {"counts": {"box": 3, "mug": 2}, "folder": ""},
            "names": {"all": list("abcde"), "train": list("abc"), "held_out": list("de")},
        },
        "highdof/3_training": {
            "final": {hand: {"train": losses, "test": losses | {"l2": 7.0}} for hand in HANDS},
            "controls_by_hand": dict.fromkeys(HANDS, controls),
        },
        "highdof/4_penetration": {
            "success": {"shadow": success, "barrett": success},
            "deepest": {"shadow": 0.0015},
            "ways": contrast(["predicted", "polished"], ["points", "deepest", "clear"]),
        },
    }
    return complete(outputs, HIGHDOF, results, {"joints": ["one"]})


def test_what_is_shipped_is_in_half_precision_with_its_record_and_card(hand_run, tmp_path):
    folder = tmp_path / "weights"
    assert ship("smoke", hand_run.root, paper="highdof", folder=folder) == folder / HIGHDOF.card
    assert set(contents(folder)) == {f"{name}.safetensors" for name in HIGHDOF.networks} | {
        HIGHDOF.record,
        HIGHDOF.card,
    }
    tensors, parameters = load_weights(folder / "highdof_shadow.safetensors")
    whole = load_weights(hand_run.weights / "highdof_shadow.safetensors")[0]
    assert tensors["weight"].dtype == torch.half and parameters == {"joints": ["one"]}
    np.testing.assert_allclose(tensors["weight"].float(), whole["weight"], rtol=5e-4)
    record = read_json(folder / HIGHDOF.record)
    assert record["counts"] == {"all": 5, "train": 3, "held_out": 2} and record["dirty"] is False
    assert record["parameters"]["highdof/3_training"] == MODELS["highdof/3_training"]().model_dump()
    assert record["losses"]["barrett"]["test"]["l2"] == 7.0
    assert record["success"]["shadow"]["planner"]["held"] == {"value": 3.5, "interval": [3, 4]}


def test_the_card_tells_the_figures_with_units_and_the_planner_s_beside(hand_run, tmp_path):
    card = ship("smoke", hand_run.root, paper="highdof", folder=tmp_path / "weights").read_text()
    data, training = MODELS["highdof/2_grasp_data"](), MODELS["highdof/3_training"]()
    for text in (
        "smoke, 1f2e3d |",
        "5 parametric objects (box 3, mug 2), 2 of them held out",
        f"{training.grid}³ occupied",
        f"{training.final_steps} steps of batches of 16",
        f"{data.grasps} grasps of each hand, planned by a descent of the fingertips",
        f"at most {data.kept} of them, those that hold",
        "| barrett, constant | 0.5 [0, 1] | 1.5 [1, 2] | 2.5 [2, 3] |",
        "| shadow, held out | 7 | 6 | 2 | 0.25 | 1.5 | 3 | 12.5 |",
        "| barrett, trained on | 5 | 6 |",
        "units of 0.1 m",
        "| shadow, planner | 0.5 [0, 1] | 1.5 [1, 2] | 2.5 [2, 3] | 3.5 [3, 4] |",
        "| barrett, network, polished | 0.5 ",
        "| predicted | 0.5 [0, 1] | 1.5e+03 [1e+03, 2e+03] | 250 [200, 300] |",
        "shadow 1.5 mm",
        "## Limits",
        f"random ones of the {data.grasps} planned grasps per object",
    ):
        assert text in card
    execute(hand_run, "highdof/2_grasp_data", dirty=True)
    assert (
        "smoke, 1f2e3d (with changes) |"
        in ship("smoke", hand_run.root, paper="highdof", folder=tmp_path / "weights").read_text()
    )


def test_a_folder_of_meshes_is_told_by_their_number(hand_run, tmp_path):
    objects = hand_run.read_results("highdof_1_hands_and_objects")
    objects["recipe"]["folder"] = "somewhere"
    hand_run.write_results("highdof_1_hands_and_objects", objects)
    card = ship("smoke", hand_run.root, paper="highdof", folder=tmp_path / "weights").read_text()
    assert "| 5 meshes, 2 of them held out" in card and "somewhere" not in card


def test_the_files_of_the_other_paper_stay_as_they_are(hand_run, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in SHIPPED.iterdir():
        if "highdof" not in file.name:
            (folder / file.name).write_bytes(file.read_bytes())
    before = contents(folder)
    monkeypatch.setitem(ship.__kwdefaults__, "folder", folder)
    assert main(["ship", "--paper", "highdof", "--output-root", str(hand_run.root)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(folder / HIGHDOF.card)
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
def test_a_run_of_hands_that_is_not_complete_is_not_shipped(
    hand_run, tmp_path, spoil, error, message
):
    spoil(hand_run)
    with pytest.raises(error, match=message):
        ship("smoke", hand_run.root, paper="highdof", folder=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_reports_on_the_other_paper_are_refused(hand_run, capsys):
    assert (
        main(
            [
                "ship",
                "--paper",
                "highdof",
                "--output-root",
                str(hand_run.root),
                "--evaluations",
                "eval.json",
            ]
        )
        == 2
    )
    assert "--evaluations eval.json: these reports are on graspnet" in capsys.readouterr().err
