"""Labelled grasps beyond the paper's candidates, ours: where grasps of rims and handles are rare,
and where success ends.

Two sources. Antipodal candidates (as in ACRONYM's sampling scheme): two opposite points of the
surface, the fingers' axis through both. Perturbed positives, as equation 5 perturbs them, but
labelled by the shake test instead of by geometry, from a fraction of its range to all of it, so
that both classes lie close together.
"""

from dataclasses import asdict, replace

import numpy as np
import torch

from graspbook import pose
from graspbook.graspnet.candidates import propose_antipodal
from graspbook.graspnet.dataset import HARD_ROTATIONS, HARD_TRANSLATION
from graspbook.simulation.shake import Shaker, ShakeSettings
from graspbook.storage import (
    Grasps,
    code_hash,
    content_hash,
    object_hash,
    read_grasps,
    write_grasps,
)


def perturb(grasps, n, rng):
    """n of the grasps (N, 4, 4), drawn with replacement and moved as in equation 5, within a
    uniform share of its range.
    """
    moved = grasps[rng.integers(len(grasps), size=n)].copy()
    share = rng.random((n, 1))
    turn = share * rng.uniform(-1, 1, (n, 3)) * HARD_ROTATIONS["paper"]
    moved[:, :3, :3] = (
        moved[:, :3, :3] @ pose.euler_sxyz_to_matrix_torch(torch.from_numpy(turn)).numpy()
    )
    moved[:, :3, 3] += share * rng.uniform(-HARD_TRANSLATION, HARD_TRANSLATION, (n, 3))
    return moved


def enrich(obj, grasps, antipodal, perturbed, seed, threads=1):
    """`Grasps` of a GraspObject, labelled by the shake test: so many antipodal candidates, then so
    many perturbed positives of these and of the given labelled `Grasps`. Those that collide are
    among them, as failures.
    """
    rng = np.random.default_rng([seed, 1])
    shaker = Shaker(obj, threads=threads)
    first = propose_antipodal(obj.mesh, antipodal, rng)
    success = shaker.test(first, grade=False).success
    positives = np.concatenate([grasps.transforms[grasps.success], first[success]])
    second = perturb(positives, perturbed, rng) if len(positives) else first[:0]
    success = np.concatenate([success, shaker.test(second, grade=False).success])
    return Grasps(
        np.concatenate([first, second]), success, object_file=obj.file, object_scale=obj.scale
    )


def enrich_task(objects, name, grasp_file, path, antipodal, perturbed, seed):
    """`enrich` one object of a set into a grasp file, unless it holds these already: a task for
    `parallel.run_tasks`.
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
        "range": [*HARD_ROTATIONS["paper"], HARD_TRANSLATION],
    }
    if path.is_file() and read_grasps(path).parameters == parameters:
        return
    found = enrich(obj, grasps, antipodal, perturbed, seed)
    write_grasps(path, replace(found, parameters=parameters))
