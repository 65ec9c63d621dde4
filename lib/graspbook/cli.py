"""The command line: a thin front on the rooms. Each subcommand is one function that imports what it
needs when it runs.

Status 0: done. Status 1: a notebook failed. Status 2: bad input, told in one line. Status 130:
interrupted by Ctrl-C.
"""

import argparse
import sys

from graspbook.errors import GraspbookError, NotebookError
from graspbook.hands.library import HANDS


class _Parser(argparse.ArgumentParser):
    """A parser that tells wrong arguments in one line, like all other bad input."""

    def error(self, message):
        self.exit(2, f"graspbook: error: {' '.join(message.split())} (see {self.prog} --help)\n")


def main(arguments=None):
    """Run `graspbook ARGUMENTS` (those of the process if omitted) and return the exit status."""
    parser = _Parser(
        prog="graspbook", description="A reproducible workbook of two papers on learning to grasp."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_grasp,
        _add_evaluate,
        _add_sample,
        _add_label,
        _add_calibrate,
        _add_hand_grasp,
        _add_hand_summary,
        _add_plan,
        _add_trials,
        _add_pick,
        _add_run,
        _add_site,
        _add_ship,
    ):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        options.function(options)
    except NotebookError as error:
        return _complain(error, 1)
    except GraspbookError as error:
        return _complain(error, 2)
    except OSError as error:
        return _complain(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _complain(
            "interrupted; files that exist are whole, and trials go on where they ended when run"
            " again",
            130,
        )
    return 0


def _complain(message, status):
    print("graspbook: error:", " ".join(str(message).split()), file=sys.stderr)
    return status


def _add_grasp(commands):
    parser = commands.add_parser(
        "grasp", help="predict grasps for a mesh, a point cloud or a depth capture"
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="mesh (.obj .stl .ply .glb), cloud (.ply .pcd .npy .npz) or depth capture (.npz)",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="GRASPS.h5",
        help="grasps in the camera frame, best first, with scores",
    )
    parser.add_argument(
        "--html", required=True, metavar="VIEW.html", help="a page with the cloud and the grasps"
    )
    parser.add_argument(
        "--top", type=_count, metavar="K", help="keep the K best (default: all 200)"
    )
    _add_weights(parser)
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor from a mesh's units to metres"
    )
    parser.set_defaults(function=_grasp)


def _grasp(options):
    from graspbook.commands.grasp import grasp_input
    from graspbook.storage import SHIPPED

    weights = options.weights or SHIPPED
    found = grasp_input(
        options.input, weights, options.out, options.html, options.top, options.seed, options.scale
    )
    print(
        f"{options.out}, {options.html}: {len(found.scores[: options.top])} grasps, best score"
        f" {found.scores[0]:.2f}; of all {len(found.scores)}, {found.feasible.sum()} keep the hand"
        f" clear and have the object between the fingers, {found.above_threshold.sum()} score above"
        " the threshold"
    )


def _add_evaluate(commands):
    parser = commands.add_parser(
        "evaluate", help="measure in simulation how well a method grasps meshes nobody trained on"
    )
    parser.add_argument(
        "meshes", nargs="+", metavar="MESH", help=".obj .stl .ply .glb, in metres (else --scale)"
    )
    parser.add_argument(
        "--views",
        type=_count,
        default=5,
        metavar="V",
        help="random views of each mesh (default: 5)",
    )
    parser.add_argument(
        "--samples", type=_count, default=200, metavar="N", help="grasps a view (default: 200)"
    )
    parser.add_argument(
        "--method",
        default="graspnet",
        metavar="METHOD",
        help="graspnet (default), geometric or gpd",
    )
    _add_weights(parser)
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor from the meshes' units to metres"
    )
    parser.add_argument(
        "--workers", type=_count, default=2, metavar="N", help="processes side by side (default: 2)"
    )
    parser.add_argument(
        "--out", required=True, metavar="EVAL.json", help="the figures, overall and of each mesh"
    )
    parser.add_argument(
        "--html",
        metavar="PAGE",
        help="a page with a table, success over coverage, and the best grasps",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="EVAL.json",
        help=(
            "earlier reports on the same views of the same meshes: how much higher this method's"
            " figures are than theirs, with 95 %% intervals, paired over meshes"
        ),
    )
    parser.set_defaults(function=_evaluate)


