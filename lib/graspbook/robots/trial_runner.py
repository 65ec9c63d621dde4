"""The trial protocol: objects in stable poses, each method on each, one record per trial.

Section 4.2 of Mousavian et al. 2019: 17 objects, three stable poses each, a trial per pose.
Simulated, every trial has a controller of its own; on a real arm somebody places the object as they
are shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from graspbook.errors import OtherTrialsError, RobotError
from graspbook.graspnet.views import weights_hashes
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.trial import not_begun
from graspbook.robots.trial_records import Record, TrialRecords, begun, set_aside
from graspbook.robots.trial_setups import RealSetup, simulate
from graspbook.robots.trial_subjects import Subject, trial_poses
from graspbook.storage import code_hash, content_hash, hash_number


def setup_hash(settings: TrialSettings, weights: Path | str, *, real: bool = False) -> str:
    """Hash of what trials depend on besides object, pose and seed: settings, weights, code, and
    whether the arm is a real one.

    settings: prediction, table, motion, limits, gripper force and arm.
    weights: the folder with the files of the settings' method.
    real: whether the arm is a real one.
    """
    values = asdict(settings)
    del values["arm"]["urdf"], values["arm"]["mjcf"]  # files of a package, as the code is
    weights_used = weights_hashes(weights, settings.predict.method)
    return content_hash(values, weights_used, code_hash(__name__), real)


def run_trials(
    subjects: Sequence[Subject],
    networks: dict[str, tuple],
    records_path: Path | str,
    *,
    poses: int,
    seeds: Sequence[int],
    weights: Path | str,
    settings: TrialSettings,
    revision: str | None,
    robot: RealSetup | None = None,
    ended: Callable[[Record], object] | None = None,
    progress: bool = True,
) -> list[Record]:
    """Do the trials of every subject, pose, method and seed that are not recorded yet; the records
    of all these, by seed, subject, pose and method.

    What else the file holds stays there. Raises OutputError as `TrialRecords` does (simulated
    trials of another setup or object are set aside instead, their file renamed); MeshError, before
    any trial, for an object that cannot be held in any pose; and RobotError after a trial that
    could not begin or that ended in a fault on a real arm.

    subjects: the objects with their mass and category.
    networks: {method: what `load_networks` returns for it}.
    records_path: of the .jsonl file of the records.
    poses: stable poses per object.
    seeds: each gives every subject other poses and other noise.
    weights: folder with the networks' .safetensors files.
    settings: of the trials, for every method.
    revision: git revision of the code, for the records.
    robot: a real arm; None to simulate.
    ended: called with each new record.
    progress: whether a bar is shown on stderr.
    """
    own = {
        method: replace(settings, predict=replace(settings.predict, method=method))
        for method in networks
    }
    setups = {
        method: setup_hash(own[method], weights, real=robot is not None) for method in networks
    }
    contents = {subject.obj.name: subject.content_hash() for subject in subjects}
    records = _open(records_path, setups, contents, robot)
    tasks = [
        (subject, index, method, seed)
        for seed in seeds
        for subject in subjects
        for index in range(poses)
        for method in networks
    ]
    left = [task for task in tasks if not records.done(task[0].obj.name, *task[1:])]
    placed = {}
    for subject, _, _, seed in tqdm(left, desc="stable poses", unit="trial", disable=not progress):
        if (subject.obj.name, seed) not in placed:
            where = trial_poses(subject.obj, poses, seed, arm=settings.arm)
            placed[subject.obj.name, seed] = where
    done = {"initial": len(tasks) - len(left), "total": len(tasks)}
    with tqdm(left, desc="trials", unit="trial", disable=not progress, **done) as bar:
        for subject, index, method, seed in bar:
            name = subject.obj.name
            bar.set_postfix_str(f"{name} {index} {method}")
            base_T_object = placed[name, seed][index % len(placed[name, seed])]
            record = {
                "object": name,
                "category": subject.category,
                "pose": index,
                "method": method,
                "seed": seed,
                "network": _conditioning(networks[method]),
                "object_hash": contents[name],
                "setup": setups[method],
                "revision": revision,
            }
            rng = np.random.default_rng([seed, hash_number(name, index)])
            if robot:
                robot.place(subject, index, base_T_object)
            try:
                if robot:
                    found = robot.attempt(networks[method], own[method], rng)
                else:
                    found = simulate(subject, base_T_object, networks[method], own[method], rng)
            except RobotError as error:  # no controller, or none that answers
                found = not_begun(str(error)) | {"commands": 0, "base_T_object": None}
            found.pop("view")
            record |= found
            records.append(record)
            if ended:
                ended(record)
            _go_on(record, robot)
    return [
        records.get(subject.obj.name, index, method, seed) for subject, index, method, seed in tasks
    ]


def _open(path, setups, contents, robot):
    """The TrialRecords in which a run goes on. Trials of another setup or object stay what they
    are: done by a real arm they are in the way, simulated ones are set aside.
    """
    try:
        return TrialRecords(path, setups, contents)
    except OtherTrialsError as error:
        if robot:
            raise OtherTrialsError(f"{error}; write to another folder") from error
        tqdm.write(f"{error}: kept as {set_aside(path)}; a new file is started")
        return TrialRecords(path, setups, contents)


def _conditioning(networks):
    """Where pose and latent enter a method's sampler, "per_point" or "shared"; None for a method
    without one.
    """
    return networks[0].settings.conditioning if networks[0] else None


def _go_on(record, robot):
    """Raise RobotError where no other trial should follow that of a record."""
    told = (
        f"{record['object']}, pose {record['pose']}, {record['method']}: {record['fault']};"
        " this was recorded, and the trials end here."
    )
    if not begun(record):
        raise RobotError(
            f"{told} This trial did not begin. Check that the controller runs, then run the trials"
            " again"
        )
    if robot and record["fault"]:
        raise RobotError(f"{told} Check the arm, then run the other trials by the same command")
