"""The bookkeeping of networks' grasps, without networks or simulation."""

from pathlib import Path

import numpy as np
import pytest

from graspbook.highdof import grasp_studies as module
from graspbook.highdof.grasp_studies import (
    best_of,
    by_way,
    deepest_of,
    grasp_all,
    largest_epsilons,
    mend_all,
    plans_of,
)


@pytest.fixture
def tasks(monkeypatch):
    """What would be run, with what all have in common; each result is its task."""
    asked = []

    def run_tasks(function, tasks, workers, label, *, common):
        asked.extend(common | task for task in tasks)
        return [task["name"] for task in tasks]

    monkeypatch.setattr(module, "run_tasks", run_tasks)
    return asked


def test_mended_parts_are_put_together(monkeypatch):
    def run_tasks(function, tasks, workers, label, *, common):
        return [{"polished": {name: [task["weights"]] for name in task["names"]}} for task in tasks]

    monkeypatch.setattr(module, "run_tasks", run_tasks)
    given = "barrett", Path("e"), ["a", "b", "c"], {"x": 1, "y": 2}
    found = mend_all(*given, workers=2, parts=2)
    assert found["y"] == {"polished": {"a": [2], "c": [2], "b": [2]}}
    assert list(mend_all(*given, workers=2)["x"]["polished"]) == ["a", "b", "c"]


def test_grasps_are_found_by_hand_and_object(tasks):
    found = grasp_all("set", ["a", "b"], {"one": {}, "two": {}}, workers=1, tested=3)
    assert found == {hand: {"a": "a", "b": "b"} for hand in ("one", "two")}
    assert tasks[-1] == {"objects": "set", "hand": "two", "weights": {}, "name": "b", "tested": 3}
    files = {"one": {"a": Path("a.h5")}}
    assert plans_of("set", ["a"], files, workers=1, count=2) == {"one": {"a": ["a"]}}
    assert tasks[-1]["plan_file"] == Path("a.h5") and tasks[-1]["count"] == 2


def test_grasps_by_way_and_their_deepest_point():
    items = [{"penetration": np.array([[9, 9, depth]])} for depth in (0.001, 0.003)]
    ways = {"adjust": items[0], "polish": items[1]}
    found = by_way({"mug": {"network": ways, "random": ways}})
    assert found["network, polished"] == {"mug": [items[1]]} and len(found) == 4
    assert deepest_of({"mug": {"network": ways}}) == 0.003


def test_the_best_of_all_choices_grows_with_their_size():
    found = best_of({"a": [np.array([0.2, -1.0]), np.array([0.0, 0.4, 0.1])]})
    assert found["a"] == pytest.approx([(0.1 + 0.5 / 3) / 2, (0.2 + (0.4 + 0.4 + 0.1) / 3) / 2])


def test_the_largest_epsilon_of_each_object_comes_by_the_first_runs_order():
    planned = {"a": [{"epsilon": np.array([0.1, -1.0])}], "b": [{"epsilon": np.array([0.3, 0.2])}]}
    network = {"a": [{"epsilon": np.array([0.2])}], "b": [{"epsilon": np.array([-1.0])}]}
    names, found = largest_epsilons({"planner": planned, "network": network})
    assert names == ["b", "a"]
    assert found == {"planner": [0.3, 0.1], "network": [0.0, 0.2]}