def _evaluate(options):
    from graspbook.commands.evaluate import difference_text, evaluate_meshes
    from graspbook.graspnet.figures_of_merit import COMPARED
    from graspbook.storage import SHIPPED

    weights = options.weights or SHIPPED
    report = evaluate_meshes(
        options.meshes,
        weights,
        options.out,
        options.html,
        options.method,
        options.views,
        options.samples,
        options.seed,
        options.scale,
        options.workers,
        options.against,
    )
    overall, counts = report["overall"], report["overall"]["counts"]
    for name, figures in report["objects"].items():
        if "reason" in figures:
            print(f"{name} is left out: {figures['reason']}")
    written = ", ".join(filter(None, (options.out, options.html)))
    print(
        f"{written}: {counts['views']} views of {counts['objects']} objects,"
        f" {counts['objects_left_out']} objects left out"
    )
    if counts["views"]:
        print(
            f"the best grasp holds in {overall['success_best']:.0%} of the views, against gravity"
            f" at 0.3 kg in {overall['gravity_best']:.0%}; {overall['grasps_above_threshold']:.0f}"
            f" grasps a view score above the threshold; coverage {overall['coverage']:.2f}, area"
            f" {overall['auc']:.2f}"
        )
    for row in report.get("against", []):
        print(
            f"less {row['method']} ({row['report']}), {row['objects']} objects: "
            + ", ".join(f"{figure} {difference_text(row, figure)}" for figure in COMPARED)
        )


def _add_hand_grasp(commands):
    parser = commands.add_parser(
        "hand-grasp", help="predict a grasp of a many-jointed hand for a mesh or a point cloud"
    )
    parser.add_argument(
        "input", metavar="INPUT", help="mesh (.obj .stl .ply .glb) or cloud (.ply .pcd .npy .npz)"
    )
    _add_hand(parser)
    parser.add_argument(
        "--rotations",
        type=_count,
        default=5,
        metavar="R",
        help="turned views, of which the best counts (default: 5)",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="GRASP.json",
        help="joints by name, wrist, quality and contacts",
    )
    parser.add_argument(
        "--html", required=True, metavar="VIEW.html", help="a page with the hand and the object"
    )
    _add_weights(parser)
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor from the input's units to metres"
    )
    parser.add_argument(
        "--against",
        metavar="PLAN.h5",
        help=(
            "grasps that `graspbook plan` found for the same mesh and hand: how "
            "much of their ε this one has"
        ),
    )
    parser.set_defaults(function=_hand_grasp)


def _hand_grasp(options):
    from graspbook.commands.hand_grasp import STUCK, hand_grasp
    from graspbook.storage import SHIPPED

    found = hand_grasp(
        options.input,
        options.weights or SHIPPED,
        options.out,
        options.html,
        options.hand,
        options.rotations,
        options.seed,
        options.scale,
        options.against,
    )
    print(
        f"{options.out}, {options.html}: ε {found['epsilon']:.3f}, held against gravity in"
        f" {found['held_directions']} of 6 directions, deepest point"
        f" {1000 * found['penetration_max']:.1f} mm inside the"
        f" object{'' if found['clear'] else STUCK}"
    )
    if options.against:
        figures = {
            name: "–" if value is None else f"{value:.3f}"
            for name, value in found["planner"].items()
        }
        print(
            f"{options.against}: {found['planner']['grasps']} planned grasps,"
            f" {found['planner']['force_closure']:.0%} in force closure, ε of the best"
            f" {figures['best_epsilon']}, of the best of five {figures['best_of_5']}; relative to"
            f" these ε here is {figures['relative_to_best']} and {figures['relative_epsilon']}"
        )


def _add_hand_summary(commands):
    parser = commands.add_parser(
        "hand-summary",
        help="add up reports of hand-grasp --against, of one hand on several objects",
    )
    parser.add_argument(
        "reports", nargs="+", metavar="GRASP.json", help="with the same seeds for every object"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="SUMMARY.json",
        help="the figures, and the reports without contacts",
    )
    parser.set_defaults(function=_hand_summary)


def _hand_summary(options):
    import numpy as np

    from graspbook.commands.hand_summary import summarise

    found = summarise(options.reports, options.out)
    print(f"{options.out}: {found['objects']} objects, seeds {', '.join(map(str, found['seeds']))}")
    for figure, values in list(found.items())[4:]:
        print(
            f"{figure}: "
            + (
                "–"
                if values is None
                else ", ".join(f"{value:.3g}" for value in np.atleast_1d(values))
            )
        )


