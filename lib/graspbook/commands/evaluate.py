"""Measure in simulation how well a method grasps meshes."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import add, check_method, count
from graspbook.commands._files import (
    add_results,
    check_inputs,
    mesh_inputs,
    refuse_existing,
    results,
)
from graspbook.commands._notes import say_notes

EXAMPLES = (
    "graspbook evaluate mug.stl bowl.obj --views 5",
    "graspbook evaluate meshes --method geometric --against evaluation.json --out geometric.json",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    add(parser, "meshes")
    text = "random views of each mesh (default: 5)"
    parser.add_argument("--views", type=count, default=5, metavar="V", help=text)
    text = "grasps per view (default: 200)"
    parser.add_argument("--samples", type=count, default=200, metavar="N", help=text)
    add(parser, "--method", "--weights", "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--workers")
    text, page = "the figures, overall and of each mesh", "a table, curves, and the best grasps"
    name = "MESH_evaluation.json, or evaluation.json for several meshes"
    add_results(parser, text, name, html=page)
    text = (
        "earlier reports on the same views of the same meshes; the differences to them are printed"
        " with 95 %% intervals"
    )
    parser.add_argument("--against", nargs="+", default=[], metavar="EVAL.json", help=text)


def run(options: Namespace) -> None:
    """Write the figures and their page, and print the main ones.

    options: the parsed arguments of `arguments`.
    """
    from graspbook.storage import SHIPPED, write_json

    weights = options.weights or SHIPPED
    check_method(options.method, weights)
    check_inputs(*options.against)
    meshes = mesh_inputs(options.meshes)
    out, page = results(options, meshes, "evaluation")
    refuse_existing([out, page], options.against, force=True)
    from graspbook.objects.mesh import load_mesh
    from graspbook.objects.names import object_names

    names = object_names(meshes)
    surfaces = {
        name: load_mesh(mesh, options.scale) for name, mesh in zip(names, meshes, strict=True)
    }
    say_notes(surfaces)
    from graspbook.figures.evaluation_page import difference_text, write_evaluation
    from graspbook.graspnet.figures_of_merit import COMPARED
    from graspbook.graspnet.mesh_evaluation import evaluate_meshes
    from graspbook.graspnet.predict import PredictSettings

    settings = PredictSettings(samples=options.samples, method=options.method)
    evaluation = evaluate_meshes(
        meshes,
        weights,
        settings,
        views=options.views,
        seed=options.seed,
        scale=options.scale,
        workers=options.workers,
        against=options.against,
        surfaces=surfaces,
    )
    report = evaluation.report
    write_evaluation(page, evaluation)
    write_json(out, report)
    overall, counts = report["overall"], report["overall"]["counts"]
    for name, figures in report["objects"].items():
        if "reason" in figures:
            print(f"{name} is left out: {figures['reason']}")
    print(
        f"{out}, {page}: {counts['views']} views of {counts['objects']} objects,"
        f" {counts['objects_left_out']} objects left out"
    )
    if counts["views"]:
        print(
            f"the best grasp holds in {overall['success_best']:.0%} of the views in the shake test,"
            f" and in {overall['gravity_best']:.0%} against gravity with 0.3 kg;"
            f" {overall['grasps_above_threshold']:.0f} grasps per view score above the threshold;"
            f" coverage {overall['coverage']:.2f}, area under the success-coverage curve"
            f" {overall['auc']:.2f}"
        )
    for row in report.get("against", []):
        print(
            f"difference to {row['method']} ({row['report']}), {row['objects']} objects: "
            + ", ".join(f"{figure} {difference_text(row, figure)}" for figure in COMPARED)
        )
    print(f"Next: open {page} in a browser; compare another method with --against {out}.")
