"""The figures of a method, for each object and overall, from its evaluated views.

Shares of views have Wilson's interval at 95 %. Overall figures also have a bootstrap interval over
whole objects, because views of one object are similar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from graspbook.graspnet.coverage import (
    Visit,
    coverage_rate,
    pooled_curve,
    success_coverage_area,
    success_coverage_curve,
    visit,
)
from graspbook.graspnet.views import Positives, Views
from graspbook.metrics import bootstrap_interval, wilson_interval

SHARES_OF_VIEWS = (
    "success_best",
    "gravity_best",
    "views_with_20_above_threshold",
    "views_with_20_above_threshold_feasible",
)
_FIGURES = (
    *SHARES_OF_VIEWS,
    "acceleration_best",
    "success_top10",
    "success_all_final",
    "sampled",
    "refined",
    "coverage",
    "coverage_feasible",
    "grasps_above_threshold",
    "grasps_above_threshold_feasible",
    "success_above_threshold",
    "success_above_threshold_feasible",
    "auc",
    "auc_feasible",
    "feasible_share",
)
Recorded = dict[str, Any]  # of a view, in plain numbers
COMPARED = ("auc", "success_best", "success_above_threshold", "coverage")


@dataclass(frozen=True)
class _View:
    """The data of one view that the figures need: its own figures, counts above the threshold (all,
    and those that hold), and its visits. Counts and visits exist for all final grasps and for
    feasible ones.
    """

    own: dict[str, float]
    above: dict[str, tuple[int, int]]
    visits: dict[str, Visit]


def assess(
    evaluations: Views,
    positives: Positives,
    threshold: float,
    *,
    seed: int = 0,
    reasons: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Figures of a method: {"overall": figures, "objects": {name: figures}}, plain numbers, None
    where one is not defined.

    An object without positives or views cannot be judged. Its figures are None, `reason` gives the
    reason, and overall figures exclude it.

    These are means over views. A view without grasps counts as 0 in all of them.

    - `success_best`, `gravity_best`: whether the best-ranked grasp holds in the shake test, and 0.3
      kg against gravity from six directions.
    - `acceleration_best`: the largest acceleration in m/s² that it survives.
    - `success_top10`, `success_all_final`: the share of the ten best, and of all grasps at their
      best-scoring step, that hold.
    - `sampled`, `refined`: the same share as sampled and at the last simulated step.
    - `coverage`: the share of positives within 2 cm of a final grasp.
    - `grasps_above_threshold`, `views_with_20_above_threshold`: number of grasps above the
      threshold, and whether it is 20 or more.
    - `feasible_share`: the share of final grasps that keep the hand out of observed points and have
      enough of them between the fingers.

    Over the grasps of all views:

    - `success_above_threshold`: the share of those above the threshold that hold.
    - `auc`: the area under success over coverage of all final grasps, pooled by score (Figs 8-11).

    Names ending in `_feasible` count feasible grasps alone. `intervals_over_views`: Wilson's of the
    shares of views. `intervals_over_objects` (overall only): bootstrapped, of every figure; None
    for a single object.

    evaluations: of each object, its views.
    positives: of each object, its ground-truth grasps (P, 4, 4), in the same frame.
    threshold: grasps with a higher score count as good.
    seed: which resamples the bootstrap draws.
    reasons: why objects have no positives, if known.
    """
    judged = _of_each(partial(_view, threshold=threshold), evaluations, positives)
    objects = {}
    for name in evaluations:
        objects[name] = _report(judged.get(name, []), len(positives[name]))
        if name not in judged:
            missing = "no views" if len(positives[name]) else "no positive grasps"
            objects[name]["reason"] = (reasons or {}).get(name) or missing
    overall = _report(_views(judged, judged), sum(len(positives[name]) for name in judged))
    left_out = len(evaluations) - len(judged)
    overall["counts"] |= {"objects": len(judged), "objects_left_out": left_out}

    def figures(drawn):
        return _figures(_views(judged, drawn))

    overall["intervals_over_objects"] = _intervals(figures, _FIGURES, list(judged), seed)
    return {"overall": overall, "objects": objects}


def record(evaluations: Views, positives: Positives) -> dict[str, list[Recorded]]:
    """The data of each judged object's views that `compare` needs, in plain numbers: {name:
    [view]}.

    A view has `success_best` (0 or 1), and for its K final grasps by falling score `scores`,
    `success` (0 or 1) and `covers` (K + 1). `covers` counts the positives that each grasp covers
    first, and in its last entry the uncovered ones.

    evaluations, positives: as for `assess`.
    """
    return _of_each(_record, evaluations, positives)


