"""Measure how the shake test agrees with labelled grasps."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add
from graspbook.commands._files import add_results, check_inputs, results

EXAMPLES = ("graspbook calibrate mug.h5 --mesh-root meshes",)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "a labelled grasp file (`graspbook formats`)"
    parser.add_argument("grasps", metavar="GRASPS", help=text)
    add(parser, "--mesh-root")
    add_results(parser, "the agreement", "GRASPS_calibration.json")
    add(parser, "--threads")


def run(options: Namespace) -> None:
    """Write the agreement, with the provenance of the code.

    options: the parsed arguments of `arguments`.
    """
    from graspbook.grasp_files import read_grasps
    from graspbook.provenance import provenance
    from graspbook.storage import write_json

    check_inputs(options.grasps)
    (out,) = results(options, [options.grasps], "calibration")
    source, root = options.grasps, options.mesh_root or Path(options.grasps).parent
    read_grasps(source)  # damaged files are refused before the simulation loads
    from graspbook.simulation.labels import calibrate

    found = calibrate(source, root, threads=options.threads, progress=True)
    write_json(out, found | {"provenance": provenance()})
    share = found["halves"]["odd"]["frozen"]["balanced_accuracy"]
    print(f"{out}: balanced accuracy {share:.3f} on the half of the grasps not used for tuning")
    print(f"Next: read `halves` and `sweep` in {out}, which compare the settings.")
