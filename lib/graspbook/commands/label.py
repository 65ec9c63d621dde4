"""Label the grasps of a file by simulation."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add
from graspbook.commands._files import add_results, check_inputs, results

EXAMPLES = (
    "graspbook label mug_grasps.h5",
    "graspbook label grasps.json --mesh-root meshes --out labelled.h5",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "a grasp file (`graspbook formats`) with poses in the frame of its mesh"
    parser.add_argument("grasps", metavar="GRASPS", help=text)
    add(parser, "--mesh-root")
    add_results(parser, "the same grasps with labels", "GRASPS_labelled.h5")
    text = "a gripper that `graspbook formats` lists (default: the one that the file names)"
    parser.add_argument("--gripper", metavar="GRIPPER", help=text)
    add(parser, "--threads")


def run(options: Namespace) -> None:
    """Label the grasps and print how the labels agree with those in the input.

    options: the parsed arguments of `arguments`.
    """
    check_inputs(options.grasps)
    from graspbook.grasp_files import SUFFIXES, read_grasps

    (out,) = results(options, [options.grasps], "labelled", list(SUFFIXES))
    read_grasps(options.grasps)  # damaged files are refused before the simulation loads
    from graspbook.hands.grippers import load_gripper
    from graspbook.simulation.labels import label_file

    gripper = load_gripper(options.gripper) if options.gripper else None  # else the file's own
    root = options.mesh_root or Path(options.grasps).parent
    how = {"threads": options.threads, "gripper": gripper, "progress": True}
    counts = label_file(options.grasps, root, out, **how)
    labelled = read_grasps(out)
    held = int(labelled.success.sum()) if labelled.success is not None else 0
    for note in labelled.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{out}: {held} of {len(labelled.transforms)} grasps of {labelled.gripper} hold")
    if counts:
        print(
            f"compared with the labels in the input: {counts['tp']} grasps hold in both and"
            f" {counts['tn']} in neither; {counts['fn']} hold only according to the input,"
            f" {counts['fp']} only in this test; accuracy {counts['accuracy']:.3f}, balanced"
            f" accuracy {counts['balanced_accuracy']:.3f}"
        )
    print(f"Next: the labels are the attribute success of graspbook.read_grasps({str(out)!r}).")
