"""Figures of merit: intervals, confusion counts, precision and areas under curves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_Z = 1.96  # standard deviations that hold 95 %


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Wilson score interval (low, high) of a rate at 95 %; (0, 1) without trials.

    successes, total: counts.
    """
    if total == 0:
        return 0.0, 1.0
    z, rate = _Z, successes / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    spread = np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    half = z / (1 + z * z / total) * spread
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap_interval(
    figures: Callable[[np.ndarray], ArrayLike],
    count: int,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    confidence: float | Sequence[float] = 0.95,
) -> np.ndarray:
    """Percentile intervals (2, F), low and high, of figures of independent things such as objects.

    NaN throughout for a single thing, which tells nothing of others.

    figures: of the indices (count,) of things drawn with replacement, (F,) floats. NaN where one is
        not defined; those resamples are left out of its interval.
    count: of things.
    rng: draws them.
    resamples: how many.
    confidence: or several (C,) of one set of resamples, which give (C, 2, F).
    """
    values = np.array([figures(rng.integers(count, size=count)) for _ in range(resamples)], float)
    tail = 50 * (1 - np.asarray(confidence))
    percentiles = np.stack([tail, 100 - tail], axis=-1)
    intervals = np.full((*percentiles.shape, values.shape[1]), np.nan)
    defined = (count > 1) & np.isfinite(values).any(axis=0)
    intervals[..., defined] = np.nanpercentile(values[:, defined], percentiles, axis=0)
    return intervals


def confusion(truth: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
    """Counts `tp, fp, tn, fn` with `accuracy` and `balanced_accuracy`.

    The balanced accuracy is the mean of the recalls of the classes that occur; NaN of an empty
    input.

    truth, predicted: (N,) bool.
    """
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    tp, tn = int(np.sum(truth & predicted)), int(np.sum(~truth & ~predicted))
    fn, fp = int(np.sum(truth)) - tp, int(np.sum(~truth)) - tn
    recalls = [hits / (hits + misses) for hits, misses in ((tp, fn), (tn, fp)) if hits + misses]
    accuracy = (tp + tn) / truth.size if truth.size else float("nan")
    balanced = float(np.mean(recalls)) if recalls else float("nan")
    counts = {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    return counts | {"accuracy": accuracy, "balanced_accuracy": balanced}


def average_precision(truth: ArrayLike, scores: ArrayLike) -> float:
    """Average precision: mean precision at the rank of each positive.

    Equal scores count as one rank, so the value does not depend on the order of the input. NaN
    without positives.

    truth: (N,) bool.
    scores: (N,).
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores, float)
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last_of_rank = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(truth[order])[last_of_rank]
    taken = np.arange(1, truth.size + 1)[last_of_rank]
    return float(np.sum(np.diff(hits, prepend=0) * hits / taken) / hits[-1])


def area_under_curve(x: ArrayLike, y: ArrayLike) -> float:
    """Area under y over x by trapezoids.

    x: (N,), not decreasing.
    y: (N,).
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def running_mean(values: ArrayLike, window: int) -> np.ndarray:
    """Mean (N,) of each value and up to `window` - 1 before it.

    values: (N,).
    window: how many.
    """
    total = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    end = np.arange(1, len(total))
    start = np.maximum(0, end - window)
    return (total[end] - total[start]) / (end - start)
