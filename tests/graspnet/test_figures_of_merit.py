import json

import numpy as np
import pytest

from graspbook.graspnet.figures_of_merit import assess, compare, pooled_success_coverage, record
from graspbook.graspnet.views import ViewEvaluation
from graspbook.metrics import wilson_interval


def at(*places):
    grasps = np.tile(np.eye(4), (len(places), 1, 1))
    grasps[:, 0, 3] = places
    return grasps


def view(places, scores, held, sampled=None, gravity=None, feasible=None, acceleration=10.0):
    """A view of final grasps at `places` on x, simulated as sampled and at the last step."""
    held, n = np.array(held, bool), len(held)
    steps = np.stack([held if sampled is None else np.array(sampled, bool), held])
    return ViewEvaluation(
        cloud=np.zeros((1, 3)),
        steps=np.array([0, 10]),
        grasps=np.stack([at(*places)] * 2),
        scores=np.stack([scores] * 2),
        success=steps,
        collides=~steps,
        final=at(*places),
        final_scores=np.array(scores, float),
        final_success=held,
        final_collides=np.zeros(n, bool),
        final_feasible=np.ones(n, bool) if feasible is None else np.array(feasible, bool),
        gravity_held=held if gravity is None else np.array(gravity, bool),
        max_acceleration=np.full(n, acceleration) * held,
    )


EMPTY = view([], [], [])
# Two views of one object. Above 0.8: one that holds in the first, two in the second, of which one
# holds.
FIRST = view([0.0, 0.1], [0.9, 0.5], [1, 0], sampled=[0, 0])
SECOND = view([0.5, 0.1], [0.95, 0.85], [0, 1], feasible=[1, 0], acceleration=30.0)
POSITIVES = at(0.0, 0.1, 0.11, 0.3)


