"""The page of an evaluation on meshes: a table, success over coverage, and the best grasps."""

from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from graspbook.figures.charts import curves
from graspbook.figures.grasps import cloud_and_grasps
from graspbook.figures.page import write_view
from graspbook.graspnet.figures_of_merit import COMPARED, pooled_success_coverage
from graspbook.graspnet.mesh_evaluation import MeshEvaluation

SHOWN = 10

# Columns of the page's table: heading, figure, and format.
_COLUMNS = (
    ("best holds", "success_best", "{:.0%}"),
    ("best under gravity, 0.3 kg", "gravity_best", "{:.0%}"),
    ("best survives [m/s²]", "acceleration_best", "{:.1f}"),
    ("ten best hold", "success_top10", "{:.0%}"),
    ("above threshold hold", "success_above_threshold", "{:.0%}"),
    ("above threshold per view", "grasps_above_threshold", "{:.1f}"),
    ("all hold", "success_all_final", "{:.0%}"),
    ("coverage, 2 cm", "coverage", "{:.0%}"),
    ("area", "auc", "{:.2f}"),
)


def write_evaluation(path: Path | str, evaluation: MeshEvaluation) -> None:
    """Write a report's table, success over coverage, and the best grasps of each object's first
    view.

    path: of the .html file to write.
    evaluation: report, meshes and views.

    Raises OutputError.
    """
    report, evaluations = evaluation.report, evaluation.views
    parameters, overall = report["parameters"], report["overall"]
    counts, settings = overall["counts"], parameters["predict"]
    text = (
        f"Method {parameters['method']}, {settings['samples']} samples per view, random views per"
        f" object: {parameters['views']}. Objects judged: {counts['objects']}, left out:"
        f" {counts['objects_left_out']}. A grasp holds if the object stays between both fingers in"
        " the shake test. The best grasp is ranked first. The threshold is a score of"
        f" {settings['threshold']:g}. Area is the area under success over coverage. Brackets are"
        " 95 % intervals over objects."
    )
    figures = [_table(report)]
    if "against" in report:
        figures.append(_differences(report))
    objects = f"{len(evaluations)} object{'s' * (len(evaluations) != 1)}"
    judged = [name for name in evaluations if evaluations[name]]
    if judged:
        success, coverage = pooled_success_coverage(evaluations, evaluation.positives)
        x_title = "coverage: share of positive grasps within 2 cm of a visited one"
        y_title = "success rate of visited grasps"
        title = f"Success over coverage, all grasps by falling score: area {overall['auc']:.2f}"
        lines = {"all views": (coverage, success)}
        figures += [
            curves(lines, x_title, y_title, unit_square=True, title=title),
            _best_grasps(
                {name: (evaluation.surfaces[name], evaluations[name][0]) for name in judged}
            ),
        ]
    write_view(path, figures, f"Evaluated grasps for {objects}", text)


def _table(report):
    """A table with one row per object below the overall row with its intervals; an object that was
    left out has its reason.
    """
    objects = dict(sorted(report["objects"].items()))
    columns = [
        [
            "<b>overall</b>",
            *(
                f"{name}: {figures['reason']}" if "reason" in figures else name
                for name, figures in objects.items()
            ),
        ]
    ]
    for _, key, form in _COLUMNS:
        interval = report["overall"]["intervals_over_objects"][key]
        bounds = f"<br>[{form.format(interval[0])}, {form.format(interval[1])}]" if interval else ""
        columns.append(
            [
                f"<b>{_text(report['overall'][key], form)}</b>{bounds}",
                *(_text(figures[key], form) for figures in objects.values()),
            ]
        )
    # A reason takes several lines.
    lines = len(objects) + 6 * report["overall"]["counts"]["objects_left_out"]
    return _listing(["object", *(heading for heading, _, _ in _COLUMNS)], columns, 180 + 28 * lines)


def _differences(report):
    """A table with one row per compared report: this method's figures minus the other's."""
    rows, method = report["against"], report["parameters"]["method"]
    named = {key: heading for heading, key, _ in _COLUMNS}
    names = [
        f"{method} minus {row['method']} ({row['report']}), {row['objects']} objects"
        for row in rows
    ]
    columns = [
        [difference_text(row, key).replace(" [", "<br>[") for row in rows] for key in COMPARED
    ]
    headings = ["differences, paired over objects", *(named[key] for key in COMPARED)]
    return _listing(headings, [names, *columns], 120 + 60 * len(names))


def _listing(headings, columns, height):
    """A table of text as a figure, with a wide first column."""
    table = go.Table(
        columnwidth=[2.2] + [1] * (len(headings) - 1),
        header={"values": headings},
        cells={"values": columns, "height": 26, "align": ["left", "right"]},
    )
    margin = {"l": 0, "r": 0, "t": 30, "b": 0}
    return go.Figure(table).update_layout(height=height, margin=margin)


def difference_text(row: dict[str, Any], figure: str) -> str:
    """A figure with its interval, as in "+0.12 [+0.05, +0.20]"; a dash if it is not defined.

    row: an entry of a report's `against`.
    figure: one of `figures_of_merit.COMPARED`.
    """
    interval = row["intervals_over_objects"][figure]
    return _text(row[figure], "{:+.2f}") + (
        f" [{interval[0]:+.2f}, {interval[1]:+.2f}]" if interval else ""
    )


def _text(value, form):
    return "–" if value is None else form.format(value)


def _best_grasps(shown):
    """The best grasps of one view per object, chosen by a menu. shown: object name -> (mesh,
    ViewEvaluation).
    """
    scenes = {
        name: cloud_and_grasps(
            view.cloud, view.final[:SHOWN], view.final_success[:SHOWN], mesh=mesh
        )
        for name, (mesh, view) in shown.items()
    }
    first = next(iter(scenes.values()))
    figure = go.Figure([trace for scene in scenes.values() for trace in scene.data], first.layout)
    owners = [name for name, scene in scenes.items() for _ in scene.data]
    for trace, owner in zip(figure.data, owners, strict=True):
        trace.visible = owner == owners[0]
    title = f"The {SHOWN} best grasps of the first view of "
    buttons = []
    for name in scenes:
        shows = {"visible": [owner == name for owner in owners]}
        told = {"title.text": title + name}
        buttons.append({"method": "update", "label": name, "args": [shows, told]})
    menu = {"buttons": buttons, "x": 1, "xanchor": "right", "y": 1, "yanchor": "top"}
    figure.update_layout(title=title + owners[0], height=640, margin={"t": 60})
    return figure.update_layout(updatemenus=[menu])
