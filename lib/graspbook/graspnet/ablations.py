"""The figures of the ablations and baselines of sections 3.2 and 4.1, from evaluated views.

Measurements of a variant (`experiments.Variant`) come by object, as `comparison.contrast` takes
them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from graspbook.comparison import items_of
from graspbook.graspnet.coverage import (
    RADIUS,
    ViewResult,
    Visit,
    pooled_curve,
    success_coverage_area,
    visit,
)
from graspbook.graspnet.dataset import Examples
from graspbook.graspnet.evaluator import Evaluator
from graspbook.graspnet.regions import FAMILIES, REGIONS, held_regions
from graspbook.graspnet.validation import calibration, evaluator_scores
from graspbook.graspnet.views import Positives, ViewEvaluation, Views
from graspbook.metrics import average_precision
from graspbook.objects.grasp_object import ObjectSet

_POINTS = 400  # of a curve that is drawn
Visits = dict[str, list[Visit]]  # of each object
Scored = tuple[np.ndarray, np.ndarray]  # labels and scores (N,)


def all_iterations(views: Views, positives: Positives) -> Visits:
    """The visits of grasps, with all simulated steps pooled, as in Fig. 8.

    views: predictions for each view of each object.
    positives: the ground truth of each object. Objects without any are left out, here and below.
    """

    def pooled(view, truth):
        grasps = view.grasps.reshape(-1, 4, 4)
        return ViewResult(grasps, view.scores.ravel(), view.success.ravel(), truth)

    return _visits(views, positives, pooled)


def at_iteration(views: Views, positives: Positives, step: int) -> Visits:
    """The visits of the grasps of one simulated step, as in Fig. 9.

    views, positives: as for `all_iterations`.
    step: of the refinement.
    """
    return _visits(views, positives, lambda view, truth: view.at_step(step, truth))


def finals(
    views: Views, positives: Positives, *, count: int | None = None, seed: int = 0
) -> Visits:
    """The visits of the final grasps, each sample's best step.

    views, positives: as for `all_iterations`.
    count: number of random samples; a smaller number is a subset of a larger; None for all.
    seed: of these.
    """
    # Final grasps are in the order of their scores, and samples are independent. A random choice is
    # therefore as good as the first samples drawn.

    def some(view, truth):
        drawn = np.random.default_rng(seed).permutation(len(view.final))[:count]
        return view.at_best(truth, drawn)

    return _visits(views, positives, some)


def _visits(views: Views, positives: Positives, result: Callable[..., ViewResult]) -> Visits:
    return {
        name: [visit(result(view, positives[name])) for view in found]
        for name, found in views.items()
        if len(positives[name])
    }


def score_batches(
    evaluator: Evaluator, examples: Iterable[Examples], batches: int, seed: int
) -> dict[str, list[Scored]]:
    """Labels and scores of each object's labelled grasps; objects without one of the kinds are left
    out.

    evaluator: the trained network that scores grasps.
    examples: objects with clouds and labelled grasps.
    batches, seed: as for `validation.evaluator_scores`.
    """
    return {
        e.name: [evaluator_scores(evaluator, [e], batches, seed)]
        for e in examples
        if min(len(kind.grasps) for kind in (e.positives, e.negatives, e.hard_negatives))
    }


def regions_held(
    objects: ObjectSet, grasps: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, list[np.ndarray]]:
    """The regions (K,) str that grasps hold, for objects with known regions.

    objects: set from which objects are loaded by name.
    grasps: of each object, parts (K, 4, 4).
    """
    loaded = {name: objects.load(name) for name in grasps}
    return {
        name: [held_regions(loaded[name], part) for part in parts]
        for name, parts in grasps.items()
        if loaded[name].family in FAMILIES
    }


def success_coverage(visits: Sequence[Visit]) -> dict[str, float]:
    """Area under success over coverage, success, and coverage of all grasps.

    visits: of some views.
    """
    if not any(len(seen.scores) for seen in visits):
        return {"area": 0.0, "success": np.nan, "coverage": 0.0}
    success, coverage = pooled_curve(visits)
    return {
        "area": success_coverage_area(success, coverage),
        "success": success[-1],
        "coverage": coverage[-1],
    }


def precision(batches: Iterable[Scored]) -> dict[str, float]:
    """Average precision and expected calibration error.

    batches: labels and scores.
    """
    truth, scores = map(np.concatenate, zip(*batches, strict=True))
    mean, share, count = calibration(truth, scores)
    return {
        "average precision": average_precision(truth, scores),
        "calibration error": float(count @ np.abs(mean - share) / count.sum()),
    }


def region_shares(regions: Sequence[np.ndarray]) -> dict[str, float]:
    """Share of each region, and of rims and handles together; NaN of none.

    regions: (K,) str each.
    """
    held = np.concatenate(regions)
    shares = {region: (held == region).mean() if len(held) else np.nan for region in REGIONS[:3]}
    return {"rim and handle": shares["rim"] + shares["handle"], **shares}


def sampled_spread(views: Sequence[ViewEvaluation]) -> dict[str, float]:
    """Figures of a method's grasps before any refinement: means over views.

    "grasps": how many; "in collision": the share that start inside the object; "hold": the share
    that the shake test holds; "spread": root mean square distance of their origins from the mean,
    metres; "cells": number of cubes of side `RADIUS` that contain them.

    views: predictions for some views.
    """
    places = [view.grasps[0][:, :3, 3] for view in views]
    return {
        "grasps": np.mean([len(found) for found in places]),
        "in collision": _mean([view.collides[0] for view in views]),
        "hold": _mean([view.success[0] for view in views]),
        "spread": _mean([_spread(found) for found in places if len(found)]),
        "cells": np.mean([len(np.unique(np.floor(found / RADIUS), axis=0)) for found in places]),
    }


def _spread(places):
    return np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean())


def _mean(parts):
    values = np.concatenate([np.atleast_1d(part) for part in parts]) if parts else np.array([])
    return float(values.mean()) if len(values) else np.nan


def drawn_curve(runs: Sequence[Visits]) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and success, pooled over all seeds and thinned to be drawn.

    runs: the visits of every seed.
    """
    success, coverage = pooled_curve([item for run in runs for item in items_of(run, run)])
    kept = np.unique(np.linspace(0, len(success) - 1, _POINTS).round().astype(int))
    return coverage[kept], success[kept]
