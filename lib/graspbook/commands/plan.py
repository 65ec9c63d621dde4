"""Plan grasps of a many-jointed hand for meshes."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import add, count
from graspbook.commands._notes import say_notes


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    add(parser, "meshes", "--hand")
    text = "grasps per mesh (default: 20)"
    parser.add_argument("--grasps", type=count, default=20, metavar="K", help=text)
    text = (
        "descent (default): gradient steps between jumps, ours; annealing: the paper's, up to"
        " ten tries per iteration; annealing_candidates: the best of ten neighbours per iteration"
    )
    parser.add_argument("--search", default="descent", metavar="SEARCH", help=text)
    text = "distance_sum (default), the paper's words, or graspit, with the term of the normals"
    parser.add_argument("--energy", default="distance_sum", metavar="ENERGY", help=text)
    text = "jumps (default: 60), or iterations of the annealing (default: 10000)"
    parser.add_argument("--iterations", type=count, metavar="N", help=text)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="a folder, for one file per mesh"
    )
    add(parser, "--seed")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    add(parser, "--workers")


def run(options: Namespace) -> None:
    """Write a file of planned grasps for each mesh and print how good they are.

    options: what `arguments` asks for. Raises ParameterError for a mesh given twice.
    """
    from graspbook.highdof.planner import PlannerSettings, search_settings
    from graspbook.highdof.plans import plan_files, read_plan
    from graspbook.objects.mesh import load_mesh
    from graspbook.objects.names import object_names
    from graspbook.storage import check_writable

    names = object_names(options.meshes)
    paths = {name: Path(options.out) / f"{name}.h5" for name in names}
    check_writable(*paths.values())
    named = zip(names, options.meshes, strict=True)
    meshes = {name: load_mesh(mesh, options.scale) for name, mesh in named}
    unit = "rounds" if options.search == "descent" else "iterations"
    counts = {unit: options.iterations} if options.iterations else {}
    settings = PlannerSettings(
        options.grasps, options.energy, search=search_settings(options.search, **counts)
    )
    plan_files(meshes, paths, options.hand, settings, seed=options.seed, workers=options.workers)
    say_notes(meshes)
    for path in paths.values():
        quality = read_plan(path).epsilon
        print(
            f"{path}: {len(quality)} grasps, {(quality > 0).sum()} in force closure when closed,"
            f" best ε {quality.max():.3f}"
        )
