"""The ablations and baselines of sections 3.2 and 4.1: variants of a run, and what their evaluated views allow to be said.

A variant is a folder of weights with the settings of a prediction. What is measured of it comes by object, once for each seed
that its networks were trained with. `contrast` draws objects and seeds anew, the same objects for all variants: which differences
between them are more than the choice of objects and seeds?
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graspbook.errors import ParameterError
from graspbook.graspnet.coverage import RADIUS, ViewResult, pooled_curve, success_coverage_area, visit
from graspbook.graspnet.evaluation import evaluate_view
from graspbook.graspnet.gpd_network import train_gpd
from graspbook.graspnet.predict import PredictSettings
from graspbook.graspnet.recipe import by_family, train_task
from graspbook.graspnet.regions import FAMILIES, REGIONS, held_regions
from graspbook.graspnet.validation import calibration, evaluator_scores
from graspbook.metrics import average_precision, bootstrap_interval
from graspbook.parallel import run_tasks
from graspbook.storage import atomic_path

RESAMPLES = 1000
FEWEST = 6  # objects: of fewer, even all agreeing by chance is likelier than 5 %
_POINTS = 400  # of a curve that is drawn


@dataclass(frozen=True)
class Variant:
    """What is evaluated: a folder of weights, how grasps are predicted, the refinement steps to simulate, and views an object."""

    weights: Path
    settings: PredictSettings
    steps: tuple[int, ...]
    views: int


def per_family(names, counts):
    """The first of the object names "family_number" of each family: {family: how many}, or at most so many of every one.

    Raises ParameterError for a family that has fewer than are named.
    """
    found = by_family(names)
    if isinstance(counts, int):
        return [name for family in found.values() for name in family[:counts]]
    for family, count in counts.items():
        if len(found.get(family, ())) < count:
            raise ParameterError(f"{count} objects of family {family!r}, expected at most {len(found.get(family, ()))}: "
                                 f"these are {', '.join(names)}")
    return [name for family, count in counts.items() for name in found[family][:count]]


def train_variant(network, data, settings, train_settings, weights, clouds, device="cpu"):
    """Train a network into the file `weights`, or find it there; returns its history. A task for `parallel.run_tasks`.

    network: "sampler" or "evaluator", whose data are `dataset.Examples`, or "gpd", whose data are files of labelled candidates.
    """
    if network == "gpd":
        return train_gpd(data, settings, train_settings, weights, Path(weights).with_suffix(".checkpoint"), device)
    return train_task(network, data, settings, train_settings, weights, clouds, device)


def gather(folder, **files):
    """Copy weights files into a variant's folder as `<network>.safetensors`, and return the folder."""
    for network, file in files.items():
        with atomic_path(Path(folder) / f"{network}.safetensors") as temporary:
            shutil.copyfile(file, temporary)
    return Path(folder)


def evaluate_variants(variants, objects, names, seed, folder, workers, device="cpu"):
    """`evaluate_view` of all Variants, by their names: {variant: {object: [ViewEvaluation]}}.

    The seed decides the views of an object, which are the same for all, and with them a variant's random numbers. What is in
    `folder` already, from the same weights and numbers, is read. Raises the errors of `evaluate_view`.
    """
    keys = [(key, name, view) for key, variant in variants.items() for name in names for view in range(variant.views)]
    tasks = [(objects, name, view, variants[key].weights, variants[key].settings, variants[key].steps, seed,
              Path(folder) / key / f"{name}_{view}.npz", device) for key, name, view in keys]
    found = {key: {name: [] for name in names} for key in variants}
    for (key, name, _), evaluation in zip(keys, run_tasks(evaluate_view, tasks, workers, "predict and shake"), strict=True):
        found[key][name].append(evaluation)
    return found


