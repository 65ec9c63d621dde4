"""The bookkeeping of compared planners, without planning or simulation."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook.errors import ParameterError
from graspbook.highdof import planner_studies as module
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.planner import PlannerSettings, search_settings
from graspbook.highdof.planner_studies import (
    Clock,
    by_hand,
    energy_by_work,
    other_layout,
    planners,
    shares_held,
    try_plans,
)
from graspbook.storage import read_json

HELD = np.array([[True] * 6, [False] * 6])


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


def test_planned_grasps_are_tested_by_way_and_object(monkeypatch):
    asked = []

    def run_tasks(function, tasks, workers, label, *, common):
        asked.extend(common | task for task in tasks)
        return [task["name"] for task in tasks]

    monkeypatch.setattr(module, "run_tasks", run_tasks)
    plans = {way: {"mug": SimpleNamespace(epsilon=np.arange(3.0))} for way in ("a", "b")}
    files = {way: {"mug": Path(way)} for way in plans}
    found = try_plans("set", "barrett", plans, files, count=2, workers=1)
    assert [task["plan_file"] for task in asked] == [Path("a"), Path("b")]
    (item,) = found["b"]["mug"]
    assert item["epsilon"].tolist() == [0, 1] and item["held"] == "mug"


def test_shares_by_directions_that_hold():
    found = shares_held([{"epsilon": np.array([0.1, -1]), "held": HELD}])
    assert found == {
        "force closure: 1 grasps": [0, 0, 0, 0, 0, 0, 1],
        "no force closure: 1 grasps": [1, 0, 0, 0, 0, 0, 0],
    }
    assert len(shares_held([{"epsilon": np.array([0.1, 0.2]), "held": HELD}])) == 1


def test_each_hand_has_its_own_search():
    settings = PlannerSettings(grasps=3)
    found = by_hand(settings, {"shadow": "descent", "barrett": "palm"}, rounds=4)
    assert found["shadow"] == ("shadow", replace(settings, search=DescentSettings(4)))
    assert found["barrett"][1] == replace(settings, search=search_settings("palm"))


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
