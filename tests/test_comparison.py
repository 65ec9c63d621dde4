import numpy as np
import pytest

from graspbook import comparison
from graspbook.comparison import (
    bars_of,
    contrast,
    levels_off,
    order,
    rows_of,
    unsupported,
    verdict,
    verdicts,
    within,
)
from graspbook.errors import ParameterError


def mean(items):
    return {"mean": float(np.mean(items)), "least": float(np.min(items))}


def run(*values):
    return {f"o{i}": [value] for i, value in enumerate(values)}


def test_a_difference_that_all_objects_share_is_certain_though_they_differ():
    low, high = run(0.1, 0.5, 0.9, 0.2, 0.1, 0.75), run(0.2, 0.6, 1.0, 0.3, 0.2, 0.85)
    found = contrast({"a": [low], "b": [high]}, mean)
    assert found["variants"]["a"]["mean"]["value"] == pytest.approx(0.425)
    edges = found["variants"]["a"]["mean"]["interval"]
    assert edges[0] < 0.3 < 0.55 < edges[1]
    difference = found["differences"]["b"]["a"]["mean"]
    assert difference["value"] == pytest.approx(0.1) and difference["interval"] == pytest.approx(
        [0.1, 0.1]
    )
    assert (
        verdict(found, "b", "a", "mean")
        == "b against a: mean +0.100 [+0.100, +0.100]: higher, for these trained networks only"
    )
    assert (
        verdict(found, "a", "b", "mean")
        == "a against b: mean -0.100 [-0.100, -0.100]: lower, for these trained networks only"
    )


def test_a_difference_that_depends_on_the_object_is_not_claimed():
    found = contrast(
        {"a": [run(0.1, 0.5, 0.9, 0.2, 0.1, 0.2)], "b": [run(0.3, 0.4, 0.7, 0.5, 0.0, 0.3)]}, mean
    )
    low, high = found["differences"]["b"]["a"]["mean"]["interval"]
    assert low < 0 < high and verdict(found, "b", "a", "mean").endswith("not distinguishable")


def test_a_few_objects_claim_nothing():
    five, six = ({"a": [run(*np.zeros(n))], "b": [run(*np.ones(n))]} for n in (5, 6))
    assert verdict(contrast(five, mean), "b", "a", "mean").endswith(
        ": not distinguishable (5 objects)"
    )
    assert verdict(contrast(six, mean), "b", "a", "mean").endswith(
        "higher, for these trained networks only"
    )
    assert [order(contrast(objects, mean), "b", "a", "mean") for objects in (five, six)] == [0, 1]
    assert order(contrast(six, mean), "a", "b", "mean") == -1


def test_only_what_several_seeds_agree_on_is_said_of_the_method():
    zeros, ones = run(*np.zeros(6)), run(*np.ones(6))
    assert verdict(
        contrast({"a": [zeros, zeros], "b": [ones, ones]}, mean), "b", "a", "mean"
    ).endswith(": higher")
    assert verdict(contrast({"a": [zeros, zeros], "b": [ones]}, mean), "b", "a", "mean").endswith(
        ": higher, for these trained networks only"
    )


