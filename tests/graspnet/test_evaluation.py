import re
from dataclasses import replace
from pathlib import Path

import numpy as np

import graspbook
from graspbook import pose
from graspbook.errors import MeshError
from graspbook.graspnet import evaluation
from graspbook.graspnet.predict import METHODS, Prediction, PredictSettings
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import shake_test

SETTINGS = PredictSettings(samples=6, steps=2, min_points_between=1)


def evaluate(weights, path, objects=None, view=0):
    return evaluation.evaluate_view(
        objects or FamilySet(1, 0, 0.0), "box_0000", view, weights, SETTINGS, [0, 2], 0, path
    )


def nothing_found():
    return Prediction(
        *(
            np.zeros((0, *shape), kind)
            for shape, kind in (
                ((4, 4), float),
                ((), float),
                ((), int),
                ((), bool),
                ((), int),
                ((), bool),
                ((), bool),
            )
        ),
        np.zeros((1, 0, 4, 4)),
        np.zeros((1, 0)),
    )


def test_labels_are_those_of_the_frozen_test(weights, tmp_path):
    found = evaluate(weights, tmp_path / "a.npz")
    obj = FamilySet(1, 0, 0.0).load("box_0000")
    assert found.grasps.shape == (2, 6, 4, 4) and found.scores.shape == found.success.shape == (
        2,
        6,
    )
    np.testing.assert_array_equal(
        found.success[1], shake_test(obj, found.grasps[1], grade=False).success
    )
    np.testing.assert_array_equal(
        found.final_success, shake_test(obj, found.final, grade=False).success
    )


def test_everything_is_in_the_object_frame(weights, tmp_path):
    found = evaluate(weights, tmp_path / "a.npz")
    mesh = FamilySet(1, 0, 0.0).load("box_0000").mesh
    low, high = mesh.bounds
    assert (found.cloud > low - 1e-3).all() and (found.cloud < high + 1e-3).all()
    on_a_side = np.minimum(np.abs(found.cloud - low), np.abs(found.cloud - high)).min(axis=1)
    assert on_a_side.max() < 1e-3


def test_the_same_task_gives_the_same_bytes_and_is_read_back(weights, tmp_path):
    first = evaluate(weights, tmp_path / "a.npz")
    evaluate(weights, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    before = (tmp_path / "a.npz").stat().st_mtime_ns
    np.testing.assert_array_equal(evaluate(weights, tmp_path / "a.npz").final, first.final)
    assert (tmp_path / "a.npz").stat().st_mtime_ns == before
    evaluate(weights, tmp_path / "a.npz", view=1)
    assert (tmp_path / "a.npz").stat().st_mtime_ns != before


def test_without_a_path_results_are_kept_in_the_cache_by_what_they_depend_on(
    weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path))
    first = evaluate(weights, None)
    assert len(files := sorted(tmp_path.rglob("*.npz"))) == 1
    np.testing.assert_array_equal(evaluate(weights, None).final, first.final)
    assert sorted(tmp_path.rglob("*.npz")) == files
    evaluate(weights, None, FamilySet(1, 1, 0.0))  # another object of the same name
    assert len(list(tmp_path.rglob("*.npz"))) == 2


class Twins:
    """Two names of one object."""

    def load(self, name):
        return replace(FamilySet(1, 0, 0.0).load("box_0000"), name=name)


def test_every_object_is_seen_from_directions_of_its_own_and_all_variants_share_them(
    weights, tmp_path
):
    def cloud(name, view, settings=SETTINGS):
        path = tmp_path / f"{name}_{view}_{settings.method}.npz"
        return evaluation.evaluate_view(
            Twins(), name, view, weights, settings, [0, 2], 0, path
        ).cloud

    first = cloud("one", 0)
    assert not np.array_equal(first, cloud("other", 0)) and not np.array_equal(
        first, cloud("one", 1)
    )
    np.testing.assert_array_equal(
        first, cloud("one", 0, replace(SETTINGS, method="geometric", samples=3))
    )


def test_a_result_of_another_device_or_of_other_code_is_not_read(weights, tmp_path, monkeypatch):
    devices = []
    monkeypatch.setattr(
        evaluation,
        "load_networks",
        lambda folder, device, method: devices.append(device) or (None, None),
    )
    monkeypatch.setattr(evaluation, "predict", lambda *_: nothing_found())
    for device in ("cpu", "cuda", "cuda"):
        evaluation.evaluate_view(
            FamilySet(1, 0, 0.0),
            "box_0000",
            0,
            weights,
            SETTINGS,
            [0],
            0,
            tmp_path / "a.npz",
            device,
        )
    assert devices == ["cpu", "cuda"]
    monkeypatch.setattr(evaluation, "code_hash", lambda *rooms: "changed")
    evaluation.evaluate_view(
        FamilySet(1, 0, 0.0), "box_0000", 0, weights, SETTINGS, [0], 0, tmp_path / "a.npz", "cuda"
    )
    assert len(devices) == 3


