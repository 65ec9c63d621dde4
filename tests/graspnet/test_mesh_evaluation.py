import json

import numpy as np
import pytest
import trimesh

from graspbook.errors import ParameterError
from graspbook.figures.evaluation_page import difference_text, write_evaluation
from graspbook.graspnet import mesh_evaluation, views
from graspbook.graspnet.predict import PredictSettings
from graspbook.objects import sets
from graspbook.storage import write_json


@pytest.fixture
def meshes(tmp_path, monkeypatch):
    """A box that the hand can hold and one that it cannot, whose convex parts are themselves; few
    ground-truth candidates.
    """
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh,))
    monkeypatch.setattr(mesh_evaluation, "TRUTH_CANDIDATES", 20)
    trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / "small.stl")
    trimesh.creation.box([0.2, 0.2, 0.2]).export(tmp_path / "wide.stl")
    return [tmp_path / "small.stl", tmp_path / "wide.stl"]


def run(meshes, weights, folder, html=None, *, method="geometric", samples=8, **options):
    evaluation = mesh_evaluation.evaluate_meshes(
        meshes,
        weights,
        PredictSettings(method=method, samples=samples),
        **{"views": 2, "workers": 1} | options,
    )
    if html:
        write_evaluation(html, evaluation)
    write_json(folder / "eval.json", evaluation.report)
    return evaluation.report


def test_figures_and_a_page_of_a_mesh_and_of_one_that_is_too_wide(meshes, weights, tmp_path):
    report = run(meshes, weights, tmp_path, tmp_path / "page.html")
    written = json.loads((tmp_path / "eval.json").read_text())
    assert written == json.loads(json.dumps(report))
    small, wide, overall = (
        written["objects"]["small"],
        written["objects"]["wide"],
        written["overall"],
    )
    assert (
        small["counts"]["views"] == 2
        and small["counts"]["grasps"] == 16
        and 0 < small["counts"]["positives"] <= 20
    )
    assert wide["reason"] == "none of 20 simulated candidates holds"
    assert wide["success_best"] is None and wide["counts"]["views"] == 0
    assert overall["counts"]["objects"] == overall["counts"]["objects_left_out"] == 1
    assert all(
        overall[name] == small[name] for name in ("success_best", "auc", "coverage", "sampled")
    )
    parameters = written["parameters"]
    assert (parameters["method"], parameters["views"], parameters["predict"]["samples"]) == (
        "geometric",
        2,
        8,
    )
    assert list(parameters["weights"]) == ["evaluator"] and parameters["shake"]["force"] == 20.0
    page = (tmp_path / "page.html").read_text()
    assert "wide: none of 20 simulated" in page and "grasps of the first view of small" in page
    assert (
        'src="http' not in page
        and "coverage: share of positive grasps" in page
        and "best survives [m" in page
    )


def test_equal_inputs_give_equal_bytes_and_a_second_run_only_reads(
    meshes, weights, tmp_path, monkeypatch
):
    run(meshes[:1], weights, tmp_path, tmp_path / "page.html")
    first = [(tmp_path / name).read_bytes() for name in ("eval.json", "page.html")]
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "other"))
    run(meshes[:1], weights, tmp_path, tmp_path / "page.html")
    assert [(tmp_path / name).read_bytes() for name in ("eval.json", "page.html")] == first
    monkeypatch.setattr(views, "_evaluate", lambda *_: pytest.fail("a view was evaluated again"))
    run(meshes[:1], weights, tmp_path)
    assert (tmp_path / "eval.json").read_bytes() == first[0]


def test_figures_do_not_depend_on_the_number_of_processes(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_evaluation, "TRUTH_CANDIDATES", 20)
    trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / "box.stl")
    written = []
    for workers in (1, 2):
        monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / f"cache{workers}"))
        run([tmp_path / "box.stl"], weights, tmp_path, method="graspnet", workers=workers)
        written.append((tmp_path / "eval.json").read_bytes())
    assert written[0] == written[1]


def test_a_killed_run_goes_on_to_the_same_result(meshes, weights, tmp_path, monkeypatch):
    run(meshes[:1], weights, tmp_path)
    expected = (tmp_path / "eval.json").read_bytes()
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "other"))
    (tmp_path / "eval.json").unlink()
    done, work = [], views._evaluate

    def killed(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return work(*arguments)

    monkeypatch.setattr(views, "_evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        run(meshes[:1], weights, tmp_path)
    assert not (tmp_path / "eval.json").exists()
    monkeypatch.setattr(views, "_evaluate", lambda *arguments: done.append(1) or work(*arguments))
    run(meshes[:1], weights, tmp_path)
    assert (tmp_path / "eval.json").read_bytes() == expected and len(done) == 2


def test_a_set_of_files_scales_its_meshes(meshes):
    obj = mesh_evaluation.MeshFiles({"small": meshes[0]}, 0.5).load("small")
    np.testing.assert_allclose(obj.mesh.extents, [0.02, 0.025, 0.03])
    assert obj.name == "small"


def test_a_report_is_compared_with_earlier_ones_on_the_same_views(meshes, weights, tmp_path):
    trimesh.creation.box([0.03, 0.06, 0.07]).export(tmp_path / "other.stl")
    meshes = [meshes[0], tmp_path / "other.stl"]
    first = run(meshes, weights, tmp_path)
    (tmp_path / "eval.json").rename(tmp_path / "first.json")
    second = run(
        meshes,
        weights,
        tmp_path,
        tmp_path / "page.html",
        samples=20,
        against=[tmp_path / "first.json"] * 2,
    )
    one, two = json.loads((tmp_path / "eval.json").read_text())["against"]
    assert one == two and (one["report"], one["method"], one["objects"]) == (
        "first.json",
        "geometric",
        2,
    )
    for name in ("auc", "success_best", "success_above_threshold", "coverage"):
        values = [report["overall"][name] for report in (second, first)]
        assert one[name] == (None if None in values else pytest.approx(values[0] - values[1]))
    low, high = one["intervals_over_objects"]["coverage"]
    assert low <= one["coverage"] <= high
    page = (tmp_path / "page.html").read_text()
    assert "geometric minus geometric (first.json), 2 objects" in page
    assert difference_text(one, "coverage").split(" [")[0] in page
    assert "against" not in first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 1}, "first.json: views 2, expected 1"),
        ({"seed": 3}, "first.json: seed 0, expected 3"),
        ({"scale": 0.5}, "first.json: meshes small .*, expected small "),
    ],
)
def test_a_report_of_other_views_is_not_compared_with(options, message, meshes, weights, tmp_path):
    run(meshes[:1], weights, tmp_path, samples=2)
    (tmp_path / "eval.json").rename(tmp_path / "first.json")
    with pytest.raises(ParameterError, match=message):
        run(meshes[:1], weights, tmp_path, against=[tmp_path / "first.json"], **options)
    assert not (tmp_path / "eval.json").exists()


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"parameters": {"method": "gpd"}}'])
def test_what_is_no_report_is_not_compared_with(text, meshes, weights, tmp_path):
    (tmp_path / "first.json").write_text(text)
    for name in ("first.json", "none.json"):
        with pytest.raises(ParameterError, match=f"{name}: not a report of"):
            run(meshes[:1], weights, tmp_path, against=[tmp_path / name])
