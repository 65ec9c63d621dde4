"""Sample and label grasps for meshes by simulation."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add, count
from graspbook.commands._notes import say_notes
from graspbook.errors import ParameterError


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    add(parser, "meshes")
    text = "a grasp file (.h5, .json or .yaml) for one mesh, else a folder"
    parser.add_argument("--out", required=True, metavar="FILE_OR_DIR", help=text)
    text = "simulated grasps with labels, of both classes"
    parser.add_argument("--grasps", type=count, default=500, metavar="N", help=text)
    add(parser, "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--gripper", "--threads")


def run(options: Namespace) -> None:
    """Write a grasp file for each mesh and print what became of its candidates.

    options: what `arguments` asks for. Raises ParameterError for a mesh given twice, or one file
        for several, and OutputError for a file of an unknown suffix.
    """
    from graspbook.grasp_files import SUFFIXES, grasp_format
    from graspbook.graspnet.candidates import sample_to_file
    from graspbook.hands.grippers import load_gripper
    from graspbook.objects.names import object_names
    from graspbook.objects.sets import load_object
    from graspbook.storage import check_writable

    out = Path(options.out)
    single = out.suffix.lower() in SUFFIXES
    if len(options.meshes) == 1 and out.suffix and not out.is_dir():
        grasp_format(out)
    if single and len(options.meshes) > 1:
        raise ParameterError(
            f"--out {out}: one grasp file for {len(options.meshes)} meshes; expected a folder"
        )
    names = object_names(options.meshes)
    paths = [out if single else out / f"{name}.h5" for name in names]
    check_writable(*paths)
    how = {"threads": options.threads, "gripper": load_gripper(options.gripper or "panda")}
    named = zip(options.meshes, names, strict=True)
    objects = [load_object(mesh, options.scale, name=name) for mesh, name in named]
    say_notes({obj.name: obj.mesh for obj in objects})
    for obj, path in zip(objects, paths, strict=True):
        counts = sample_to_file(obj, path, options.grasps, options.seed, **how)
        print(
            f"{path}: {counts['candidates']} candidates, {counts['not_colliding']} with the hand"
            f" free, {counts['simulable']} of them with the object between the fingers; simulated"
            f" {counts['simulated']}, {counts['successes']} hold"
        )
