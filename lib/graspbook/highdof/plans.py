"""Planned grasps of objects as files, one an object, made in groups that fill the processor and can be stopped at any moment."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np

from graspbook.errors import GraspFileError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof.closing import close, closed_epsilon
from graspbook.highdof.planner import plan, reach
from graspbook.objects.distance import centre_of_mass, signed_distance_grid, stack
from graspbook.parallel import run_tasks
from graspbook.storage import atomic_path, code_hash, content_hash, hash_number

CHAINS = 160  # annealed abreast: beyond it the time of a step grows with them
NODES = 96  # of the distance fields, a side
_ARRAYS = ("states", "closed", "energies", "epsilon", "iterations", "history")


@dataclass(frozen=True)
class HandGrasps:
    """Planned grasps of one object by one hand, of least energy first, in the frame of its mesh after scaling.

    hand: its name; joints: names of the J joints. states (K, 7 + J): pose vectors as planned. closed (K, J): joint values after
    closing on the object; epsilon (K,): then. energies (K,). iterations (R,), history (R, K): the least energy of each chain over
    time. com (3,), length: of the object, by which ε is measured. parameters: what they depend on.
    """

    hand: str
    joints: tuple
    states: np.ndarray
    closed: np.ndarray
    energies: np.ndarray
    epsilon: np.ndarray
    iterations: np.ndarray
    history: np.ndarray
    com: np.ndarray
    length: float
    parameters: dict = field(default_factory=dict)


def write_plan(path, grasps):
    """Write a file of HandGrasps: HDF5, its arrays under their names, all else in the attributes."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name in _ARRAYS:
            file[name] = getattr(grasps, name)
        file["com"], file["length"] = grasps.com, grasps.length
        file.attrs["hand"], file.attrs["joints"] = grasps.hand, json.dumps(grasps.joints)
        file.attrs["parameters"] = json.dumps(grasps.parameters, sort_keys=True)


def read_plan(path, hand=None):
    """The HandGrasps in a file; GraspFileError for one that is missing, broken, foreign, or of another hand than `hand`."""
    path = Path(path)
    if not path.is_file():
        raise GraspFileError(f"{path}: no such file of planned grasps")
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            arrays = {name: file[name][()] for name in (*_ARRAYS, "com")}
            length = float(file["length"][()])
    except (OSError, KeyError) as error:
        raise GraspFileError(f"{path}: not a file of planned grasps ({error})") from error
    joints = tuple(json.loads(attributes["joints"]))
    if hand is not None and (attributes["hand"], joints) != (hand.name, hand.joints):
        raise GraspFileError(f"{path}: grasps of the {attributes['hand']} hand with joints {', '.join(joints)}, expected the "
                             f"{hand.name} hand with {', '.join(hand.joints)}")
    return HandGrasps(attributes["hand"], joints, **arrays, length=length, parameters=json.loads(attributes["parameters"]))


def plan_files(meshes, paths, hand, settings, seed=0, workers=2):
    """Plan grasps for meshes {name: trimesh}, write them to paths {name: file}, and return how many chains were run.

    Files that are there with the same parameters stay; those missing are planned in the groups of the whole list, so that
    a stopped run ends with the same bytes. hand: a name. Raises PlanError, naming it, for an object that the hand cannot
    reach around, before anything is planned.
    """
    for name, mesh in meshes.items():
        check_size(load_hand(hand), name, mesh)
    names, size = list(meshes), max(1, CHAINS // settings.grasps)
    tasks, chains = [], 0
    for start in range(0, len(names), size):
        group = {name: meshes[name] for name in names[start : start + size]}
        parameters = {"hand": hand, "settings": asdict(settings), "seed": seed,
                      "group": {name: content_hash(mesh.vertices, mesh.faces) for name, mesh in group.items()},
                      "code": code_hash("highdof/annealing", "highdof/descent", "highdof/energies", "highdof/planner",
                                        "highdof/closing", "hands", "objects/distance", "quality")}
        missing = {name: paths[name] for name in group if not _is_there(paths[name], parameters)}
        if missing:
            tasks.append((group, missing, hand, settings, parameters))
            chains += len(group) * settings.grasps
    run_tasks(plan_group, tasks, workers, "objects in groups")
    return chains


def check_size(hand, name, mesh):
    """Raise PlanError for a mesh whose bounding box is wider on its shortest side than the hand can reach around."""
    width, span = float(np.min(mesh.extents)), reach(hand)
    if width > span:
        raise PlanError(f"{name} is {1000 * width:.0f} mm wide at its narrowest; the {hand.name} hand reaches around "
                        f"{1000 * span:.0f} mm at most")


def plan_group(group, paths, hand, settings, parameters):
    """Plan for a group of meshes {name: trimesh} at once and write those files that paths {name: file} has."""
    import torch

    hand = load_hand(hand)
    grids = [signed_distance_grid(mesh, NODES) for mesh in group.values()]
    fields, com = stack(grids), np.array([centre_of_mass(grid) for grid in grids])
    length = np.array([np.linalg.norm(mesh.vertices - c, axis=1).max() for mesh, c in zip(group.values(), com, strict=True)])
    planned = plan(hand, fields, settings, torch.Generator().manual_seed(hash_number(parameters)))
    for index, name in enumerate(group):
        if name not in paths:
            continue
        found = planned[index]
        which = torch.full((settings.grasps,), index)
        wrist, joints = pose_vector.split(found.states)
        closed = close(hand, fields, which, wrist, joints)
        quality = closed_epsilon(hand, fields, which, wrist, closed, com, length)
        write_plan(paths[name], HandGrasps(
            hand.name, hand.joints, found.states.numpy(), closed.numpy(), found.energies.numpy(), quality,
            found.iterations.numpy(), found.history.numpy(), com[index], float(length[index]), parameters))


def _is_there(path, parameters):
    try:
        return read_plan(path).parameters == json.loads(json.dumps(parameters))
    except GraspFileError:
        return False
