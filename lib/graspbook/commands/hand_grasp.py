"""Find a grasp of a many-jointed hand for a mesh, a point cloud or a depth capture."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from graspbook.commands._arguments import READING, add, check_hand, count, reading
from graspbook.commands._files import add_results, check_inputs, results
from graspbook.errors import NoGraspError, ParameterError
from graspbook.hands.library import is_folder

EXAMPLES = (
    "graspbook hand-grasp mug.stl",
    "graspbook hand-grasp mug.stl --hand barrett --against mug_barrett_plan.h5",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "mesh, point cloud or depth capture (`graspbook formats`); a solid is made of a view"
    parser.add_argument("input", metavar="INPUT", help=text)
    text = (
        "shadow (default) or barrett, or the folder of a hand of your own: planned candidates only;"
        " franka only with --weights of a network that you trained"
    )
    parser.add_argument("--hand", default="shadow", metavar="HAND", help=text)
    text = "rotations of the object for which the network is asked (default: 27)"
    parser.add_argument("--rotations", type=count, default=27, metavar="R", help=text)
    text = "use the network's answers only, without planned candidates"
    parser.add_argument("--network-only", action="store_true", help=text)
    text, page = "the grasp: joints, wrist, quality and contacts", "a page with hand and object"
    add_results(parser, text, "INPUT_HAND_grasp.json next to the input", html=page)
    add(parser, "--weights", "--seed", "--scale", *READING)
    text = (
        "grasps of `graspbook plan` for the same mesh and hand, to compare this grasp's ε"
        " with theirs"
    )
    parser.add_argument("--against", metavar="PLAN.h5", help=text)
    text = "the test of what is held: bench (default), as DexGraspBench's, or strict, ours"
    parser.add_argument("--hold", default="bench", choices=("bench", "strict"), help=text)
    text = "names and signs of the Shadow Hand's joints: the model's (default) or the real hand's"
    parser.add_argument("--joint-names", choices=("model", "hardware"), default="model", help=text)


def run(options: Namespace) -> None:
    """Write the grasp and its page, and print how good it is.

    options: what `arguments` asks for. Raises ParameterError for hardware names of a hand that has
        none, NoGraspError, after all is written, where no hand holds the object.
    """
    import sys
    from pathlib import Path

    from graspbook.errors import WeightsError
    from graspbook.storage import SHIPPED, write_json

    own = is_folder(options.hand)
    if own and (options.network_only or options.weights):
        raise ParameterError(
            f"--hand {options.hand}: there is no network for a hand of your own;"
            " leave out --network-only and --weights"
        )
    hand = check_hand(options.hand)
    hardware = options.joint_names == "hardware"
    if hardware and options.hand != "shadow":
        raise ParameterError(
            f"--joint-names hardware is for the shadow hand only, not for {options.hand}"
        )
    check_inputs(options.input, *filter(None, [options.against]))
    weights = None if own else Path(options.weights or SHIPPED)
    if weights and not (file := weights / f"highdof_{options.hand}.safetensors").is_file():
        raise WeightsError(f"{file}: no such weights file")
    out, html = results(options, [options.input], f"{hand}_grasp")
    from graspbook.perception.inputs import read_solid

    solid = read_solid(options.input, options.scale, **reading(options))
    from graspbook.figures import hand_figure, write_view
    from graspbook.highdof.mesh_grasp import PLANNED, grasp_mesh

    report, mesh, hand_mesh = grasp_mesh(
        options.input,
        weights,
        options.hand,
        rotations=options.rotations,
        planned=0 if options.network_only else PLANNED,
        seed=options.seed,
        scale=options.scale,
        against=options.against,
        hold=options.hold,
        solid=solid,
        progress=True,
    )
    refused = report["planned"].get("refused")
    notes = [*solid.notes, *filter(None, [refused])]
    for note in notes:
        print(f"note: {options.input}: {note}", file=sys.stderr)
    figures = in_words(report)
    write_view(
        html,
        hand_figure(mesh, [hand_mesh], [one["point"] for one in report["contacts"]]),
        f"A grasp for {Path(options.input).name}",
        f"The {report['hand']} hand, closed: {figures}."
        + "".join(f" Note: {note}." for note in notes),
    )
    if hardware:
        from graspbook.hands.shadow_names import to_hardware

        named = ("joints", "all_joints", "pregrasp", "squeeze")
        report |= {name: to_hardware(report[name]) for name in named}
    write_json(out, report)
    print(f"{out}, {html}: {figures}")
    if options.against:
        planner = report["planner"]
        told = {name: "–" if value is None else f"{value:.3f}" for name, value in planner.items()}
        print(
            f"{options.against}: {planner['grasps']} planned grasps,"
            f" {planner['force_closure']:.0%} in force closure, best ε {told['best_epsilon']}, best"
            f" of five {told['best_of_5']}; this grasp's ε, divided by the best ε:"
            f" {told['relative_to_best']}, divided by the best of five: {told['relative_epsilon']}"
        )
    print(f"Next: open {html} in a browser.")
    if report["epsilon"] <= 0 and not report["held"]:
        raise NoGraspError(f"{options.input}: {no_grasp(report)}")


def in_words(report: Mapping[str, Any]) -> str:
    """How good a grasp is, in one line.

    report: of `grasp_mesh`.
    """
    closure = f"ε {report['epsilon']:.3f}"
    if report["epsilon"] <= 0:
        closure = "not in force closure (ε −1)"
    source = "a planned grasp" if report["source"] == "planned" else "the network's grasp"
    stuck = "" if report["clear"] else "; no rotation yielded a collision-free hand pose"
    return (
        f"{source}, {closure}, held in {report['held_directions']} of 6 directions,"
        f" the hand's deepest point is"
        f" {1000 * report['penetration_max']:.1f} mm inside the object, parts of the hand overlap"
        f" by at most {1000 * report['self_penetration_max']:.1f} mm{stuck}"
    )


def no_grasp(report: Mapping[str, Any]) -> str:
    """Why no hand holds an object, and what could be done.

    report: of `grasp_mesh`.
    """
    tried, planned = report["rotations"], report["planned"]
    guess = "shape" in report
    return (
        f"no grasp of the {report['hand']} hand holds this object."
        f" {sum(one['epsilon'] > 0 for one in tried)} of the grasps for {len(tried)} rotations of"
        f" the object are in force closure. {sum(one['tested'] for one in tried)} of them were"
        f" tested, and {sum(one['held'] for one in tried)} hold the object in all six directions."
        f" {planned['held']} of {planned['candidates']} planned candidates hold it, of which"
        f" {planned['tested']} were tested. The best grasp is still written. Try another --seed, or"
        " `graspbook plan`"
        + (", or more views with `graspbook reconstruct`: one view is a guess" if guess else "")
    )
