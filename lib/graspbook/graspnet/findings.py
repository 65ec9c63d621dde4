"""The bookkeeping of notebooks: which results are compared, and the lines and rows that show them.

Views of one run come by object, {object: [ViewEvaluation]}.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.comparison import bars_of, unsupported
from graspbook.grasp_files import read_grasps
from graspbook.graspnet.ablations import (
    Scored,
    Visits,
    at_iteration,
    drawn_curve,
    finals,
    regions_held,
)
from graspbook.graspnet.coverage import coverage_rate
from graspbook.graspnet.experiments import by_family
from graspbook.graspnet.validation import calibration
from graspbook.graspnet.views import Positives, Views
from graspbook.metrics import wilson_interval
from graspbook.objects.sets import FamilySet


def pool_families(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values of all objects of a family in one array: {family: (N,)}.

    values: (K,) by the object's name, "family_number".
    """
    families = by_family(values)
    return {
        family: np.concatenate([values[name] for name in members])
        for family, members in families.items()
    }


def sampling_stages(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """Number of grasps per family at each stage of section 4, "Training Data for Grasping".

    Only some of the candidates that pass are simulated. The number that hold is scaled to all of
    them.

    counts: results of `candidates.sample_task`, by the object's name.
    """
    stages = {}
    for family, members in by_family(counts).items():
        total = {key: sum(counts[name][key] for name in members) for key in counts[members[0]]}
        stages[family] = {
            "candidates": total["candidates"],
            "hand free": total["not_colliding"],
            "object between fingers": total["simulable"],
            "held": total["simulable"] * total["successes"] / total["simulated"],
        }
    return stages


def known_positives(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The grasps (P, 4, 4) `object_T_hand` that hold, of each object.

    folder: of the grasp files, `<name>.h5`.
    names: of the objects.
    """
    known = {name: read_grasps(folder / f"{name}.h5") for name in names}
    return {name: grasps.transforms[grasps.success] for name, grasps in known.items()}


def step_visits(
    evaluations: Views, positives: Positives, steps: Iterable[int]
) -> dict[str, list[Visits]]:
    """Variants for `comparison.contrast`: the refinement steps of one run (Fig. 9).

    evaluations: of the run.
    positives: known ones (P, 4, 4) of each object.
    steps: the simulated ones.
    """
    return {f"step {step}": [at_iteration(evaluations, positives, step)] for step in steps}


def final_visits(found: Mapping[str, Views], positives: Positives) -> dict[str, list[Visits]]:
    """Variants for `comparison.contrast`: the final grasps of runs.

    found: the evaluations of each.
    positives: known ones (P, 4, 4) of each object.
    """
    return {name: [finals(evaluations, positives)] for name, evaluations in found.items()}


def regions_found(
    objects: FamilySet, found: Mapping[str, Views], positives: Positives
) -> dict[str, list[dict[str, list[np.ndarray]]]]:
    """The regions of final grasps that hold, and of known positives, for `contrast` (Fig. 13).

    objects: set from which objects are loaded by name.
    found: the evaluations of each method.
    positives: known ones (P, 4, 4) of each object.
    """
    holding = {
        name: {
            key: [view.final[view.final_success] for view in views] for key, views in run.items()
        }
        for name, run in found.items()
    }
    holding["known positives"] = {name: [grasps] for name, grasps in positives.items()}
    return {name: [regions_held(objects, grasps)] for name, grasps in holding.items()}


def area_curves(
    result: Mapping[str, Any], measured: Mapping[str, list[Visits]]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Curves of success over coverage, named by the variants and the areas under them.

    result: of the `contrast` of `measured` by `ablations.success_coverage`.
    measured: the visits of each variant, one for each seed.
    """
    return {
        f"{name}: area {row['area']['value']:.3f}": drawn_curve(measured[name])
        for name, row in result["variants"].items()
    }


def figure_lines(
    results: Mapping[str, Mapping[str, Any]], places: Sequence[float], figure: str
) -> tuple[dict[str, tuple[Sequence[float], list[float]]], dict[str, np.ndarray]]:
    """Lines and bands of one figure of several contrasts, as `figures.curves` takes them.

    results: of `contrast`, whose variants are in the order of `places`.
    places: of the variants on the horizontal axis.
    figure: name of the figure of merit that is drawn.
    """
    rows = {name: bars_of(result, figure) for name, result in results.items()}
    return (
        {name: (places, values[figure]) for name, (values, _) in rows.items()},
        {name: bounds[figure] for name, (_, bounds) in rows.items()},
    )


def success_rates(
    found: Mapping[str, Views],
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Success of all grasps as bars, at the last simulated step and at each sample's best step.

    Returns shares {"last step", "best-scoring step": [of each run]} and Wilson intervals (2, runs).

    found: the evaluations of each run.
    """
    pooled = [sum(map(list, evaluations.values()), []) for evaluations in found.values()]
    labels = {
        "last step": [np.concatenate([view.success[-1] for view in views]) for views in pooled],
        "best-scoring step": [
            np.concatenate([view.final_success for view in views]) for views in pooled
        ],
    }
    return (
        {kind: [held.mean() for held in rows] for kind, rows in labels.items()},
        {
            kind: np.array([wilson_interval(held.sum(), held.size) for held in rows]).T
            for kind, rows in labels.items()
        },
    )


def ranked_rows(
    evaluations: Views, positives: Positives, threshold: float
) -> dict[str, dict[str, Any]]:
    """Figures of the ranked final grasps of each view: {"object, view n": {figure: value}}.

    evaluations: of a run.
    positives: known ones (P, 4, 4) of each object.
    threshold: score above which a grasp is kept.
    """
    rows = {}
    for name, views in evaluations.items():
        for number, view in enumerate(views):
            above = view.final_scores > threshold
            rows[f"{name}, view {number}"] = {
                "best": bool(view.final_success[0]),
                "top ten": view.final_success[:10].mean(),
                f"score > {threshold}": view.final_success[above].mean() if above.any() else None,
                "of": int(above.sum()),
                "all": view.final_success.mean(),
                "best under gravity": bool(view.gravity_held[0]),
                "coverage": coverage_rate(view.final, positives[name]),
            }
    return rows


def calibration_curves(
    scored: Mapping[str, Sequence[Mapping[str, Sequence[Scored]]]],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Curves of observed over predicted success, with all seeds and objects pooled.

    scored: of each evaluator, one `ablations.score_batches` for each seed.
    """
    lines = {}
    for name, runs in scored.items():
        pairs = [pair for run in runs for batches in run.values() for pair in batches]
        truth, scores = map(np.concatenate, zip(*pairs, strict=True))
        lines[name] = calibration(truth, scores)[:2]
    return lines | {"perfect": (np.array([0, 1]), np.array([0, 1]))}


def rising(result: Mapping[str, Any], figure: str) -> list[tuple]:
    """Orderings for `comparison.unsupported`: a figure rises from each variant to the next.

    result: of `contrast`, with variants in their order.
    figure: name of the figure of merit that should rise.
    """
    return [
        (result, later, earlier, figure) for earlier, later in pairwise(list(result["variants"]))
    ]


def not_supported(
    asked: Mapping[str, list[tuple]], looked_at: Mapping[str, list[str]]
) -> dict[str, dict[str, list[str]]]:
    """Orderings that intervals do not support, with figures that may explain why.

    asked: as `comparison.unsupported` takes them, by figure.
    looked_at: lines with such figures, by figure of the paper.
    """
    return {
        title: {"claims": lines, "looked_at": looked_at[title]}
        for title, lines in unsupported(dict(asked)).items()
    }
