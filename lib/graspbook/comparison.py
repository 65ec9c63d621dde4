"""What may be said of variants that were measured on the same objects, by a bootstrap.

What is measured of a variant comes by object, once for each seed that its networks were trained
with. `contrast` draws objects and seeds anew, the same objects for all variants. Which differences
between them are more than the choice of objects and seeds?
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graspbook.errors import ParameterError
from graspbook.metrics import bootstrap_interval

Run = Mapping[str, list]  # what was measured of one seed, by object
Contrast = dict[str, Any]
RESAMPLES = 1000
FEWEST = 6  # objects: of fewer, even all agreeing by chance is likelier than 5 %


def contrast(
    variants: Mapping[str, Sequence[Run]],
    figures: Callable[[list], Mapping[str, float]],
    seed: int = 0,
    *,
    resamples: int = RESAMPLES,
    once: str = "of these networks",
    paired: bool = False,
) -> Contrast:
    """Figures of variants, and how each differs from those before it, with intervals at 95 %.

    Figures are means over seeds. A resample draws objects, the same for all variants, and of each
    variant's S seeds S - 1, one at least. With S of them the variance of a mean over seeds would
    come out too small, by a third for three. With a single object there are no intervals (None).
    Returns, in plain numbers, {"objects": how many, "once", "seeds": {name: how many}, "variants":
    {name: row}, "differences": {later: {earlier: row}}}. A row is {figure: {"value", "interval"}},
    and of a difference also "joint", an interval at 95 % for all differences together (Bonferroni).
    Raises ParameterError where no object is known for all, and for paired variants with different
    numbers of seeds.

    variants: by name, one {object: [item]} per seed that it was trained with.
    figures: makes {figure: number} of a list of items.
    seed: of the bootstrap.
    resamples: how many.
    once: what intervals tell of where there is one seed, and not of others trained alike.
    paired: whether the n-th seeds of all variants belong together, as trainings that start from one
        network do. They are then drawn together.
    """
    names, runs = list(variants), list(variants.values())
    every = [run for several in runs for run in several]
    objects = [name for name in runs[0][0] if all(name in run for run in every)]
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
    """What was measured of one seed's run on some objects, in one list.

    run: {object: [item]}.
    objects: their names.
    """
    return [item for name in objects for item in run[name]]


def order(found: Contrast, name: str, other: str, figure: str, *, kind: str = "interval") -> int:
    """What a `contrast` tells of two variants: 1 the first is higher, -1 lower, 0 it cannot tell.

    It tells nothing of fewer than `FEWEST` objects: a bootstrap over so few is too sure.

    found: by `contrast`.
    name, other: of the variants.
    figure: in which.
    kind: which interval has to leave zero out: the "interval" of this difference, or the "joint"
        one of all differences.
    """
    value, low, high = _difference(found, name, other, figure, kind)
    if value is None or found["objects"] < FEWEST:
        return 0
    return int(low > 0) - int(high < 0)


def verdict(found: Contrast, name: str, other: str, figure: str) -> str:
    """A line on two variants: their difference, its interval, and which is higher.

    "of these networks": one of the two was trained once, so that nothing is known of others trained
    alike.

    found, name, other, figure: as for `order`.
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


def within(found: Contrast, name: str, other: str, figure: str, margin: float) -> str:
    """The `verdict` of two variants, and whether the first is lower by more than a margin: a line.

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
    """Those of some orderings that intervals do not support: {title: [verdict]}.

    A title of which all are supported, or none was asked, is left out.

    orderings: by title, of (contrast, higher, lower, figure).
    """
    missing = {
        title: [verdict(*asked) for asked in several if order(*asked) < 1]
        for title, several in orderings.items()
    }
    return {title: lines for title, lines in missing.items() if lines}


def verdicts(found: Contrast, figure: str, reference: str | None = None) -> str:
    """The `verdict` of every pair of variants, or of each against one, a line each.

    found, figure: as for `order`.
    reference: the one.
    """
    names = list(found["variants"])
    pairs = [(name, other) for i, name in enumerate(names) for other in names[:i]]
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    return "\n".join(verdict(found, *pair, figure) for pair in pairs)


def levels_off(found: Contrast, figure: str) -> str:
    """A line on the first variant, in their order, that no later one is higher than.

    Every pair is a comparison, so their intervals are the joint ones. Of fewer than `FEWEST`
    objects nothing is said.

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
    """Values of a `contrast`, a line per variant, to stand beside what may be said of them.

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
    """Value and bounds of a variant's figure less another's, three times None without interval."""
    differences = found["differences"]
    sign = 1 if other in differences.get(name, {}) else -1
    entry = (differences[name][other] if sign == 1 else differences[other][name])[figure]
    if entry["value"] is None or entry[kind] is None:
        return None, None, None
    return sign * entry["value"], *sorted(sign * edge for edge in entry[kind])


def _scope(found, *names):
    """What a claim about variants holds for, as an ending."""
    return f", {found['once']}" if min(found["seeds"][name] for name in names) == 1 else ""


def _text(value):
    return "not defined" if value is None else f"{value:.3f}"
