"""Robot trials from names to files: objects by name or mesh, records, a picture of each trial, and what it all came to."""

import logging
from dataclasses import replace
from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.graspnet.predict import METHODS, load_networks
from graspbook.objects.sets import load_object
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.perception.hand_eye import read_hand_eye
from graspbook.robots.arm import REAL_SPEED
from graspbook.robots.camera import open_camera
from graspbook.robots.protocol import RealSetup, Subject, run_trials
from graspbook.robots.trial import TrialSettings
from graspbook.simulation.shake import GRADE_MASS
from graspbook.storage import check_writable
from graspbook.workbook.figures import write_view
from graspbook.workbook.provenance import provenance
from graspbook.workbook.trial_pictures import picture_of_trial, picture_path

OWN = "own"  # the category of meshes


def subjects(names):
    """The `Subject`s of names of trial objects and of paths of meshes, which weigh 0.3 kg. Raises ParameterError, MeshError."""
    stems = [Path(name).stem for name in names]
    repeated = sorted({stem for stem in stems if stems.count(stem) > 1})
    if repeated:
        raise ParameterError(f"objects {', '.join(repeated)} are named twice; their trials would be mixed up")
    found = []
    for name in names:
        if name in TRIAL_OBJECTS:
            trial = TRIAL_OBJECTS[name]
            found.append(Subject(make_trial_object(name), trial.mass, trial.category))
        elif Path(name).suffix:
            found.append(Subject(load_object(name), GRADE_MASS, OWN))
        else:
            raise ParameterError(f"object {name!r}, expected the path of a mesh or one of {', '.join(TRIAL_OBJECTS)}")
    return found


def trials(names, methods, poses, seeds, out, weights, device=None, hand_eye=None, hold=2.0, samples=200):
    """Run the trials that are not recorded in the folder `out` yet and return all its records.

    device: a `RealSetup` for a real arm, which goes slowly; hand_eye: the file of `hand_T_camera`. Writes `trials.jsonl`,
    `commands.log` and `pictures/`. Raises ParameterError for an unknown object or method, and the errors of `run_trials`.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise ParameterError(f"method {unknown[0]!r}, expected of {', '.join(METHODS)}")
    out = Path(out)
    check_writable(out / "trials.jsonl")
    for method in methods:
        load_networks(weights, method=method)  # what is wrong with them is told before meshes are cut into parts
    settings = TrialSettings(hold=hold)
    settings = with_method(settings, settings.predict.method, samples)  # each trial has its own method
    if hand_eye:
        settings = replace(settings, hand_T_camera=read_hand_eye(hand_eye))
    if device:
        settings = replace(settings, motion=replace(settings.motion, speed=REAL_SPEED))
    things = subjects(names)
    with command_log(out / "commands.log"):
        records = run_trials(things, methods, poses, seeds, out / "trials.jsonl", weights, settings, provenance()["revision"],
                             device)
    meshes = {thing.obj.name: thing.obj.mesh for thing in things}
    for record in records:
        if record["object"] in meshes:
            _draw(record, meshes[record["object"]], out / "pictures")
    return records


def with_method(settings, method, samples):
    """TrialSettings whose grasps a method predicts, so many a view."""
    return replace(settings, predict=replace(settings.predict, method=method, samples=samples))


def _draw(record, mesh, folder):
    """The picture of a trial where there is none yet: rendered, or a page that turns where nothing can be rendered."""
    path = picture_path(record, folder)
    if path.is_file() or path.with_suffix(".html").is_file():
        return
    picture = picture_of_trial(record, mesh, path)
    if picture is not None and picture != path:
        write_view(path.with_suffix(".html"), picture, path.stem, record["reason"] or record["outcome"])


class _LogFile(logging.FileHandler):
    """A log whose folder, too, is made with the first command."""

    def _open(self):
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


class command_log:
    """Within `with`, every command to an arm is written to a file, with its time."""

    def __init__(self, path):
        self._path, self._logger = Path(path), logging.getLogger("graspbook.robots.arm")

    def __enter__(self):
        self._handler = _LogFile(self._path, delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._level, self._passes_on = self._logger.level, self._logger.propagate
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False

    def __exit__(self, *_):
        self._logger.removeHandler(self._handler)
        self._handler.close()
        self._logger.setLevel(self._level)
        self._logger.propagate = self._passes_on


def real_setup(robot, camera, execute, recover):
    """The `RealSetup` of the command line, None without a robot. Raises ParameterError for options that do not go together."""
    if not robot:
        if execute or camera or recover:
            raise ParameterError("--execute, --camera and --recover are for a real arm; expected --robot with its address")
        return None
    if not execute:
        raise ParameterError(f"--robot {robot} without --execute: nothing may move; `graspbook pick` plans without moving")
    return RealSetup(robot, open_camera(camera or "realsense"), execute, recover=recover)
