"""Files of planned grasps, one per object. They are planned in groups that use the whole CPU, and a
run can be stopped at any time.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import trimesh

from graspbook.errors import GraspFileError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand
from graspbook.hands.library import load_hand, parameters_of
from graspbook.highdof.closing import close, closed_epsilon
from graspbook.highdof.eigengrasps import EigengraspSettings, load_eigengrasps
from graspbook.highdof.joint_order import check_columns, check_hand, in_order_of
from graspbook.highdof.object_field import named_target
from graspbook.highdof.planner import PlannerSettings, plan, reach
from graspbook.highdof.refinement import adjust
from graspbook.highdof.squeeze import stages
from graspbook.objects.distance import Fields
from graspbook.parallel import run_tasks
from graspbook.storage import atomic_path, code_hash, content_hash, hash_number

CHAINS = 160  # annealed together; with more, a step takes longer
# Random numbers depend on the plan's settings, not on the code. They depended on the code when the
# published grasps were planned. The hash of that code therefore remains in their seed.
_PUBLISHED_CODE = "0c2df9a5bda75a507e237cbe088b8c99"
_LARGEST = 500_000_000  # bytes of arrays in one file
_THIN = 0.02  # of its longest side: such a mesh may have no inside on the grid of a distance field
_ARRAYS = ("states", "closed", "energies", "epsilon", "iterations", "history")
_STAGES = ("pregrasp", "squeeze", "imbalance", "held")  # not in older files


@dataclass(frozen=True)
class HandGrasps:
    """Planned grasps of one object by one hand, of least energy first, in the frame of its mesh
    after scaling.

    hand: its name.
    joints: names of the J joints.
    states: (K, 7 + J), pose vectors as planned, then moved out of the object, see
        `refinement.adjust`. ε is -1, and the imbalance 1, where that failed.
    closed: (K, J), joint values after closing on the object.
    energies, epsilon: (K,), as planned and after closing.
    iterations, history: (R,) and (R, K), the least energy of each chain over time.
    com, length: (3,) and metres, of the object, used for ε.
    evaluations: states judged per chain, mean over chains that ran together.
    parameters: on which the grasps depend.
    pregrasp, squeeze, imbalance: (K, J) and (K,), see `squeeze.Stages`, whose grasp is `closed`.
        None in older files.
    held: (K,) bool, whether the grasp holds, see `held.tell_held`. None if that is not tested.
    """

    hand: str
    joints: tuple[str, ...]
    states: np.ndarray
    closed: np.ndarray
    energies: np.ndarray
    epsilon: np.ndarray
    iterations: np.ndarray
    history: np.ndarray
    com: np.ndarray
    length: float
    evaluations: float
    parameters: dict[str, Any] = field(default_factory=dict)
    pregrasp: np.ndarray | None = None
    squeeze: np.ndarray | None = None
    imbalance: np.ndarray | None = None
    held: np.ndarray | None = None


def write_plan(path: Path | str, grasps: HandGrasps) -> None:
    """Write a file of HandGrasps: HDF5, with arrays by name and the rest as attributes.

    path: of the file.
    grasps: to write.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name in (*_ARRAYS, *_STAGES, "com", "length", "evaluations"):
            if getattr(grasps, name) is not None:
                file[name] = getattr(grasps, name)
        file.attrs["hand"], file.attrs["joints"] = grasps.hand, json.dumps(grasps.joints)
        file.attrs["parameters"] = json.dumps(grasps.parameters, sort_keys=True)


