import numpy as np
import pytest

from graspbook.graspnet import ablations
from graspbook.graspnet.ablations import (
    all_iterations,
    at_iteration,
    drawn_curve,
    finals,
    precision,
    region_shares,
    regions_held,
    sampled_spread,
    score_batches,
    success_coverage,
)
from graspbook.graspnet.coverage import ViewResult, success_coverage_area, success_coverage_curve
from graspbook.graspnet.dataset import Examples, stratify
from graspbook.graspnet.predict import load_networks
from graspbook.graspnet.views import ViewEvaluation
from graspbook.objects.sets import FamilySet


def at(*places):
    grasps = np.tile(np.eye(4), (len(places), 1, 1))
    grasps[:, 0, 3] = places
    return grasps


def view(sampled, refined, scores):
    """Two simulated steps, 0 and 5, of grasps 10 cm apart that stand still; the final ones are the
    refined.
    """
    n = len(scores)
    grasps, scores = at(*0.1 * np.arange(n)), np.array(scores, float)
    success = np.array([sampled, refined], bool)
    return ViewEvaluation(
        cloud=np.zeros((1, 3)),
        steps=np.array([0, 5]),
        grasps=np.stack([grasps] * 2),
        scores=np.stack([scores / 2, scores]),
        success=success,
        collides=~success,
        final=grasps,
        final_scores=scores,
        final_success=success[1],
        final_collides=~success[1],
        final_feasible=success[1],
        gravity_held=success[1],
        max_acceleration=np.zeros(n),
    )


VIEWS = {
    "mug_0000": [view([0, 0, 1], [1, 0, 1], [0.9, 0.8, 0.1])],
    "cup_0001": [view([1, 0], [1, 1], [0.7, 0.6])],
    "box_0002": [view([1], [1], [0.5])],
}
POSITIVES = {"mug_0000": at(0.0, 0.2, 9.0), "cup_0001": at(0.1), "box_0002": np.zeros((0, 4, 4))}


def mean(items):
    return {"mean": float(np.mean(items)), "least": float(np.min(items))}


def run(*values):
    return {f"o{i}": [value] for i, value in enumerate(values)}


def test_all_steps_are_pooled_and_objects_without_positives_left_out():
    found = all_iterations(VIEWS, POSITIVES)
    assert list(found) == ["mug_0000", "cup_0001"]
    (mug,) = found["mug_0000"]
    assert mug.scores.tolist() == [0.9, 0.8, 0.45, 0.4, 0.1, 0.05]
    assert mug.success.tolist() == [True, False, False, False, True, True]
    assert mug.first.tolist() == [0, 4, 6]  # the third positive is never reached


def test_one_step_and_the_final_grasps():
    assert at_iteration(VIEWS, POSITIVES, 0)["cup_0001"][0].success.tolist() == [True, False]
    assert at_iteration(VIEWS, POSITIVES, 5)["cup_0001"][0].success.tolist() == [True, True]
    (mug,) = finals(VIEWS, POSITIVES)["mug_0000"]
    assert mug.scores.tolist() == [0.9, 0.8, 0.1] and mug.success.tolist() == [True, False, True]


def test_fewer_samples_are_among_more():
    n = 30
    views = {"mug_0000": [view(np.zeros(n), np.arange(n) % 2, np.linspace(0.9, 0.1, n))]}
    positives = {"mug_0000": at(0.0)}
    drawn = [
        set(finals(views, positives, count=count, seed=3)["mug_0000"][0].scores)
        for count in (5, 12, 30)
    ]
    assert [len(scores) for scores in drawn] == [5, 12, 30] and drawn[0] < drawn[1] < drawn[2]
    assert drawn[1] != set(finals(views, positives, count=12, seed=4)["mug_0000"][0].scores)
    assert drawn[0] != set(np.linspace(0.9, 0.1, n)[:5])  # not the best ones


