"""Sample and label grasps for meshes by simulation."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add, count
from graspbook.commands._files import (
    folder_for,
    mesh_inputs,
    refuse_existing,
    refuse_file_as_folder,
)
from graspbook.commands._notes import say_notes
from graspbook.errors import ParameterError

EXAMPLES = (
    "graspbook sample mug.stl --grasps 500",
    "graspbook sample meshes --scale 0.001 --out grasps",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    add(parser, "meshes")
    text = (
        "a grasp file (.h5, .json or .yaml) for one mesh, or a folder (default: MESH_sampled.h5"
        " next to each mesh)"
    )
    parser.add_argument("--out", metavar="FILE_OR_DIR", help=text)
    text = "sample again if a file holds grasps of other settings"
    parser.add_argument("--force", action="store_true", help=text)
    text = "simulated grasps per mesh, successes and failures together (default: 500)"
    parser.add_argument("--grasps", type=count, default=500, metavar="N", help=text)
    add(parser, "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--gripper", "--threads")


def run(options: Namespace) -> None:
    """Write a grasp file for each mesh and print how many candidates hold.

    options: what `arguments` asks for. Raises ParameterError for a mesh given twice, or one file
        for several, and OutputError for a file of an unknown suffix, or of other settings.
    """
    meshes = mesh_inputs(options.meshes)
    from graspbook.grasp_files import SUFFIXES, grasp_format, read_grasps
    from graspbook.hands.grippers import load_gripper
    from graspbook.objects.names import object_files, object_names, stems
    from graspbook.objects.sets import load_object
    from graspbook.storage import check_writable

    names = object_names(meshes)
    if options.out:
        out = Path(options.out)
        single = out.suffix.lower() in SUFFIXES
        if len(meshes) == 1 and out.suffix and not out.is_dir():
            grasp_format(out)
        if single and len(meshes) > 1:
            raise ParameterError(
                f"--out {out} is one grasp file, but there are {len(meshes)} meshes;"
                " expected a folder"
            )
        if not single:
            refuse_file_as_folder(out)
        paths = [out if single else out / f"{name}.h5" for name in names]
    else:
        own = zip(meshes, stems(meshes), strict=True)
        paths = [folder_for(mesh) / f"{stem}_sampled.h5" for mesh, stem in own]
    check_writable(*paths)
    gripper = load_gripper(options.gripper or "panda")
    wanted = {"grasps": options.grasps, "seed": options.seed}.items()
    if not options.force:
        others = [path for path in paths if path.is_file()]
        others = [path for path in others if not wanted <= read_grasps(path).parameters.items()]
        refuse_existing(others, meshes, content="grasps of other settings")
    named = zip(meshes, names, object_files(meshes, options.meshes), strict=True)
    objects = [load_object(mesh, options.scale, name=name, file=file) for mesh, name, file in named]
    say_notes({obj.name: obj.mesh for obj in objects})
    from graspbook.graspnet.candidates import made_counts, sample_to_file

    for obj, path in zip(objects, paths, strict=True):
        if not options.force and path.is_file():
            known = made_counts(obj, path, options.grasps, options.seed, gripper=gripper)
            refuse_existing([] if known else [path], content="grasps of other settings")
    how = {"threads": options.threads, "gripper": gripper, "again": options.force}
    for obj, path in zip(objects, paths, strict=True):
        counts = sample_to_file(obj, path, options.grasps, options.seed, **how)
        print(
            f"{path}: {counts['candidates']} candidates; {counts['not_colliding']} do not"
            f" collide, and {counts['simulable']} of these have the object between the"
            f" fingers; {counts['simulated']} were simulated, {counts['successes']} hold"
        )
    print(f"Next: show them in JupyterLab: graspbook.read_grasps({str(paths[0])!r}).figure()")
