"""How well a method grasps meshes that nobody trained on: predicted from random views, judged in
simulation, shown on a page.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import plotly.graph_objects as go
import torch

from graspbook.errors import ParameterError
from graspbook.figures import cloud_and_grasps, curves, write_view
from graspbook.graspnet.figures_of_merit import (
    COMPARED,
    assess,
    compare,
    pooled_success_coverage,
    record,
)
from graspbook.graspnet.predict import PredictSettings, load_networks
from graspbook.graspnet.views import (
    CLOUD_POINTS,
    evaluate_view,
    evaluation_code,
    ground_truth,
    weights_hashes,
)
from graspbook.objects.mesh import load_mesh
from graspbook.objects.sets import load_object
from graspbook.parallel import run_tasks
from graspbook.simulation.shake import ShakeSettings
from graspbook.storage import check_writable, content_hash, write_json

TRUTH_CANDIDATES = 2000  # simulated on each mesh; those that hold are its positives
SHOWN = 10

# Columns of the page's table: heading, figure, and how a value is written.
_COLUMNS = (
    ("best holds", "success_best", "{:.0%}"),
    ("best under gravity, 0.3 kg", "gravity_best", "{:.0%}"),
    ("best survives [m/s²]", "acceleration_best", "{:.1f}"),
    ("ten best hold", "success_top10", "{:.0%}"),
    ("above threshold hold", "success_above_threshold", "{:.0%}"),
    ("above threshold a view", "grasps_above_threshold", "{:.1f}"),
    ("all hold", "success_all_final", "{:.0%}"),
    ("coverage, 2 cm", "coverage", "{:.0%}"),
    ("area", "auc", "{:.2f}"),
)
# What two reports must have the same of, for their views to be the same.
_SAME = ("meshes", "views", "seed", "scale", "cloud_points", "truth_candidates", "shake")


@dataclass(frozen=True)
class MeshFiles:
    """The set of some mesh files: object name -> path, with one factor to metres."""

    paths: dict[str, Path]
    scale: float = 1.0

    def load(self, name):
        """The GraspObject of a name; raises MeshError for a bad mesh."""
        return load_object(self.paths[name], self.scale)


def evaluate_meshes(
    meshes,
    weights,
    out,
    html=None,
    method="graspnet",
    views=5,
    samples=200,
    seed=0,
    scale=1.0,
    workers=2,
    against=(),
):
    """Evaluate a method on mesh files from `views` random views each, write figures to `out` and a
    page to `html`, return them.

    The figures are those of `figures_of_merit.assess`, with the `parameters` they depend on and, as
    `recorded`, what comparisons need of every view. against: paths of earlier reports; the report's
    `against` then has an entry for each, what `figures_of_merit.compare` finds of the two methods, with
    the other's name and the report's. Equal parameters give equal bytes, whatever `workers`. Views
    and ground truth are kept in the user's cache, so a killed run goes on where it was. Raises the
    errors of meshes and weights, ParameterError for an unknown method, two meshes of one name or a
    report of other meshes or views, and OutputError, before the work.
    """
    settings = PredictSettings(samples=samples, method=method)
    check_writable(*filter(None, (out, html)))
    doubled = [
        name for name, count in Counter(Path(mesh).stem for mesh in meshes).items() if count > 1
    ]
    if doubled:
        raise ParameterError(
            f"{' '.join(map(str, meshes))}: two meshes of one name, {doubled[0]}, would share its"
            " figures"
        )
    load_networks(weights, method=method)
    objects = MeshFiles({Path(mesh).stem: Path(mesh) for mesh in meshes}, scale)
    surfaces = {name: load_mesh(path, scale) for name, path in objects.paths.items()}
    parameters = {
        "method": method,
        "views": views,
        "seed": seed,
        "scale": scale,
        "predict": asdict(settings),
        "cloud_points": CLOUD_POINTS,
        "meshes": {
            name: content_hash(mesh.vertices, mesh.faces) for name, mesh in surfaces.items()
        },
        "truth_candidates": TRUTH_CANDIDATES,
        "shake": asdict(ShakeSettings()),
        "weights": weights_hashes(weights, method),
        "code": evaluation_code(),
    }
    others = [_read_report(path, parameters) for path in against]

    truth = dict(
        zip(
            surfaces,
            run_tasks(
                ground_truth,
                [(objects, name, TRUTH_CANDIDATES) for name in surfaces],
                workers,
                "ground truth",
            ),
            strict=True,
        )
    )
    positives = {name: grasps for name, (grasps, _) in truth.items()}
    tasks = [
        (objects, name, view, weights, settings, seed)
        for name in surfaces
        if len(positives[name])
        for view in range(views)
    ]
    evaluations = {name: [] for name in surfaces}
    for task, evaluation in zip(
        tasks, run_tasks(_evaluate_view, tasks, workers, "predict and shake"), strict=True
    ):
        evaluations[task[1]].append(evaluation)

    report = assess(
        evaluations,
        positives,
        settings.threshold,
        seed,
        {name: reason for name, (_, reason) in truth.items()},
    )
    report |= {"parameters": parameters, "recorded": record(evaluations, positives)}
    if others:
        report["against"] = [
            {
                "report": Path(path).name,
                "method": other["parameters"]["method"],
                **compare(report["recorded"], other["recorded"], settings.threshold, seed),
            }
            for path, other in zip(against, others, strict=True)
        ]
    if html is not None:
        write_page(html, report, surfaces, evaluations, positives)
    write_json(out, report)
    return report


def write_page(path, report, surfaces, evaluations, positives):
    """Write the page of a report: its table, success over coverage, and the best grasps of each
    object's first view.

    surfaces: object name -> mesh; evaluations and positives as for `assess`. Raises OutputError.
    """
    parameters, overall = report["parameters"], report["overall"]
    counts, settings = overall["counts"], parameters["predict"]
    text = (
        f"Method {parameters['method']}, {settings['samples']} samples a view, random views of each"
        f" object: {parameters['views']}. Objects judged: {counts['objects']}, left out:"
        f" {counts['objects_left_out']}. A grasp holds if the object stays between both fingers in"
        " the shake test; the best is ranked first; the threshold is a score of"
        f" {settings['threshold']:g}; area: under success over coverage. Brackets: 95 % intervals"
        " over objects."
    )
    figures = [_table(report)]
    if "against" in report:
        figures.append(_differences(report))
    judged = [name for name in evaluations if evaluations[name]]
    if judged:
        success, coverage = pooled_success_coverage(evaluations, positives)
        figures += [
            curves(
                {"all views": (coverage, success)},
                "coverage: share of positive grasps within 2 cm of a visited one",
                "success rate of visited grasps",
                unit_square=True,
                title=(
                    f"Success over coverage, all grasps by falling score: area {overall['auc']:.2f}"
                ),
            ),
            _best_grasps({name: (surfaces[name], evaluations[name][0]) for name in judged}),
        ]
    write_view(path, figures, f"Grasps for {len(evaluations)} objects, evaluated", text)


def _evaluate_view(objects, name, view, weights, settings, seed):
    # On one thread, so that figures do not depend on the number of workers.
    torch.set_num_threads(1)
    return evaluate_view(objects, name, view, weights, settings, [0, settings.steps], seed)


def _table(report):
    """A table with a row for each object, with the reason where it was left out, below the overall
    row with its intervals.
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
    figure = go.Figure(
        go.Table(
            columnwidth=[2.2] + [1] * len(_COLUMNS),
            header={"values": ["object", *(heading for heading, _, _ in _COLUMNS)]},
            cells={"values": columns, "height": 26, "align": ["left", "right"]},
        )
    )
    lines = (
        len(objects) + 6 * report["overall"]["counts"]["objects_left_out"]
    )  # a reason takes several
    return figure.update_layout(height=180 + 28 * lines, margin={"l": 0, "r": 0, "t": 30, "b": 0})


