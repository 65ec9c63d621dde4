"""Evaluation of a method on meshes that nobody trained on. Grasps are predicted from random views
and judged in simulation.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from graspbook.errors import ParameterError
from graspbook.graspnet.figures_of_merit import assess, compare, record
from graspbook.graspnet.predict import PredictSettings, load_networks
from graspbook.graspnet.views import (
    CLOUD_POINTS,
    ViewEvaluation,
    evaluate_view,
    evaluation_code,
    ground_truth,
    weights_hashes,
)
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.mesh import load_mesh
from graspbook.objects.names import object_names
from graspbook.objects.sets import load_object
from graspbook.parallel import run_tasks
from graspbook.simulation.shake_model import ShakeSettings
from graspbook.storage import content_hash, read_json

TRUTH_CANDIDATES = 2000  # simulated on each mesh; those that hold are its positives

# Parameters that must be equal in two reports, so that their views are the same.
_SAME = ("meshes", "views", "seed", "scale", "cloud_points", "truth_candidates", "shake")


@dataclass(frozen=True)
class MeshFiles:
    """A set of mesh files: object name -> path, with one factor to metres."""

    paths: dict[str, Path]
    scale: float = 1.0

    def load(self, name: str) -> GraspObject:
        """The GraspObject of a name.

        name: of `paths`. Raises MeshError for a bad mesh.
        """
        return load_object(self.paths[name], self.scale, name=name)


@dataclass(frozen=True)
class MeshEvaluation:
    """A report, and its sources by object name: meshes, views, and positive grasps (P, 4, 4)
    `object_T_hand`.

    The report has the figures of `figures_of_merit.assess` and the `parameters` that they depend
    on. `recorded` has the data of every view for comparisons. `against` has the result of
    `figures_of_merit.compare` for each earlier report, with the other's method and the report's
    name.
    """

    report: dict[str, Any]
    surfaces: dict[str, trimesh.Trimesh]
    views: dict[str, list[ViewEvaluation]]
    positives: dict[str, np.ndarray]


def evaluate_meshes(
    meshes: Iterable[Path | str],
    weights: Path | str,
    settings: PredictSettings,
    *,
    views: int = 5,
    seed: int = 0,
    scale: float = 1.0,
    workers: int = 2,
    against: Iterable[Path | str] = (),
    surfaces: dict[str, trimesh.Trimesh] | None = None,
) -> MeshEvaluation:
    """Evaluate a method on mesh files from random views.

    meshes: the files; objects are named after them (`objects.names`).
    weights: folder with the networks' .safetensors files.
    settings: of the prediction, with the method.
    views: number of views per mesh.
    seed: of views, predictions and intervals.
    scale: factor from the meshes' units to metres.
    workers: processes side by side. Equal other parameters give equal bytes, whatever their number.
    against: earlier reports on the same views of the same meshes.
    surfaces: what `load_mesh` returns for each name; loaded here if None.

    Views and ground truth are kept in the user's cache, so a killed run goes on where it was.
    Raises, before the work, the errors of meshes and weights, and ParameterError for an unknown
    method, a mesh given twice, or a report of other meshes or views.
    """
    meshes, against = list(meshes), list(against)
    names = object_names(meshes)
    load_networks(weights, method=settings.method)
    objects = MeshFiles(dict(zip(names, map(Path, meshes), strict=True)), scale)
    if surfaces is None:
        surfaces = {name: load_mesh(path, scale) for name, path in objects.paths.items()}
    parameters = {
        "method": settings.method,
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
        "weights": weights_hashes(weights, settings.method),
        "code": evaluation_code(),
    }
    others = [_read_report(path, parameters) for path in against]

    truth = run_tasks(
        ground_truth,
        [{"name": name} for name in surfaces],
        workers,
        "ground truth",
        common={"objects": objects, "candidates": TRUTH_CANDIDATES},
    )
    positives = {name: grasps for name, (grasps, _) in zip(surfaces, truth, strict=True)}
    reasons = {name: reason for name, (_, reason) in zip(surfaces, truth, strict=True)}
    tasks: list[dict[str, Any]] = [
        {"name": name, "view": view}
        for name in surfaces
        if len(positives[name])
        for view in range(views)
    ]
    common = {"objects": objects, "weights": weights, "settings": settings, "seed": seed}
    found = run_tasks(_evaluate_view, tasks, workers, "predict and shake", common=common)
    evaluated: dict[str, list[ViewEvaluation]] = {name: [] for name in surfaces}
    for task, evaluation in zip(tasks, found, strict=True):
        evaluated[task["name"]].append(evaluation)

    report = assess(evaluated, positives, settings.threshold, seed=seed, reasons=reasons)
    report |= {"parameters": parameters, "recorded": record(evaluated, positives)}
    if others:
        report["against"] = [
            {
                "report": Path(path).name,
                "method": other["parameters"]["method"],
                **compare(report["recorded"], other["recorded"], settings.threshold, seed=seed),
            }
            for path, other in zip(against, others, strict=True)
        ]
    return MeshEvaluation(report, surfaces, evaluated, positives)


def _evaluate_view(*, objects, name, view, weights, settings, seed):
    # One thread each, so that figures do not depend on the number of workers.
    torch.set_num_threads(1)
    return evaluate_view(
        objects,
        name,
        view,
        weights=weights,
        settings=settings,
        steps=[0, settings.steps],
        seed=seed,
    )


def _read_report(path, parameters):
    """An earlier report, of the same meshes and views as these parameters."""
    try:
        other = read_json(path)
        known = {key: other["parameters"][key] for key in ("method", *_SAME)}
        other["recorded"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path}: not a report of `graspbook evaluate` with recorded views"
            f" ({type(error).__name__}: {error}). Write it again with `graspbook evaluate`"
        ) from error
    for key in _SAME:
        if known[key] != parameters[key]:
            raise ParameterError(
                f"{path}: {key} {_brief(known[key])}, expected {_brief(parameters[key])}, as in"
                " this evaluation: only the same views of the same meshes can be compared"
            )
    return other


def _brief(value):
    return (
        ", ".join(f"{name} ({str(part)[:8]})" for name, part in value.items())
        if isinstance(value, dict)
        else value
    )