def _add_plan(commands):
    parser = commands.add_parser("plan", help="plan grasps of a many-jointed hand for meshes")
    parser.add_argument(
        "meshes", nargs="+", metavar="MESH", help=".obj .stl .ply .glb, in metres (else --scale)"
    )
    _add_hand(parser)
    parser.add_argument(
        "--grasps", type=_count, default=20, metavar="K", help="grasps a mesh (default: 20)"
    )
    parser.add_argument(
        "--search",
        default="descent",
        metavar="SEARCH",
        help=(
            "descent (default): gradient steps between jumps, ours; annealing: the paper's, up to"
            " ten tries an iteration; annealing_candidates: the best of ten neighbours an iteration"
        ),
    )
    parser.add_argument(
        "--energy",
        default="distance_sum",
        metavar="ENERGY",
        help="distance_sum (default), the paper's words, or graspit, with the term of the normals",
    )
    parser.add_argument(
        "--iterations",
        type=_count,
        metavar="N",
        help="jumps (default: 60), or iterations of the annealing (default: 10000)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="a folder for one file a mesh")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor from the meshes' units to metres"
    )
    parser.add_argument(
        "--workers", type=_count, default=2, metavar="N", help="processes side by side (default: 2)"
    )
    parser.set_defaults(function=_plan)


def _plan(options):
    from pathlib import Path

    from graspbook.errors import ParameterError
    from graspbook.highdof.planner import PlannerSettings, search_settings
    from graspbook.highdof.plans import plan_files, read_plan
    from graspbook.objects.mesh import load_mesh
    from graspbook.storage import check_writable

    paths = {
        Path(mesh).stem: Path(options.out) / f"{Path(mesh).stem}.h5" for mesh in options.meshes
    }
    if len(paths) < len(options.meshes):
        raise ParameterError(
            f"{' '.join(options.meshes)}: two meshes of one name would share a file"
        )
    check_writable(*paths.values())
    meshes = {Path(mesh).stem: load_mesh(mesh, options.scale) for mesh in options.meshes}
    counts = (
        {"rounds" if options.search == "descent" else "iterations": options.iterations}
        if options.iterations
        else {}
    )
    settings = PlannerSettings(
        options.grasps, options.energy, search=search_settings(options.search, **counts)
    )
    plan_files(meshes, paths, options.hand, settings, options.seed, options.workers)
    for path in paths.values():
        quality = read_plan(path).epsilon
        print(
            f"{path}: {len(quality)} grasps, {(quality > 0).sum()} in force closure when closed,"
            f" best ε {quality.max():.3f}"
        )


def _add_hand(parser):
    parser.add_argument(
        "--hand", default=HANDS[0], metavar="HAND", help=f"{', '.join(HANDS)} (default: {HANDS[0]})"
    )


def _add_trials(commands):
    parser = commands.add_parser(
        "trials", help="try methods on objects on a table, by the simulated arm or a real one"
    )
    parser.add_argument(
        "--method",
        nargs="+",
        default=["graspnet"],
        metavar="METHOD",
        help="graspnet (default), gpd, geometric",
    )
    parser.add_argument(
        "--objects",
        nargs="+",
        metavar="NAME|MESH",
        help="trial objects by name, meshes by path, in metres (default: the 17 trial objects)",
    )
    parser.add_argument(
        "--poses", type=_count, default=3, metavar="N", help="stable poses of each (default: 3)"
    )
    parser.add_argument("--seed", nargs="+", type=_seed, default=[0], metavar="S")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="trials.jsonl, commands.log, pictures; a rerun goes on there",
    )
    _add_weights(parser)
    parser.add_argument(
        "--camera", metavar="CAMERA", help="of a real arm: realsense (default) or realsense:SERIAL"
    )
    _add_robot(parser)
    parser.set_defaults(function=_trials)


def _trials(options):
    from graspbook.commands.trials import trials
    from graspbook.figures.trial_tables import failure_table, success_counts
    from graspbook.objects.trial_objects import TRIAL_OBJECTS
    from graspbook.storage import SHIPPED

    records = trials(
        options.objects or list(TRIAL_OBJECTS),
        options.method,
        options.poses,
        options.seed,
        options.out,
        options.weights or SHIPPED,
        options.robot,
        options.camera,
        options.execute,
        options.hand_eye,
        options.recover,
    )
    for method in dict.fromkeys(record["method"] for record in records):
        successes, number = success_counts(
            [record for record in records if record["method"] == method]
        )["all"]
        print(f"{method}: {successes} of {number} trials lifted the object")
    for row in zip(*failure_table(records).values(), strict=True):
        print(", ".join(str(value) for value in row))
    print(options.out)