def compare(
    recorded: Mapping[str, list[Recorded]],
    others: Mapping[str, list[Recorded]],
    threshold: float,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """The differences of the `COMPARED` figures of two methods on the same views, in plain numbers,
    None where not defined.

    Returns {figure: the overall figure of the first less that of the second}, the number of
    `objects` that both were judged on, and `intervals_over_objects` (bootstrapped, 95 %). A
    resample draws the same objects for both methods. The difficulty of an object therefore cancels.

    recorded, others: the results of `record` for each.
    threshold: grasps with a higher score count as good.
    seed: which resamples the bootstrap draws.
    """
    both = [name for name in recorded if name in others]

    def differences(drawn):
        first, second = (_compared(_views(by, drawn), threshold) for by in (recorded, others))
        return {name: first[name] - second[name] for name in COMPARED}

    found: dict[str, Any] = dict.fromkeys(COMPARED)
    if both:
        found = {name: _plain(value) for name, value in differences(both).items()}
    intervals = _intervals(differences, COMPARED, both, seed)
    return found | {"objects": len(both), "intervals_over_objects": intervals}


def pooled_success_coverage(
    evaluations: Views, positives: Positives
) -> tuple[np.ndarray, np.ndarray]:
    """Success and coverage (M,) of all final grasps of the objects that have positives, by falling
    score.

    evaluations, positives: as for `assess`.
    """
    results = _of_each(lambda view, truth: view.at_best(truth), evaluations, positives)
    return success_coverage_curve(_views(results, results))


def _of_each(figure, evaluations, positives):
    """`figure` of a view and positives, for the views of every object that has both, by name."""
    return {
        name: [figure(view, positives[name]) for view in views]
        for name, views in evaluations.items()
        if len(positives[name]) and len(views)
    }


def _views(judged, names):
    return [view for name in names for view in judged[name]]


def _record(view, positives):
    seen = visit(view.at_best(positives))
    return {
        "success_best": int(view.final_success[:1].sum()),
        "scores": seen.scores.tolist(),
        "success": seen.success.astype(int).tolist(),
        "covers": np.bincount(seen.first, minlength=len(seen.scores) + 1).tolist(),
    }


def _compared(views, threshold):
    """The `COMPARED` figures of recorded views, NaN where not defined."""
    visits = [
        Visit(
            np.array(view["scores"], float),
            np.array(view["success"], bool),
            np.repeat(np.arange(len(view["covers"])), view["covers"]),
        )
        for view in views
    ]
    above = np.concatenate([seen.success[seen.scores > threshold] for seen in visits])
    return {
        "auc": success_coverage_area(*pooled_curve(visits)),
        "success_best": np.mean([view["success_best"] for view in views]),
        "success_above_threshold": above.mean() if len(above) else np.nan,
        "coverage": np.mean([(seen.first < len(seen.scores)).mean() for seen in visits]),
    }


def _intervals(figures, labels, names, seed):
    """Bootstrap intervals over objects of `figures`, a function of drawn names to {label: figure};
    None where undefined.
    """
    if not names:
        return dict.fromkeys(labels)

    def of_drawn(drawn):
        return list(figures([names[i] for i in drawn]).values())

    edges = bootstrap_interval(of_drawn, len(names), np.random.default_rng(seed))
    return {
        name: [_plain(low), _plain(high)] if np.isfinite(low) else None
        for name, low, high in zip(labels, *edges, strict=True)
    }


def _view(view, positives, threshold):
    high, feasible = view.final_scores > threshold, view.final_feasible
    kinds = {"": np.ones(len(high), bool), "_feasible": feasible}
    own = {
        "success_best": _mean(view.final_success[:1]),
        "gravity_best": _mean(view.gravity_held[:1]),
        "acceleration_best": _mean(view.max_acceleration[:1]),
        "success_top10": _mean(view.final_success[:10]),
        "success_all_final": _mean(view.final_success),
        "sampled": _mean(view.success[0]),
        "refined": _mean(view.success[-1]),
        "feasible_share": _mean(feasible),
    }
    for kind, chosen in kinds.items():
        count = int((high & chosen).sum())
        own[f"coverage{kind}"] = coverage_rate(view.final[chosen], positives)
        own[f"grasps_above_threshold{kind}"] = count
        own[f"views_with_20_above_threshold{kind}"] = count >= 20
    above = {kind: view.final_success[high & chosen] for kind, chosen in kinds.items()}
    return _View(
        own,
        {kind: (len(held), int(held.sum())) for kind, held in above.items()},
        {kind: visit(view.at_best(positives, chosen)) for kind, chosen in kinds.items()},
    )


def _mean(values):
    return float(np.mean(values)) if len(values) else 0.0


def _figures(views):
    """Every figure of `_View`s, in the order of `_FIGURES`, NaN where not defined."""
    figures = {name: float(np.mean([view.own[name] for view in views])) for name in views[0].own}
    for kind in ("", "_feasible"):
        count, held = np.sum([view.above[kind] for view in views], axis=0)
        figures[f"success_above_threshold{kind}"] = held / count if count else np.nan
        curve = pooled_curve([view.visits[kind] for view in views])
        figures[f"auc{kind}"] = success_coverage_area(*curve)
    return {name: figures[name] for name in _FIGURES}


def _report(views, positives):
    """The figures of views as plain numbers, with Wilson's intervals and counts."""
    report = dict.fromkeys((*_FIGURES, "intervals_over_views"))
    if views:
        report = {name: _plain(value) for name, value in _figures(views).items()}
        report["intervals_over_views"] = {
            name: list(wilson_interval(sum(view.own[name] for view in views), len(views)))
            for name in SHARES_OF_VIEWS
        }
    report["counts"] = {
        "views": len(views),
        "grasps": sum(len(view.visits[""].scores) for view in views),
        "positives": positives,
        "grasps_above_threshold": sum(view.above[""][0] for view in views),
    }
    return report


def _plain(value):
    return float(value) if np.isfinite(value) else None
