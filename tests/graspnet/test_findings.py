"""What notebooks compare and show: the visits, lines and rows made of evaluated views."""

import numpy as np
import pytest

from graspbook.comparison import contrast
from graspbook.grasp_files import write_grasps
from graspbook.grasp_set import Grasps
from graspbook.graspnet.ablations import success_coverage
from graspbook.graspnet.findings import (
    area_curves,
    calibration_curves,
    figure_lines,
    final_visits,
    known_positives,
    not_supported,
    pool_families,
    ranked_rows,
    regions_found,
    rising,
    sampling_stages,
    step_visits,
    success_rates,
)
from graspbook.graspnet.views import ViewEvaluation
from graspbook.objects.sets import FamilySet


def at(*places):
    grasps = np.tile(np.eye(4), (len(places), 1, 1))
    grasps[:, 0, 3] = places
    return grasps


def view(sampled, refined, scores):
    """Two simulated steps, 0 and 5, of grasps 10 cm apart; the final ones are the refined."""
    grasps, success = at(*0.1 * np.arange(len(scores))), np.array([sampled, refined], bool)
    return ViewEvaluation(
        cloud=np.zeros((1, 3)),
        steps=np.array([0, 5]),
        grasps=np.stack([grasps] * 2),
        scores=np.stack([scores, scores]).astype(float),
        success=success,
        collides=~success,
        final=grasps,
        final_scores=np.array(scores, float),
        final_success=success[1],
        final_collides=~success[1],
        final_feasible=success[1],
        gravity_held=success[1],
        max_acceleration=np.zeros(len(scores)),
    )


VIEWS = {
    "mug_0000": [view([0, 0, 1], [1, 0, 1], [0.9, 0.8, 0.1])],
    "cup_0001": [view([1, 0], [1, 1], [0.7, 0.6])],
}
POSITIVES = {"mug_0000": at(0.0, 0.2, 9.0), "cup_0001": at(0.1)}


def test_positives_are_the_grasps_that_hold(tmp_path):
    write_grasps(tmp_path / "mug_0000.h5", Grasps(at(1.0, 2.0), np.array([False, True])))
    assert known_positives(tmp_path, ["mug_0000"])["mug_0000"].tolist() == at(2.0).tolist()


def test_values_of_a_family_are_pooled_in_the_order_of_its_objects():
    found = pool_families({"mug_0": np.array([1]), "box_0": np.array([5]), "mug_1": np.array([2])})
    assert {family: values.tolist() for family, values in found.items()} == {
        "mug": [1, 2],
        "box": [5],
    }


def test_successes_are_scaled_to_all_candidates_that_pass():
    counts = {"candidates": 100, "not_colliding": 60, "simulable": 40}
    counts |= {"simulated": 10, "successes": 3}
    stages = sampling_stages({"mug_0000": counts, "mug_0001": counts | {"successes": 5}})
    assert stages == {
        "mug": {
            "candidates": 200,
            "hand free": 120,
            "object between fingers": 80,
            "held": 80 * 8 / 20,
        }
    }


def test_steps_and_final_grasps_are_compared_by_their_visits():
    steps = step_visits(VIEWS, POSITIVES, [0, 5])
    assert list(steps) == ["step 0", "step 5"]
    assert steps["step 0"][0]["cup_0001"][0].success.tolist() == [True, False]
    final = final_visits({"VAE": VIEWS}, POSITIVES)
    assert final["VAE"][0]["mug_0000"][0].success.tolist() == [True, False, True]


def test_lines_are_named_by_their_areas_and_follow_their_places():
    steps = step_visits(VIEWS, POSITIVES, [0, 5])
    result = contrast(steps, success_coverage)
    first, last = area_curves(result, steps)
    assert first == f"step 0: area {result['variants']['step 0']['area']['value']:.3f}"
    lines, bands = figure_lines({"gradient": result}, [0, 5], "success")
    places, values = lines["gradient"]
    assert places == [0, 5] and values == pytest.approx([0.4, 0.8])
    assert bands["gradient"].shape == (2, 2)


def test_success_is_pooled_over_views_at_the_last_and_at_the_best_step():
    share, bounds = success_rates({"log odds": VIEWS, "gradient": VIEWS})
    assert share == {"last step": [0.8, 0.8], "best-scoring step": [0.8, 0.8]}
    low, high = bounds["last step"]
    assert (low < 0.8).all() and (high > 0.8).all() and low.shape == (2,)


def test_a_row_tells_how_the_ranked_grasps_of_a_view_do():
    row = ranked_rows(VIEWS, POSITIVES, 0.85)["mug_0000, view 0"]
    assert (row["best"], row["of"], row["score > 0.85"]) == (True, 1, 1.0)
    assert row["all"] == pytest.approx(2 / 3) and row["coverage"] == pytest.approx(2 / 3)
    assert ranked_rows(VIEWS, POSITIVES, 0.95)["cup_0001, view 0"]["score > 0.95"] is None


def test_regions_are_those_of_grasps_that_hold_beside_the_known_ones():
    found = regions_found(FamilySet({"mug": 1, "cup": 2}), {"VAE": VIEWS}, POSITIVES)
    sizes = {name: [len(part) for part in run["mug_0000"]] for name, (run,) in found.items()}
    assert sizes == {"VAE": [2], "known positives": [3]}


def test_calibration_pools_seeds_and_objects():
    sure = np.array([1, 0]), np.array([0.95, 0.05])
    lines = calibration_curves({"probes": [{"mug_0000": [sure], "box_0000": [sure]}]})
    scores, share = lines["probes"]
    assert share.tolist() == [0, 1] and scores == pytest.approx([0.05, 0.95])
    assert list(lines) == ["probes", "perfect"]


def test_orderings_without_support_come_with_what_was_looked_at():
    result = contrast(step_visits(VIEWS, POSITIVES, [0, 5]), success_coverage)
    (asked,) = rising(result, "area")
    assert asked[1:] == ("step 5", "step 0", "area")
    missing = not_supported({"Fig. 9": [asked], "Fig. 8": []}, {"Fig. 9": ["a line"]})
    assert list(missing) == ["Fig. 9"] and missing["Fig. 9"]["looked_at"] == ["a line"]
    assert "step 5 against step 0" in missing["Fig. 9"]["claims"][0]
