"""The objects of robot trials, by name or as meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from graspbook.errors import ParameterError
from graspbook.objects.mesh import load_mesh
from graspbook.objects.names import object_names
from graspbook.objects.sets import load_object
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.robots.trial_subjects import Subject
from graspbook.simulation.shake_grades import GRADE_MASS

if TYPE_CHECKING:  # it loads torch
    from graspbook.robots.grasp_choice import TrialSettings

OWN = "own"  # the category of meshes


def subjects(names: Sequence[str], scale: float = 1.0) -> list[Subject]:
    """The `Subject`s of trial objects and meshes.

    names: of trial objects, or paths of meshes, which weigh 0.3 kg.
    scale: factor from the meshes' units to metres.

    Raises ParameterError for an unknown name or one given twice, MeshError.
    """
    meshes = [name for name in names if name not in TRIAL_OBJECTS]
    for name in meshes:
        if not Path(name).suffix:
            raise ParameterError(
                f"object {name!r}, expected the path of a mesh or one of {', '.join(TRIAL_OBJECTS)}"
            )
    called = dict(zip(meshes, object_names(meshes), strict=True))
    known = [called.get(name, name) for name in names]
    repeated = sorted({name for name in known if known.count(name) > 1})
    if repeated:
        raise ParameterError(
            f"objects {', '.join(repeated)} are named twice; their trials would be mixed up"
        )
    loaded = {name: load_mesh(name, scale) for name in meshes}  # before convex parts: seconds
    found = []
    for name in names:
        if name in TRIAL_OBJECTS:
            trial = TRIAL_OBJECTS[name]
            found.append(Subject(make_trial_object(name), trial.mass, trial.category))
        else:
            obj = load_object(name, scale, name=called[name], mesh=loaded[name])
            found.append(Subject(obj, GRADE_MASS, OWN))
    return found


def with_method(settings: TrialSettings, method: str, samples: int) -> TrialSettings:
    """Settings of trials whose grasps another method predicts.

    settings: all others.
    method: one of `graspnet.predict.METHODS`.
    samples: grasps per view.
    """
    return replace(settings, predict=replace(settings.predict, method=method, samples=samples))
