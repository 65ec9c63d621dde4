"""Convert a grasp file between ACRONYM's HDF5, GraspGen's JSON and Isaac's YAML."""

from argparse import ArgumentParser, Namespace


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    text = "a grasp file: .h5 or .hdf5 (ACRONYM), .json (GraspGen), .yaml or .yml (Isaac)"
    parser.add_argument("grasps", metavar="IN", help=text)
    parser.add_argument("out", metavar="OUT", help="the file to write, in the format of its suffix")


def run(options: Namespace) -> None:
    """Write the grasps in the other format and print what the file holds.

    options: what `arguments` asks for. Raises GraspFileError for a file without grasps, and
        OutputError for an unknown suffix or where OUT is IN.
    """
    from pathlib import Path

    from graspbook.errors import GraspFileError, OutputError
    from graspbook.grasp_files import grasp_format, read_grasps, write_grasps
    from graspbook.storage import check_writable

    kind, out = grasp_format(options.out), Path(options.out)
    check_writable(out)
    grasps = read_grasps(options.grasps)
    if not len(grasps.transforms):
        raise GraspFileError(f"{options.grasps}: it holds no grasps, expected 1 or more")
    if out.resolve() == Path(options.grasps).resolve():
        raise OutputError(f"cannot write {out}: it is the file to convert")
    write_grasps(out, grasps)
    labels = "no labels" if grasps.success is None else f"{grasps.success.sum()} hold"
    print(f"{out} ({kind.title}): {len(grasps.transforms)} grasps of {grasps.gripper}, {labels}")
    frame = grasps.parameters.get("frame", "object")
    if frame != "object":
        print(f"note: the poses are in the {frame} frame, not the object's")
    lost = sorted(grasps.physics) if kind.suffixes[0] != ".h5" else []
    if kind.suffixes[0] == ".yaml":
        lost += sorted(set(grasps.grades) - {"score"})
    if lost:
        print(f"note: this format has no place for {', '.join(lost)}")
