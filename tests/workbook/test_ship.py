import nbformat
import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import NotebookError
from graspbook.graspnet.predict import PredictSettings, load_networks, predict
from graspbook.graspnet.views import weights_hashes
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.simulation.shake import shake_test
from graspbook.storage import SHIPPED, read_json, write_json
from graspbook.training import save_weights
from graspbook.workbook import ship_highdof
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import NOTEBOOKS as MODELS
from graspbook.workbook.ship import NETWORKS, NOTEBOOKS, ship


def test_a_run_that_is_not_complete_is_not_shipped(tmp_path):
    with pytest.raises(NotebookError, match="1_objects.ipynb is missing"):
        ship("smoke", tmp_path / "run", folder=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_a_run_that_failed_is_not_shipped(tmp_path):
    path = Outputs(tmp_path).notebook(NOTEBOOKS[0])
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
        "graspnet/5_ablations": {},
        "graspnet/2_grasp_data": {"settings": {"mass": 0.7, "friction": 0.35, "force": 15.0}},
        "graspnet/4_refinement": {"final": {"success_above_threshold": 0.75}, "views": 2},
    }
    for name in NOTEBOOKS:
        execute(outputs, name)
        write_json(outputs.results(name.replace("/", "_")), results[name])
    for network in NETWORKS:
        save_weights(outputs.weights / f"{network}.safetensors", torch.nn.Linear(2, 1), {})
    return outputs


def execute(outputs, name, dirty=False):
    path = outputs.notebook(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    recorded = {
        "failure": None,
        "revision": "1f2e3d",
        "dirty": dirty,
        "parameters": MODELS[name]().model_dump(),
    }
    nbformat.write(nbformat.v4.new_notebook(metadata={"graspbook": recorded}), path)


def test_a_run_without_the_notebook_that_trains_gpd_is_not_shipped(run, tmp_path):
    run.notebook("graspnet/5_ablations").unlink()
    with pytest.raises(NotebookError, match="5_ablations.ipynb is missing"):
        ship("smoke", run.root, folder=tmp_path / "weights")


def test_the_card_tells_the_run_s_shake_and_how_gpd_was_trained(run, tmp_path):
    card = ship("smoke", run.root, folder=tmp_path / "weights").read_text()
    assert "0.7 kg, friction 0.35, 15 N a finger" in card and "smoke, 1f2e3d |" in card
    gpd = MODELS["graspnet/5_ablations"]()
    assert (
        f"{gpd.gpd_steps} steps on up to {gpd.gpd_candidates} labelled candidates in each of"
        f" {gpd.gpd_views} views" in card
    )
    assert f"grasps scored above {MODELS['graspnet/4_refinement']().threshold} hold | 0.750" in card
    described = read_json(tmp_path / "weights" / "run.json")
    assert (
        described["parameters"]["graspnet/5_ablations"]["gpd_steps"] == gpd.gpd_steps
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
    assert "scored above 0.9 hold | 0.250" in ship("smoke", run.root, [path], folder).read_text()
    save_weights(run.weights / "gpd.safetensors", torch.nn.Linear(2, 1), {})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(
        NotebookError, match="eval.json: judges weights .*gpd.*, expected .*evaluate those in"
    ):
        ship("smoke", run.root, [path], folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_what_is_shipped_is_small_and_says_what_it_is_made_of():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 15e6
    first = {f"{name}.safetensors" for name in NETWORKS} | {"run.json", "README.md"}
    second = {f"{name}.safetensors" for name in ship_highdof.NETWORKS} | {
        ship_highdof.RECORD,
        ship_highdof.CARD,
    }
    assert {path.name for path in SHIPPED.iterdir()} in (first, first | second)
    for record, card in (("run.json", "README.md"), (ship_highdof.RECORD, ship_highdof.CARD)):
        assert (
            not (SHIPPED / record).is_file()
            or read_json(SHIPPED / record)["revision"] in (SHIPPED / card).read_text()
        )


@pytest.mark.parametrize("family", ["bottle", "tool"])
def test_the_shipped_networks_grasp_what_they_were_not_trained_on(family):
    objects = FamilySet(**read_json(SHIPPED / "run.json")["objects"])
    obj = objects.load(next(name for name in objects.names("held_out") if name.startswith(family)))
    rng = np.random.default_rng(0)
    cloud, camera_T_object = DepthRenderer(obj.mesh).observe(rng, 3000)
    found = predict(cloud, *load_networks(SHIPPED), PredictSettings(samples=100), rng)
    outcome = shake_test(obj, pose.inverse(camera_T_object) @ found.camera_T_hand[:10])
    assert outcome.success.mean() >= 0.7
