from dataclasses import replace

import numpy as np

from graspbook.graspnet import views
from graspbook.graspnet.predict import Prediction, PredictSettings
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import shake_test

SETTINGS = PredictSettings(samples=6, steps=2, min_points_between=1)


def evaluate(weights, path, objects=None, view=0, name="box_0000", **others):
    return views.evaluate_view(
        objects or FamilySet(1, 0, 0.0),
        name,
        view,
        weights=weights,
        path=path,
        **{"settings": SETTINGS, "steps": [0, 2], "seed": 0} | others,
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
        return evaluate(weights, path, Twins(), view, name=name, settings=settings).cloud

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
        views,
        "load_networks",
        lambda folder, device, method: devices.append(device) or (None, None),
    )
    monkeypatch.setattr(views, "predict", lambda *_: nothing_found())
    for device in ("cpu", "cuda", "cuda"):
        evaluate(weights, tmp_path / "a.npz", steps=[0], device=device)
    assert devices == ["cpu", "cuda"]
    monkeypatch.setattr(views, "code_hash", lambda *rooms: "changed")
    evaluate(weights, tmp_path / "a.npz", steps=[0], device="cuda")
    assert len(devices) == 3


def test_steps_that_a_method_does_not_reach_are_its_last(weights, tmp_path):
    settings = replace(SETTINGS, method="geometric", steps=0)
    found = evaluate(weights, tmp_path / "a.npz", settings=settings)
    assert found.steps.tolist() == [0] and found.grasps.shape == (1, 6, 4, 4)
    np.testing.assert_array_equal(found.grasps[0], found.final)
    np.testing.assert_array_equal(found.success[0], found.final_success)
