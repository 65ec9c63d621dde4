"""Robot trials from names to files: objects by name or mesh, records, a picture of each trial, and
what it all came to.
"""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.figures import write_view
from graspbook.figures.trial_pictures import picture_of_trial, picture_path
from graspbook.graspnet.predict import METHODS, PredictSettings, load_networks
from graspbook.objects.sets import load_object
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.perception.hand_eye import read_hand_eye
from graspbook.provenance import provenance
from graspbook.robots.arm import REAL_SPEED
from graspbook.robots.camera import open_camera
from graspbook.robots.command_log import command_log
from graspbook.robots.trial import TrialSettings
from graspbook.robots.trial_runner import RealSetup, Subject, run_trials
from graspbook.simulation.shake import GRADE_MASS
from graspbook.storage import check_writable

OWN = "own"  # the category of meshes


def subjects(names):
    """The `Subject`s of names of trial objects and of paths of meshes, which weigh 0.3 kg. Raises
    ParameterError, MeshError.
    """
    stems = [Path(name).stem for name in names]
    repeated = sorted({stem for stem in stems if stems.count(stem) > 1})
    if repeated:
        raise ParameterError(
            f"objects {', '.join(repeated)} are named twice; their trials would be mixed up"
        )
    found = []
    for name in names:
        if name in TRIAL_OBJECTS:
            trial = TRIAL_OBJECTS[name]
            found.append(Subject(make_trial_object(name), trial.mass, trial.category))
        elif Path(name).suffix:
            found.append(Subject(load_object(name), GRADE_MASS, OWN))
        else:
            raise ParameterError(
                f"object {name!r}, expected the path of a mesh or one of {', '.join(TRIAL_OBJECTS)}"
            )
    return found


def trials(
    names,
    methods,
    poses,
    seeds,
    out,
    weights,
    robot="",
    camera="",
    execute=False,
    hand_eye="",
    recover=False,
    hold=2.0,
    samples=200,
    device="cpu",
):
    """Run the trials that are not recorded in the folder `out` yet and return the records of all
    that are asked for.

    robot: the address of a real arm, which goes slowly; camera: for `open_camera`, a RealSense if
    empty; hand_eye: the file of `hand_T_camera`; device: where torch computes. Writes
    `trials.jsonl`, `commands.log` and `pictures/`. Raises ParameterError for an unknown object or
    method, for one named twice and for options of a real arm that do not go together, and the
    errors of `run_trials`.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise ParameterError(f"method {unknown[0]!r}, expected of {', '.join(METHODS)}")
    for what, values in (("method", methods), ("seed", seeds)):
        if len(set(values)) < len(values):
            raise ParameterError(
                f"{what}s {', '.join(map(str, values))}: expected every {what} once"
            )
    if camera and not robot:
        raise ParameterError(
            f"--camera {camera} is for a real arm; expected --robot with its address"
        )
    if robot and not execute:
        raise ParameterError(
            f"--robot {robot} without --execute: nothing may move; `graspbook pick` plans without"
            " moving"
        )
    check_real(robot, camera or "realsense", execute, hand_eye, recover)
    out = Path(out)
    check_writable(out / "trials.jsonl")
    settings = TrialSettings(hold=hold, predict=PredictSettings(samples=samples))
    if robot:
        settings = replace(
            settings,
            hand_T_camera=read_hand_eye(hand_eye),
            motion=replace(settings.motion, speed=REAL_SPEED),
        )
    networks = {method: load_networks(weights, device, method) for method in methods}
    things = subjects(names)
    meshes = {thing.obj.name: thing.obj.mesh for thing in things}

    def draw(record):
        _draw(record, meshes[record["object"]], out / "pictures")

    with (
        open_camera(camera or "realsense") if robot else contextlib.nullcontext() as eyes,
        command_log(out / "commands.log"),
    ):
        arm = (
            RealSetup(robot, eyes, execute, partial(show_pose, folder=out / "pictures"), recover)
            if robot
            else None
        )
        records = run_trials(
            things,
            networks,
            poses,
            seeds,
            out / "trials.jsonl",
            weights,
            settings,
            provenance()["revision"],
            arm,
            draw,
        )
    for record in records:
        path = picture_path(record, out / "pictures")
        if (
            not path.is_file() and not path.with_suffix(".html").is_file()
        ):  # a kill came between record and picture
            draw(record)
    return records


def check_real(robot, source, execute, hand_eye, recover):
    """Raise ParameterError for options of a real arm that do not go together: it moves only by what
    a camera sees now, whose place on the hand has been measured.
    """
    if not robot and (execute or hand_eye or recover):
        raise ParameterError(
            "--execute, --hand-eye and --recover are for a real arm; expected --robot with its"
            " address"
        )
    if execute and str(source).partition(":")[0] != "realsense":
        raise ParameterError(
            f"{source}: with --execute a real arm goes by what the camera on it sees now; expected"
            " realsense or realsense:SERIAL"
        )
    if execute and not hand_eye:
        raise ParameterError(
            f"--robot {robot} --execute without --hand-eye, expected a file of where the camera is"
            " on the hand"
        )


def with_method(settings, method, samples):
    """TrialSettings whose grasps a method predicts, so many a view."""
    return replace(settings, predict=replace(settings.predict, method=method, samples=samples))


def show_pose(subject, index, base_T_object, folder):
    """Draw how a Subject is to lie in stable pose `index`, base_T_object (4, 4), into a folder; in
    words, where.
    """
    path = Path(folder) / f"place_{subject.obj.name}_{index}.png"
    record = {
        "object": subject.obj.name,
        "pose": index,
        "method": "before the trial",
        "outcome": "to be placed",
        "base_T_object": base_T_object,
        "base_T_hand": None,
    }
    shown = _picture(record, subject.obj.mesh, path, "Base frame of the arm, metres.")
    return (
        f"{shown}"
        f" ({'the arm is beyond its left edge' if shown == path else 'x points away from the arm'})"
    )


def _draw(record, mesh, folder):
    """The picture of a trial, anew."""
    return _picture(
        record, mesh, picture_path(record, folder), record["reason"] or record["outcome"]
    )


def _picture(record, mesh, path, text):
    """Write a picture, or a page that turns where nothing can be rendered; its path, None where
    there is nothing to be seen.
    """
    page = path.with_suffix(".html")
    for old in (path, page):
        old.unlink(missing_ok=True)
    picture = picture_of_trial(record, mesh, path)
    if picture is None or picture == path:
        return picture
    write_view(page, picture, path.stem, text)
    return page