def read_plan(path: Path | str, hand: Hand | None = None) -> HandGrasps:
    """The HandGrasps in a file; GraspFileError for one that is missing, broken, foreign, or of
    another hand.

    path: of a file of `write_plan`.
    hand: the expected one, whose order of joints the values then have; None for any.
    """
    path = Path(path)
    if not path.is_file():
        raise GraspFileError(f"{path}: no such file of planned grasps")
    try:
        with h5py.File(path, "r") as file:
            names = [*_ARRAYS, "com", *(name for name in _STAGES if name in file)]
            size = sum(file[name].nbytes for name in names)
            if size > _LARGEST:
                raise ValueError(f"its arrays have {size} bytes, expected at most {_LARGEST}")
            arrays = {name: file[name][()] for name in names}
            length, evaluations = (float(file[name][()]) for name in ("length", "evaluations"))
            name, joints = file.attrs["hand"], tuple(json.loads(file.attrs["joints"]))
            parameters = json.loads(file.attrs["parameters"])
        check_columns(arrays, joints)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise GraspFileError(f"{path}: not a file of planned grasps ({error})") from error
    if hand is not None:
        check_hand(path, hand, name, joints, parameters)
        arrays, joints = in_order_of(hand, joints, arrays), hand.joints
    return HandGrasps(
        name, joints, **arrays, length=length, evaluations=evaluations, parameters=parameters
    )


def read_plan_of(
    path: Path | str, hand: Hand, source: Path | str, mesh: trimesh.Trimesh
) -> HandGrasps:
    """The HandGrasps of a hand for a mesh in a file that `plan_files` wrote.

    Raises what `read_plan` raises, and GraspFileError for grasps of another mesh, or of this one at
    another scale.

    path: of the file.
    hand: the expected one.
    source: the mesh's name in messages.
    mesh: the expected one.
    """
    plan = read_plan(path, hand)
    group = plan.parameters.get("group", {})
    # In a group, the file's name identifies the mesh.
    planned = next(iter(group)) if len(group) == 1 else Path(path).stem
    if group.get(planned) != content_hash(mesh.vertices, mesh.faces):
        raise GraspFileError(
            f"{path}: its grasps were planned for another mesh or another scale (mesh {planned});"
            f" expected grasps that `graspbook plan` wrote for {source} with the same --scale"
        )
    return plan


def plan_files(
    meshes: Mapping[str, trimesh.Trimesh],
    paths: Mapping[str, Path],
    hand: str,
    settings: PlannerSettings,
    *,
    seed: int = 0,
    workers: int = 2,
) -> int:
    """Plan grasps for meshes, write them to files, and return how many chains were run.

    Existing files with the same parameters are kept. Missing ones are planned in the groups of the
    whole list, so that a stopped run ends with the same bytes. Errors come before any planning and
    name the object. Raises PlanError for an object that is too wide, see `check_size`, and
    MeshError for one whose distance field has no inside. Raises GraspFileError if a plan's path has
    a file of another kind.

    meshes: by name.
    paths: the file of each name.
    hand: its name, or the path of its folder.
    settings: how grasps are planned.
    seed: of all random numbers.
    workers: processes.
    """
    for name, mesh in meshes.items():
        check_size(load_hand(hand), name, mesh)
    if isinstance(settings.search, EigengraspSettings):
        load_eigengrasps(load_hand(hand), settings.search.amplitudes)
    tasks: list[dict[str, Any]] = []
    for group, parameters in _groups(meshes, hand, settings, seed):
        missing = {name: paths[name] for name in group if not _is_there(paths[name], parameters)}
        if missing:
            tasks.append({"group": group, "paths": missing, "parameters": parameters})
    for name, mesh in (item for task in tasks for item in task["group"].items()):
        if not mesh.is_volume or min(mesh.extents) < _THIN * max(mesh.extents):
            named_target(name, mesh)
    common = {"hand": hand, "settings": settings}
    run_tasks(plan_group, tasks, workers, "objects in groups", common=common)
    return sum(len(task["group"]) * settings.grasps for task in tasks)