def test_the_code_of_an_evaluation_is_what_a_method_uses_and_no_more(monkeypatch):
    rooms = {}
    monkeypatch.setattr(evaluation, "code_hash", lambda *rooms: set(rooms))
    for method in METHODS:
        rooms[method] = evaluation.evaluation_code(method)
    assert (
        "graspnet/gpd" in rooms["gpd"] - rooms["graspnet"]
        and "graspnet/probes" in rooms["graspnet"] - rooms["gpd"]
    )
    assert "graspnet/geometric" in rooms["geometric"] - rooms["graspnet"]
    assert not set.union(*rooms.values()) & {
        "graspnet/ablations",
        "graspnet/assessment",
        "graspnet/exploration",
        "graspnet",
    }


def test_steps_that_a_method_does_not_reach_are_its_last(weights, tmp_path):
    settings = replace(SETTINGS, method="geometric", steps=0)
    found = evaluation.evaluate_view(
        FamilySet(1, 0, 0.0), "box_0000", 0, weights, settings, [0, 2], 0, tmp_path / "a.npz"
    )
    assert found.steps.tolist() == [0] and found.grasps.shape == (1, 6, 4, 4)
    np.testing.assert_array_equal(found.grasps[0], found.final)
    np.testing.assert_array_equal(found.success[0], found.final_success)


def test_no_file_that_an_evaluation_imports_is_forgotten_by_its_code(monkeypatch):
    monkeypatch.setattr(evaluation, "code_hash", lambda *rooms: set(rooms))
    rooms = set.union(*map(evaluation.evaluation_code, METHODS))
    library, waiting, files = Path(graspbook.__file__).parent, ["graspnet/evaluation"], set()
    while waiting:
        files.add(room := waiting.pop())
        source = (library / f"{room}.py").read_text()
        named = re.findall(r"^from graspbook\.([\w.]+) import", source, re.M)
        named += [
            f"{package}.{name.strip()}"
            for package, names in re.findall(r"^from graspbook(\S*) import (.+)$", source, re.M)
            for name in names.split(",")
        ]
        found = {name.strip(".").replace(".", "/") for name in named}
        waiting += [
            name for name in found if (library / f"{name}.py").is_file() and name not in files
        ]
    assert {"graspnet/predict", "graspnet/pointnet2", "graspnet/frame"} <= files
    covered = {file for file in files if file in rooms or file.partition("/")[0] in rooms}
    # Objects count by their content; errors and metrics decide nothing that is stored; degraded
    # views are those of training.
    others = {"errors", "storage", "metrics", "graspnet/coverage", "perception/degrade"}
    assert {file for file in files - covered if not file.startswith("objects/")} <= others


def test_a_view_without_grasps(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "predict", lambda *_: nothing_found())
    found = evaluate(weights, tmp_path / "a.npz")
    assert (
        found.final.shape == (0, 4, 4)
        and found.success.shape == (1, 0)
        and found.max_acceleration.shape == (0,)
    )


def test_ground_truth_holds_in_the_frozen_test_and_says_why_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path))
    objects = FamilySet(1, 0, 0.0)
    positives, reason = evaluation.ground_truth(objects, "box_0000", 30)
    assert reason == "" and 0 < len(positives) < 30
    assert shake_test(objects.load("box_0000"), positives, grade=False).success.all()

    def too_wide(obj, *_, **__):
        raise MeshError(f"{obj.name}: too wide")

    monkeypatch.setattr(evaluation, "sample_to_file", too_wide)
    positives, reason = evaluation.ground_truth(objects, "box_0000", 30)
    assert reason == "box_0000: too wide" and positives.shape == (0, 4, 4)


def test_view_results_pick_the_right_rows():
    grasps = pose.from_rt(np.eye(3), np.arange(12.0).reshape(4, 3))
    labels = np.array([[True, False], [False, True]])
    found = evaluation.ViewEvaluation(
        cloud=np.zeros((1, 3)),
        steps=np.array([0, 5]),
        grasps=grasps.reshape(2, 2, 4, 4),
        scores=np.array([[1, 2], [3, 4.0]]),
        success=labels,
        collides=~labels,
        final=grasps[:2],
        final_scores=np.array([9, 8.0]),
        final_success=labels[0],
        final_collides=labels[1],
        final_feasible=labels[0],
        gravity_held=labels[0],
        max_acceleration=np.zeros(2),
    )
    view = found.at_step(5, grasps)
    np.testing.assert_array_equal(view.grasps, grasps[2:])
    assert view.scores.tolist() == [3, 4] and view.success.tolist() == [False, True]
    assert found.at_best(grasps).scores.tolist() == [9, 8]
    assert found.at_best(grasps, found.final_feasible).scores.tolist() == [9]
