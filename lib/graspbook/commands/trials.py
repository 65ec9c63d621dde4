"""Try to pick up objects from a table, with the simulated arm or a real one."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graspbook.commands._arguments import ROBOT, add, check_method, count, method_names, seed
from graspbook.commands._files import check_inputs, refuse_file_as_folder
from graspbook.commands._notes import say_notes
from graspbook.errors import ParameterError

EXAMPLES = (
    "graspbook trials --objects mug.stl red_bowl --poses 3",
    "graspbook trials --method graspnet gpd --seed 0 1 --out trials",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    usual, *others = method_names()
    text = f"{usual} (default), {', '.join(others)}"
    parser.add_argument("--method", nargs="+", default=[usual], metavar="METHOD", help=text)
    text = "trial objects by name, meshes by path, in metres (default: the 17 trial objects)"
    parser.add_argument("--objects", nargs="+", metavar="NAME|MESH", help=text)
    text = "stable poses per object (default: 3)"
    parser.add_argument("--poses", type=count, default=3, metavar="N", help=text)
    text = "random seeds; each seed places every object in different poses (default: 0)"
    parser.add_argument("--seed", nargs="+", type=seed, default=[0], metavar="S", help=text)
    text = (
        "folder of trials.jsonl, commands.log and pictures; a rerun continues it (default: trials)"
    )
    parser.add_argument("--out", default="trials", metavar="DIR", help=text)
    add(parser, "--weights")
    text = "factor from the meshes' units to metres"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    text = "camera of a real arm: realsense (default) or realsense:SERIAL"
    parser.add_argument("--camera", metavar="CAMERA", help=text)
    add(parser, *ROBOT)


def run(options: Namespace) -> None:
    """Do the trials and print how many lifted their object, and why the others did not.

    options: the parsed arguments of `arguments`.
    """
    check_inputs(*(name for name in options.objects or () if Path(name).suffix))
    refuse_file_as_folder(options.out)
    from graspbook.storage import SHIPPED

    names = options.objects
    if not names:
        from graspbook.objects.trial_objects import TRIAL_OBJECTS

        names = list(TRIAL_OBJECTS)
    records = trials(
        names,
        options.method,
        options.out,
        options.weights or SHIPPED,
        poses=options.poses,
        scale=options.scale,
        seeds=options.seed,
        robot=options.robot,
        camera=options.camera,
        execute=options.execute,
        hand_eye=options.hand_eye,
        recover=options.recover,
    )
    from graspbook.figures.trial_tables import failure_table, success_counts

    for method in dict.fromkeys(record["method"] for record in records):
        own = [record for record in records if record["method"] == method]
        successes, number = success_counts(own)["all"]
        print(f"{method}: {successes} of {number} trials lifted the object")
    for row in zip(*failure_table(records).values(), strict=True):
        print(", ".join(str(value) for value in row))
    print(options.out)
    print(f"Next: open the pages in {Path(options.out) / 'pictures'} in a browser.")


def trials(
    names: Sequence[str],
    methods: Sequence[str],
    out: Path | str,
    weights: Path | str,
    *,
    poses: int = 3,
    scale: float = 1.0,
    seeds: Sequence[int] = (0,),
    robot: str | None = None,
    camera: str | None = None,
    execute: bool = False,
    hand_eye: Path | str | None = None,
    recover: bool = False,
    hold: float = 2.0,
    samples: int = 200,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Run the trials that are not recorded yet, and return the records of all that are asked for.

    names: of trial objects, or paths of meshes.
    methods: names in `graspnet.predict.METHODS`.
    out: the folder of `trials.jsonl`, `commands.log` and `pictures/`.
    weights: the folder of the networks.
    poses: number of stable poses per object.
    scale: factor from the meshes' units to metres.
    seeds: each places every object in different poses.
    robot: the address of a real arm, which goes slowly; the simulated one if empty.
    camera: for `robots.camera.open_camera`, a RealSense if empty.
    execute: let the real arm move; needed with one.
    hand_eye: the file of `hand_T_camera`; needed with a real arm.
    recover: whether to clear an error of the real arm first.
    hold: how long an object is held up, seconds.
    samples: grasps per view.
    device: where torch computes, cpu or cuda.

    Raises ParameterError for an unknown object or method, for one named twice and for options of a
    real arm that do not go together, and the errors of `run_trials`.
    """
    from graspbook.robots.options import check_real
    from graspbook.storage import check_writable

    for method in methods:
        check_method(method)
    for what, values in (("method", methods), ("seed", seeds)):
        if len(set(values)) < len(values):
            raise ParameterError(
                f"{what}s {', '.join(map(str, values))}: expected each {what} only once"
            )
    if camera and not robot:
        raise ParameterError(
            f"--camera {camera} is for a real arm; expected --robot with its address"
        )
    if robot and not execute:
        raise ParameterError(
            f"--robot {robot} without --execute: trials must move the arm, expected --execute;"
            " `graspbook pick` plans without moving"
        )
    camera = camera or "realsense"
    check_real(robot, camera, execute=execute, hand_eye=hand_eye, recover=recover)
    mount = None
    if robot and hand_eye:
        from graspbook.perception.hand_eye import read_hand_eye_noted

        mount, notes = read_hand_eye_noted(hand_eye)
        for note in notes:
            print(f"note: {hand_eye}: {note}", file=sys.stderr, flush=True)
    for method in methods:
        check_method(method, weights)
    records_path, pictures = Path(out) / "trials.jsonl", Path(out) / "pictures"
    check_writable(records_path)
    from graspbook.robots.trials import subjects

    things = subjects(names, scale)
    meshes = {thing.obj.name: thing.obj.mesh for thing in things}
    say_notes(meshes)

    # Heavy, so only after all that was given is checked.
    from contextlib import nullcontext
    from dataclasses import replace
    from functools import partial

    from graspbook.figures.trial_pictures import draw_trial, picture_path, show_pose
    from graspbook.graspnet.predict import PredictSettings, load_networks
    from graspbook.provenance import provenance
    from graspbook.robots.arm import REAL_SPEED
    from graspbook.robots.camera import open_camera
    from graspbook.robots.command_log import command_log
    from graspbook.robots.fr3 import FR3
    from graspbook.robots.grasp_choice import TrialSettings
    from graspbook.robots.trial_runner import run_trials
    from graspbook.robots.trial_setups import RealSetup

    settings = TrialSettings(hold=hold, predict=PredictSettings(samples=samples))
    if mount is not None:
        settings = replace(
            settings,
            arm=replace(FR3, hand_T_camera=mount),
            motion=replace(settings.motion, speed=REAL_SPEED),
        )
    networks = {method: load_networks(weights, device=device, method=method) for method in methods}

    def draw(record):
        draw_trial(record, meshes[record["object"]], pictures)

    with (
        open_camera(camera) if robot else nullcontext() as eyes,
        command_log(Path(out) / "commands.log"),
    ):
        arm = None
        if robot and eyes:
            show = partial(show_pose, folder=pictures)
            arm = RealSetup(
                hostname=robot, camera=eyes, show=show, execute=execute, recover=recover
            )
        records = run_trials(
            things,
            networks,
            records_path,
            poses=poses,
            seeds=seeds,
            weights=weights,
            settings=settings,
            revision=provenance()["revision"],
            robot=arm,
            ended=draw,
        )
    for record in records:
        path = picture_path(record, pictures)
        if not (path.is_file() or path.with_suffix(".html").is_file()):
            draw(record)  # a kill came between record and picture
    return records
