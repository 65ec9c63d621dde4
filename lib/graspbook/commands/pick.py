"""Choose a grasp for one object on a table, and pick it up with --execute."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graspbook.commands._arguments import READING, ROBOT, add, check_method, reading
from graspbook.commands._files import add_results, check_inputs, results
from graspbook.errors import NoGraspError, RobotError

EXAMPLES = (
    "graspbook pick capture.npz",
    "graspbook pick realsense --robot 172.16.0.2 --hand-eye hand_eye.json",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = (
        "depth capture, cloud or recording of a table (`graspbook formats`), realsense or"
        " realsense:SERIAL"
    )
    parser.add_argument("source", metavar="CAPTURE_OR_CAMERA", help=text)
    add(parser, "--method")
    text, page = "the grasp in the arm's base frame, joints and score", "the object and the grasps"
    add_results(parser, text, "CAPTURE_pick.json next to the capture", html=page)
    add(parser, "--weights", "--seed", "--scale", *READING, *ROBOT)


def run(options: Namespace) -> None:
    """Write the grasp and its page, and print the outcome.

    options: what `arguments` asks for. Raises RobotError where the arm ended in a fault, and
        NoGraspError, after all is written, where no grasp can be carried out.
    """
    from graspbook.robots.options import check_real
    from graspbook.storage import SHIPPED, write_json

    check_real(
        options.robot,
        options.source,
        execute=options.execute,
        hand_eye=options.hand_eye,
        recover=options.recover,
    )
    weights = options.weights or SHIPPED
    check_method(options.method, weights)
    if Path(options.source).suffix and not options.source.startswith("realsense"):
        check_inputs(options.source)
    out, html = results(options, [options.source], "pick")
    from graspbook.figures.pick_page import write_pick
    from graspbook.robots.pick import pick
    from graspbook.robots.refusals import flat_note, in_words

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
        scale=options.scale,
        reading=reading(options),
    )
    found, grasps = picked.found, picked.found["grasps"]
    write_json(out, found)
    write_pick(html, picked)
    if found.get("fault"):
        raise RobotError(f"{found['fault']} (also in {out})")
    print(
        f"{out}, {html}: {found['outcome']}; {grasps['clear']} of {grasps['predicted']} grasps"
        f" keep the hand clear, and the arm can reach {grasps['reachable']} of these"
        + (f"; {chosen_in_words(found)}" if found["rank"] is not None else "")
    )
    arm = "" if options.robot else "; with an arm, read docs/lab.md first"
    print(f"Next: open {html} in a browser{arm}.")
    if found["outcome"] == "no feasible grasp":
        why = found.get("reason") or in_words(found.get("refused", {}))
        flat = f"; {flat_note(picked.view)}" if picked.view and flat_note(picked.view) else ""
        raise NoGraspError(f"{options.source}: no grasp can be carried out: {why}{flat}")


def chosen_in_words(found: Mapping[str, Any]) -> str:
    """Which grasp was chosen, and why those before it were not.

    found: of `robots.pick.Picked`.
    """
    from graspbook.robots.refusals import in_words

    refused = found.get("refused", {})
    return f"grasp number {found['rank'] + 1} was chosen, score {found['score']:.2f}" + (
        f"; refused before it: {in_words(refused)}" if refused else ""
    )
