"""How good a hand's network is on several meshes: reports of `mesh_grasp`, added up."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import ParameterError
from graspbook.storage import read_json


def summarise(paths: Iterable[Path | str]) -> tuple[dict[str, Any], dict[str, dict[int, Any]]]:
    """Add up reports of one hand that compare grasps with the planner's.

    paths: of the reports; every object has one with every seed.

    Returns the figures, and the reports without contacts: {object: {seed: report}}. "best" is the
    rotation of largest ε, "chosen" the grasp that a report gives; ε is 0 without force closure.
    Raises ParameterError for what is no such report, for several hands or numbers of rotations, and
    where an object lacks a seed.
    """
    reports: dict[str, dict[int, Any]] = {}
    for path in paths:
        report = _read(path)
        seed = report["parameters"]["seed"]
        of_object = reports.setdefault(Path(report["object"]).stem, {})
        if seed in of_object:
            raise ParameterError(
                f"{path}: a second report on {report['object']} with seed {seed}, expected one per"
                " object and seed"
            )
        of_object[seed] = report
    seeds = sorted(set().union(*reports.values()))
    for name, of_object in reports.items():
        if len(of_object) < len(seeds):
            raise ParameterError(
                f"{name}: its reports have seeds {sorted(of_object)}, expected {seeds}, as for the"
                " other objects"
            )
    rows = [[of_object[seed] for seed in seeds] for of_object in reports.values()]
    kinds = sorted({(report["hand"], len(report["rotations"])) for row in rows for report in row})
    if len(kinds) > 1:
        raise ParameterError(
            f"the reports are on {' and '.join(f'{hand} in {n} rotations' for hand, n in kinds)}:"
            " expected one hand and one number of rotations"
        )

    def each(figure):
        return np.array([[figure(report) for report in row] for row in rows], float)

    def most(key):
        return each(lambda report: max(turned[key] for turned in report["rotations"]))

    best, planned = most("epsilon"), each(lambda report: report["planner"]["best_of_5"]).mean()
    epsilon = best.clip(0).mean()
    found = {
        "hand": kinds[0][0],
        "objects": len(rows),
        "seeds": seeds,
        "rotations": kinds[0][1],
        "best in force closure, by seed": (best > 0).mean(axis=0).tolist(),
        "chosen in force closure": float(each(lambda report: report["epsilon"] > 0).mean()),
        "held in six directions, by seed": (
            each(lambda report: report["held"]).mean(axis=0).tolist()
        ),
        "mean epsilon of the best": float(epsilon),
        "mean of the planner's best of five": float(planned),
        "epsilon relative to it": float(epsilon / planned) if planned else None,
        "deepest of any rotation, adjusted, m": float(most("penetration_adjusted").max()),
        "deepest of any rotation, closed, m": float(most("penetration_max").max()),
    }
    return found, reports


def _read(path):
    """A report without its contacts."""
    try:
        report = read_json(path)
        if report["planner"]["best_of_5"] is None:
            raise ParameterError(
                f"{path}: its grasps are compared with {report['planner']['grasps']} planned"
                " grasps, expected five or more"
            )
        str(report["hand"]), Path(report["object"]), int(report["parameters"]["seed"])
        figures = ("epsilon", "penetration_adjusted", "penetration_max")
        turned = [turn[key] for turn in report["rotations"] for key in figures]
        np.array(
            [report["planner"]["best_of_5"], report["epsilon"], report["held"], *turned], float
        )
        if not turned:
            raise ParameterError(f"{path}: the report has no rotations, expected one or more")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path}: not a report that `graspbook hand-grasp --against` wrote"
            f" ({type(error).__name__}: {error})"
        ) from error
    return {key: value for key, value in report.items() if key != "contacts"}
