"""Add up reports of hand-grasp --against, of one hand on several objects."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.errors import ParameterError


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    text = "with the same seeds for every object"
    parser.add_argument("reports", nargs="+", metavar="GRASP.json", help=text)
    text = "the figures, and the reports without contacts"
    parser.add_argument("--out", required=True, metavar="SUMMARY.json", help=text)


def run(options: Namespace) -> None:
    """Write the sum, with the provenance of the code, and print its figures.

    options: what `arguments` asks for. Raises ParameterError where a report would be overwritten.
    """
    import numpy as np

    from graspbook.highdof.reports import summarise
    from graspbook.provenance import provenance
    from graspbook.storage import check_writable, write_json

    if Path(options.out).resolve() in {Path(path).resolve() for path in options.reports}:
        raise ParameterError(
            f"{options.out}: one of the reports to add up, expected another file for the sum"
        )
    check_writable(options.out)
    found, reports = summarise(options.reports)
    write_json(options.out, {"summary": found, "reports": reports, "provenance": provenance()})
    print(f"{options.out}: {found['objects']} objects, seeds {', '.join(map(str, found['seeds']))}")
    for figure, values in list(found.items())[4:]:
        told = [] if values is None else [f"{value:.3g}" for value in np.atleast_1d(values)]
        print(f"{figure}: {', '.join(told) or '–'}")
