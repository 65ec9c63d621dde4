"""The bookkeeping of the notebooks, without planning, networks or simulation."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook.errors import ParameterError
from graspbook.highdof import grasp_studies as module
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.grasp_studies import (
    Clock,
    best_of,
    by_hand,
    by_way,
    deepest_of,
    energy_by_work,
    grasp_all,
    largest_epsilons,
    mend_all,
    other_layout,
    planners,
    plans_of,
    shares_held,
    try_plans,
)
from graspbook.highdof.planner import PlannerSettings, search_settings
from graspbook.storage import read_json

HELD = np.array([[True] * 6, [False] * 6])


@pytest.fixture
def tasks(monkeypatch):
    """What would be run, with what all have in common; each result is its task."""
    asked = []

    def run_tasks(function, tasks, workers, label, *, common):
        asked.extend(common | task for task in tasks)
        return [task["name"] for task in tasks]

    monkeypatch.setattr(module, "run_tasks", run_tasks)
    return asked


def test_only_whole_runs_are_timed(tmp_path, monkeypatch):
    chains = iter([4, 2])
    monkeypatch.setattr(module, "plan_files", lambda *_, **options: next(chains))
    clock, given = Clock(tmp_path / "times.json"), ({"a": None, "b": None}, {}, "barrett")
    assert clock.seconds("all") is None
    taken = clock.plan("all", *given, PlannerSettings(2), seed=0, workers=1)
    assert taken == clock.seconds("all") >= 0
    assert clock.plan("part", *given, PlannerSettings(2), seed=0, workers=1) is None
    assert list(read_json(tmp_path / "times.json")) == ["all"]


def test_the_planners_that_are_compared_differ_in_one_thing():
    ways = planners(6, rounds=5, iterations=300)
    assert list(ways)[:4] == [way for way in ways if ways[way].energy == "distance_sum"][:4]
    assert ways["annealing, a tenth"].search.iterations == 30
    assert ways["annealing, candidates"].search.reading == "candidates"
    assert ways["annealing, graspit"].search == ways["annealing"].search
    assert ways["descent, fingertips"].layout == "fingertips"
    assert all(settings.grasps == 6 for settings in ways.values())


def test_energy_is_told_by_work():
    plan = SimpleNamespace(
        history=np.array([[4.0, 2.0], [2.0, 0.0]]), iterations=np.array([0, 10]), evaluations=50
    )
    judged, energy = energy_by_work([plan, plan])
    assert judged.tolist() == [0, 50] and energy.tolist() == [3, 1]


def test_planned_grasps_are_tested_by_way_and_object(tasks):
    plans = {way: {"mug": SimpleNamespace(epsilon=np.arange(3.0))} for way in ("a", "b")}
    files = {way: {"mug": Path(way)} for way in plans}
    found = try_plans("set", "barrett", plans, files, count=2, workers=1)
    assert [task["plan_file"] for task in tasks] == [Path("a"), Path("b")]
    (item,) = found["b"]["mug"]
    assert item["epsilon"].tolist() == [0, 1] and item["held"] == "mug"


def test_shares_by_directions_that_hold():
    found = shares_held([{"epsilon": np.array([0.1, -1]), "held": HELD}])
    assert found == {
        "force closure: 1 grasps": [0, 0, 0, 0, 0, 0, 1],
        "no force closure: 1 grasps": [1, 0, 0, 0, 0, 0, 0],
    }
    assert len(shares_held([{"epsilon": np.array([0.1, 0.2]), "held": HELD}])) == 1


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


def test_each_hand_has_its_own_search():
    settings = PlannerSettings(grasps=3)
    found = by_hand(settings, {"shadow": "descent", "barrett": "palm"}, rounds=4)
    assert found["shadow"] == ("shadow", replace(settings, search=DescentSettings(4)))
    assert found["barrett"][1] == replace(settings, search=search_settings("palm"))


def test_the_largest_epsilon_of_each_object_comes_by_the_first_runs_order():
    planned = {"a": [{"epsilon": np.array([0.1, -1.0])}], "b": [{"epsilon": np.array([0.3, 0.2])}]}
    network = {"a": [{"epsilon": np.array([0.2])}], "b": [{"epsilon": np.array([-1.0])}]}
    names, found = largest_epsilons({"planner": planned, "network": network})
    assert names == ["b", "a"]
    assert found == {"planner": [0.3, 0.1], "network": [0.0, 0.2]}


def test_the_other_layout_of_contact_points():
    def searched(name):
        return PlannerSettings(grasps=3, search=search_settings(name))

    name, found = other_layout(searched("balance_fingertips"))
    assert (name, found) == ("all links", searched("balance"))
    assert other_layout(found) == ("fingertips", searched("balance_fingertips"))
    name, found = other_layout(searched("descent"))
    assert (name, found) == ("fingertips", replace(searched("descent"), layout="fingertips"))
    with pytest.raises(ParameterError, match="palm has no contact points"):
        other_layout(searched("palm"))