def _add_pick(commands):
    parser = commands.add_parser(
        "pick", help="choose a grasp for one object on a table, and pick it up when told"
    )
    parser.add_argument(
        "source",
        metavar="CAPTURE_OR_CAMERA",
        help="a depth capture (.npz), a recording (.db3), realsense or realsense:SERIAL",
    )
    parser.add_argument(
        "--method",
        default="graspnet",
        metavar="METHOD",
        help="graspnet (default), gpd or geometric",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="PICK.json",
        help="the grasp in the arm's base frame, joints and score",
    )
    parser.add_argument(
        "--html", required=True, metavar="VIEW.html", help="a page with the object and the grasps"
    )
    _add_weights(parser)
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    _add_robot(parser)
    parser.set_defaults(function=_pick)


def _pick(options):
    from graspbook.commands.pick import pick
    from graspbook.storage import SHIPPED

    found = pick(
        options.source,
        options.weights or SHIPPED,
        options.out,
        options.html,
        options.method,
        options.robot,
        options.execute,
        options.hand_eye,
        options.recover,
        options.seed,
    )
    grasps = found["grasps"]
    chosen = (
        ""
        if found["rank"] is None
        else f"; number {found['rank'] + 1} was chosen, score {found['score']:.2f}"
    )
    print(
        f"{options.out}, {options.html}: {found['outcome']}; of {grasps['predicted']} grasps"
        f" {grasps['clear']} keep the hand clear, {grasps['reachable']} can be reached{chosen}"
    )


def _add_robot(parser):
    parser.add_argument(
        "--robot",
        metavar="IP",
        help="a real arm, through its control interface (default: the simulated one)",
    )
    parser.add_argument(
        "--execute", action="store_true", help="let the real arm move; without this nothing does"
    )
    parser.add_argument(
        "--hand-eye",
        metavar="FILE.json",
        help="where the camera is on the real hand: hand_T_camera; needed with --execute",
    )
    parser.add_argument(
        "--recover", action="store_true", help="recover the real arm from an error that it is in"
    )


def _add_weights(parser):
    parser.add_argument(
        "--weights", metavar="DIR", help="default: those that come with the package"
    )


def _add_sample(commands):
    parser = commands.add_parser("sample", help="sample and label grasps for meshes by simulation")
    parser.add_argument(
        "meshes", nargs="+", metavar="MESH", help=".obj .stl .ply .glb, in metres (else --scale)"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE_OR_DIR",
        help="a grasp file (.h5) for one mesh, else a folder",
    )
    parser.add_argument(
        "--grasps",
        type=_count,
        default=500,
        metavar="N",
        help="simulated grasps with labels, of both classes",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="S")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor from the meshes' units to metres"
    )
    _add_threads(parser)
    parser.set_defaults(function=_sample)


def _sample(options):
    from pathlib import Path

    from graspbook.errors import ParameterError
    from graspbook.graspnet.candidates import sample_to_file
    from graspbook.objects.sets import load_object
    from graspbook.storage import check_writable

    out = Path(options.out)
    if out.suffix == ".h5" and len(options.meshes) > 1:
        raise ParameterError(
            f"--out {out}: one grasp file for {len(options.meshes)} meshes; expected a folder"
        )
    paths = {
        mesh: out if out.suffix == ".h5" else out / f"{Path(mesh).stem}.h5"
        for mesh in options.meshes
    }
    if len(set(paths.values())) < len(options.meshes):
        raise ParameterError(
            f"{' '.join(options.meshes)}: two meshes of one name would share a grasp file"
        )
    check_writable(*paths.values())
    objects = [load_object(mesh, options.scale) for mesh in options.meshes]
    for obj, path in zip(objects, paths.values(), strict=True):
        counts = sample_to_file(obj, path, options.grasps, options.seed, options.threads)
        print(
            f"{path}: {counts['candidates']} candidates, {counts['not_colliding']} with the hand"
            f" free, {counts['simulable']} of them with the object between the fingers; simulated"
            f" {counts['simulated']}, {counts['successes']} hold"
        )