def test_the_variance_over_seeds_is_that_of_their_mean():
    """Three seeds 0, 1, 2: the variance of their mean is 1 / 3, as that of two draws with
    replacement, not of three (2 / 9).
    """
    drawn = []

    def figures(items):
        return {"mean": items[0]}

    def recorded(function, *arguments, **options):
        drawn.extend(function(np.zeros(1, int))[0] for _ in range(4000))
        return np.zeros((2, 2, 1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "bootstrap_interval", recorded)
        contrast({"a": [{"o": [value]} for value in (0.0, 1.0, 2.0)]}, figures)
    assert np.var(drawn) == pytest.approx(1 / 3, rel=0.1)


def test_seeds_are_drawn_too():
    """Objects alike, seeds not: the value is the mean over seeds, and the interval reaches from one
    to the other.
    """
    found = contrast({"a": [run(0.0, 0.0), run(1.0, 1.0)], "b": [run(0.8, 0.8)]}, mean)
    assert found["variants"]["a"]["mean"] == {"value": 0.5, "interval": [0.0, 1.0]}
    assert found["variants"]["b"]["mean"]["interval"] == [0.8, 0.8]
    assert found["differences"]["b"]["a"]["mean"]["interval"] == pytest.approx([-0.2, 0.8])


def test_seeds_that_belong_together_are_drawn_together():
    # Each training ends elsewhere, and the change is the same for all of them.
    before = [run(*(np.zeros(8) + level)) for level in (0.0, 1.0, 2.0)]
    after = [run(*(np.zeros(8) + level + 0.1)) for level in (0.0, 1.0, 2.0)]
    apart, together = (
        contrast({"a": before, "b": after}, mean, paired=paired) for paired in (False, True)
    )
    low, high = apart["differences"]["b"]["a"]["mean"]["interval"]
    assert low < -0.5 and high > 0.7
    assert together["differences"]["b"]["a"]["mean"]["interval"] == pytest.approx([0.1, 0.1])
    assert together["variants"]["a"]["mean"]["interval"] == pytest.approx([0.0, 2.0])
    with pytest.raises(ParameterError, match="paired variants have 3, 2 seeds"):
        contrast({"a": before, "b": after[:2]}, mean, paired=True)


def test_the_same_seed_gives_the_same_intervals():
    variants = {
        "a": [run(*np.arange(6.0)), run(*np.arange(6.0) ** 2)],
        "b": [run(*np.arange(6.0)[::-1])],
    }
    assert contrast(variants, mean, 1) == contrast(variants, mean, 1) != contrast(variants, mean, 2)


def test_a_single_object_gives_no_interval():
    found = contrast({"a": [run(0.1)], "b": [run(0.9)]}, mean)
    assert found["differences"]["b"]["a"]["mean"] == {
        "value": pytest.approx(0.8),
        "interval": None,
        "joint": None,
    }
    assert verdict(found, "b", "a", "mean") == "b against a: mean: not distinguishable, no interval"
    values, bounds = bars_of(found, "mean")
    assert values == {"mean": [0.1, 0.9]} and bounds["mean"].tolist() == [[0.1, 0.9], [0.1, 0.9]]


def test_what_is_not_defined_is_none():
    found = contrast({"a": [run(np.nan, np.nan)]}, mean)
    assert found["variants"]["a"]["mean"] == {"value": None, "interval": None}
    assert np.isnan(bars_of(found, "mean")[1]["mean"]).all()


def test_only_objects_that_all_variants_have_count():
    found = contrast({"a": [run(1.0, 1.0, 7.0)], "b": [run(2.0, 2.0)]}, mean)
    assert found["variants"]["a"]["mean"]["value"] == 1.0
    with pytest.raises(ParameterError, match="no object was measured for each of a, b"):
        contrast({"a": [run(1.0)], "b": [{}]}, mean)


def test_where_a_curve_levels_off():
    steps = {"0": [0.1, 0.2], "1": [0.3, 0.4], "2": [0.5, 0.3], "5": [0.2, 0.5]}
    found = contrast({step: [run(*3 * values)] for step, values in steps.items()}, mean)
    assert (
        levels_off(found, "mean")
        == "mean: none after 1 is distinguishably higher than it (6 comparisons, corrected), for"
        " these trained networks only"
    )
    rising = contrast({step: [run(*3 * steps[step])] * 2 for step in "01"}, mean)
    assert (
        levels_off(rising, "mean")
        == "mean: none after 1 is distinguishably higher than it (1 comparisons, corrected)"
    )
    few = contrast({step: [run(*values)] for step, values in steps.items()}, mean)
    assert levels_off(few, "mean") == "mean: cannot tell where it levels off (2 objects)"


def test_many_comparisons_ask_more_of_each():
    """A difference that one comparison finds is not enough among ten."""
    base, gain = np.zeros(8), np.array([0.5, 0.4, 0.6, 0.5, 0.3, 0.4, -0.3, -0.2])
    two = contrast({"0": [run(*base)], "1": [run(*gain)]}, mean)
    five = contrast({str(i): [run(*base)] for i in range(4)} | {"9": [run(*gain)]}, mean)
    assert (
        order(two, "1", "0", "mean")
        == order(two, "1", "0", "mean", kind="joint")
        == order(five, "9", "0", "mean")
        == 1
    )
    assert order(five, "9", "0", "mean", kind="joint") == 0
    assert "none after 0 is" in levels_off(five, "mean") and "none after 1 is" in levels_off(
        two, "mean"
    )


def test_whether_one_is_within_a_margin_of_another():
    values = np.array([0.1, 0.5, 0.9, 0.2, 0.1, 0.75])
    cases = {
        "no": values - 0.01,
        "yes": values - 0.03,
        "cannot tell": values + [0.1, -0.1, 0.05, -0.2, 0.1, 0.0],
    }
    for word, others in cases.items():
        line = within(
            contrast({"paper": [run(*values)], "ours": [run(*others)]}, mean),
            "ours",
            "paper",
            "mean",
            0.02,
        )
        assert (
            line.startswith("ours against paper: mean ")
            and f"; lower by more than 0.02: {word}" in line
        )
    few = contrast({"paper": [run(0.1)], "ours": [run(0.2)]}, mean)
    assert within(few, "ours", "paper", "mean", 0.02).endswith(
        "lower by more than 0.02: cannot tell"
    )


def test_orderings_that_intervals_do_not_support():
    found = contrast({"a": [run(*np.zeros(6))], "b": [run(*np.ones(6))]}, mean)
    asked = {
        "right": [(found, "b", "a", "mean")],
        "wrong": [(found, "b", "a", "mean"), (found, "a", "b", "mean")],
        "empty": [],
    }
    assert unsupported(asked) == {"wrong": [verdict(found, "a", "b", "mean")]}


def test_figures_by_variant_as_text():
    assert rows_of(
        contrast({"a": [run(0.1, 0.5)], "b": [run(1.0, 2.0)]}, mean), "mean", "least"
    ) == ["a: mean 0.300, least 0.100", "b: mean 1.500, least 1.000"]
    assert rows_of(contrast({"a": [run(np.nan)]}, mean), "mean") == ["a: mean not defined"]


def test_verdicts_of_every_pair_or_against_one():
    found = contrast({"a": [run(0.1, 0.2)], "b": [run(0.3, 0.4)], "c": [run(0.5, 0.6)]}, mean)
    assert [line.split(":")[0] for line in verdicts(found, "mean").splitlines()] == [
        "b against a",
        "c against a",
        "c against b",
    ]
    assert [line.split(":")[0] for line in verdicts(found, "mean", "b").splitlines()] == [
        "a against b",
        "c against b",
    ]


def test_bars_have_a_bound_on_either_side_of_each_value():
    found = contrast({"a": [run(0.1, 0.5, 0.9)], "b": [run(0.3, 0.4, 0.7)]}, mean)
    values, bounds = bars_of(found, "mean", "least")
    assert list(values) == ["mean", "least"] and bounds["mean"].shape == (2, 2)
    assert (bounds["mean"][0] <= values["mean"]).all() and (
        bounds["mean"][1] >= values["mean"]
    ).all()
