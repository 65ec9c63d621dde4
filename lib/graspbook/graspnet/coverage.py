"""Success rate, coverage, and the curve of one over the other (section 4, "Evaluation Metrics")."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from graspbook.metrics import area_under_curve

RADIUS = 0.02


@dataclass(frozen=True)
class ViewResult:
    """What was predicted for one cloud, all in one frame: grasps (K, 4, 4), scores (K,), labels success (K,) bool by the
    shake test, and the ground truth's positives (P, 4, 4)."""

    grasps: np.ndarray
    scores: np.ndarray
    success: np.ndarray
    positives: np.ndarray


def coverage_rate(grasps, positives, radius=RADIUS):
    """Share of positive grasps (P, 4, 4) whose translation is at most `radius` metres from that of a grasp (K, 4, 4).

    Rotations are not compared (the paper's choice). NaN without positives.
    """
    if not len(positives):
        return float("nan")
    return float(np.mean(np.isfinite(_first_rank(grasps, np.arange(len(grasps)), positives, radius))))


def success_coverage_curve(views, radius=RADIUS):
    """Success rate and coverage (M,) over the grasps of all `ViewResult`s, visited from the highest score down.

    Entry k: success is the mean label of the first k + 1 grasps of all views together; coverage is the share of all views'
    positives (each view brings its own) within `radius` metres of a visited grasp of the same view. Grasps of equal
    score keep their order. This is the released code's definition as the paper's figures 8-11 use it.
    """
    sizes = [len(view.scores) for view in views]
    order = np.argsort(-np.concatenate([view.scores for view in views]), kind="stable")
    rank = np.empty(sum(sizes), int)
    rank[order] = np.arange(len(order))
    ranks = np.split(rank, np.cumsum(sizes)[:-1])
    first = np.concatenate([_first_rank(view.grasps, r, view.positives, radius) for view, r in zip(views, ranks, strict=True)])
    label = np.concatenate([view.success for view in views])[order]
    success = np.cumsum(label) / np.arange(1, len(order) + 1)
    found = np.bincount(first[np.isfinite(first)].astype(int), minlength=len(order))
    return success, np.cumsum(found) / max(1, len(first))


def success_coverage_area(success, coverage):
    """Area under success over coverage by trapezoids, from the first coverage on."""
    return area_under_curve(coverage, success)


def _first_rank(grasps, ranks, positives, radius):
    """Lowest rank (P,) among the grasps (K, 4, 4) with `ranks` (K,) that cover each positive; infinity where none does."""
    if not len(grasps) or not len(positives):
        return np.full(len(positives), np.inf)
    near = cKDTree(grasps[:, :3, 3]).query_ball_point(positives[:, :3, 3], radius)
    return np.array([ranks[found].min() if found else np.inf for found in near])
