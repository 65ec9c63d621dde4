"""Plan grasps of a many-jointed hand for meshes."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add, check_hand, count
from graspbook.commands._files import (
    folder_for,
    mesh_inputs,
    refuse_existing,
    refuse_file_as_folder,
)
from graspbook.commands._notes import say_notes
from graspbook.errors import ParameterError
from graspbook.hands.library import is_folder

EXAMPLES = (
    "graspbook plan mug.stl --hand shadow --grasps 20",
    "graspbook plan mug.stl bowl.obj --search annealing --out plans",
    "graspbook plan mug.stl --hand my_leap_hand/",
)

# What --iterations counts; iterations for the other searches.
_UNITS = {"descent": "rounds", "balance": "steps", "balance_fingertips": "steps", "palm": ""}


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    add(parser, "meshes", "--hand")
    text = "grasps per mesh (default: 20)"
    parser.add_argument("--grasps", type=count, default=20, metavar="K", help=text)
    text = (
        "descent (default): gradient steps between jumps; annealing: the paper's method, up to"
        " ten tries per iteration; annealing_candidates: annealing that takes the best of ten"
        " neighbours per iteration; graspit: annealing with GraspIt!'s own jumps and tries;"
        " eigengrasps: the same over a few postures of the hand instead of its joints;"
        " balance: a few contact points go where their forces cancel; balance_fingertips: the same"
        " with the same fingertips in each grasp; palm: the palm touches the object, and the hand"
        " closes"
    )
    parser.add_argument("--search", default="descent", metavar="SEARCH", help=text)
    text = "distance_sum (default, as in the paper), or graspit, which also uses the normals"
    parser.add_argument("--energy", default="distance_sum", metavar="ENERGY", help=text)
    text = "jumps (default: 60), iterations of annealing (10000), or steps of balance (80)"
    parser.add_argument("--iterations", type=count, metavar="N", help=text)
    text = (
        "a file (.h5) for one mesh, or a folder for one file per mesh (default:"
        " MESH_HAND_plan.h5 next to each mesh)"
    )
    parser.add_argument("--out", metavar="FILE_OR_DIR", help=text)
    text = "plan again if a file holds grasps of other settings"
    parser.add_argument("--force", action="store_true", help=text)
    add(parser, "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--workers")


def run(options: Namespace) -> None:
    """Write a file of planned grasps for each mesh and print how good they are.

    options: what `arguments` asks for. Raises ParameterError for a mesh given twice, or
        for iterations of a search that has none.
    """
    unit = _UNITS.get(options.search, "iterations")
    if options.iterations and not unit:
        raise ParameterError(
            f"--iterations {options.iterations}: the search {options.search} takes no steps,"
            " expected no --iterations"
        )
    hand, is_own = check_hand(options.hand), is_folder(options.hand)
    # Workers find a folder wherever they run.
    given = str(Path(options.hand).resolve()) if is_own else hand
    files = mesh_inputs(options.meshes)
    from graspbook.objects.mesh import load_mesh
    from graspbook.objects.names import object_names, stems
    from graspbook.storage import check_writable

    names, ending = object_names(files), f"{hand}_plan.h5"
    if options.out and len(files) == 1 and Path(options.out).suffix in (".h5", ".hdf5"):
        paths = {names[0]: Path(options.out)}
    elif options.out:
        refuse_file_as_folder(options.out)
        paths = {name: Path(options.out) / f"{name}.h5" for name in names}
    else:
        own = zip(names, files, stems(files), strict=True)
        paths = {name: folder_for(file) / f"{stem}_{ending}" for name, file, stem in own}
    check_writable(*paths.values())
    meshes = {name: load_mesh(file, options.scale) for name, file in zip(names, files, strict=True)}
    from graspbook.highdof.planner import PlannerSettings, search_settings
    from graspbook.highdof.plans import plan_files, planned_otherwise, read_plan

    counts = {unit: options.iterations} if options.iterations else {}
    settings = PlannerSettings(
        options.grasps, options.energy, search=search_settings(options.search, **counts)
    )
    how = {"seed": options.seed, "workers": options.workers}
    others = planned_otherwise(meshes, paths, given, settings, seed=options.seed)
    held = "grasps of other settings"
    refuse_existing([paths[name] for name in others], force=options.force, content=held)
    plan_files(meshes, paths, given, settings, **how)
    say_notes(meshes)
    for file in paths.values():
        quality = read_plan(file).epsilon
        print(
            f"{file}: {len(quality)} grasps, {(quality > 0).sum()} in force closure when closed,"
            f" best ε {quality.max():.3f}"
        )
    mesh, path = shlex.quote(str(files[0])), shlex.quote(str(next(iter(paths.values()))))
    print(f"Next: graspbook hand-grasp {mesh} --hand {shlex.quote(options.hand)} --against {path}")
