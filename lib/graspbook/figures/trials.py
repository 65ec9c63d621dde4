"""Figures of robot trials: success compared with the paper's, numbers of feasible grasps, times by
stage, the grasps in the scene.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import trimesh

from graspbook import figures
from graspbook.figures.trial_tables import (
    METHODS,
    Record,
    methods_of,
    of_method,
    paper_counts,
    stage_times,
    success_counts,
)
from graspbook.metrics import wilson_interval
from graspbook.robots.grasp_choice import Choice
from graspbook.robots.trial_records import STAGES

# Kind of grasp -> colour and width of its fork, drawn last on top; colour-blind people can
# distinguish the palette.
KINDS = {
    "collides": ("#9aa1a9", 2),
    "unreachable": (figures.BAD, 2),
    "reachable": (figures.COLOURS[0], 3),
    "chosen": (figures.GOOD, 9),
}
_DRAWN = 25  # grasps of each kind: with more, nobody sees the object


def success_figure(records: Sequence[Record], title: str | None = None) -> go.Figure:
    """Success by category and over all trials of each method, per cent with 95 % Wilson intervals;
    the paper's is hatched.

    records: at least one, else ParameterError, as for the other figures.
    title: text above the figure; no text if None.
    """
    methods = methods_of(records)
    categories, series, intervals, looks = list(success_counts(records)), {}, {}, {}
    for i, method in enumerate(methods):
        counts = {method: success_counts(of_method(records, method))}
        if method in METHODS:
            counts[f"paper, {METHODS[method]}"] = paper_counts(method)
        for name, by_category in counts.items():
            tried = [by_category.get(category, (0, 0)) for category in categories]
            series[name] = [100 * won / trials if trials else np.nan for won, trials in tried]
            limits = 100 * np.array([wilson_interval(*count) for count in tried]).T
            intervals[name] = np.where(np.isnan(series[name]), np.nan, limits)
            looks[name] = figures.COLOURS[i % len(figures.COLOURS)], "" if name == method else "/"
    figure = figures.bars(
        series, categories, "success rate [%]", intervals, x_title="category of object", title=title
    )
    for bar in figure.data:
        colour, shape = looks[bar.name]
        bar.update(
            marker={"color": colour, "opacity": 0.55 if shape else 1.0, "pattern": {"shape": shape}}
        )
    return figure.update_yaxes(range=[0, 105]).update_layout(showlegend=True)


def grasp_figure(records: Sequence[Record], title: str | None = None) -> go.Figure:
    """Number of grasps that a method predicts, that are clear of table and object, and that the arm
    also reaches.

    Bars are medians over the trials that reached the prediction, with quartiles (Fig. 2, right, of
    the paper in numbers).

    records: of `robots.trial_records`, by any methods.
    title: text above the figure; no text if None.
    """
    stages, medians, quartiles = ("predicted", "clear", "reachable"), {}, {}
    for method in methods_of(records):
        own = of_method(records, method)
        came = [record["grasps"] for record in own if record["times"].get("predict") is not None]
        numbers = np.array([[grasps[stage] for stage in stages] for grasps in came], float)
        low, medians[method], high = (
            np.percentile(numbers, [25, 50, 75], axis=0) if came else np.full((3, 3), np.nan)
        )
        quartiles[method] = low, high
    text = "grasps per trial: median and quartiles"
    figure = figures.bars(medians, stages, text, quartiles, x_title="grasps", title=title)
    return figure.update_layout(showlegend=True)


def time_figure(records: Sequence[Record], title: str | None = None) -> go.Figure:
    """Seconds of each stage by method: the median as a bar, up to the 95th percentile as a line.

    records: of `robots.trial_records`, by any methods.
    title: text above the figure; no text if None.
    """
    times = {method: of_method(records, method) for method in methods_of(records)}
    reached = [stage for stage in STAGES if stage != "total" and stage_times(records, stage).size]
    medians, limits = {}, {}
    for method, own in times.items():
        seconds = [stage_times(own, stage) for stage in reached]
        medians[method] = [np.median(values) if values.size else np.nan for values in seconds]
        slow = [np.percentile(values, 95) if values.size else np.nan for values in seconds]
        limits[method] = medians[method], slow
    names = [stage.replace("_", " ") for stage in reached]
    text, stages = "time [s]: median and 95th percentile", "stage of the trial"
    figure = figures.bars(medians, names, text, limits, x_title=stages, title=title)
    return figure.update_layout(showlegend=True)


def scene_figure(
    mesh_or_points: trimesh.Trimesh | np.ndarray,
    base_T_hand: np.ndarray,
    kinds: Sequence[str] | np.ndarray,
    title: str | None = None,
) -> go.Figure:
    """Grasps in the scene (Fig. 2, right): the chosen one, those the arm reaches, those it does
    not, those that collide. It draws the first 25 of each kind; the legend has the numbers of all.

    mesh_or_points: a trimesh or observed points (M, 3), base frame.
    base_T_hand: (N, 4, 4) poses of the hand in the arm's base frame.
    kinds: (N,) of KINDS, else ValueError.
    title: text above the figure; no text if None.
    """
    kinds = np.asarray(kinds, str)
    unknown = sorted(set(kinds.tolist()) - set(KINDS))
    if unknown:
        raise ValueError(f"unknown kinds {unknown}, expected some of {list(KINDS)}")
    if isinstance(mesh_or_points, trimesh.Trimesh):
        figure = figures.cloud_and_grasps(mesh=mesh_or_points, title=title)
        figure.data[0].update(name="object", showlegend=True)
    else:
        figure = figures.cloud_and_grasps(
            cloud=np.asarray(mesh_or_points, float).reshape(-1, 3), title=title
        )
    for kind, (colour, width) in KINDS.items():
        poses = np.asarray(base_T_hand, float).reshape(-1, 4, 4)[kinds == kind]
        if len(poses):
            forks = figures.cloud_and_grasps(poses=poses[:_DRAWN]).data[0]
            some = f", {_DRAWN} drawn" if len(poses) > _DRAWN else ""
            forks.update(name=f"{kind} ({len(poses)}{some})")
            forks.update(line={"color": colour, "width": width})
            figure.add_trace(forks.update(showlegend=True))
    return figure.update_layout(showlegend=True)


def kinds_of(choice: Choice) -> tuple[np.ndarray, np.ndarray]:
    """Poses (K, 4, 4) and kinds (K,) for `scene_figure`.

    choice: its chosen grasp is shown as it is carried out.
    """
    kinds = np.where(
        choice.reachable, "reachable", np.where(choice.clear, "unreachable", "collides")
    )
    poses = choice.base_T_hand.copy()
    if choice.plan:
        kinds[choice.rank], poses[choice.rank] = "chosen", choice.plan.base_T_hand
    return poses, kinds


def depth_figure(depth: np.ndarray, title: str | None = None) -> go.Figure:
    """A depth image, every third pixel; missing depth is white.

    depth: (H, W) along the camera's z axis, metres.
    title: text above the figure; no text if None.
    """
    image = go.Heatmap(
        z=depth[::3, ::3],
        x=np.arange(0, depth.shape[1], 3),
        y=np.arange(0, depth.shape[0], 3),
        colorscale=figures.SCALE,
        colorbar={"title": "depth [m]"},
    )
    layout = {
        "title": title,
        "template": "plotly_white",
        "height": 480,
        "xaxis": {"title": "column [pixel]", "constrain": "domain"},
        "yaxis": {
            "title": "row [pixel]",
            "autorange": "reversed",
            "scaleanchor": "x",
            "constrain": "domain",
        },
    }
    return go.Figure(image, layout)
