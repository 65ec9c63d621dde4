"""The networks of grasps from one view that come with the package, in half precision, with what
they were made from and a card.

Those of many-jointed hands, beside them: `ship_highdof`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from graspbook.errors import NotebookError
from graspbook.graspnet.views import weights_hashes
from graspbook.storage import SHIPPED, atomic_path, gather, read_json, write_json
from graspbook.training import halve_weights
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs

NETWORKS = ("sampler", "evaluator", "gpd")
NOTEBOOKS = tuple(
    name
    for name in params.NOTEBOOKS
    if name.startswith("graspnet/") and name != "graspnet/6_robot_trials"
)

_CARD = """# Model card: grasps from one view, for the Franka Hand

Sampler and evaluator of the preset "{network}" (see `graspbook.graspnet`), and GPD's classifier trained on our labels, in half
precision. Written by `graspbook ship`; `run.json` beside this card holds the parameters and figures of the run.

| | |
|---|---|
| profile, revision | {profile}, {revision} |
| input | points of one object seen by a depth camera, in metres, camera frame, the object cut out |
| output | poses `camera_T_hand` of the open hand (+z approaches, fingers close along ±x) with a success probability |
| training data | {objects} |
| an object | {grasps} candidates and {more} more near its surface, labelled by simulation; {views} rendered views |
| labels | shake test in MuJoCo: {mass} kg, friction {friction}, {force:.0f} N a finger (`simulation.shake`) |
| steps | sampler {sampler_steps}, evaluator {evaluator_steps} and {explored_steps} with the networks' own grasps labelled |
| GPD | {gpd_steps} steps on up to {gpd_candidates} labelled candidates in each of {gpd_views} views an object |

## On objects of the same families that it was not trained on

{views_evaluated} views, {samples} grasps a view, shake test.

{held_out}

{meshes}## Limits

- One rigid object, seen from one side, standing free: no clutter, no transparent or shining surfaces in the training data.
- Objects wider than the hand's 80 mm that offer neither rim nor handle on the seen side get confident but wrong grasps.
- Scores were trained to be probabilities on rendered views of parametric shapes; with other objects and cameras, measure first.
- Judged by simulation only: one friction, one mass, a rigid hand. No robot has executed these grasps yet.
"""

_FIGURES = {
    "success_best": "the best-ranked grasp of a view holds",
    "gravity_best": "it holds 0.3 kg against gravity from six directions",
    "success_top10": "the ten best hold",
    "success_above_threshold": "grasps scored above {threshold} hold",
    "coverage": "known positive grasps within 2 cm of a final one",
    "auc": "area under success over coverage",
}


def ship(profile, output_root=None, evaluations=(), folder=SHIPPED):
    """Write the weights of a run, `run.json` and a model card to `folder`, and return the card's
    path.

    output_root: of the run, `outputs/<profile>` if None. evaluations: reports of `graspbook
    evaluate` with the weights that are shipped, whose figures the card repeats. Raises
    NotebookError for a run that is not complete and for a report on other weights, WeightsError for
    weights that are missing.
    """
    outputs = Outputs(output_root or f"outputs/{profile}")
    notebooks = {name: executed(outputs, name) for name in NOTEBOOKS}
    results = {name: outputs.read_results(name.replace("/", "_")) for name in NOTEBOOKS}
    run = {
        "profile": profile,
        "revision": notebooks["graspnet/3_training"]["revision"],
        "dirty": any(recorded["dirty"] for recorded in notebooks.values()),
        "objects": results["graspnet/1_objects"]["recipe"],
        "parameters": {name: recorded["parameters"] for name, recorded in notebooks.items()},
        "shake": results["graspnet/2_grasp_data"]["settings"],
        "validation": results["graspnet/3_training"]["validation"],
        "held_out": (
            results["graspnet/4_refinement"]["final"]
            | {"views": results["graspnet/4_refinement"]["views"]}
        ),
    }
    with TemporaryDirectory() as made:  # nothing in the package changes before all is well
        files = {network: Path(made) / f"{network}.safetensors" for network in NETWORKS}
        for file in files.values():
            halve_weights(outputs.weights / file.name, file)
        card = _card(run, [_report(path, made, folder) for path in evaluations])
        gather(folder, **files)
    write_json(Path(folder) / "run.json", run)
    with atomic_path(Path(folder) / "README.md") as temporary:
        temporary.write_text(card)
    return Path(folder) / "README.md"


def executed(outputs, name):
    """What the runner recorded in the executed notebook of a run; NotebookError where it is missing
    or failed.
    """
    path = outputs.notebook(name)
    if not path.is_file():
        raise NotebookError(f"{path} is missing: run the notebook first, with the same profile")
    recorded = nbformat.read(path, 4).metadata["graspbook"]
    if recorded["failure"]:
        raise NotebookError(f"{path} failed: run it again before its weights are shipped")
    return recorded


def _report(path, made, folder):
    """A report of `graspbook evaluate` on the weights `made`, which are to come to a folder."""
    report = read_json(path)
    parameters = report["parameters"]
    expected = weights_hashes(made, parameters["method"])
    if parameters["weights"] != expected:
        raise NotebookError(
            f"{path}: judges weights {parameters['weights']}, expected {expected}: ship without "
            f"reports, evaluate those in {folder}, and ship again"
        )
    return report


def _card(run, evaluations):
    objects, data, training, refinement, ablations = (run["parameters"][name] for name in NOTEBOOKS)
    counts = ", ".join(f"{family} {count}" for family, count in objects["counts"].items())
    meshes = "".join(_evaluation(report) for report in evaluations)
    return _CARD.format(
        **{
            key: training[key]
            for key in ("network", "views", "sampler_steps", "evaluator_steps", "explored_steps")
        },
        **{key: ablations[key] for key in ("gpd_views", "gpd_candidates", "gpd_steps")},
        **{key: run["shake"][key] for key in ("mass", "friction", "force")},
        profile=run["profile"],
        revision=f"{run['revision']}{' (with changes)' * run['dirty']}",
        grasps=data["grasps_per_object"],
        objects=(
            f"{sum(objects['counts'].values())} parametric objects ({counts}),"
            f" {objects['held_out_fraction']:.0%} held out"
        ),
        more=data["antipodal_per_object"] + data["perturbed_per_object"],
        views_evaluated=run["held_out"]["views"],
        samples=refinement["samples"],
        held_out=_table(run["held_out"], refinement["threshold"]),
        meshes=meshes,
    )


def _evaluation(report):
    counts, parameters = report["overall"]["counts"], report["parameters"]
    settings = parameters["predict"]
    names = ", ".join(
        name for name, figures in report["objects"].items() if "reason" not in figures
    )
    return (
        f"## On meshes, method {parameters['method']}\n\n{counts['views']} views of"
        f" {counts['objects']} meshes ({names}), {settings['samples']} grasps a view, `graspbook"
        f" evaluate`.\n\n{_table(report['overall'], settings['threshold'])}\n\nThe best grasp of no"
        f" view holds: {_never(report['objects'])}.\n\n"
    )


def _never(objects):
    """Names of the objects whose best-ranked grasps all fail."""
    return (
        ", ".join(name for name, figures in objects.items() if figures["success_best"] == 0)
        or "none"
    )


def _table(figures, threshold):
    rows = [
        f"| {text.format(threshold=threshold)} | {figures[key]:.3f} |"
        for key, text in _FIGURES.items()
        if figures.get(key) is not None
    ]
    return "\n".join(["| | |", "|---|---|", *rows])