def test_the_figures_of_one_object_by_hand():
    figures = assess({"a": [FIRST, SECOND]}, {"a": POSITIVES}, 0.8)["objects"]["a"]
    expected = {
        "success_best": 1 / 2,
        "gravity_best": 1 / 2,
        "acceleration_best": 5.0,
        "success_top10": 1 / 2,
        "success_all_final": 1 / 2,
        "sampled": 1 / 4,
        "refined": 1 / 2,
        "success_above_threshold": 2 / 3,
        "grasps_above_threshold": 3 / 2,
        "views_with_20_above_threshold": 0,
        "coverage": (3 / 4 + 2 / 4) / 2,
        "feasible_share": 3 / 4,
        # Feasible alone: of the second view only its first grasp, which fails and covers nothing.
        "success_above_threshold_feasible": 1 / 2,
        "grasps_above_threshold_feasible": 1,
        "coverage_feasible": 3 / 8,
        # Visited: 0.95 (fails, covers 0 of 8), 0.9 (holds, 1), 0.85 (holds, 2 more), 0.5 (fails, 2
        # more).
        "auc": 1 / 8 * (0 + 1 / 2) / 2 + 2 / 8 * (1 / 2 + 2 / 3) / 2 + 2 / 8 * (2 / 3 + 1 / 2) / 2,
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    assert figures["intervals_over_views"]["success_best"] == list(wilson_interval(1, 2))
    assert figures["counts"] == {
        "views": 2,
        "grasps": 4,
        "positives": 4,
        "grasps_above_threshold": 3,
    }


def test_overall_pools_views_and_leaves_out_what_cannot_be_judged():
    evaluations = {"a": [FIRST], "wide": [], "b": [SECOND]}
    positives = {"a": POSITIVES, "wide": at(), "b": POSITIVES}
    found = assess(evaluations, positives, 0.8, reasons={"wide": "wider than the hand"})
    together = assess({"ab": [FIRST, SECOND]}, {"ab": POSITIVES}, 0.8)["objects"]["ab"]
    for name in ("success_best", "auc", "success_above_threshold", "coverage", "acceleration_best"):
        assert found["overall"][name] == pytest.approx(together[name])
    assert found["overall"]["counts"] == {
        "views": 2,
        "grasps": 4,
        "positives": 8,
        "grasps_above_threshold": 3,
        "objects": 2,
        "objects_left_out": 1,
    }
    wide = found["objects"]["wide"]
    assert (
        wide["reason"] == "wider than the hand"
        and wide["success_best"] is None
        and wide["counts"]["views"] == 0
    )
    assert "reason" not in found["objects"]["a"]


def test_what_is_not_defined_is_none_and_everything_is_plain_json():
    found = assess({"a": [view([0.0], [0.3], [1])]}, {"a": POSITIVES}, 0.8)
    assert found["overall"]["success_above_threshold"] is None
    assert found["overall"]["intervals_over_objects"]["success_best"] is None  # a single object
    nothing = assess({"a": []}, {"a": at()}, 0.8)
    assert (
        nothing["overall"]["success_best"] is None
        and nothing["objects"]["a"]["reason"] == "no positive grasps"
    )
    json.dumps([found, nothing], allow_nan=False)


def test_a_view_without_grasps_is_a_failure():
    figures = assess({"a": [FIRST, EMPTY]}, {"a": POSITIVES}, 0.8)["objects"]["a"]
    assert (figures["success_best"], figures["success_top10"], figures["coverage"]) == (
        0.5,
        0.25,
        0.375,
    )
    alone = assess({"a": [EMPTY]}, {"a": POSITIVES}, 0.8)["objects"]["a"]
    assert alone["success_best"] == alone["auc"] == 0 and alone["success_above_threshold"] is None


def test_bootstrap_intervals_hold_the_figures_and_are_seeded():
    rng = np.random.default_rng(0)
    evaluations = {
        str(i): [
            view(rng.uniform(0, 1, 30), rng.random(30), rng.random(30) < 0.1 * i) for _ in range(2)
        ]
        for i in range(8)
    }
    positives = {name: at(*rng.uniform(0, 1, 20)) for name in evaluations}
    found, again, other = (
        assess(evaluations, positives, 0.8, seed=seed)["overall"] for seed in (0, 0, 1)
    )
    assert found == again != other
    for name in ("auc", "coverage", "success_all_final", "success_above_threshold"):
        low, high = found["intervals_over_objects"][name]
        assert low < found[name] < high
    # Objects differ far more than views of one object: the interval over objects is the wider one.
    spread = np.ptp(found["intervals_over_objects"]["success_all_final"])
    assert spread > np.ptp(wilson_interval(found["success_all_final"] * 480, 480))


def test_twenty_above_the_threshold_are_enough():
    many, few = (view(np.zeros(30), [0.9] * n + [0.1] * (30 - n), np.ones(30)) for n in (20, 19))
    figures = assess({"a": [many, few]}, {"a": POSITIVES}, 0.8)["objects"]["a"]
    assert figures["views_with_20_above_threshold"] == 0.5


def test_the_pooled_curve_ends_at_all_grasps():
    evaluations, positives = {"a": [FIRST, SECOND], "wide": []}, {"a": POSITIVES, "wide": at()}
    success, coverage = pooled_success_coverage(evaluations, positives)
    figures = assess(evaluations, positives, 0.8)["overall"]
    assert (success[-1], coverage[-1]) == (figures["success_all_final"], figures["coverage"])


def test_recorded_views_give_back_the_figures():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 1, 40)
    evaluations = {
        str(i): [
            view(places, rng.random(40), rng.random(40) < 0.1 * i, feasible=rng.random(40) < 0.5)
            for _ in range(2)
        ]
        for i in range(8)
    } | {"none": [], "wide": [FIRST]}
    positives = {name: at(*rng.uniform(0, 1, 20)) for name in evaluations} | {"wide": at()}
    recorded = json.loads(json.dumps(record(evaluations, positives)))
    assert list(recorded) == [str(i) for i in range(8)]
    nothing = {
        name: [{"success_best": 0, "scores": [], "success": [], "covers": [20]}] * 2
        for name in recorded
    }
    found, overall = compare(recorded, nothing, 0.5), assess(evaluations, positives, 0.5)["overall"]
    for name in ("auc", "success_best", "coverage"):
        assert found[name] == pytest.approx(overall[name])
        assert found["intervals_over_objects"][name] == pytest.approx(
            overall["intervals_over_objects"][name]
        )
    assert (
        found["success_above_threshold"] is None and found["objects"] == 8
    )  # of the other there are none
    none_above = {
        name: [{"success_best": 0, "scores": [0.9], "success": [0], "covers": [0, 20]}]
        for name in recorded
    }
    assert compare(recorded, none_above, 0.5)["success_above_threshold"] == pytest.approx(
        overall["success_above_threshold"]
    )


def test_a_paired_comparison_is_sharper_than_two_intervals():
    # Objects differ much more than the two methods do: what is hard for both cancels.
    rng = np.random.default_rng(0)
    places, scores, luck = rng.uniform(0, 1, 40), rng.random(40), rng.random((10, 40))
    better, worse = (
        {str(i): [view(places, scores, luck[i] < 0.09 * i + gain)] for i in range(10)}
        for gain in (0.1, 0.0)
    )
    positives = {name: at(*places) for name in better}
    found = compare(record(better, positives), record(worse, positives), 0.5)
    ours, theirs = (
        assess(evaluations, positives, 0.5)["overall"] for evaluations in (better, worse)
    )
    assert found["success_above_threshold"] == pytest.approx(
        ours["success_above_threshold"] - theirs["success_above_threshold"]
    )
    assert found["auc"] == pytest.approx(ours["auc"] - theirs["auc"]) and found["coverage"] == 0
    low, high = found["intervals_over_objects"]["auc"]
    assert 0 < low < found["auc"] < high
    assert ours["intervals_over_objects"]["auc"][0] < theirs["intervals_over_objects"]["auc"][1]


def test_a_comparison_is_of_the_objects_that_both_were_judged_on():
    positives = {"a": POSITIVES, "b": POSITIVES, "wide": at()}
    one = record({"a": [FIRST], "b": [SECOND], "wide": [FIRST]}, positives)
    other = record({"a": [SECOND], "b": [], "wide": [SECOND]}, positives)
    found = compare(one, other, 0.8)
    assert (found["success_best"], found["objects"]) == (1.0, 1) and found[
        "intervals_over_objects"
    ]["success_best"] is None
    assert compare({}, other, 0.8)["auc"] is None
