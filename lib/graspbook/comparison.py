"""What a bootstrap over objects and seeds allows to be said of variants that were measured on the
same objects.

What is measured of a variant comes by object, once for each seed that its networks were trained
with. `contrast` draws objects and seeds anew, the same objects for all variants: which differences
between them are more than the choice of objects and seeds?
"""

import numpy as np

from graspbook.errors import ParameterError
from graspbook.metrics import bootstrap_interval

RESAMPLES = 1000
FEWEST = 6  # objects: of fewer, even all agreeing by chance is likelier than 5 %


def contrast(
    variants, figures, seed=0, resamples=RESAMPLES, once="of these networks", paired=False
):
    """Figures of variants, and of each how it differs from those before it, with bootstrap
    intervals at 95 %.

    variants: name -> list, one entry for each seed it was trained with, of {object: [...]};
    figures: what makes {figure: number} of a list of its items. Figures are means over seeds. A
    resample draws objects, the same for all variants, and of each variant's S seeds S - 1, one at
    least: with S of them the variance of a mean over seeds would come out too small, by a third for
    three. paired: the n-th seeds of all variants belong together, as trainings that start from one
    network do, and are drawn together. With a single object there are no intervals (None), and with
    one seed they tell of what was trained `once` only, not of others trained alike. Returns, in
    plain numbers, {"objects": how many, "once", "seeds": {name: how many}, "variants": {name: row},
    "differences": {later: {earlier: row}}}, where a row is {figure: {"value", "interval"}}, and of
    a difference also "joint", an interval at 95 % for all differences together (Bonferroni). Raises
    ParameterError where no object is known for all, and for paired variants with different numbers
    of seeds.
    """
    names, runs = list(variants), list(variants.values())
    objects = [
        name for name in runs[0][0] if all(name in run for several in runs for run in several)
    ]
    if not objects:
        raise ParameterError(
            f"{', '.join(names)}: no object that all of them were measured on, expected some"
        )
    if paired and len({len(several) for several in runs}) > 1:
        counts = ", ".join(str(len(several)) for several in runs)
        raise ParameterError(f"paired variants with {counts} seeds, expected as many of each")
    later, earlier = np.tril_indices(len(names), -1)
    labels, rng = list(figures(items_of(runs[0][0], objects))), np.random.default_rng([seed, 1])

    def measure(drawn, seeds):
        by_seed = [
            {s: figures(items_of(several[s], drawn)) for s in set(chosen)}
            for several, chosen in zip(runs, seeds, strict=True)
        ]
        return np.array(
            [
                [np.mean([known[s][label] for s in chosen]) for label in labels]
                for known, chosen in zip(by_seed, seeds, strict=True)
            ]
        )

    def both(values):
        return np.concatenate([values, values[later] - values[earlier]])

    def resample(drawn):
        seeds = [
            rng.integers(len(several), size=max(1, len(several) - 1)).tolist()
            for several in runs[: 1 if paired else None]
        ]
        seeds *= len(runs) if paired else 1
        return both(measure([objects[i] for i in drawn], seeds)).ravel()

    values = both(measure(objects, [range(len(several)) for several in runs]))
    edges = bootstrap_interval(
        resample,
        len(objects),
        np.random.default_rng(seed),
        resamples,
        [0.95, 1 - 0.05 / max(1, len(later))],
    ).reshape(2, 2, *values.shape)

    def row(i):
        kinds = ("interval",) if i < len(names) else ("interval", "joint")
        return {
            label: {
                "value": float(values[i, j]) if np.isfinite(values[i, j]) else None,
                **{
                    kind: None if np.isnan(edges[k, :, i, j]).any() else edges[k, :, i, j].tolist()
                    for k, kind in enumerate(kinds)
                },
            }
            for j, label in enumerate(labels)
        }

    differences = {name: {} for name in names[1:]}
    for i, (b, a) in enumerate(zip(later, earlier, strict=True)):
        differences[names[b]][names[a]] = row(len(names) + i)
    return {
        "objects": len(objects),
        "once": once,
        "seeds": {name: len(several) for name, several in variants.items()},
        "variants": {name: row(i) for i, name in enumerate(names)},
        "differences": differences,
    }


