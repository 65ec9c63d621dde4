"""Choose a grasp for one object on a table, and pick it up with --execute."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import ROBOT, add, check_method
from graspbook.commands._files import add_results, check_inputs, results
from graspbook.errors import RobotError

EXAMPLES = (
    "graspbook pick capture.npz",
    "graspbook pick realsense --robot 172.16.0.2 --hand-eye hand_eye.json",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    text = "a depth capture (.npz), a recording (.bag .db3 .mcap), realsense or realsense:SERIAL"
    parser.add_argument("source", metavar="CAPTURE_OR_CAMERA", help=text)
    add(parser, "--method")
    text, page = "the grasp in the arm's base frame, joints and score", "the object and the grasps"
    add_results(parser, text, "CAPTURE_pick.json next to the capture", html=page)
    add(parser, "--weights", "--seed", *ROBOT)


def run(options: Namespace) -> None:
    """Write the grasp and its page, and print the outcome.

    options: what `arguments` asks for. Raises RobotError where the arm ended in a fault.
    """
    from graspbook.storage import SHIPPED, write_json

    weights = options.weights or SHIPPED
    check_method(options.method, weights)
    if Path(options.source).suffix and not options.source.startswith("realsense"):
        check_inputs(options.source)
    out, html = results(options, [options.source], "pick")
    if options.source.lower().endswith(".npz"):
        from graspbook.perception.capture_files import read_arrays

        read_arrays(options.source)  # damaged files are refused before the networks load
    from graspbook.figures.pick_page import write_pick
    from graspbook.robots.pick import pick

    picked = pick(
        options.source,
        weights,
        log=out.with_suffix(".log"),
        method=options.method,
        robot=options.robot,
        execute=options.execute,
        hand_eye=options.hand_eye,
        recover=options.recover,
        seed=options.seed,
    )
    found, grasps = picked.found, picked.found["grasps"]
    write_json(out, found)
    write_pick(html, picked)
    if found.get("fault"):
        raise RobotError(f"{found['fault']} ({out} has this too)")
    chosen = (
        ""
        if found["rank"] is None
        else f"; number {found['rank'] + 1} was chosen, score {found['score']:.2f}"
    )
    print(
        f"{out}, {html}: {found['outcome']}; of {grasps['predicted']} grasps"
        f" {grasps['clear']} keep the hand clear, {grasps['reachable']} can be reached{chosen}"
    )
    arm = "" if options.robot else "; with an arm, read docs/lab.md first"
    print(f"Next: open {html} in a browser{arm}.")
