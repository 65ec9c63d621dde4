"""The ablations and baselines of sections 3.2 and 4.1: variants of a run, and what their evaluated
views allow to be said.

A variant is a folder of weights with the settings of a prediction. What is measured of it comes by
object, as `comparison.contrast` takes it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graspbook.comparison import items_of
from graspbook.errors import ParameterError
from graspbook.graspnet.baselines.gpd_network import train_gpd
from graspbook.graspnet.coverage import (
    RADIUS,
    ViewResult,
    pooled_curve,
    success_coverage_area,
    visit,
)
from graspbook.graspnet.experiments import by_family, train_task
from graspbook.graspnet.predict import PredictSettings
from graspbook.graspnet.regions import FAMILIES, REGIONS, held_regions
from graspbook.graspnet.validation import calibration, evaluator_scores
from graspbook.graspnet.views import evaluate_view
from graspbook.metrics import average_precision
from graspbook.parallel import run_tasks

_POINTS = 400  # of a curve that is drawn


@dataclass(frozen=True)
class Variant:
    """What is evaluated: a folder of weights, how grasps are predicted, the refinement steps to
    simulate, and views an object.
    """

    weights: Path
    settings: PredictSettings
    steps: tuple[int, ...]
    views: int


def per_family(names, counts):
    """The first of the object names "family_number" of each family: {family: how many}, or at most
    so many of every one.

    Raises ParameterError for a family that has fewer than are named.
    """
    found = by_family(names)
    if isinstance(counts, int):
        return [name for family in found.values() for name in family[:counts]]
    for family, count in counts.items():
        if len(found.get(family, ())) < count:
            raise ParameterError(
                f"{count} objects of family {family!r}, expected at most"
                f" {len(found.get(family, ()))}: these are {', '.join(names)}"
            )
    return [name for family, count in counts.items() for name in found[family][:count]]


def train_variant(network, data, settings, train_settings, weights, clouds, device="cpu"):
    """Train a network into the file `weights`, or find it there; returns its history. A task for
    `parallel.run_tasks`.

    network: "sampler" or "evaluator", whose data are `dataset.Examples`, or "gpd", whose data are
    files of labelled candidates.
    """
    if network == "gpd":
        return train_gpd(
            data,
            settings,
            train_settings,
            weights,
            Path(weights).with_suffix(".checkpoint"),
            device,
        )
    return train_task(network, data, settings, train_settings, weights, clouds, device)


def evaluate_variants(variants, objects, names, seed, folder, workers, device="cpu"):
    """`evaluate_view` of all Variants, by their names: {variant: {object: [ViewEvaluation]}}.

    The seed decides the views of an object, which are the same for all, and with them a variant's
    random numbers. What is in `folder` already, from the same weights and numbers, is read. Raises
    the errors of `evaluate_view`.
    """
    keys = [
        (key, name, view)
        for key, variant in variants.items()
        for name in names
        for view in range(variant.views)
    ]
    tasks = [
        (
            objects,
            name,
            view,
            variants[key].weights,
            variants[key].settings,
            variants[key].steps,
            seed,
            Path(folder) / key / f"{name}_{view}.npz",
            device,
        )
        for key, name, view in keys
    ]
    found = {key: {name: [] for name in names} for key in variants}
    for (key, name, _), evaluation in zip(
        keys, run_tasks(evaluate_view, tasks, workers, "predict and shake"), strict=True
    ):
        found[key][name].append(evaluation)
    return found


def all_iterations(views, positives):
    """The `coverage.Visit`s {object: [...]} of the grasps of all simulated steps together, as in
    Fig. 8.

    views: {object: [ViewEvaluation]}; positives: {object: ground truth (P, 4, 4)}. Objects without
    positives are left out, here and below.
    """
    return {
        name: [
            visit(
                ViewResult(
                    view.grasps.reshape(-1, 4, 4),
                    view.scores.ravel(),
                    view.success.ravel(),
                    positives[name],
                )
            )
            for view in found
        ]
        for name, found in views.items()
        if len(positives[name])
    }


def at_iteration(views, positives, step):
    """The `coverage.Visit`s of the grasps of one simulated step, as in Fig. 9."""
    return {
        name: [visit(view.at_step(step, positives[name])) for view in found]
        for name, found in views.items()
        if len(positives[name])
    }


def finals(views, positives, count=None, seed=0):
    """The `coverage.Visit`s of the final grasps, each sample's best step; of `count` random
    samples, fewer among more.
    """
    # Final grasps are in the order of their scores, and samples independent: random ones are as
    # good as the first ones drawn.
    return {
        name: [
            visit(
                view.at_best(
                    positives[name],
                    np.random.default_rng(seed).permutation(len(view.final))[:count],
                )
            )
            for view in found
        ]
        for name, found in views.items()
        if len(positives[name])
    }


def score_batches(evaluator, examples, batches, seed):
    """Labels and scores of batches of an object's labelled grasps, 30/30/40 as in training:
    {object: [(truth, scores)]}.

    Objects that lack one of the kinds are left out.
    """
    return {
        e.name: [evaluator_scores(evaluator, [e], batches, seed)]
        for e in examples
        if min(len(kind.grasps) for kind in (e.positives, e.negatives, e.hard_negatives))
    }


def regions_held(objects, grasps):
    """The regions {object: [(K,) str, ...]} that grasps {object: [(K, 4, 4), ...]} hold, of the
    objects where these are known.
    """
    loaded = {name: objects.load(name) for name in grasps}
    return {
        name: [held_regions(loaded[name], part) for part in parts]
        for name, parts in grasps.items()
        if loaded[name].family in FAMILIES
    }


def success_coverage(visits):
    """Area under success over coverage, success, and coverage of all grasps of some
    `coverage.Visit`s.
    """
    if not any(len(seen.scores) for seen in visits):
        return {"area": 0.0, "success": np.nan, "coverage": 0.0}
    success, coverage = pooled_curve(visits)
    return {
        "area": success_coverage_area(success, coverage),
        "success": success[-1],
        "coverage": coverage[-1],
    }


def precision(batches):
    """Average precision and expected calibration error of the labels and scores in some [(truth,
    scores)].
    """
    truth, scores = map(np.concatenate, zip(*batches, strict=True))
    mean, share, count = calibration(truth, scores)
    return {
        "average precision": average_precision(truth, scores),
        "calibration error": float(count @ np.abs(mean - share) / count.sum()),
    }


def region_shares(regions):
    """Share of each region, and of rims and handles together, among those in some [(K,) str]; NaN
    of none.
    """
    held = np.concatenate(regions)
    shares = {region: (held == region).mean() if len(held) else np.nan for region in REGIONS[:3]}
    return {"rim and handle": shares["rim"] + shares["handle"], **shares}


def sampled_spread(views):
    """How a method's grasps lie before any refinement, means over some [`ViewEvaluation`].

    "grasps": how many; "in collision": the share that start inside the object; "hold": the share
    that the shake test holds; "spread": root mean square distance of their origins from the mean,
    metres; "cells": cubes of `RADIUS` that they are in.
    """
    places = [view.grasps[0][:, :3, 3] for view in views]
    return {
        "grasps": np.mean([len(found) for found in places]),
        "in collision": _mean([view.collides[0] for view in views]),
        "hold": _mean([view.success[0] for view in views]),
        "spread": _mean(
            [
                np.sqrt(((found - found.mean(axis=0)) ** 2).sum(axis=1).mean())
                for found in places
                if len(found)
            ]
        ),
        "cells": np.mean([len(np.unique(np.floor(found / RADIUS), axis=0)) for found in places]),
    }


def _mean(parts):
    values = np.concatenate([np.atleast_1d(part) for part in parts]) if parts else np.array([])
    return float(values.mean()) if len(values) else np.nan


def drawn_curve(runs):
    """Coverage and success of the `coverage.Visit`s {object: [...]} of every seed in a list,
    pooled, thinned to be drawn.
    """
    success, coverage = pooled_curve([item for run in runs for item in items_of(run, run)])
    kept = np.unique(np.linspace(0, len(success) - 1, _POINTS).round().astype(int))
    return coverage[kept], success[kept]
