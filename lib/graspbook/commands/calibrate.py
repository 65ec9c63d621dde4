"""Measure how the shake test agrees with labelled grasps."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import add


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    parser.add_argument("grasps", metavar="GRASPS")
    add(parser, "--mesh-root")
    parser.add_argument("--out", required=True, metavar="CALIBRATION.json")
    add(parser, "--threads")


def run(options: Namespace) -> None:
    """Write the agreement, with the provenance of the code.

    options: what `arguments` asks for.
    """
    from graspbook.provenance import provenance
    from graspbook.simulation.labels import calibrate
    from graspbook.storage import check_writable, write_json

    check_writable(options.out)
    found = calibrate(options.grasps, options.mesh_root, threads=options.threads)
    write_json(options.out, found | {"provenance": provenance()})
    print(options.out)