def all_iterations(views, positives):
    """The `coverage.Visit`s {object: [...]} of the grasps of all simulated steps together, as in Fig. 8.

    views: {object: [ViewEvaluation]}; positives: {object: ground truth (P, 4, 4)}. Objects without positives are left out, here
    and below.
    """
    return {name: [visit(ViewResult(view.grasps.reshape(-1, 4, 4), view.scores.ravel(), view.success.ravel(), positives[name]))
                   for view in found] for name, found in views.items() if len(positives[name])}


def at_iteration(views, positives, step):
    """The `coverage.Visit`s of the grasps of one simulated step, as in Fig. 9."""
    return {name: [visit(view.at_step(step, positives[name])) for view in found]
            for name, found in views.items() if len(positives[name])}


def finals(views, positives, count=None, seed=0):
    """The `coverage.Visit`s of the final grasps, each sample's best step; of `count` random samples, fewer among more."""
    # Final grasps are in the order of their scores, and samples independent: random ones are as good as the first ones drawn.
    return {name: [visit(view.at_best(positives[name], np.random.default_rng(seed).permutation(len(view.final))[:count]))
                   for view in found] for name, found in views.items() if len(positives[name])}


def score_batches(evaluator, examples, batches, seed):
    """Labels and scores of batches of an object's labelled grasps, 30/30/40 as in training: {object: [(truth, scores)]}.

    Objects that lack one of the kinds are left out.
    """
    return {e.name: [evaluator_scores(evaluator, [e], batches, seed)] for e in examples
            if min(len(kind.grasps) for kind in (e.positives, e.negatives, e.hard_negatives))}


def regions_held(objects, grasps):
    """The regions {object: [(K,) str, ...]} that grasps {object: [(K, 4, 4), ...]} hold, of the objects where these are known."""
    loaded = {name: objects.load(name) for name in grasps}
    return {name: [held_regions(loaded[name], part) for part in parts]
            for name, parts in grasps.items() if loaded[name].family in FAMILIES}


def success_coverage(visits):
    """Area under success over coverage, success, and coverage of all grasps of some `coverage.Visit`s."""
    if not any(len(seen.scores) for seen in visits):
        return {"area": 0.0, "success": np.nan, "coverage": 0.0}
    success, coverage = pooled_curve(visits)
    return {"area": success_coverage_area(success, coverage), "success": success[-1], "coverage": coverage[-1]}


def precision(batches):
    """Average precision and expected calibration error of the labels and scores in some [(truth, scores)]."""
    truth, scores = map(np.concatenate, zip(*batches, strict=True))
    mean, share, count = calibration(truth, scores)
    return {"average precision": average_precision(truth, scores),
            "calibration error": float(count @ np.abs(mean - share) / count.sum())}


def region_shares(regions):
    """Share of each region, and of rims and handles together, among those in some [(K,) str]; NaN of none."""
    held = np.concatenate(regions)
    shares = {region: (held == region).mean() if len(held) else np.nan for region in REGIONS[:3]}
    return {"rim and handle": shares["rim"] + shares["handle"], **shares}


