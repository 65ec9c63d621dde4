"""Charts: curves, bars, distributions and maps, as plotly figures. Arrays go to the page as float32."""

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from graspbook.figures.style import COLOURS


def curves(
    lines, x_title, y_title, bands=None, log_y=False, unit_square=False, markers=False, title=None
):
    """Curves by name -> (x, y).

    bands: name -> (low, high), intervals drawn around the curve of that name; unit_square: both
    axes from 0 to 1.
    """
    figure = go.Figure()
    for i, (name, (x, y)) in enumerate(lines.items()):
        x, colour = np.asarray(x, np.float32), COLOURS[i % len(COLOURS)]
        if name in (bands or {}):
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
        mode = "lines+markers" if markers else "lines"
        figure.add_scatter(
            x=x,
            y=np.asarray(y, np.float32),
            name=name,
            mode=mode,
            line={"color": colour},
            legendgroup=name,
        )
    figure.update_yaxes(
        type="log" if log_y else "linear", exponentformat="power" if log_y else "none"
    )
    if unit_square:
        figure.update_xaxes(range=[0, 1.02])
        figure.update_yaxes(range=[0, 1.02])
    return _plain(figure, x_title, y_title, title)


def bars(groups, categories, y_title, intervals=None, x_title=None, title=None):
    """Bars side by side: series name -> value for each category; intervals: series name -> (low,
    high) of each value.
    """
    figure = go.Figure()
    for i, (name, values) in enumerate(groups.items()):
        values = np.asarray(values, float)
        error = None
        if name in (intervals or {}):
            low, high = (np.asarray(edge, float) for edge in intervals[name])
            error = {
                "type": "data",
                "symmetric": False,
                "array": high - values,
                "arrayminus": values - low,
                "color": "#444",
            }
        figure.add_bar(
            name=name,
            x=list(categories),
            y=values,
            error_y=error,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    return _plain(figure, x_title, y_title, title)


def funnel(stages, title=None):
    """What is left at each stage: series name -> {stage: count}, as shares of the first stage with
    the counts beside.
    """
    figure = go.Figure()
    for i, (name, counts) in enumerate(stages.items()):
        numbers = np.array(list(counts.values()), float)
        figure.add_bar(
            name=name,
            y=list(counts),
            x=numbers / numbers[0],
            orientation="h",
            text=[f"{n:,.0f}" for n in numbers],
            textposition="outside",
            cliponaxis=False,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    order = max((list(counts) for counts in stages.values()), key=len)
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    figure.update_xaxes(range=[0, 1.15], tickformat=".0%")
    return _plain(figure, "share of the first stage", None, title)


def histogram(groups, x_title, bins=40, title=None):
    """Distributions by name -> values (N,), overlaid, as shares of their own number; bins span all
    of them.
    """
    everything = np.concatenate([np.asarray(values, float) for values in groups.values()])
    edges = np.linspace(everything.min(), everything.max() or 1.0, bins + 1)
    figure = go.Figure()
    for i, (name, values) in enumerate(groups.items()):
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        centres = (edges[:-1] + edges[1:]) / 2
        figure.add_bar(
            name=name,
            x=centres,
            y=share,
            width=np.diff(edges),
            opacity=0.65,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    figure.update_layout(barmode="overlay")
    return _plain(figure, x_title, "share", title)


def heat_map(values, extent, x_title, y_title, label, title=None):
    """Values (n, m), x along the first axis, over extent (x_low, x_high, y_low, y_high), with the
    contour of zero; equal axes.

    White is zero, red what is less and blue what is more, both full at the extremes; `label` (give
    its unit) names the bar.
    """
    x, y = (
        np.linspace(low, high, count)
        for low, high, count in zip(extent[::2], extent[1::2], values.shape, strict=True)
    )
    low, high = min(float(values.min()), -1e-9), max(float(values.max()), 1e-9)
    scale = [[0.0, "#b2182b"], [low / (low - high), "#f7f7f7"], [1.0, "#2166ac"]]
    values = np.asarray(values.T, np.float32)
    figure = go.Figure(
        go.Heatmap(
            x=x, y=y, z=values, colorscale=scale, zmin=low, zmax=high, colorbar={"title": label}
        )
    )
    surface = {"start": 0, "end": 0, "coloring": "none"}
    figure.add_contour(
        x=x,
        y=y,
        z=values,
        contours=surface,
        line={"width": 2, "color": "black"},
        showscale=False,
        hoverinfo="skip",
        name="surface",
    )
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
