"""Figures of merit: intervals, confusion counts, precision and areas under curves."""

import numpy as np


def wilson_interval(successes, total, z=1.96):
    """Wilson score interval (low, high) of a rate; z = 1.96 gives 95 %. No trials: (0, 1)."""
    if total == 0:
        return 0.0, 1.0
    rate = successes / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = (
        z / (1 + z * z / total) * np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    )
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap_interval(figures, count, rng, resamples=1000, confidence=0.95):
    """Percentile intervals (2, F), low and high, of figures of `count` independent things, such as
    objects; at several confidences (C,) of one set of resamples (C, 2, F).

    figures: a function of the indices (count,) of things drawn with replacement, to (F,) floats,
    NaN where one is not defined; those resamples are left out of its interval. NaN throughout for a
    single thing, which tells nothing of others.
    """
    values = np.array([figures(rng.integers(count, size=count)) for _ in range(resamples)], float)
    tail = 50 * (1 - np.asarray(confidence))
    percentiles = np.stack([tail, 100 - tail], axis=-1)
    intervals = np.full((*percentiles.shape, values.shape[1]), np.nan)
    defined = (count > 1) & np.isfinite(values).any(axis=0)
    intervals[..., defined] = np.nanpercentile(values[:, defined], percentiles, axis=0)
    return intervals


def confusion(truth, predicted):
    """Counts `tp, fp, tn, fn` with `accuracy` and `balanced_accuracy` of two boolean arrays (N,).

    The balanced accuracy is the mean of the recalls of the classes that occur; NaN of an empty
    input.
    """
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    tp, tn = int(np.sum(truth & predicted)), int(np.sum(~truth & ~predicted))
    fn, fp = int(np.sum(truth)) - tp, int(np.sum(~truth)) - tn
    recalls = [hits / (hits + misses) for hits, misses in ((tp, fn), (tn, fp)) if hits + misses]
    accuracy = (tp + tn) / truth.size if truth.size else float("nan")
    return {
        "tp": tp,
        "fp": fp,
        "tn": tn,
        "fn": fn,
        "accuracy": accuracy,
        "balanced_accuracy": float(np.mean(recalls)) if recalls else float("nan"),
    }


def average_precision(truth, scores):
    """Average precision of `scores` (N,) against boolean `truth` (N,): mean precision at the rank
    of each positive.

    Equal scores count as one rank, so the value does not depend on the order of the input. NaN
    without positives.
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores, float)
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last_of_rank = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(truth[order])[last_of_rank]
    taken = np.arange(1, truth.size + 1)[last_of_rank]
    return float(np.sum(np.diff(hits, prepend=0) * hits / taken) / hits[-1])


def area_under_curve(x, y):
    """Area under y over x by trapezoids; x must not decrease."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def running_mean(values, window):
    """Mean (N,) of each value and up to `window` - 1 before it."""
    total = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    end = np.arange(1, len(total))
    start = np.maximum(0, end - window)
    return (total[end] - total[start]) / (end - start)
