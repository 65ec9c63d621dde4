"""Our additional labelled grasps: on rims and handles, where the paper's candidates are rare, and
near the limit of success.

There are two sources. Antipodal candidates (as in ACRONYM's sampling scheme) put the fingers' axis
through two opposite points of the surface. Perturbed positives are moved as in equation 5, by a
fraction of its range or all of it. The shake test labels them, instead of geometry. Both classes
are thus close together.
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
    n: number of grasps.
    rng: generator of the random numbers.
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
    """More `Grasps` of an object, labelled by the shake test; those that collide are failures.

    obj: the `GraspObject`, metres.
    grasps: known ones, labelled by the shake test.
    antipodal: number of antipodal candidates, which come first.
    perturbed: number of perturbed positives, of these and of the known ones, which follow.
    seed: of both.
    threads: of the CPU that simulate at the same time.
    gripper: the parallel-jaw hand that grasps.
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
    """`enrich` one object of a set into a grasp file, unless the file already has these grasps.

    A task for `parallel.run_tasks`.

    objects, name: the set, and which of its objects.
    grasp_file: its known grasps.
    path: of the file to write.
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