def contrast(variants, figures, seed=0, resamples=RESAMPLES):
    """Figures of variants, and of each how it differs from those before it, with bootstrap intervals at 95 %.

    variants: name -> list, one entry for each seed it was trained with, of {object: [...]}; figures: what makes {figure: number}
    of such a list, one of the functions above. Figures are means over seeds. A resample draws objects, the same for all
    variants, and of each variant's S seeds S - 1, one at least: with S of them the variance of a mean over seeds would come out
    too small, by a third for three. With a single object there are no intervals (None), and with one seed they tell of these
    networks only, not of others trained alike. Returns, in plain numbers, {"objects": how many, "seeds": {name: how many},
    "variants": {name: row}, "differences": {later: {earlier: row}}}, where a row is {figure: {"value", "interval"}}, and of a
    difference also "joint", an interval at 95 % for all differences together (Bonferroni). Raises ParameterError where no object
    is known for all.
    """
    names, runs = list(variants), list(variants.values())
    objects = [name for name in runs[0][0] if all(name in run for several in runs for run in several)]
    if not objects:
        raise ParameterError(f"{', '.join(names)}: no object with known positive grasps and regions, expected some")
    later, earlier = np.tril_indices(len(names), -1)
    labels, rng = list(figures(_items(runs[0][0], objects))), np.random.default_rng([seed, 1])

    def measure(drawn, seeds):
        by_seed = [{s: figures(_items(several[s], drawn)) for s in set(chosen)}
                   for several, chosen in zip(runs, seeds, strict=True)]
        return np.array([[np.mean([known[s][label] for s in chosen]) for label in labels]
                         for known, chosen in zip(by_seed, seeds, strict=True)])

    def both(values):
        return np.concatenate([values, values[later] - values[earlier]])

    def resample(drawn):
        seeds = [rng.integers(len(several), size=max(1, len(several) - 1)).tolist() for several in runs]
        return both(measure([objects[i] for i in drawn], seeds)).ravel()

    values = both(measure(objects, [range(len(several)) for several in runs]))
    edges = bootstrap_interval(resample, len(objects), np.random.default_rng(seed), resamples,
                               [0.95, 1 - 0.05 / max(1, len(later))]).reshape(2, 2, *values.shape)

    def row(i):
        kinds = ("interval",) if i < len(names) else ("interval", "joint")
        return {label: {"value": float(values[i, j]) if np.isfinite(values[i, j]) else None,
                        **{kind: None if np.isnan(edges[k, :, i, j]).any() else edges[k, :, i, j].tolist()
                           for k, kind in enumerate(kinds)}} for j, label in enumerate(labels)}

    differences = {name: {} for name in names[1:]}
    for i, (b, a) in enumerate(zip(later, earlier, strict=True)):
        differences[names[b]][names[a]] = row(len(names) + i)
    return {"objects": len(objects), "seeds": {name: len(several) for name, several in variants.items()},
            "variants": {name: row(i) for i, name in enumerate(names)}, "differences": differences}


def _items(run, objects):
    return [item for name in objects for item in run[name]]


def _difference(found, name, other, figure, kind="interval"):
    """Value and bounds of a variant's figure less another's, (None, None, None) where there is no interval."""
    sign = 1 if other in found["differences"].get(name, {}) else -1
    entry = (found["differences"][name][other] if sign == 1 else found["differences"][other][name])[figure]
    if entry["value"] is None or entry[kind] is None:
        return None, None, None
    return sign * entry["value"], *sorted(sign * edge for edge in entry[kind])


def order(found, name, other, figure, kind="interval"):
    """What a `contrast` tells of two variants: 1 where the first is higher in a figure, -1 where lower, 0 where it cannot tell.

    kind: the "interval" of this difference, or the "joint" one of all differences, which has to leave zero out. Of fewer than
    `FEWEST` objects it tells nothing: a bootstrap over so few is too sure.
    """
    value, low, high = _difference(found, name, other, figure, kind)
    if value is None or found["objects"] < FEWEST:
        return 0
    return int(low > 0) - int(high < 0)


def _scope(found, *names):
    """What a claim about variants holds for, as an ending."""
    return ", of these networks" if min(found["seeds"][name] for name in names) == 1 else ""


def verdict(found, name, other, figure):
    """What a `contrast` allows to be said of two variants: a line with their difference, its interval, and which is higher.

    "of these networks": one of the two was trained once, so that nothing is known of others trained alike.
    """
    value, low, high = _difference(found, name, other, figure)
    if value is None:
        return f"{name} against {other}: {figure}: not distinguishable, no interval"
    word = {1: "higher", -1: "lower", 0: "not distinguishable"}[order(found, name, other, figure)]
    if found["objects"] < FEWEST:
        word += f" ({found['objects']} objects)"
    elif word != "not distinguishable":
        word += _scope(found, name, other)
    return f"{name} against {other}: {figure} {value:+.3f} [{low:+.3f}, {high:+.3f}]: {word}"


