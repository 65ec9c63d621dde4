import numpy as np
import pytest

from graspbook import metrics


def test_wilson_interval_against_the_published_value():
    # Wilson (1927) score interval of 8 out of 10 at 95 %: 0.490 to 0.943.
    low, high = metrics.wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)
    assert metrics.wilson_interval(0, 5)[0] == 0.0


def test_confusion_by_hand():
    result = metrics.confusion([1, 1, 1, 0, 0], [1, 1, 0, 0, 1])
    assert (result["tp"], result["fn"], result["tn"], result["fp"]) == (2, 1, 1, 1)
    assert result["accuracy"] == pytest.approx(0.6)
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics.confusion([1, 1], [1, 0])["balanced_accuracy"] == 0.5
    assert np.isnan(metrics.confusion([], [])["accuracy"])


def test_average_precision_by_hand():
    assert metrics.average_precision([1, 0, 1], [0.9, 0.8, 0.7]) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision([1, 1, 0, 0], [4, 3, 2, 1]) == 1.0
    assert np.isnan(metrics.average_precision([0, 0], [1, 2]))


def test_average_precision_does_not_depend_on_the_order_of_ties():
    truth, scores = np.array([1, 0, 0, 1, 0]), np.array([0.5, 0.5, 0.5, 0.2, 0.9])
    values = [
        metrics.average_precision(truth[order], scores[order])
        for order in (np.random.default_rng(i).permutation(5) for i in range(10))
    ]
    np.testing.assert_allclose(values, values[0])


def test_area_of_a_triangle():
    assert metrics.area_under_curve([0, 0.5, 1], [1, 0.5, 0]) == pytest.approx(0.5)


def test_running_mean_by_hand():
    np.testing.assert_allclose(metrics.running_mean([2, 4, 6, 8], 2), [2, 3, 5, 7])
    assert metrics.running_mean([], 3).size == 0


def test_bootstrap_intervals_against_the_normal_approximation():
    values = np.random.default_rng(0).normal(3.0, 2.0, 200)

    def figures(drawn):
        return [values[drawn].mean(), np.nan, values[drawn].mean() if 0 in drawn else np.nan]

    low, high = metrics.bootstrap_interval(
        figures, len(values), np.random.default_rng(1), resamples=2000
    )
    half = 1.96 * values.std() / np.sqrt(len(values))
    np.testing.assert_allclose(
        [low[0], high[0]], values.mean() + np.array([-half, half]), atol=0.1 * half
    )
    assert np.isnan([low[1], high[1]]).all()  # never defined
    np.testing.assert_allclose([low[2], high[2]], [low[0], high[0]], atol=0.2 * half)
    again = metrics.bootstrap_interval(
        figures, len(values), np.random.default_rng(1), resamples=2000
    )
    np.testing.assert_array_equal(again, (low, high))


def test_intervals_of_several_confidences_come_of_the_same_resamples():
    values = np.random.default_rng(0).normal(3.0, 2.0, 50)
    options = {"resamples": 500, "confidence": [0.95, 0.5]}
    found = metrics.bootstrap_interval(
        lambda drawn: [values[drawn].mean(), np.nan], 50, np.random.default_rng(1), **options
    )
    assert found.shape == (2, 2, 2) and np.isnan(found[..., 1]).all()
    alone = metrics.bootstrap_interval(
        lambda drawn: [values[drawn].mean()], 50, np.random.default_rng(1), resamples=500
    )
    np.testing.assert_array_equal(found[0, :, :1], alone)
    assert found[0, 0, 0] < found[1, 0, 0] < found[1, 1, 0] < found[0, 1, 0]


def test_a_single_thing_has_no_bootstrap_interval():
    assert np.isnan(
        metrics.bootstrap_interval(lambda drawn: [1.0], 1, np.random.default_rng(0), resamples=10)
    ).all()
