"""Figures of robot trials: success beside the paper's, how many grasps are feasible, times by
stage, the grasps in the scene.
"""

import numpy as np
import plotly.graph_objects as go

from graspbook import figures
from graspbook.figures.trial_tables import (
    METHODS,
    methods_of,
    paper_counts,
    stage_times,
    success_counts,
)
from graspbook.metrics import wilson_interval
from graspbook.robots.trial_records import STAGES

# Kind of grasp -> colour and width of its fork, drawn last on top; the palette is told apart by the
# colour-blind too.
KINDS = {
    "collides": ("#9aa1a9", 2),
    "unreachable": (figures.BAD, 2),
    "reachable": (figures.COLOURS[0], 3),
    "chosen": (figures.GOOD, 9),
}


def success_figure(records, title=None):
    """Success by category and over all trials of each method, per cent with 95 % Wilson intervals,
    beside the paper's (hatched).

    Raises ParameterError for no records; so do the other figures.
    """
    methods = methods_of(records)
    categories, series, intervals, looks = list(success_counts(records)), {}, {}, {}
    for i, method in enumerate(methods):
        counts = {
            method: success_counts([record for record in records if record["method"] == method])
        }
        if method in METHODS:
            counts[f"paper, {METHODS[method]}"] = paper_counts(method)
        for name, by_category in counts.items():
            tried = [by_category.get(category, (0, 0)) for category in categories]
            series[name] = [
                100 * successes / trials if trials else np.nan for successes, trials in tried
            ]
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


def grasp_figure(records, title=None):
    """How many grasps a method predicts, how many of them are clear of table and object, and how
    many the arm reaches too.

    Medians over the trials that came to the prediction, with quartiles (Fig. 2, right, of the paper
    in numbers).
    """
    stages, medians, quartiles = ("predicted", "clear", "reachable"), {}, {}
    for method in methods_of(records):
        came = [
            record
            for record in records
            if record["method"] == method and record["times"].get("predict") is not None
        ]
        numbers = np.array(
            [[record["grasps"][stage] for stage in stages] for record in came], float
        )
        low, medians[method], high = (
            np.percentile(numbers, [25, 50, 75], axis=0) if came else np.full((3, 3), np.nan)
        )
        quartiles[method] = low, high
    figure = figures.bars(
        medians,
        stages,
        "grasps a trial: median and quartiles",
        quartiles,
        x_title="grasps",
        title=title,
    )
    return figure.update_layout(showlegend=True)


def time_figure(records, title=None):
    """Seconds of each stage by method: the median as a bar, up to the 95th percentile as a line."""
    methods = methods_of(records)
    times = {
        method: [record for record in records if record["method"] == method] for method in methods
    }
    reached = [stage for stage in STAGES if stage != "total" and stage_times(records, stage).size]
    medians, limits = {}, {}
    for method, own in times.items():
        seconds = [stage_times(own, stage) for stage in reached]
        medians[method] = [np.median(values) if values.size else np.nan for values in seconds]
        limits[method] = (
            medians[method],
            [np.percentile(values, 95) if values.size else np.nan for values in seconds],
        )
    names = [stage.replace("_", " ") for stage in reached]
    figure = figures.bars(
        medians, names, "time [s]: median and 95th percentile", limits, "stage of the trial", title
    )
    return figure.update_layout(showlegend=True)


def scene_figure(mesh_or_points, base_T_hand, kinds, title=None):
    """Grasps in the scene (Fig. 2, right): the chosen one, those the arm reaches, those it does
    not, those that collide.

    mesh_or_points: a trimesh or observed points (M, 3), base frame; base_T_hand: (N, 4, 4); kinds:
    (N,) of KINDS. Raises ValueError for another kind.
    """
    kinds = np.asarray(kinds, str)
    unknown = sorted(set(kinds.tolist()) - set(KINDS))
    if unknown:
        raise ValueError(f"kinds {unknown}, expected of {list(KINDS)}")
    if hasattr(mesh_or_points, "faces"):
        figure = figures.cloud_and_grasps(mesh=mesh_or_points, title=title)
        figure.data[0].update(name="object", showlegend=True)
    else:
        figure = figures.cloud_and_grasps(
            cloud=np.asarray(mesh_or_points, float).reshape(-1, 3), title=title
        )
    for kind, (colour, width) in KINDS.items():
        poses = np.asarray(base_T_hand, float).reshape(-1, 4, 4)[kinds == kind]
        if len(poses):
            forks = figures.cloud_and_grasps(poses=poses).data[0]
            figure.add_trace(
                forks.update(
                    name=f"{kind} ({len(poses)})",
                    line={"color": colour, "width": width},
                    showlegend=True,
                )
            )
    return figure.update_layout(showlegend=True)


def kinds_of(choice):
    """Poses (K, 4, 4) and kinds (K,) for `scene_figure` of a `robots.trial.Choice`: the chosen
    grasp as it is carried out.
    """
    kinds = np.where(
        choice.reachable, "reachable", np.where(choice.clear, "unreachable", "collides")
    )
    poses = choice.base_T_hand.copy()
    if choice.plan:
        kinds[choice.rank], poses[choice.rank] = "chosen", choice.plan.base_T_hand
    return poses, kinds


def depth_figure(depth, title=None):
    """A depth image (H, W) in metres, every third pixel; white where nothing was measured."""
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
        "yaxis": {"title": "row [pixel]", "autorange": "reversed", "scaleanchor": "x"},
    }
    return go.Figure(image, layout)
