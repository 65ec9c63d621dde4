from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from graspbook.highdof.dataset import turn, write_examples
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.evaluation import (
    agreement_figures,
    expected_best,
    grasp_figures,
    grasp_object,
    held_plans,
    mend_predictions,
    mended_figures,
    some_plans,
)
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.plans import plan_files, read_plan, write_plan
from graspbook.highdof.training import load_network, residuals
from graspbook.objects.sets import FamilySet

BOXES = FamilySet({"box": 1})


def test_the_expected_best_of_all_choices():
    values = np.array([0.1, -1.0, 0.4, 0.3, 0.1])
    for count in range(1, 6):
        assert expected_best(values, count) == pytest.approx(
            np.mean([max(some) for some in combinations(values, count)])
        )


def test_figures_by_hand():
    all_six, none = np.ones((1, 6), bool), np.zeros((1, 6), bool)
    items = [
        {"epsilon": np.array([0.2, -1.0]), "held": np.concatenate([all_six, none])},
        {"epsilon": np.array([-1.0, -1.0]), "held": np.concatenate([all_six, none])},
    ]
    figures = grasp_figures(items)
    assert np.isnan(figures.pop("best of 5"))
    assert figures == {"force closure": 0.25, "epsilon": 0.05, "best epsilon": 0.1, "held": 0.5}
    six = [{"epsilon": np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.7]), "held": np.zeros((0, 6), bool)}]
    assert grasp_figures(six)["best of 5"] == pytest.approx(0.1 / 6 + 0.7 * 5 / 6)
    found = agreement_figures(items)
    assert found == {
        "balanced accuracy": 0.75,
        "average precision": pytest.approx(0.75),
        "held with force closure": 1.0,
        "held without": pytest.approx(1 / 3),
    }


def test_planned_grasps_are_tested_in_order(tmp_path):
    plan_files(
        {"box_0000": BOXES.load("box_0000").mesh},
        {"box_0000": tmp_path / "box.h5"},
        "barrett",
        PlannerSettings(6, search=DescentSettings(rounds=2)),
        workers=1,
    )
    common = {"hand": "barrett", "plan_file": tmp_path / "box.h5"}
    held = held_plans(BOXES, "box_0000", **common, count=4)
    assert held.shape == (4, 6) and held.dtype == bool
    np.testing.assert_array_equal(held[:2], held_plans(BOXES, "box_0000", **common, count=2))
    epsilon = np.array([0.2, -1.0, 0.5, 0.1, 0.4, 0.3])
    write_plan(tmp_path / "box.h5", replace(read_plan(tmp_path / "box.h5"), epsilon=epsilon))
    every = held_plans(BOXES, "box_0000", **common, count=6)
    found = some_plans(BOXES, "box_0000", **common, count=6, seed=0, tested=3)
    assert found["epsilon"].tolist() == [0.5, 0.4, 0.3, 0.2, 0.1, -1.0]
    np.testing.assert_array_equal(found["held"], every[[2, 4, 5]])
    assert len(np.unique(every, axis=0)) > 1  # or any three would do
    found = some_plans(BOXES, "box_0000", **common, count=2, seed=0, tested=1)
    assert set(found["epsilon"]) <= set(epsilon)


def test_networks_grasp_an_object(network_file):
    found = grasp_object(
        BOXES,
        "box_0000",
        hand="barrett",
        weights={"a": network_file, "random": None},
        ways=["adjust", "polish"],
        rotations=3,
        seed=0,
        tested=2,
    )
    assert set(found) == {"a", "random"} and set(found["a"]) == {"adjust", "polish"}
    assert not np.array_equal(found["a"]["adjust"]["joints"], found["random"]["adjust"]["joints"])
    for figures in [figures for by_way in found.values() for figures in by_way.values()]:
        assert (
            figures["epsilon"].shape == (3,)
            and figures["penetration"].shape == (3, 3)
            and figures["held"].shape == (2, 6)
        )
        assert (np.diff(figures["epsilon"]) <= 0).all() and figures["joints"].shape == (3, 4)


def test_mended_predictions(network_file, barrett, examples, tmp_path):
    file = tmp_path / "examples.safetensors"
    write_examples(file, examples, {})
    found = mend_predictions("barrett", file, ["ball"], network_file)
    figures = {
        way: mended_figures([item for (item,) in run.values()]) for way, run in found.items()
    }
    (item,) = found["predicted"]["ball"]
    x = residuals(barrett, load_network(network_file, barrett)[0], examples).x[1]
    moved = turn(item["x"], examples.turned_T_object[1].double().numpy())
    np.testing.assert_allclose(moved, x, atol=1e-4)
    assert figures["predicted"]["moved"] == 0 and figures["adjusted"]["clear"] == 1
    assert (
        figures["adjusted by contacts"]["free"] == 1
        and figures["refined"]["points"] <= figures["predicted"]["points"]
    )
    assert figures["polished"]["surface"] < figures["predicted"]["surface"]
