import nbformat
import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import NotebookError
from graspbook.graspnet.predict import SHIPPED, PredictSettings, load_networks, predict
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.simulation.shake import shake_test
from graspbook.storage import read_json
from graspbook.workbook.outputs import Outputs
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


def test_what_is_shipped_is_small_and_says_what_it_is_made_of():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 15e6
    assert {path.name for path in SHIPPED.iterdir()} == {f"{name}.safetensors" for name in NETWORKS} | {"run.json", "README.md"}
    run = read_json(SHIPPED / "run.json")
    assert run["revision"] in (SHIPPED / "README.md").read_text()


@pytest.mark.parametrize("family", ["bottle", "tool"])
def test_the_shipped_networks_grasp_what_they_were_not_trained_on(family):
    objects = FamilySet(**read_json(SHIPPED / "run.json")["objects"])
    obj = objects.load(next(name for name in objects.names("held_out") if name.startswith(family)))
    rng = np.random.default_rng(0)
    cloud, camera_T_object = DepthRenderer(obj.mesh).observe(rng, 3000)
    found = predict(cloud, *load_networks(SHIPPED), PredictSettings(samples=100), rng)
    outcome = shake_test(obj, pose.inverse(camera_T_object) @ found.camera_T_hand[:10])
    assert outcome.success.mean() >= 0.7