def within(found, name, other, figure, margin):
    """The `verdict` of two variants, and whether the first is lower by more than `margin`: a line."""
    _, low, high = _difference(found, name, other, figure)
    if low is None or found["objects"] < FEWEST or low <= -margin <= high:
        word = "cannot tell"
    else:
        word = ("no" if low > -margin else "yes") + _scope(found, name, other)
    return f"{verdict(found, name, other, figure)}; lower by more than {margin:g}: {word}"


def unsupported(orderings):
    """Those of some orderings {title: [(contrast, higher, lower, figure)]} that intervals do not support: {title: [verdict]}.

    A title of which all are supported, or none was asked, is left out.
    """
    missing = {title: [verdict(*asked) for asked in several if order(*asked) < 1] for title, several in orderings.items()}
    return {title: lines for title, lines in missing.items() if lines}


def verdicts(found, figure, reference=None):
    """The `verdict` of every pair of variants, or of each against the one named, a line each."""
    names = list(found["variants"])
    pairs = [(name, other) for i, name in enumerate(names) for other in names[:i]]
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    return "\n".join(verdict(found, *pair, figure) for pair in pairs)


def levels_off(found, figure):
    """The first of a `contrast`'s variants, in their order, that no later one is higher than: a line.

    Every pair is a comparison, so their intervals are the joint ones. Of fewer than `FEWEST` objects nothing is said.
    """
    names = list(found["variants"])
    if found["objects"] < FEWEST:
        return f"{figure}: cannot tell where it levels off ({found['objects']} objects)"
    first = next(name for i, name in enumerate(names)
                 if all(order(found, later, name, figure, "joint") < 1 for later in names[i + 1:]))
    return (f"{figure}: none after {first} is distinguishably higher than it ({len(names) * (len(names) - 1) // 2} comparisons, "
            f"corrected){_scope(found, *names)}")


def rows_of(found, *figures):
    """Values of a `contrast`, a line a variant: what the figures are by, beside what may be said of them."""
    return [f"{name}: " + ", ".join(f"{figure} {_text(row[figure]['value'])}" for figure in figures)
            for name, row in found["variants"].items()]


def _text(value):
    return "not defined" if value is None else f"{value:.3f}"


def sampled_spread(views):
    """How a method's grasps lie before any refinement, means over some [`ViewEvaluation`].

    "grasps": how many; "in collision": the share that start inside the object; "hold": the share that the shake test holds;
    "spread": root mean square distance of their origins from the mean, metres; "cells": cubes of `RADIUS` that they are in.
    """
    places = [view.grasps[0][:, :3, 3] for view in views]
    return {"grasps": np.mean([len(found) for found in places]), "in collision": _mean([view.collides[0] for view in views]),
            "hold": _mean([view.success[0] for view in views]),
            "spread": _mean([np.sqrt(((found - found.mean(axis=0)) ** 2).sum(axis=1).mean()) for found in places if len(found)]),
            "cells": np.mean([len(np.unique(np.floor(found / RADIUS), axis=0)) for found in places])}


def _mean(parts):
    values = np.concatenate([np.atleast_1d(part) for part in parts]) if parts else np.array([])
    return float(values.mean()) if len(values) else np.nan


def bars_of(found, *figures):
    """Values and intervals of a `contrast`, figure by figure, as `figures.bars` takes them."""
    rows = found["variants"].values()
    values = {figure: [row[figure]["value"] for row in rows] for figure in figures}
    edges = {figure: [row[figure]["interval"] or [row[figure]["value"]] * 2 for row in rows] for figure in figures}
    return values, {figure: np.array(pairs, float).T for figure, pairs in edges.items()}


def drawn_curve(runs):
    """Coverage and success of the `coverage.Visit`s {object: [...]} of every seed in a list, pooled, thinned to be drawn."""
    success, coverage = pooled_curve([item for run in runs for item in _items(run, run)])
    kept = np.unique(np.linspace(0, len(success) - 1, _POINTS).round().astype(int))
    return coverage[kept], success[kept]
