"""Compares variants that were measured on the same objects, by a bootstrap.

Measurements of a variant come by object, once per training seed of its networks. `contrast`
resamples objects and seeds, with the same objects for all variants. It shows which differences are
larger than chance in the choice of objects and seeds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graspbook.errors import ParameterError
from graspbook.metrics import bootstrap_interval

Run = Mapping[str, list]  # measurements of one seed, by object
Contrast = dict[str, Any]
# Names in result files, and their texts.
SCOPES = {
    "of these networks": "for these trained networks only",
    "of these grasps": "for these planned grasps only",
}
RESAMPLES = 1000
FEWEST = 6  # objects; with fewer, all agree by chance in more than 5 % of cases


def contrast(
    variants: Mapping[str, Sequence[Run]],
    figures: Callable[[list], Mapping[str, float]],
    seed: int = 0,
    *,
    resamples: int = RESAMPLES,
    once: str = "of these networks",
    paired: bool = False,
) -> Contrast:
    """Figures of variants, and their differences to earlier variants, with intervals at 95 %.

    Figures are means over seeds. A resample draws objects, the same for all variants. It also draws
    S - 1 of each variant's S seeds, at least one. With S of them the variance of a mean over seeds
    would be too small, by a third for three seeds. With a single object there are no intervals
    (None). Returns, in plain numbers, {"objects": how many, "once", "seeds": {name: how many},
    "variants": {name: row}, "differences": {later: {earlier: row}}}. A row is {figure: {"value",
    "interval"}}. Rows of differences also have "joint", an interval at 95 % for all differences
    together (Bonferroni). Raises ParameterError if no object was measured for all variants, or if
    paired variants have different numbers of seeds.

    variants: by name, one {object: [item]} per seed that it was trained with.
    figures: makes {figure: number} of a list of items.
    seed: of the bootstrap.
    resamples: how many.
    once: what an interval is about if there is one seed, a key of `SCOPES`.
    paired: whether the n-th seeds of all variants belong together, e.g. because they start from one
        network. They are then drawn together.
    """
    names, runs = list(variants), list(variants.values())
    every = [run for several in runs for run in several]
    objects = [name for name in runs[0][0] if all(name in run for run in every)]
    if not objects:
        raise ParameterError(
            f"no object was measured for each of {', '.join(names)}, expected at least one"
        )
    if paired and len({len(several) for several in runs}) > 1:
        counts = ", ".join(str(len(several)) for several in runs)
        raise ParameterError(
            f"the paired variants have {counts} seeds, expected the same number for each"
        )
    later, earlier = np.tril_indices(len(names), -1)
    labels, rng = list(figures(items_of(runs[0][0], objects))), np.random.default_rng([seed, 1])

    def measure(drawn, seeds):
        by_seed = [
            {s: figures(items_of(several[s], drawn)) for s in set(chosen)}
            for several, chosen in zip(runs, seeds, strict=True)
        ]
        pairs = list(zip(by_seed, seeds, strict=True))
        mean = [[np.mean([known[s][f] for s in chosen]) for f in labels] for known, chosen in pairs]
        return np.array(mean)

    def both(values):
        return np.concatenate([values, values[later] - values[earlier]])

    def resample(drawn):
        counts = [len(several) for several in runs[: 1 if paired else None]]
        seeds = [rng.integers(count, size=max(1, count - 1)).tolist() for count in counts]
        seeds *= len(runs) if paired else 1
        return both(measure([objects[i] for i in drawn], seeds)).ravel()

    values = both(measure(objects, [range(len(several)) for several in runs]))
    confidence = [0.95, 1 - 0.05 / max(1, len(later))]
    draw = np.random.default_rng(seed)
    edges = bootstrap_interval(
        resample, len(objects), draw, resamples=resamples, confidence=confidence
    ).reshape(2, 2, *values.shape)

    def row(i):
        kinds = ("interval",) if i < len(names) else ("interval", "joint")
        cells = {}
        for j, label in enumerate(labels):
            value = float(values[i, j]) if np.isfinite(values[i, j]) else None
            bounds = [None if np.isnan(e).any() else e.tolist() for e in edges[:, :, i, j]]
            cells[label] = {"value": value, **dict(zip(kinds, bounds, strict=False))}
        return cells

    differences: dict[str, dict] = {name: {} for name in names[1:]}
    for i, (b, a) in enumerate(zip(later, earlier, strict=True)):
        differences[names[b]][names[a]] = row(len(names) + i)
    return {
        "objects": len(objects),
        "once": once,
        "seeds": {name: len(several) for name, several in variants.items()},
        "variants": {name: row(i) for i, name in enumerate(names)},
        "differences": differences,
    }


def items_of(run: Run, objects: Iterable[str]) -> list:
    """All measurements of one seed's run on some objects, in one list.

    run: {object: [item]}.
    objects: their names.
    """
    return [item for name in objects for item in run[name]]


def order(found: Contrast, name: str, other: str, figure: str, *, kind: str = "interval") -> int:
    """Which of two variants is higher: 1 the first, -1 the second, 0 not distinguishable.

    The result is 0 for fewer than `FEWEST` objects, since a bootstrap is then too certain.

    found: by `contrast`.
    name, other: the variants' names.
    figure: the compared figure.
    kind: the interval that has to exclude zero: the "interval" of this difference, or the "joint"
        one of all differences.
    """
    value, low, high = _difference(found, name, other, figure, kind)
    if value is None or found["objects"] < FEWEST:
        return 0
    return int(low > 0) - int(high < 0)


def verdict(found: Contrast, name: str, other: str, figure: str) -> str:
    """A line on two variants: their difference, its interval, and which is higher.

    The line says so if a variant was trained once: other trainings of it may differ.

    found, name, other, figure: as for `order`.
    """
    value, low, high = _difference(found, name, other, figure)
    pair = f"{_named(name)} against {_named(other)}"
    if value is None:
        return f"{pair}: {figure}: not distinguishable, no interval"
    word = {1: "higher", -1: "lower", 0: "not distinguishable"}[order(found, name, other, figure)]
    if found["objects"] < FEWEST:
        word += f" ({found['objects']} objects)"
    elif word != "not distinguishable":
        word += _scope(found, name, other)
    return f"{pair}: {figure} {value:+.3f} [{low:+.3f}, {high:+.3f}]: {word}"


def within(found: Contrast, name: str, other: str, figure: str, margin: float) -> str:
    """A line with the `verdict`, and whether the first variant is lower by more than a margin.

    found, name, other, figure: as for `order`.
    margin: in units of the figure.
    """
    _, low, high = _difference(found, name, other, figure)
    if low is None or found["objects"] < FEWEST or low <= -margin <= high:
        word = "cannot tell"
    else:
        word = ("no" if low > -margin else "yes") + _scope(found, name, other)
    return f"{verdict(found, name, other, figure)}; lower by more than {margin:g}: {word}"


def unsupported(
    orderings: Mapping[str, Iterable[tuple[Contrast, str, str, str]]],
) -> dict[str, list[str]]:
    """The orderings that intervals do not support: {title: [verdict]}.

    Titles without such orderings are left out.

    orderings: by title, of (contrast, higher, lower, figure).
    """
    missing = {
        title: [verdict(*asked) for asked in several if order(*asked) < 1]
        for title, several in orderings.items()
    }
    return {title: lines for title, lines in missing.items() if lines}


def verdicts(found: Contrast, figure: str, reference: str | None = None) -> str:
    """The `verdict` of every pair of variants, or of each against a reference, in lines.

    found, figure: as for `order`.
    reference: the variant that the others are compared with.
    """
    names = list(found["variants"])
    pairs = [(name, other) for i, name in enumerate(names) for other in names[:i]]
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    return "\n".join(verdict(found, *pair, figure) for pair in pairs)


def levels_off(found: Contrast, figure: str) -> str:
    """A line that names the first variant, in their order, that no later one exceeds.

    Every pair is a comparison, so intervals are joint ones. The line has no verdict for fewer than
    `FEWEST` objects.

    found, figure: as for `order`.
    """
    names = list(found["variants"])
    if found["objects"] < FEWEST:
        return f"{figure}: cannot tell where it levels off ({found['objects']} objects)"
    first = next(
        name
        for i, name in enumerate(names)
        if all(order(found, later, name, figure, kind="joint") < 1 for later in names[i + 1 :])
    )
    count = len(names) * (len(names) - 1) // 2
    return (
        f"{figure}: none after {first} is distinguishably higher than it"
        f" ({count} comparisons, corrected){_scope(found, *names)}"
    )


def rows_of(found: Contrast, *figures: str) -> list[str]:
    """Values of a `contrast`, one line per variant, as a supplement to its verdicts.

    found: by `contrast`.
    figures: which.
    """
    return [
        f"{name}: " + ", ".join(f"{figure} {_text(row[figure]['value'])}" for figure in figures)
        for name, row in found["variants"].items()
    ]


def bars_of(
    found: Mapping[str, Any], *figures: str
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Values and intervals of a `contrast`, figure by figure, as `figures.bars` takes them.

    found: by `contrast`.
    figures: which.
    """
    rows = found["variants"].values()
    values = {figure: [row[figure]["value"] for row in rows] for figure in figures}
    edges = {
        figure: [row[figure]["interval"] or [row[figure]["value"]] * 2 for row in rows]
        for figure in figures
    }
    return values, {figure: np.array(pairs, float).T for figure, pairs in edges.items()}


def _difference(found, name, other, figure, kind="interval"):
    """Value and bounds of the difference of two variants; None three times without interval."""
    differences = found["differences"]
    sign = 1 if other in differences.get(name, {}) else -1
    entry = (differences[name][other] if sign == 1 else differences[other][name])[figure]
    if entry["value"] is None or entry[kind] is None:
        return None, None, None
    return sign * entry["value"], *sorted(sign * edge for edge in entry[kind])


def _named(name):
    """A name with what follows a comma in brackets, since lines have commas of their own."""
    first, _, rest = name.partition(", ")
    return f"{first} ({rest})" if rest else name


def _scope(found, *names):
    """The ending of a line that limits its claim to networks that were trained once."""
    once = min(found["seeds"][name] for name in names) == 1
    return f", {SCOPES.get(found['once'], found['once'])}" if once else ""


def _text(value):
    return "not defined" if value is None else f"{value:.3f}"
