"""Columns of the tables in the notebooks of the high-DOF paper."""

from collections.abc import Iterable, Mapping
from typing import Any


def columns(
    found: Mapping[str, Any], figures: Mapping[str, tuple[str, float]] | Iterable[str]
) -> dict[str, list[float | None]]:
    """Columns of a table of a `contrast`: {title: values of its variants}.

    found: the contrast.
    figures: their titles and factors to the printed unit, or names that are titles.
    """
    named = figures if isinstance(figures, Mapping) else {figure: (figure, 1) for figure in figures}
    rows = [row for row in found["variants"].values()]
    return {
        title: [
            None if row[figure]["value"] is None else unit * row[figure]["value"] for row in rows
        ]
        for figure, (title, unit) in named.items()
    }


def interval(cell: Mapping[str, Any]) -> str | None:
    """The interval of a figure as text, None if it has none.

    cell: "value" and "interval".
    """
    return cell["interval"] and " to ".join(f"{edge:.2f}" for edge in cell["interval"])


def with_interval(cell: Mapping[str, Any]) -> str:
    """A figure with its interval, if it has one.

    cell: "value" and "interval".
    """
    edges = cell["interval"] and " [{:.3f}, {:.3f}]".format(*cell["interval"])
    return f"{cell['value']:.3f}{edges or ''}"


def proportion(
    residuals: Mapping[str, Mapping[str, Any]], constant: float, floor: float
) -> dict[str, list[Any]]:
    """Columns that put L_consistency in proportion: its value, the share of the constant's residual
    that the network avoids, its ratio to the floor, and the distance of the contact points.

    residuals: variants of a `contrast` of `experiments.residual_figures`.
    constant: L_consistency of the best constant pose.
    floor: distance of a grasp to the nearest of its object's others, the sum of its parts.
    """
    own = [row["consistency"]["value"] for row in residuals.values()]
    return {
        "trained by": list(residuals),
        "L_consistency": own,
        "explained [%]": [100 * (1 - value / constant) for value in own],
        "relative to the floor": [value / floor for value in own],
        "contact points [mm]": [1000 * row["apart"]["value"] for row in residuals.values()],
    }


def control_columns(controls: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Columns of the controls of several hands, with intervals.

    controls: {hand: contrast of `controls.control_figures`}.
    """
    rows = [
        (f"{hand}, {name}", row)
        for hand, found in controls.items()
        for name, row in found["variants"].items()
    ]
    titles = {
        "L_consistency": "consistency",
        "in force closure": "force_closure",
        "held": "held_bench",
    }
    raw = {"raw: points to surface [mm]": "surface", "raw: inside [mm]": "inside"}
    found = {"hand, answer": [name for name, _ in rows]}
    for title, figure in titles.items():
        found[title] = [with_interval(row[figure]) for _, row in rows]
    for title, figure in raw.items():
        found[title] = [f"{1000 * row[figure]['value']:.1f}" for _, row in rows]
    return found
