"""Label the grasps of a file in the ACRONYM layout by simulation."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import add


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    parser.add_argument("grasps", metavar="GRASPS")
    add(parser, "--mesh-root")
    parser.add_argument("--out", required=True, metavar="OUT.h5")
    add(parser, "--gripper", "--threads")


def run(options: Namespace) -> None:
    """Label the grasps and print how the labels agree with those that were there.

    options: what `arguments` asks for.
    """
    from graspbook.grasp_files import grasp_format
    from graspbook.hands.grippers import load_gripper
    from graspbook.simulation.labels import label_file
    from graspbook.storage import check_writable

    check_writable(options.out)
    grasp_format(options.out)
    gripper = load_gripper(options.gripper) if options.gripper else None  # else the file's own
    how = {"threads": options.threads, "gripper": gripper}
    counts = label_file(options.grasps, options.mesh_root, options.out, **how)
    print(options.out)
    if counts:
        print(
            f"labels in the input against ours: both hold {counts['tp']}, neither {counts['tn']},"
            f" only theirs {counts['fn']}, only ours {counts['fp']}; accuracy"
            f" {counts['accuracy']:.3f}, balanced accuracy {counts['balanced_accuracy']:.3f}"
        )