def _differences(report):
    """A table with a row for each report compared with: this method's figures less those of the
    other.
    """
    headings, columns = {key: heading for heading, key, _ in _COLUMNS}, []
    for key in COMPARED:
        columns.append(
            [difference_text(row, key).replace(" [", "<br>[") for row in report["against"]]
        )
    names = [
        f"{report['parameters']['method']} less {row['method']} ({row['report']}), {row['objects']}"
        " objects"
        for row in report["against"]
    ]
    figure = go.Figure(
        go.Table(
            columnwidth=[2.2] + [1] * len(COMPARED),
            header={
                "values": ["differences, paired over objects", *(headings[key] for key in COMPARED)]
            },
            cells={"values": [names, *columns], "height": 26, "align": ["left", "right"]},
        )
    )
    return figure.update_layout(
        height=120 + 60 * len(names), margin={"l": 0, "r": 0, "t": 30, "b": 0}
    )


def difference_text(row, figure):
    """A figure of an entry of a report's `against` with its interval: "+0.12 [+0.05, +0.20]"; a
    dash where not defined.
    """
    interval = row["intervals_over_objects"][figure]
    return _text(row[figure], "{:+.2f}") + (
        f" [{interval[0]:+.2f}, {interval[1]:+.2f}]" if interval else ""
    )


def _read_report(path, parameters):
    """An earlier report, of the same meshes and views as these parameters."""
    try:
        other = json.loads(Path(path).read_text())
        known = {key: other["parameters"][key] for key in ("method", *_SAME)}
        other["recorded"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path}: no report of `graspbook evaluate` with recorded views"
            f" ({type(error).__name__}: {error}); evaluate that method again"
        ) from error
    for key in _SAME:
        if known[key] != parameters[key]:
            raise ParameterError(
                f"{path}: {key} {_brief(known[key])}, expected {_brief(parameters[key])} as here: "
                "only the same views of the same meshes can be compared"
            )
    return other


def _brief(value):
    return (
        ", ".join(f"{name} ({str(part)[:8]})" for name, part in value.items())
        if isinstance(value, dict)
        else value
    )


def _text(value, form):
    return "–" if value is None else form.format(value)


def _best_grasps(shown):
    """The best grasps of one view, object after object, chosen by a menu. shown: object name ->
    (mesh, ViewEvaluation).
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
    buttons = [
        {
            "method": "update",
            "label": name,
            "args": [
                {"visible": [owner == name for owner in owners]},
                {"title.text": title + name},
            ],
        }
        for name in scenes
    ]
    return figure.update_layout(
        title=title + owners[0],
        height=640,
        margin={"t": 60},
        updatemenus=[{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1, "yanchor": "top"}],
    )