def check_size(hand: Hand, name: str, mesh: trimesh.Trimesh) -> None:
    """Raise PlanError if the shortest side of a mesh's smallest box is longer than a hand's
    `reach`.

    `reach` is an upper bound, so some meshes that pass are still too wide to be held.

    hand: the hand.
    name: of the mesh, for the message.
    mesh: in metres.
    """
    width, span = float(min(trimesh.bounds.oriented_bounds(mesh)[1])), reach(hand)
    if width > span:
        raise PlanError(
            f"{name} is {1000 * width:.0f} mm wide at its narrowest; the {hand.name} hand reaches"
            f" {1000 * span:.0f} mm at most"
        )


def plan_group(
    group: Mapping[str, trimesh.Trimesh],
    paths: Mapping[str, Path],
    parameters: dict[str, Any],
    *,
    hand: str,
    settings: PlannerSettings,
) -> None:
    """Plan for a group of meshes at once, on one thread, so that its bits do not depend on the
    number of processes.

    group: meshes by name.
    paths: the files to write, by name.
    parameters: on which the grasps depend.
    hand: its name, or the path of its folder.
    settings: of the planner.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loaded, targets = load_hand(hand), [named_target(*item) for item in group.items()]
        columns = zip(*(target.fields for target in targets), strict=True)
        fields = Fields(*(torch.cat(parts) for parts in columns))
        seed = hash_number(parameters | {"code": _PUBLISHED_CODE})
        planned = plan(loaded, fields, settings, torch.Generator().manual_seed(seed))
        for name, target, found in zip(group, targets, planned, strict=True):
            if name in paths:
                write_plan(paths[name], _closed(loaded, target, found, len(group), parameters))
    finally:
        torch.set_num_threads(threads)


def _closed(hand, target, found, abreast, parameters):
    """The HandGrasps of a `planner.Planned` of a Target. abreast: number of objects that were
    planned together.
    """
    which = torch.zeros(len(found.states), dtype=torch.long)
    states, clear = adjust(hand, target.fields, which, found.states)
    wrist, joints = pose_vector.split(states)
    closed = close(hand, target.fields, which, wrist, joints)
    quality = np.where(clear.numpy(), closed_epsilon(hand, target, wrist, closed), -1.0)
    before, _, squeeze, net = stages(hand, target, wrist, closed)
    imbalance = np.where(clear.numpy(), net, 1.0)
    grasps = states.numpy(), closed.numpy(), found.energies.numpy(), quality
    run = found.iterations.numpy(), found.history.numpy(), target.com, target.length
    effort = found.evaluations / (abreast * len(which))
    names, found_so = (hand.name, hand.joints), (before, squeeze, imbalance)
    return HandGrasps(*names, *grasps, *run, effort, parameters, *found_so)


def planned_otherwise(
    meshes: Mapping[str, trimesh.Trimesh],
    paths: Mapping[str, Path],
    hand: str,
    settings: PlannerSettings,
    *,
    seed: int = 0,
) -> list[str]:
    """Names of the meshes whose file holds grasps that `plan_files` would replace.

    meshes, paths, hand, settings, seed: as for `plan_files`.
    """
    return [
        name
        for group, parameters in _groups(meshes, hand, settings, seed)
        for name in group
        if paths[name].is_file() and not _is_there(paths[name], parameters)
    ]


def _groups(meshes, hand, settings, seed):
    """The meshes that are planned together, each group with its parameters."""
    names, size = list(meshes), max(1, CHAINS // settings.grasps)
    for start in range(0, len(names), size):
        group = {name: meshes[name] for name in names[start : start + size]}
        hashes = {name: content_hash(mesh.vertices, mesh.faces) for name, mesh in group.items()}
        made = {"settings": asdict(settings), "seed": seed, "code": code_hash(__name__)}
        yield group, {**parameters_of(hand), "group": hashes} | made


def _is_there(path, parameters):
    """Whether a file has what is to be planned; raises GraspFileError for one of another kind,
    so that it is not overwritten.
    """
    return path.is_file() and read_plan(path).parameters == json.loads(json.dumps(parameters))
