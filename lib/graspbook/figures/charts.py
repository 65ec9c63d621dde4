"""Charts: curves, bars, distributions and maps, as plotly figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from graspbook.figures.style import COLOURS

Values = Sequence[float] | np.ndarray


def curves(
    lines: Mapping[str, Sequence[Values]],
    x_title: str,
    y_title: str,
    bands: Mapping[str, Sequence[Values]] | None = None,
    *,
    log_y: bool = False,
    unit_square: bool = False,
    markers: bool = False,
    title: str | None = None,
) -> go.Figure:
    """Curves, with intervals around them.

    lines: name -> (x, y), each (N,).
    x_title, y_title: texts at the axes, with their units.
    bands: name -> (low, high), around the curve of that name.
    log_y: a logarithmic y axis.
    unit_square: both axes from 0 to 1.
    markers: whether curves also have points.
    title: text above the figure; no text if None.
    """
    figure, bands = go.Figure(), bands or {}
    for i, (name, (x, y)) in enumerate(lines.items()):
        x, colour = np.asarray(x, np.float32), COLOURS[i % len(COLOURS)]
        if name in bands:
            low, high = (np.asarray(edge, np.float32) for edge in bands[name])
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([high, low[::-1]]),
                mode="lines",
                fill="toself",
                fillcolor=f"rgba{(*hex_to_rgb(colour), 0.18)}",
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        look = {"mode": "lines+markers" if markers else "lines", "line": {"color": colour}}
        figure.add_scatter(x=x, y=np.asarray(y, np.float32), name=name, legendgroup=name, **look)
    axis = ("log", "power") if log_y else ("linear", "none")
    figure.update_yaxes(type=axis[0], exponentformat=axis[1])
    if unit_square:
        figure.update_xaxes(range=[0, 1.02])
        figure.update_yaxes(range=[0, 1.02])
    return _plain(figure, x_title, y_title, title)


def bars(
    groups: Mapping[str, Values],
    categories: Iterable[Any],
    y_title: str,
    intervals: Mapping[str, Sequence[Values] | np.ndarray] | None = None,
    *,
    x_title: str | None = None,
    title: str | None = None,
) -> go.Figure:
    """Grouped bars with intervals.

    groups: series name -> value for each category.
    categories: names of the groups, along x.
    y_title, x_title: texts at the axes, with their units.
    intervals: series name -> (low, high) of each value.
    title: text above the figure; no text if None.
    """
    figure, intervals = go.Figure(), intervals or {}
    for i, (name, values) in enumerate(groups.items()):
        values = np.asarray(values, float)
        error = None
        if name in intervals:
            low, high = (np.asarray(edge, float) for edge in intervals[name])
            error = {"array": high - values, "arrayminus": values - low, "color": "#444"}
            error |= {"type": "data", "symmetric": False}
        bar = {"name": name, "marker_color": COLOURS[i % len(COLOURS)]}
        figure.add_bar(x=list(categories), y=values, error_y=error, **bar)
    return _plain(figure, x_title, y_title, title)


def funnel(stages: Mapping[str, Mapping[str, float]], title: str | None = None) -> go.Figure:
    """Share of the first stage that is left at each stage, with counts as text.

    stages: series name -> {stage: count}.
    title: text above the figure; no text if None.
    """
    figure = go.Figure()
    for i, (name, counts) in enumerate(stages.items()):
        numbers = np.array(list(counts.values()), float)
        text = {"text": [f"{n:,.0f}" for n in numbers], "textposition": "outside"}
        bar = {"name": name, "orientation": "h", "marker_color": COLOURS[i % len(COLOURS)]}
        figure.add_bar(y=list(counts), x=numbers / numbers[0], cliponaxis=False, **text, **bar)
    order = max((list(counts) for counts in stages.values()), key=len)
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    figure.update_xaxes(range=[0, 1.15], tickformat=".0%")
    return _plain(figure, "share of the first stage", None, title)


def histogram(
    groups: Mapping[str, Values], x_title: str, *, bins: int = 40, title: str | None = None
) -> go.Figure:
    """Distributions as stepped outlines, in shares of their own number.

    groups: name -> values (N,).
    x_title: text at the x axis, with the unit.
    bins: that span all values.
    title: text above the figure; no text if None.
    """
    everything = np.concatenate([np.asarray(values, float) for values in groups.values()])
    edges = np.linspace(everything.min(), everything.max() or 1.0, bins + 1)
    figure = go.Figure()
    for i, (name, values) in enumerate(groups.items()):
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        centres, colour = (edges[:-1] + edges[1:]) / 2, COLOURS[i % len(COLOURS)]
        look = {"line": {"shape": "hvh", "color": colour}, "fill": "tozeroy"}
        look["fillcolor"] = f"rgba{(*hex_to_rgb(colour), 0.12)}"
        figure.add_scatter(x=centres, y=share, name=name, mode="lines", **look)
    return _plain(figure, x_title, "share", title)


def heat_map(
    values: np.ndarray,
    extent: Sequence[float],
    x_title: str,
    y_title: str,
    label: str,
    *,
    title: str | None = None,
) -> go.Figure:
    """Values over a plane, with the contour of zero; equal axes.

    White is zero. Lower values are red and higher ones blue, strongest at the extremes.

    values: (n, m), x along the first axis.
    extent: x_low, x_high, y_low, y_high, in the units of the axes.
    x_title, y_title: texts at the axes, with their units.
    label: of the colour bar (give its unit).
    title: text above the figure; no text if None.
    """
    x, y = (
        np.linspace(low, high, count)
        for low, high, count in zip(extent[::2], extent[1::2], values.shape, strict=True)
    )
    low, high = min(float(values.min()), -1e-9), max(float(values.max()), 1e-9)
    scale = [[0.0, "#b2182b"], [low / (low - high), "#f7f7f7"], [1.0, "#2166ac"]]
    values = np.asarray(values.T, np.float32)
    colours = {"colorscale": scale, "zmin": low, "zmax": high, "colorbar": {"title": label}}
    figure = go.Figure(go.Heatmap(x=x, y=y, z=values, **colours))
    zero = {"contours": {"start": 0, "end": 0, "coloring": "none"}, "showscale": False}
    line = {"line": {"width": 2, "color": "black"}, "hoverinfo": "skip", "name": "surface"}
    figure.add_contour(x=x, y=y, z=values, **zero, **line)
    _plain(figure, x_title, y_title, title).update_xaxes(constrain="domain", showgrid=False)
    return figure.update_yaxes(scaleanchor="x", constrain="domain", showgrid=False).update_layout(
        height=520
    )


def _plain(figure, x_title, y_title, title):
    """Axis titles, margins and the white template of a two-dimensional figure."""
    figure.update_layout(
        template="plotly_white",
        title=title,
        height=420,
        margin={"l": 60, "r": 20, "b": 50, "t": 50 if title else 20},
        xaxis_title=x_title,
        yaxis_title=y_title,
    )
    return figure