def _add_label(commands):
    parser = commands.add_parser(
        "label", help="label the grasps of a file in the ACRONYM layout by simulation"
    )
    parser.add_argument("grasps", metavar="GRASPS.h5")
    _add_mesh_root(parser)
    parser.add_argument("--out", required=True, metavar="OUT.h5")
    _add_threads(parser)
    parser.set_defaults(function=_label)


def _label(options):
    from graspbook.simulation.labels import label_file
    from graspbook.storage import check_writable

    check_writable(options.out)
    counts = label_file(options.grasps, options.mesh_root, options.out, options.threads)
    print(options.out)
    if counts:
        print(
            f"labels in the input against ours: both hold {counts['tp']}, neither {counts['tn']},"
            f" only theirs {counts['fn']}, only ours {counts['fp']}; accuracy"
            f" {counts['accuracy']:.3f}, balanced accuracy {counts['balanced_accuracy']:.3f}"
        )


def _add_calibrate(commands):
    parser = commands.add_parser(
        "calibrate", help="measure how the shake test agrees with labelled grasps"
    )
    parser.add_argument("grasps", metavar="GRASPS.h5")
    _add_mesh_root(parser)
    parser.add_argument("--out", required=True, metavar="CALIBRATION.json")
    _add_threads(parser)
    parser.set_defaults(function=_calibrate)


def _calibrate(options):
    from graspbook.provenance import provenance
    from graspbook.simulation.labels import calibrate
    from graspbook.storage import check_writable, write_json

    check_writable(options.out)
    write_json(
        options.out,
        calibrate(options.grasps, options.mesh_root, options.threads)
        | {"provenance": provenance()},
    )
    print(options.out)


def _add_mesh_root(parser):
    parser.add_argument(
        "--mesh-root",
        required=True,
        metavar="DIR",
        help="the folder that object/file is relative to",
    )


def _add_threads(parser):
    parser.add_argument(
        "--threads", type=_count, default=2, help="threads of the simulation (default: 2)"
    )


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 1 or more")
    return int(text)


def _seed(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 0 or more")
    return int(text)


def _add_run(commands):
    parser = commands.add_parser(
        "run", help="execute one notebook with the parameters of a profile"
    )
    parser.add_argument(
        "notebook", metavar="NOTEBOOK", help="e.g. notebooks/graspnet/1_objects.ipynb"
    )
    _add_profile(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override one value; repeatable",
    )
    parser.set_defaults(function=_run)


def _run(options):
    from graspbook.workbook.run import run_notebook

    print(run_notebook(options.notebook, options.profile, options.set, options.output_root))


def _add_site(commands):
    parser = commands.add_parser(
        "site", help="render the executed notebooks of a profile to pages that open from disk"
    )
    _add_profile(parser)
    parser.set_defaults(function=_site)


def _site(options):
    from graspbook.workbook.site import build_site

    index, failures = build_site(options.profile, options.output_root)
    print(index)
    if failures:
        raise NotebookError("; ".join(failures))


def _add_ship(commands):
    parser = commands.add_parser(
        "ship", help="make the networks of a complete run those that come with the package"
    )
    _add_profile(parser)
    parser.add_argument(
        "--paper",
        choices=("graspnet", "highdof"),
        default="graspnet",
        help="whose networks: from one view (graspnet, default) or of many-jointed hands (highdof)",
    )
    parser.add_argument(
        "--evaluations",
        nargs="*",
        default=[],
        metavar="EVAL.json",
        help="reports of `graspbook evaluate` for the model card of graspnet",
    )
    parser.set_defaults(function=_ship)


def _ship(options):
    from graspbook.errors import ParameterError
    from graspbook.workbook.ship import ship
    from graspbook.workbook.ship_highdof import ship_highdof

    if options.paper == "graspnet":
        print(ship(options.profile, options.output_root, options.evaluations))
    elif options.evaluations:
        raise ParameterError(
            f"--evaluations {' '.join(options.evaluations)}: reports on graspnet, expected none for"
            " highdof"
        )
    else:
        print(ship_highdof(options.profile, options.output_root))


def _add_profile(parser):
    parser.add_argument(
        "--profile",
        default="smoke",
        help="a name in params/ or the path of a .yaml file (default: smoke)",
    )
    parser.add_argument(
        "--output-root", metavar="DIR", help="where all files go (default: outputs/<profile>)"
    )
