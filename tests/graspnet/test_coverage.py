import numpy as np
import pytest

from graspbook.graspnet.coverage import (
    ViewResult,
    coverage_rate,
    success_coverage_area,
    success_coverage_curve,
)


def at(*places):
    grasps = np.tile(np.eye(4), (len(places), 1, 1))
    grasps[:, 0, 3] = places
    return grasps


def test_coverage_counts_positives_within_two_centimetres():
    assert coverage_rate(at(0.0), at(0.0, 0.0199, 0.0201, 0.5)) == 0.5
    assert coverage_rate(at(), at(0.0)) == 0
    assert np.isnan(coverage_rate(at(0.0), at()))


def test_coverage_ignores_rotation():
    turned = at(0.0)
    turned[:, :3, :3] = np.diag([-1.0, -1, 1])
    assert coverage_rate(turned, at(0.0)) == 1


def test_the_curve_of_two_views_by_hand():
    # Pooled order by score: 0.9 (a, holds), 0.8 (b, fails), 0.7 (a, holds), 0.1 (b, holds).
    a = ViewResult(at(0.0, 0.1), np.array([0.7, 0.9]), np.array([True, True]), at(0.1, 0.11, 0.0))
    b = ViewResult(at(0.0, 0.5), np.array([0.8, 0.1]), np.array([False, True]), at(0.01))
    success, coverage = success_coverage_curve([a, b])
    np.testing.assert_allclose(success, [1, 1 / 2, 2 / 3, 3 / 4])
    # 0.9 covers two of the four positives, 0.8 view b's, 0.7 the last one; 0.1 nothing new.
    np.testing.assert_allclose(coverage, [2 / 4, 3 / 4, 1, 1])
    assert success_coverage_area(success, coverage) == pytest.approx(
        0.25 * 0.75 + 0.25 * (1 / 2 + 2 / 3) / 2
    )


def test_a_view_does_not_cover_anothers_positives():
    a = ViewResult(at(0.0), np.array([1.0]), np.array([True]), at(0.3))
    b = ViewResult(at(0.3), np.array([0.5]), np.array([True]), at(0.0))
    assert success_coverage_curve([a, b])[1].tolist() == [0, 0]


def test_the_curve_ends_at_the_rates_of_all_grasps_and_does_not_depend_on_the_order_of_views():
    rng = np.random.default_rng(0)
    views = [
        ViewResult(
            at(*rng.uniform(0, 1, 30)),
            rng.random(30),
            rng.random(30) < 0.5,
            at(*rng.uniform(0, 1, 20)),
        )
        for _ in range(3)
    ]
    success, coverage = success_coverage_curve(views)
    assert success[-1] == pytest.approx(np.mean([v.success for v in views]))
    assert coverage[-1] == pytest.approx(
        np.mean([coverage_rate(v.grasps, v.positives) for v in views])
    )
    assert (np.diff(coverage) >= 0).all()
    again = success_coverage_curve(views[::-1])
    np.testing.assert_allclose(again, (success, coverage))
