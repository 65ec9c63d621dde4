"""Measure in simulation how well a method grasps meshes nobody trained on."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import add, count
from graspbook.commands._notes import say_notes


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    add(parser, "meshes")
    text = "random views of each mesh (default: 5)"
    parser.add_argument("--views", type=count, default=5, metavar="V", help=text)
    text = "grasps a view (default: 200)"
    parser.add_argument("--samples", type=count, default=200, metavar="N", help=text)
    add(parser, "--method", "--weights", "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--workers")
    text = "the figures, overall and of each mesh"
    parser.add_argument("--out", required=True, metavar="EVAL.json", help=text)
    text = "a page with a table, success over coverage, and the best grasps"
    parser.add_argument("--html", metavar="PAGE", help=text)
    text = (
        "earlier reports on the same views of the same meshes: how much higher this method's"
        " figures are than theirs, with 95 %% intervals, paired over meshes"
    )
    parser.add_argument("--against", nargs="+", default=[], metavar="EVAL.json", help=text)


def run(options: Namespace) -> None:
    """Write the figures and their page, and print the most telling ones.

    options: what `arguments` asks for.
    """
    from graspbook.figures.evaluation_page import difference_text, write_evaluation
    from graspbook.graspnet.figures_of_merit import COMPARED
    from graspbook.graspnet.mesh_evaluation import evaluate_meshes
    from graspbook.graspnet.predict import PredictSettings
    from graspbook.storage import SHIPPED, check_writable, write_json

    settings = PredictSettings(samples=options.samples, method=options.method)
    files = list(filter(None, (options.out, options.html)))
    check_writable(*files)
    evaluation = evaluate_meshes(
        options.meshes,
        options.weights or SHIPPED,
        settings,
        views=options.views,
        seed=options.seed,
        scale=options.scale,
        workers=options.workers,
        against=options.against,
    )
    say_notes(evaluation.surfaces)
    report = evaluation.report
    if options.html:
        write_evaluation(options.html, evaluation)
    write_json(options.out, report)
    overall, counts = report["overall"], report["overall"]["counts"]
    for name, figures in report["objects"].items():
        if "reason" in figures:
            print(f"{name} is left out: {figures['reason']}")
    print(
        f"{', '.join(files)}: {counts['views']} views of {counts['objects']} objects,"
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
