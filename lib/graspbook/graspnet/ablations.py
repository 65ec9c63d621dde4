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
from graspbook.graspnet.coverage import ViewResult, pooled_curve, success_coverage_area, visit
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

    The views of an object are the same for all. What is in `folder` already, from the same weights and numbers, is read.
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
    variants, and each variant's seeds; with a single object there are no intervals (None). Returns, in plain numbers, {"objects":
    how many, "variants": {name: row}, "differences": {later: {earlier: row}}}, where a row is {figure: {"value", "interval"}}.
    Raises ParameterError where no object is known for all.
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
        return both(measure([objects[i] for i in drawn], [rng.integers(len(s), size=len(s)).tolist() for s in runs])).ravel()

    values = both(measure(objects, [range(len(several)) for several in runs]))
    low, high = bootstrap_interval(resample, len(objects), np.random.default_rng(seed), resamples).reshape(2, *values.shape)

    def row(i):
        edges = [None if np.isnan(a) else [float(a), float(b)] for a, b in zip(low[i], high[i], strict=True)]
        return {label: {"value": float(value) if np.isfinite(value) else None, "interval": edge}
                for label, value, edge in zip(labels, values[i], edges, strict=True)}

    differences = {name: {} for name in names[1:]}
    for i, (b, a) in enumerate(zip(later, earlier, strict=True)):
        differences[names[b]][names[a]] = row(len(names) + i)
    return {"objects": len(objects), "variants": {name: row(i) for i, name in enumerate(names)}, "differences": differences}


def _items(run, objects):
    return [item for name in objects for item in run[name]]


def verdict(found, name, other, figure):
    """What a `contrast` allows to be said of two variants: a line with their difference, its interval, and which is higher.

    Of fewer than `FEWEST` objects nothing is said: a bootstrap over so few is too sure.
    """
    sign = 1 if name in found["differences"] and other in found["differences"][name] else -1
    difference = found["differences"][name][other] if sign == 1 else found["differences"][other][name]
    value, edges = difference[figure]["value"], difference[figure]["interval"]
    if value is None or edges is None:
        return f"{name} against {other}: {figure}: not distinguishable, no interval"
    low, high = sorted(sign * edge for edge in edges)
    word = "higher" if low > 0 else "lower" if high < 0 else "not distinguishable"
    if found["objects"] < FEWEST:
        word = f"not distinguishable ({found['objects']} objects)"
    return f"{name} against {other}: {figure} {sign * value:+.3f} [{low:+.3f}, {high:+.3f}]: {word}"


def verdicts(found, figure, reference=None):
    """The `verdict` of every pair of variants, or of each against the one named, a line each."""
    names = list(found["variants"])
    pairs = [(name, other) for i, name in enumerate(names) for other in names[:i]]
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    return "\n".join(verdict(found, *pair, figure) for pair in pairs)


def levels_off(found, figure):
    """The first of a `contrast`'s variants, in their order, that no later one is distinguishably higher than."""
    names = list(found["variants"])
    return next(name for i, name in enumerate(names)
                if not any(verdict(found, later, name, figure).endswith(": higher") for later in names[i + 1:]))


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
