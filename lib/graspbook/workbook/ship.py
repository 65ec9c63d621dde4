"""Packages the networks of a complete run, in half precision.

Each paper's networks have a record of their parameters and a model card, whose text is a template
in `static/`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat

from graspbook.errors import NotebookError, ParameterError
from graspbook.graspnet.views import weights_hashes
from graspbook.storage import SHIPPED, atomic_path, gather, read_json, write_json
from graspbook.weights_files import halve_weights
from graspbook.workbook import params
from graspbook.workbook.model_card import model_card
from graspbook.workbook.outputs import Outputs

HANDS = ("shadow", "barrett")


@dataclass(frozen=True)
class Shipment:
    """The shipment of a paper: networks, and the names of their record and card.

    made_by: the notebooks that have to be complete, by path. recorded: function of these notebooks'
        results, by path, to the entries of the record.
    """

    networks: tuple[str, ...]
    record: str
    card: str
    made_by: tuple[str, ...]
    recorded: Callable[[dict[str, Any]], dict[str, Any]]


def ship(
    profile: str,
    output_root: Path | str | None = None,
    *,
    paper: str = "graspnet",
    evaluations: Sequence[Path | str] = (),
    folder: Path | str = SHIPPED,
) -> Path:
    """Write the networks of a run, their record and their model card, and return the card's path.

    profile: the name of the run's profile.
    output_root: of the run, `outputs/<profile>` if None.
    paper: one of SHIPMENTS.
    evaluations: reports of `graspbook evaluate` with these weights; the card of graspnet has their
        figures.
    folder: where all files are written.

    Raises NotebookError for an incomplete run or a report on other weights, WeightsError for
    missing weights, and ParameterError for reports on the other paper.
    """
    shipment, folder = SHIPMENTS[paper], Path(folder)
    if evaluations and paper != "graspnet":
        raise ParameterError(
            f"--evaluations {' '.join(map(str, evaluations))}: these reports are on graspnet,"
            f" expected no reports for {paper}"
        )
    outputs = Outputs(Path(output_root or f"outputs/{profile}"))
    notebooks = {name: _executed(outputs, name) for name in shipment.made_by}
    results = {name: outputs.read_results(params.section_name(name)) for name in notebooks}
    run = {
        "profile": profile,
        "revision": notebooks[f"{paper}/3_training"]["revision"],
        "dirty": any(recorded["dirty"] for recorded in notebooks.values()),
        "parameters": {name: recorded["parameters"] for name, recorded in notebooks.items()},
        **shipment.recorded(results),
    }
    with TemporaryDirectory() as made:  # nothing in the package changes until everything succeeded
        files = {network: Path(made) / f"{network}.safetensors" for network in shipment.networks}
        for file in files.values():
            halve_weights(outputs.weights / file.name, file)
        reports = [_report(path, made, folder) for path in evaluations]
        card = model_card(paper, run, shipment.record, reports)
        gather(folder, **files)
    write_json(folder / shipment.record, run)
    with atomic_path(folder / shipment.card) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return folder / shipment.card


def _executed(outputs, name):
    """The runner's record in the executed notebook of a run; NotebookError if it is missing or
    failed.
    """
    path = outputs.notebook(name)
    if not path.is_file():
        raise NotebookError(f"{path} is missing: run the notebook first, with the same profile")
    recorded = nbformat.read(path, 4).metadata["graspbook"]
    if recorded["failure"]:
        raise NotebookError(f"{path} failed: run it again before its weights are shipped")
    return recorded


def _report(path, made, folder):
    """A report of `graspbook evaluate` on the weights `made`, which are for a folder."""
    report = read_json(path)
    parameters = report["parameters"]
    expected = weights_hashes(made, parameters["method"])
    if parameters["weights"] != expected:
        raise NotebookError(
            f"{path}: it is a report on weights {parameters['weights']}, expected {expected}. Ship"
            f" without reports, evaluate the weights in {folder}, then ship again"
        )
    return report


def _graspnet_recorded(results):
    refined = results["graspnet/4_refinement"]
    return {
        "objects": results["graspnet/1_objects"]["recipe"],
        "shake": results["graspnet/2_grasp_data"]["settings"],
        "validation": results["graspnet/3_training"]["validation"],
        "held_out": refined["final"] | {"views": refined["views"]},
    }


def _highdof_recorded(results):
    objects, mended = results["highdof/1_hands_and_objects"], results["highdof/4_penetration"]
    return {
        "objects": objects["recipe"],
        "counts": {split: len(names) for split, names in objects["names"].items()},
        "losses": results["highdof/3_training"]["final"],
        "controls": {
            hand: found["variants"]
            for hand, found in results["highdof/3_training"]["controls_by_hand"].items()
        },
        "deepest": mended["deepest"],
        "success": {hand: _summary(found) for hand, found in mended["success"].items()},
        "ways": _summary(mended["ways"]),
    }


def _summary(contrast):
    """The figures of a contrast's variants, without their differences."""
    return {"objects": contrast["objects"], **contrast["variants"]}


def _notebooks(paper):
    """The notebooks of a paper up to its trials by a robot."""
    names = (name for name in params.NOTEBOOKS if name.startswith(f"{paper}/"))
    return tuple(takewhile(lambda name: "robot_trials" not in name, names))


SHIPMENTS = {
    "graspnet": Shipment(
        networks=("sampler", "evaluator", "gpd"),
        record="run.json",
        card="README.md",
        made_by=_notebooks("graspnet"),
        recorded=_graspnet_recorded,
    ),
    "highdof": Shipment(
        networks=tuple(f"highdof_{hand}" for hand in HANDS),
        record="run_highdof.json",
        card="README_highdof.md",
        made_by=_notebooks("highdof"),
        recorded=_highdof_recorded,
    ),
}