def test_success_and_coverage_are_those_of_the_curve():
    visits = [item for items in finals(VIEWS, POSITIVES).values() for item in items]
    views = [
        ViewResult(v.final, v.final_scores, v.final_success, POSITIVES[name])
        for name in ("mug_0000", "cup_0001")
        for v in VIEWS[name]
    ]
    success, coverage = success_coverage_curve(views)
    found = success_coverage(visits)
    assert found == {
        "area": success_coverage_area(success, coverage),
        "success": 4 / 5,
        "coverage": 3 / 4,
    }


def test_no_grasps_at_all_cover_nothing():
    views = {"mug_0000": [view([], [], [])]}
    found = success_coverage(finals(views, POSITIVES)["mug_0000"])
    assert found["area"] == found["coverage"] == 0 and np.isnan(found["success"])


def test_precision_and_calibration_error_by_hand():
    truth, scores = np.array([True, True, False, False]), np.array([0.95, 0.85, 0.15, 0.05])
    found = precision([(truth[:2], scores[:2]), (truth[2:], scores[2:])])
    assert found["average precision"] == 1 and found["calibration error"] == pytest.approx(
        (0.05 + 0.15 + 0.15 + 0.05) / 4
    )
    assert precision([(truth, truth.astype(float))])["calibration error"] == 0


def test_shares_of_regions_by_hand():
    found = region_shares(
        [np.array(["rim", "handle"]), np.array(["body", "nothing"]), np.array([], str)]
    )
    assert found == {"rim and handle": 0.5, "rim": 0.25, "handle": 0.25, "body": 0.25}
    assert np.isnan(region_shares([np.array([], str)])["rim"])


def test_how_sampled_grasps_lie():
    found = sampled_spread(
        [view([0, 1, 1], [1, 1, 1], [1, 1, 1]), view([1], [1], [0.5]), view([], [], [])]
    )
    assert found == {
        "grasps": 4 / 3,
        "in collision": 1 / 4,
        "hold": 3 / 4,
        "cells": 4 / 3,
        "spread": pytest.approx(np.sqrt(2 / 3) * 0.1 / 2),
    }
    assert np.isnan(sampled_spread([view([], [], [])])["spread"])


def test_drawn_curves_are_thinned_and_keep_their_ends():
    n = 1000
    views = {"mug_0000": [view(np.zeros(n), np.arange(n) % 3 == 0, np.linspace(0.9, 0.1, n))]}
    runs = [finals(views, {"mug_0000": at(0.0, 5.0, 99.9)})] * 2
    coverage, success = drawn_curve(runs)
    assert len(coverage) == len(success) == ablations._POINTS
    assert coverage[-1] == 1 and success[-1] == pytest.approx(334 / 1000) and success[0] == 1


def test_scores_of_labelled_grasps_by_object(weights):
    rng = np.random.default_rng(0)
    grasps = at(*rng.uniform(-0.1, 0.1, 6))
    clouds = rng.uniform(-0.05, 0.05, (1, 128, 3)).astype(np.float32)
    example = Examples(
        "box_0000",
        clouds,
        np.eye(4)[None],
        stratify(grasps[:2]),
        stratify(grasps[2:4]),
        stratify(grasps[4:]),
    )
    empty = Examples(
        "box_0001",
        clouds,
        np.eye(4)[None],
        stratify(grasps[:0]),
        stratify(grasps[2:4]),
        stratify(grasps[4:]),
    )
    found = score_batches(load_networks(weights)[1], [example, empty], 2, 0)
    assert list(found) == ["box_0000"]
    ((truth, scores),) = found["box_0000"]
    assert truth.sum() == 2 * 19 and truth.shape == scores.shape == (128,)


def test_regions_only_where_they_are_known():
    objects = FamilySet({"box": 1, "mug": 1}, held_out_fraction=0.0)
    found = regions_held(objects, {"box_0000": [at(0.0)], "mug_0000": [at(0.0, 1.0), at()]})
    assert list(found) == ["mug_0000"] and [part.shape for part in found["mug_0000"]] == [
        (2,),
        (0,),
    ]
