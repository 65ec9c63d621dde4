"""Labelled grasps beyond the paper's candidates, ours: where grasps of rims and handles are rare,
and where success ends.

Two sources. Antipodal candidates (as in ACRONYM's sampling scheme): two opposite points of the
surface, the fingers' axis through both. Perturbed positives, as equation 5 perturbs them, but
labelled by the shake test instead of by geometry, from a fraction of its range to all of it, so
that both classes lie close together.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from graspbook import pose
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import Grasps
from graspbook.graspnet.candidates import propose_antipodal
from graspbook.graspnet.dataset import HARD_ROTATIONS, HARD_TRANSLATION
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_model import ShakeSettings
from graspbook.storage import code_hash, content_hash, object_hash


def perturb(grasps: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Grasps (n, 4, 4) moved as in equation 5, within a uniform share of its range.

    grasps: (N, 4, 4), drawn from with replacement.
    n: how many.
    rng: what draws them.
    """
    moved = grasps[rng.integers(len(grasps), size=n)].copy()
    share = rng.random((n, 1))
    turn = share * rng.uniform(-1, 1, (n, 3)) * HARD_ROTATIONS["paper"]
    moved[:, :3, :3] = (
        moved[:, :3, :3] @ pose.euler_sxyz_to_matrix_torch(torch.from_numpy(turn)).numpy()
    )
    moved[:, :3, 3] += share * rng.uniform(-HARD_TRANSLATION, HARD_TRANSLATION, (n, 3))
    return moved


def enrich(
    obj: GraspObject,
    grasps: Grasps,
    *,
    antipodal: int,
    perturbed: int,
    seed: int,
    threads: int = 1,
    gripper: ParallelJaw = FRANKA,
) -> Grasps:
    """Further `Grasps` of an object, labelled by the shake test; those that collide are failures.

    obj: what is grasped.
    grasps: known ones, labelled.
    antipodal: so many antipodal candidates come first.
    perturbed: so many perturbed positives, of these and of the known ones, follow.
    seed: of both.
    threads: of the simulation.
    gripper: the hand.
    """
    rng = np.random.default_rng([seed, 1])
    shaker = Shaker(obj, threads=threads, gripper=gripper)
    first = propose_antipodal(obj.mesh, antipodal, rng, gripper=gripper)
    success = shaker.test(first, grade=False).success
    positives = np.concatenate([grasps.transforms[grasps.success], first[success]])
    second = perturb(positives, perturbed, rng) if len(positives) else first[:0]
    success = np.concatenate([success, shaker.test(second, grade=False).success])
    return Grasps(
        np.concatenate([first, second]),
        success,
        object_file=obj.file,
        object_scale=obj.scale,
        gripper=gripper.name,
        configuration=gripper.configuration,
    )


def enrich_task(
    objects: FamilySet | FolderSet,
    name: str,
    grasp_file: Path | str,
    path: Path,
    *,
    antipodal: int,
    perturbed: int,
    seed: int,
    gripper: ParallelJaw = FRANKA,
) -> None:
    """`enrich` one object of a set into a grasp file, unless it holds these already.

    A task for `parallel.run_tasks`.

    objects, name: the set, and which of its objects.
    grasp_file: its known grasps.
    path: file to write.
    antipodal, perturbed, seed, gripper: see `enrich`.
    """
    grasps, obj = read_grasps(grasp_file), objects.load(name)
    parameters = {
        "code": code_hash(__name__),
        "antipodal": antipodal,
        "perturbed": perturbed,
        "seed": seed,
        "grasps": content_hash(grasps.transforms, grasps.success),
        "settings": asdict(ShakeSettings()),
        "object": object_hash(obj),
        "gripper": content_hash(asdict(gripper)),
        "range": [*HARD_ROTATIONS["paper"], HARD_TRANSLATION],
    }
    if path.is_file() and read_grasps(path).parameters == parameters:
        return
    found = enrich(
        obj, grasps, antipodal=antipodal, perturbed=perturbed, seed=seed, gripper=gripper
    )
    write_grasps(path, replace(found, parameters=parameters))
