"""Add up reports of hand-grasp --against, of one hand on several objects."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._files import add_results, check_inputs, results

EXAMPLES = ("graspbook hand-summary mug_shadow_grasp.json bowl_shadow_grasp.json",)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "reports of `graspbook hand-grasp --against`, with the same seeds for every object"
    parser.add_argument("reports", nargs="+", metavar="GRASP.json", help=text)
    text = "the figures, and the reports without contacts"
    add_results(parser, text, "hand_summary.json in the folder of the first")


def run(options: Namespace) -> None:
    """Write the sum, with the provenance of the code, and print its figures.

    options: the parsed arguments of `arguments`.
    """
    import numpy as np

    from graspbook.highdof.reports import summarise
    from graspbook.provenance import provenance
    from graspbook.storage import write_json

    check_inputs(*options.reports)
    (out,) = results(options, options.reports, "hand_summary")
    found, reports = summarise(options.reports)
    write_json(out, {"summary": found, "reports": reports, "provenance": provenance()})
    print(f"{out}: {found['objects']} objects, seeds {', '.join(map(str, found['seeds']))}")
    for figure, values in list(found.items())[4:]:
        told = [] if values is None else [f"{value:.3g}" for value in np.atleast_1d(values)]
        print(f"{figure}: {', '.join(told) or '–'}")
    print(f"Next: read `reports` in {out} for the figures of each object.")
