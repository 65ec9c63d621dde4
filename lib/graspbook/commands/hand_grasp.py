"""Predict a grasp of a many-jointed hand for a mesh or a point cloud."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import add, check_hand, count
from graspbook.commands._files import add_results, check_inputs, results
from graspbook.commands._notes import say_notes

EXAMPLES = (
    "graspbook hand-grasp mug.stl",
    "graspbook hand-grasp mug.stl --hand barrett --against mug_barrett_plan.h5",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    text = "mesh (.obj .stl .ply .glb) or cloud (.ply .pcd .npy .npz)"
    parser.add_argument("input", metavar="INPUT", help=text)
    add(parser, "--hand")
    text = "turned views, of which the best counts (default: 5)"
    parser.add_argument("--rotations", type=count, default=5, metavar="R", help=text)
    text, page = "joints by name, wrist, quality and contacts", "a page with hand and object"
    add_results(parser, text, "INPUT_HAND_grasp.json next to the input", html=page)
    add(parser, "--weights", "--seed")
    text = "factor from the input's units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    text = (
        "grasps that `graspbook plan` found for the same mesh and hand: how much of their ε this"
        " one has"
    )
    parser.add_argument("--against", metavar="PLAN.h5", help=text)
    text = "names and signs of the Shadow Hand's joints: the model's (default) or the real hand's"
    parser.add_argument("--joint-names", choices=("model", "hardware"), default="model", help=text)


def run(options: Namespace) -> None:
    """Write the grasp and its page, and print what it is worth.

    options: what `arguments` asks for. Raises ParameterError for hardware names of a hand that has
        none.
    """
    from pathlib import Path

    from graspbook.errors import ParameterError, WeightsError
    from graspbook.storage import SHIPPED, write_json

    check_hand(options.hand)
    hardware = options.joint_names == "hardware"
    if hardware and options.hand != "shadow":
        raise ParameterError(
            f"--joint-names hardware: the {options.hand} hand has no other names, only shadow has"
        )
    check_inputs(options.input, *filter(None, [options.against]))
    weights = Path(options.weights or SHIPPED)
    if not (file := weights / f"highdof_{options.hand}.safetensors").is_file():
        raise WeightsError(f"{file}: no such weights file")
    out, html = results(options, [options.input], f"{options.hand}_grasp")
    from graspbook.perception.inputs import read_solid

    solid = read_solid(options.input, options.scale)
    from graspbook.figures import hand_figure, write_view
    from graspbook.highdof.mesh_grasp import grasp_mesh

    report, mesh, hand_mesh = grasp_mesh(
        options.input,
        weights,
        options.hand,
        rotations=options.rotations,
        seed=options.seed,
        scale=options.scale,
        against=options.against,
        solid=solid,
        progress=True,
    )
    say_notes({options.input: mesh})
    stuck = "" if report["clear"] else ": no rotation gave a hand that could be freed of it"
    figures = (
        f"held against gravity in {report['held_directions']} of 6 directions, deepest point"
        f" {1000 * report['penetration_max']:.1f} mm inside the object{stuck}"
    )
    write_view(
        html,
        hand_figure(mesh, [hand_mesh], [one["point"] for one in report["contacts"]]),
        f"A grasp for {Path(options.input).name}",
        f"The {report['hand']} hand, closed: ε = {report['epsilon']:.3f}, {figures}.",
    )
    if hardware:
        from graspbook.hands.shadow_names import to_hardware

        report |= {name: to_hardware(report[name]) for name in ("joints", "all_joints")}
    write_json(out, report)
    print(f"{out}, {html}: ε {report['epsilon']:.3f}, {figures}")
    if options.against:
        planner = report["planner"]
        told = {name: "–" if value is None else f"{value:.3f}" for name, value in planner.items()}
        print(
            f"{options.against}: {planner['grasps']} planned grasps,"
            f" {planner['force_closure']:.0%} in force closure, ε of the best"
            f" {told['best_epsilon']}, of the best of five {told['best_of_5']}; relative to"
            f" these ε here is {told['relative_to_best']} and {told['relative_epsilon']}"
        )
    print(f"Next: open {html} in a browser.")
