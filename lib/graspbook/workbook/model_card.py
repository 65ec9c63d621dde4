"""The model cards of the networks that come with the package, from templates in `static/`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from graspbook.highdof.training import BATCH
from graspbook.simulation.hold import HoldSettings

# Rows of the card's tables of grasps from one view: figure and text.
_FIGURES = {
    "success_best": "the best-ranked grasp per view holds",
    "gravity_best": "it holds 0.3 kg against gravity from six directions",
    "success_top10": "the ten best hold",
    "success_above_threshold": "grasps scored above {threshold} hold",
    "coverage": "known positive grasps within 2 cm of a final one",
    "auc": "area under success over coverage",
}
# Columns of the tables on many-jointed hands: figure, heading, factor to the printed unit.
_LOSSES = {
    "l2": ("L2", 1),
    "mean_l2": ("mean L2 to all", 1),
    "consistency": ("L_consistency", 1),
    "collision": ("L_collision", 1),
    "combined": ("L_combined", 1),
    "points": ("points inside, of 45", 1),
    "depth": ("their depth [mm]", 1000),
}
_SUCCESS = {
    "force closure": ("in force closure", 1),
    "epsilon": ("mean ε", 1),
    "best of 5": ("ε of the best of five", 1),
    "held": ("held", 1),
}
_CONTROLS = {
    "consistency": ("L_consistency", 1),
    "force_closure": ("in force closure", 1),
    "held_bench": ("held", 1),
}
_WAYS = {
    "points": ("points inside, of 45", 1),
    "deepest": ("deepest point of the hand [mm]", 1000),
    "clear": ("clear [%]", 100),
}
_SEARCHES = {
    "descent": "gradient descent between jumps",
    "annealing": "simulated annealing",
    "annealing_candidates": "simulated annealing by the best of ten candidates",
    "graspit": "simulated annealing with GraspIt!'s jumps",
    "eigengrasps": "simulated annealing of the wrist and a few postures",
    "balance": "a descent to contacts whose forces cancel",
    "balance_fingertips": "a descent of the fingertips to contacts whose forces cancel",
    "palm": "the palm against the object, then closing",
}


def model_card(
    paper: str, run: dict[str, Any], record: str, reports: Iterable[dict[str, Any]] = ()
) -> str:
    """The card of a paper's networks, in markdown.

    paper: "graspnet" or "highdof".
    run: what `ship` records of the run that trained them.
    record: the name of its file.
    reports: of `graspbook evaluate`, for the card of graspnet.
    """
    template = Path(__file__).parent / "static" / f"card_{paper}.md"
    values = {"graspnet": _graspnet, "highdof": _highdof}[paper](run)
    return template.read_text(encoding="utf-8").format(
        profile=run["profile"],
        revision=f"{run['revision']}{' (with changes)' * run['dirty']}",
        record=record,
        meshes="".join(map(_on_meshes, reports)),
        **values,
    )


def _graspnet(run):
    parameters = run["parameters"]
    objects, data, training, refinement = (
        parameters[f"graspnet/{name}"]
        for name in ("1_objects", "2_grasp_data", "3_training", "4_refinement")
    )
    gpd = next(section for section in parameters.values() if "gpd_steps" in section)
    taken = ("network", "views", "sampler_steps", "evaluator_steps", "explored_steps")
    return {
        **{key: training[key] for key in taken},
        **{key: gpd[key] for key in ("gpd_views", "gpd_candidates", "gpd_steps")},
        **{key: run["shake"][key] for key in ("mass", "friction", "force")},
        "grasps": data["grasps_per_object"],
        "objects": (
            f"{_parametric(objects['counts'], sum(objects['counts'].values()))},"
            f" {objects['held_out_fraction']:.0%} held out"
        ),
        "more": data["antipodal_per_object"] + data["perturbed_per_object"],
        "views_evaluated": run["held_out"]["views"],
        "samples": refinement["samples"],
        "held_out": _figures(run["held_out"], refinement["threshold"]),
    }


def _on_meshes(report):
    """A section of the card on a report."""
    counts, settings = report["overall"]["counts"], report["parameters"]["predict"]
    objects = report["objects"]
    names = ", ".join(name for name, figures in objects.items() if "reason" not in figures)
    never = ", ".join(name for name, figures in objects.items() if figures["success_best"] == 0)
    return (
        f"## On meshes, method {report['parameters']['method']}\n\n{counts['views']} views of"
        f" {counts['objects']} meshes ({names}), {settings['samples']} grasps per view, `graspbook"
        f" evaluate`.\n\n{_figures(report['overall'], settings['threshold'])}\n\nObjects whose best"
        f" grasp fails in every view: {never or 'none'}.\n\n"
    )


def _figures(figures, threshold):
    rows = [
        [text.format(threshold=threshold), f"{figures[key]:.3f}"]
        for key, text in _FIGURES.items()
        if figures.get(key) is not None
    ]
    return f"| | |\n|---|---|\n{_lines(rows)}"


def _highdof(run):
    data, training, penetration = (
        run["parameters"][f"highdof/{name}"]
        for name in ("2_grasp_data", "3_training", "4_penetration")
    )
    counts, objects = run["counts"], run["objects"]
    losses = {
        f"{hand}, {'held out' if split == 'test' else 'trained on'}": figures
        for hand, by_split in run["losses"].items()
        for split, figures in by_split.items()
    }
    controls = {
        f"{hand}, {answer}": figures
        for hand, found in run["controls"].items()
        for answer, figures in found.items()
    }
    success = {
        f"{hand}, {who}": found[who]
        for hand, found in run["success"].items()
        for who in sorted(found, key=lambda who: (who != "planner", who))
        if who != "objects"
    }
    ways = {way: figures for way, figures in run["ways"].items() if way != "objects"}
    depths = (f"{hand} {1000 * depth:.1f} mm" for hand, depth in run["deepest"].items())
    taken = ("grid", "length", "width", "beta", "rate", "final_steps")
    return {
        **{key: training[key] for key in taken},
        "batch": BATCH,
        "hidden": " and ".join(map(str, training["hidden"])),
        "objects": f"{counts['all']} meshes"
        if objects["folder"]
        else _parametric(objects["counts"], counts["all"]),
        "held_out": counts["held_out"],
        "grasps": data["grasps"],
        "search": _searches(data),
        "learned": f"at most {data['kept']} of them, those that hold in the test `bench`"
        if data["tested"]
        else f"{data['kept']} of them",
        "mass": HoldSettings().mass,
        "friction": HoldSettings().friction,
        "rotations": penetration["rotations"],
        "held": penetration["tested"],
        "counted": max(found["objects"] for found in run["success"].values()),
        "with_held": run["ways"]["objects"],
        "reach": training["length"] / 2,
        "losses": _table(losses, _LOSSES),
        "controls": _table(controls, _CONTROLS),
        "success": _table(success, _SUCCESS),
        "deepest": ", ".join(depths),
        "ways": _table(ways, _WAYS),
    }


def _searches(data):
    """The search of grasp data, and those of single hands; older runs have none of these."""
    own = data.get("hand_searches", {})
    each = [f" ({hand}: {_SEARCHES[own[hand]]})" for hand in data["hands"] if hand in own]
    return _SEARCHES[data["search"]] + "".join(each)


def _parametric(counts, number):
    families = ", ".join(f"{family} {count}" for family, count in counts.items())
    return f"{number} parametric objects ({families})"


def _table(rows, columns):
    """A table of figures by row and key. columns: key -> heading, factor to the printed unit."""
    titles = ["", *(title for title, _ in columns.values())]
    cells = [
        [name, *(_cell(figures[key], unit) for key, (_, unit) in columns.items())]
        for name, figures in rows.items()
    ]
    return _lines([titles, ["---"] * len(titles), *cells])


def _cell(figure, unit):
    """A number, or a value with its interval if it has one, in other units."""
    figure = figure if isinstance(figure, dict) else {"value": figure, "interval": None}
    if figure["value"] is None:
        return "–"
    edges = (
        " [{:.3g}, {:.3g}]".format(*(unit * edge for edge in figure["interval"]))
        if figure["interval"]
        else ""
    )
    return f"{unit * figure['value']:.3g}{edges}"


def _lines(rows: Iterable[Sequence[str]]):
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
