"""Convert a grasp file between ACRONYM's HDF5, GraspGen's JSON and Isaac's YAML."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._files import check_inputs, refuse_existing

EXAMPLES = (
    "graspbook convert grasps.h5 grasps.yaml",
    "graspbook convert graspgen.json grasps.h5 --force",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "a grasp file: .h5 or .hdf5 (ACRONYM), .json (GraspGen), .yaml or .yml (Isaac)"
    parser.add_argument("grasps", metavar="IN", help=text)
    parser.add_argument("out", metavar="OUT", help="the file to write, in the format of its suffix")
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")


def run(options: Namespace) -> None:
    """Write the grasps in the other format and print what the file holds.

    options: what `arguments` asks for. Raises GraspFileError for a file without grasps, and
        OutputError for an unknown suffix, where OUT is IN, or exists.
    """
    from graspbook.errors import GraspFileError
    from graspbook.grasp_files import grasp_format, read_grasps, write_grasps
    from graspbook.storage import check_writable

    check_inputs(options.grasps)
    kind, out = grasp_format(options.out), Path(options.out)
    check_writable(out)
    refuse_existing([out], [options.grasps], force=options.force)
    grasps = read_grasps(options.grasps)
    if not len(grasps.transforms):
        raise GraspFileError(f"{options.grasps}: it holds no grasps, expected 1 or more")
    write_grasps(out, grasps)
    labels = "no labels" if grasps.success is None else f"{grasps.success.sum()} hold"
    print(f"{out} ({kind.title}): {len(grasps.transforms)} grasps of {grasps.gripper}, {labels}")
    for note in grasps.notes:
        print(f"note: {note}", file=sys.stderr)
    frame = grasps.frame
    if frame != "object":
        print(f"note: the poses are in the {frame} frame, not the object's", file=sys.stderr)
    lost = sorted(grasps.physics) if kind.suffixes[0] != ".h5" else []
    if lost:
        print(f"note: this format cannot store {', '.join(lost)}", file=sys.stderr)
    if frame == "object" and grasps.object_file:
        print(f"Next: graspbook label {shlex.quote(str(out))} --mesh-root FOLDER")
    else:
        print(f"Next: read {out} with graspbook.read_grasps, or use it in another program.")
