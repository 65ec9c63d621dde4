"""Robot trials by names and options: their objects, and the options that a real arm needs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.objects.names import object_names
from graspbook.objects.sets import load_object
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.trial_subjects import Subject
from graspbook.simulation.shake_grades import GRADE_MASS

OWN = "own"  # the category of meshes


def subjects(names: Sequence[str], scale: float = 1.0) -> list[Subject]:
    """The `Subject`s of trial objects and meshes.

    names: of trial objects, or paths of meshes, which weigh 0.3 kg.
    scale: factor from the meshes' units to metres.

    Raises ParameterError for an unknown name or one given twice, MeshError.
    """
    meshes = [name for name in names if name not in TRIAL_OBJECTS]
    called = dict(zip(meshes, object_names(meshes), strict=True))
    known = [called.get(name, name) for name in names]
    repeated = sorted({name for name in known if known.count(name) > 1})
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
            found.append(Subject(load_object(name, scale, name=called[name]), GRADE_MASS, OWN))
        else:
            raise ParameterError(
                f"object {name!r}, expected the path of a mesh or one of {', '.join(TRIAL_OBJECTS)}"
            )
    return found


def with_method(settings: TrialSettings, method: str, samples: int) -> TrialSettings:
    """Settings of trials whose grasps another method predicts.

    settings: all others.
    method: one of `graspnet.predict.METHODS`.
    samples: grasps per view.
    """
    return replace(settings, predict=replace(settings.predict, method=method, samples=samples))


def check_real(
    robot: str | None,
    source: Path | str,
    *,
    execute: bool,
    hand_eye: Path | str | None,
    recover: bool,
) -> None:
    """Refuse options of a real arm that do not go together.

    robot: its address, if there is one.
    source: of `robots.camera.open_camera`; an arm moves only by what a camera sees now.
    execute: whether the arm may move.
    hand_eye: the file of `hand_T_camera`, needed to move.
    recover: whether it is recovered from an error.

    Raises ParameterError.
    """
    if not robot and (execute or hand_eye or recover):
        raise ParameterError(
            "--execute, --hand-eye and --recover are for a real arm; expected --robot with its"
            " address"
        )
    if execute and str(source).partition(":")[0] != "realsense":
        raise ParameterError(
            f"{source}: with --execute the real arm needs a live view from the camera on its hand;"
            " expected realsense or realsense:SERIAL"
        )
    if execute and not hand_eye:
        raise ParameterError(
            f"--robot {robot} --execute without --hand-eye: expected --hand-eye FILE, which says"
            " where the camera is on the hand"
        )