def items_of(run, objects):
    """What was measured of one seed's run {object: [item]} on some objects, in one list."""
    return [item for name in objects for item in run[name]]


def order(found, name, other, figure, kind="interval"):
    """What a `contrast` tells of two variants: 1 where the first is higher in a figure, -1 where
    lower, 0 where it cannot tell.

    kind: the "interval" of this difference, or the "joint" one of all differences, which has to
    leave zero out. Of fewer than `FEWEST` objects it tells nothing: a bootstrap over so few is too
    sure.
    """
    value, low, high = _difference(found, name, other, figure, kind)
    if value is None or found["objects"] < FEWEST:
        return 0
    return int(low > 0) - int(high < 0)


def verdict(found, name, other, figure):
    """What a `contrast` allows to be said of two variants: a line with their difference, its
    interval, and which is higher.

    "of these networks": one of the two was trained once, so that nothing is known of others trained
    alike.
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
    """Those of some orderings {title: [(contrast, higher, lower, figure)]} that intervals do not
    support: {title: [verdict]}.

    A title of which all are supported, or none was asked, is left out.
    """
    missing = {
        title: [verdict(*asked) for asked in several if order(*asked) < 1]
        for title, several in orderings.items()
    }
    return {title: lines for title, lines in missing.items() if lines}


def verdicts(found, figure, reference=None):
    """The `verdict` of every pair of variants, or of each against the one named, a line each."""
    names = list(found["variants"])
    pairs = [(name, other) for i, name in enumerate(names) for other in names[:i]]
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    return "\n".join(verdict(found, *pair, figure) for pair in pairs)


def levels_off(found, figure):
    """The first of a `contrast`'s variants, in their order, that no later one is higher than: a
    line.

    Every pair is a comparison, so their intervals are the joint ones. Of fewer than `FEWEST`
    objects nothing is said.
    """
    names = list(found["variants"])
    if found["objects"] < FEWEST:
        return f"{figure}: cannot tell where it levels off ({found['objects']} objects)"
    first = next(
        name
        for i, name in enumerate(names)
        if all(order(found, later, name, figure, "joint") < 1 for later in names[i + 1 :])
    )
    return (
        f"{figure}: none after {first} is distinguishably higher than it"
        f" ({len(names) * (len(names) - 1) // 2} comparisons, corrected){_scope(found, *names)}"
    )


def rows_of(found, *figures):
    """Values of a `contrast`, a line a variant: what the figures are by, beside what may be said of
    them.
    """
    return [
        f"{name}: " + ", ".join(f"{figure} {_text(row[figure]['value'])}" for figure in figures)
        for name, row in found["variants"].items()
    ]


def bars_of(found, *figures):
    """Values and intervals of a `contrast`, figure by figure, as `figures.bars` takes them."""
    rows = found["variants"].values()
    values = {figure: [row[figure]["value"] for row in rows] for figure in figures}
    edges = {
        figure: [row[figure]["interval"] or [row[figure]["value"]] * 2 for row in rows]
        for figure in figures
    }
    return values, {figure: np.array(pairs, float).T for figure, pairs in edges.items()}


def _difference(found, name, other, figure, kind="interval"):
    """Value and bounds of a variant's figure less another's, (None, None, None) where there is no
    interval.
    """
    sign = 1 if other in found["differences"].get(name, {}) else -1
    entry = (found["differences"][name][other] if sign == 1 else found["differences"][other][name])[
        figure
    ]
    if entry["value"] is None or entry[kind] is None:
        return None, None, None
    return sign * entry["value"], *sorted(sign * edge for edge in entry[kind])


def _scope(found, *names):
    """What a claim about variants holds for, as an ending."""
    return f", {found['once']}" if min(found["seeds"][name] for name in names) == 1 else ""


def _text(value):
    return "not defined" if value is None else f"{value:.3f}"
