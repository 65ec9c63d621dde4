"""Make a closed mesh of an object from one or several depth captures."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from graspbook.commands._arguments import READING, add, reading
from graspbook.commands._files import add_results, check_inputs, refuse_existing, results
from graspbook.errors import ParameterError

if TYPE_CHECKING:
    import trimesh

EXAMPLES = (
    "graspbook reconstruct view_*.npz --out mug.obj",
    "graspbook reconstruct red_mug.npz",
    "graspbook reconstruct 1.npz 2.npz 3.npz --poses poses.json --method tsdf --truth mug.stl",
)
SUFFIXES = (".obj", ".stl", ".ply")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "depth capture or point cloud (`graspbook formats`); the first one shows the object"
    parser.add_argument("views", nargs="+", metavar="VIEW", help=text)
    text = (
        "poses world_T_camera of all views, N x 4 x 4 numbers in .json, .npy or .txt (default: the"
        " array world_T_camera of each capture)"
    )
    parser.add_argument("--poses", metavar="FILE", help=text)
    text = (
        "poisson (default): a surface through the points; tsdf: the mean of the depth images; hull:"
        " the convex hull"
    )
    parser.add_argument("--method", default="poisson", metavar="METHOD", help=text)
    text = "use the camera poses as they are (default: correct small errors)"
    parser.add_argument("--keep-poses", action="store_true", help=text)
    text = "the true mesh in the frame of the poses, to compare with"
    parser.add_argument("--truth", metavar="MESH", help=text)
    page = "a page with the mesh and the points"
    add_results(
        parser,
        "the mesh, metres",
        "VIEW_mesh.obj next to it, for several views mesh.obj",
        html=page,
    )
    add(parser, "--scale", *READING)


def run(options: Namespace) -> None:
    """Write the mesh and its page, and print its size and how it compares with the truth.

    options: what `arguments` asks for. Raises ParameterError for an unknown method and for a view
        that is given twice.
    """
    import sys
    import time
    from pathlib import Path

    import numpy as np

    check_inputs(*options.views, *filter(None, [options.poses, options.truth]))
    paths = [Path(view).resolve() for view in options.views]
    if twice := [view for view in options.views if paths.count(Path(view).resolve()) > 1]:
        raise ParameterError(f"{twice[0]}: this view is given twice, expected different views")
    out, html = results(options, options.views, "mesh", SUFFIXES)
    read = [file for file in (options.poses, options.truth) if file]
    refuse_existing([out, html], read, force=options.force)
    from graspbook.perception.reconstruction import METHODS, reconstruct

    if options.method not in METHODS:
        raise ParameterError(f"--method {options.method}: expected one of {', '.join(METHODS)}")
    from graspbook.objects.mesh import load_mesh
    from graspbook.perception.view_files import read_views

    truth = load_mesh(options.truth) if options.truth else None
    views, notes = read_views(options.views, options.poses, options.scale, **reading(options))
    began = time.perf_counter()
    made = reconstruct(views, options.method, align=not options.keep_poses)
    seconds = time.perf_counter() - began
    notes = [*notes, *made.notes]
    in_camera = all((view.world_T_camera == np.eye(4)).all() for view in views)
    if truth is not None and in_camera:
        notes.append("no camera pose is known, so the true mesh must be in the camera's frame")
    for note in notes:
        print(f"note: {options.views[0]}: {note}", file=sys.stderr)
    from graspbook.figures import cloud_and_grasps, write_view
    from graspbook.storage import atomic_path

    figures = in_words(made.mesh, len(views))
    if truth is not None:
        from graspbook.objects.likeness import chamfer, overlap

        figures += (
            f"; compared with {Path(options.truth).name}: overlap (intersection over union)"
            f" {overlap(made.mesh, truth):.3f}, Chamfer distance"
            f" {1000 * chamfer(made.mesh, truth):.1f} mm"
        )
    few = made.points[:: max(1, len(made.points) // 4000)]
    write_view(
        html,
        cloud_and_grasps(few, mesh=made.mesh, camera_frame=in_camera),
        f"A mesh of {len(views)} view{'s' if len(views) > 1 else ''}",
        f"By {options.method}: {figures}." + "".join(f" Note: {note}." for note in notes),
    )
    with atomic_path(out) as temporary:
        made.mesh.export(temporary, file_type=out.suffix.lower().strip("."))
    print(f"{out}, {html}: {figures}; {seconds:.1f} s after reading")
    print(f"Next: graspbook hand-grasp {out}")


def in_words(mesh: "trimesh.Trimesh", count: int) -> str:
    """The size of a mesh, in one line.

    mesh: a trimesh, metres.
    count: of the views.
    """
    sides = " x ".join(f"{100 * side:.1f}" for side in mesh.extents)
    open_ = "" if mesh.is_watertight else ", not closed"
    return (
        f"{count} view{'s' if count > 1 else ''}, {len(mesh.faces)} faces, {sides} cm,"
        f" {1e6 * mesh.volume:.0f} cm³{open_}"
    )
