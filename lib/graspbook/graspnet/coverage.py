"""Success rate, coverage, and the curve of one over the other (section 4, "Evaluation Metrics")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from graspbook.metrics import area_under_curve

RADIUS = 0.02


@dataclass(frozen=True)
class ViewResult:
    """Predictions for one cloud, all in one frame.

    grasps: (K, 4, 4) poses of the hand, in one frame.
    scores: (K,) of the grasps, higher is better.
    success: (K,) bool, labels by the shake test.
    positives: (P, 4, 4), of the ground truth.
    """

    grasps: np.ndarray
    scores: np.ndarray
    success: np.ndarray
    positives: np.ndarray


@dataclass(frozen=True)
class Visit:
    """The data of one view that the curve needs; grasps are in order of falling score.

    scores, success: (K,) score, and whether the grasp holds.
    first: (P,), the grasp that first covers each positive; K if none does.
    """

    scores: np.ndarray
    success: np.ndarray
    first: np.ndarray


def visit(view: ViewResult, *, radius: float = RADIUS) -> Visit:
    """The Visit of a view; grasps of equal score keep their order.

    view: with its predictions.
    radius: distance within which a positive is covered, metres.
    """
    order = np.argsort(-view.scores, kind="stable")
    return Visit(
        view.scores[order],
        view.success[order],
        _first_cover(view.grasps[order], view.positives, radius),
    )


def coverage_rate(grasps: np.ndarray, positives: np.ndarray, *, radius: float = RADIUS) -> float:
    """Share of positives whose translation is near that of a grasp; NaN without positives.

    Rotations are not compared (the paper's choice).

    grasps: (K, 4, 4) poses of the hand, in one frame.
    positives: (P, 4, 4) poses of the hand that hold the object.
    radius: distance within which a positive is covered, metres.
    """
    if not len(positives):
        return float("nan")
    return float(np.mean(_first_cover(grasps, positives, radius) < len(grasps)))


def success_coverage_curve(
    views: Sequence[ViewResult], *, radius: float = RADIUS
) -> tuple[np.ndarray, np.ndarray]:
    """Success rate and coverage (M,) over all views' grasps, visited from the highest score down.

    Entry k has the first k + 1 grasps of all views together. Success is their mean label. Coverage
    is the share of all views' positives that are near a visited grasp of the same view. Each view
    has its own positives. Grasps of equal score keep their order. This is the released code's
    definition, as used in the paper's figures 8-11.

    views: predictions for each.
    radius: distance within which a positive is covered, metres.
    """
    return pooled_curve([visit(view, radius=radius) for view in views])


def pooled_curve(visits: Sequence[Visit]) -> tuple[np.ndarray, np.ndarray]:
    """Success rate and coverage (M,) of all views' grasps; see `success_coverage_curve`.

    visits: of the views.
    """
    sizes = [len(seen.scores) for seen in visits]
    order = np.argsort(-np.concatenate([seen.scores for seen in visits]), kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    covered = [
        ranks[seen.first[seen.first < len(ranks)]]
        for ranks, seen in zip(np.split(rank, np.cumsum(sizes)[:-1]), visits, strict=True)
    ]
    success = np.cumsum(np.concatenate([seen.success for seen in visits])[order]) / np.arange(
        1, len(order) + 1
    )
    found = np.bincount(np.concatenate(covered), minlength=len(order))
    return success, np.cumsum(found) / max(1, sum(len(seen.first) for seen in visits))


def success_coverage_area(success: np.ndarray, coverage: np.ndarray) -> float:
    """Area under success over coverage by trapezoids, from the first coverage on.

    success, coverage: (M,) of a curve.
    """
    return area_under_curve(coverage, success)


def _first_cover(grasps, positives, radius):
    """The first of grasps (K, 4, 4) that covers each positive (P, 4, 4): (P,) int, K if none."""
    if not len(grasps) or not len(positives):
        return np.full(len(positives), len(grasps))
    near = cKDTree(grasps[:, :3, 3]).query_ball_point(positives[:, :3, 3], radius)
    return np.array([min(found, default=len(grasps)) for found in near])
