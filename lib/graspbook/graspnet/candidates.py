"""Candidate grasps from an object's geometry, and the labelled grasp file of one object.

Mousavian et al. 2019, section 4, "Training Data for Grasping": "We sample random points on the
object mesh surface and align the gripper's z-axis with the surface normal. The distance between the
gripper and the object surface is sampled uniformly between zero and the gripper's finger length.
The orientation around the z-axis is also drawn from a uniform distribution. We only simulate grasps
that are not in collision and whose closing volume between the fingers intersects the object."
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import trimesh
from tqdm import tqdm

from graspbook import pose
from graspbook.errors import MeshError
from graspbook.hands import franka
from graspbook.simulation.shake import Shaker, ShakeSettings, physics
from graspbook.storage import Grasps, code_hash, content_hash, read_grasps, write_grasps

# Distance from the surface point to the origin of the grasp frame, along the approach. "paper":
# from the fingers' mount touching the surface to the fingertips touching it. "released": the limits
# in NVlabs/6dof-graspnet, which leave the palm free.
STANDOFFS = {"paper": (franka.FINGER_MOUNT, franka.TIP_Z), "released": (0.0670, 0.1122)}
# Largest angle in radians between the fingers' axis and the normal where it enters: about arctan of
# the friction.
_CONE = 0.4
_BATCH = 1024
_PATIENCE = 20 * _BATCH  # candidates that need not lead to any
_FEWEST_SIMULABLE = 0.005  # share of candidates below which the search is given up


def propose(mesh, n, rng, standoff="paper"):
    """Poses `object_T_hand` (n, 4, 4): approach against the normal at uniform surface points,
    uniform standoff and roll.
    """
    points, faces = trimesh.sample.sample_surface(mesh, n, seed=rng)
    return approach(points, mesh.face_normals[faces], rng, standoff)


def approach(points, normals, rng, standoff):
    """Poses (n, 4, 4) of hands that approach points (n, 3) against their unit normals (n, 3), in
    the frame of these.
    """
    rotation = pose.align_z(-normals) @ pose.rotation_about(
        [0.0, 0.0, 1.0], rng.uniform(0, 2 * np.pi, len(points))
    )
    distance = rng.uniform(*STANDOFFS[standoff], len(points))
    return pose.from_rt(rotation, points - distance[:, None] * rotation[..., 2])


def closing_region_filled(surface, object_T_hand):
    """Which grasps (N,) have a point of `surface` (M, 3), dense on the object, between the open
    pads.
    """
    # In blocks: a thousand grasps times thousands of points would not fit a small cache, let alone
    # memory.
    blocks = np.array_split(object_T_hand, max(1, len(object_T_hand) // 64))
    return np.concatenate(
        [
            franka.points_in_closing_region(pose.transform(pose.inverse(block), surface)).any(
                axis=1
            )
            for block in blocks
        ]
    )


def sample_grasps(obj, n, seed, settings=None, standoff="paper", threads=2, progress=True):
    """Label `n` simulated candidates of a GraspObject and return them as `Grasps`, both classes.

    A pure function of all but `threads` and `progress`. `parameters` in the result holds the
    settings and the counts at each stage: candidates, not_colliding, simulable (the object between
    the fingers too), simulated (`n` of those), successes. Raises MeshError where too few candidates
    fit the hand.
    """
    settings = settings or ShakeSettings()
    rng = np.random.default_rng(seed)
    surface = trimesh.sample.sample_surface(obj.mesh, 8192, seed=seed)[0]
    shaker = Shaker(obj, settings, threads)
    counts = dict.fromkeys(("candidates", "not_colliding", "simulable", "simulated"), 0)
    kept, outcomes = [], []
    with tqdm(total=n, desc=obj.name, unit="grasp", leave=False, disable=not progress) as bar:
        while counts["simulated"] < n and counts["simulable"] >= _FEWEST_SIMULABLE * (
            counts["candidates"] - _PATIENCE
        ):
            batch = propose(obj.mesh, _BATCH, rng, standoff)
            free = ~shaker.collides(batch)
            wanted = free & closing_region_filled(surface, batch)
            chosen = batch[wanted][: n - counts["simulated"]]
            counts["candidates"] += len(batch)
            counts["not_colliding"] += int(free.sum())
            counts["simulable"] += int(wanted.sum())
            counts["simulated"] += len(chosen)
            kept.append(chosen)
            outcomes.append(shaker.test(chosen))
            bar.update(len(chosen))
    if counts["simulated"] < n:
        sides = " x ".join(f"{1000 * side:.0f}" for side in obj.mesh.extents)
        raise MeshError(
            f"{obj.name}: only {counts['simulated']} of {counts['candidates']} candidates leave the"
            f" hand free and put the object between its fingers, {n} were asked for; the hand opens"
            f" {1000 * franka.MAX_OPENING:.0f} mm, the object measures {sides} mm"
        )
    return _grasps(
        obj,
        np.concatenate(kept),
        outcomes,
        settings,
        _parameters(obj, n, seed, settings, standoff),
        counts,
    )


def sample_to_file(obj, path, n, seed, threads=2, progress=True):
    """`sample_grasps` into a grasp file; returns the counts of each stage.

    A file that is there and was made by the same code with the same parameters stays as it is, so a
    killed run goes on where it was.
    """
    path = Path(path)
    if path.is_file():
        known = read_grasps(path).parameters
        if _parameters(obj, n, seed, ShakeSettings(), "paper").items() <= known.items():
            return known["counts"]
    grasps = sample_grasps(obj, n, seed, threads=threads, progress=progress)
    write_grasps(path, grasps)
    return grasps.parameters["counts"]


def sample_task(objects, name, path, n, seed):
    """`sample_to_file` of one object of a set, on one thread: a task for `parallel.run_tasks`."""
    return sample_to_file(objects.load(name), path, n, seed, threads=1, progress=False)


def _parameters(obj, n, seed, settings, standoff):
    return {
        "code": code_hash(__name__),
        "grasps": n,
        "seed": seed,
        "standoff": standoff,
        "settings": asdict(settings),
        "object": content_hash(
            obj.mesh.vertices, obj.mesh.faces, *(part.vertices for part in obj.parts)
        ),
    }


def _grasps(obj, transforms, outcomes, settings, parameters, counts):
    success = np.concatenate([outcome.success for outcome in outcomes])
    return Grasps(
        transforms=transforms,
        success=success,
        grades={
            name: np.concatenate([getattr(outcome, name) for outcome in outcomes])
            for name in ("gravity_held", "max_acceleration", "closing_width")
        },
        object_file=obj.file,
        object_scale=obj.scale,
        physics=physics(obj, settings),
        parameters=parameters | {"counts": counts | {"successes": int(success.sum())}},
    )


def propose_antipodal(mesh, n, rng):
    """Up to n poses `object_T_hand` (K, 4, 4): the fingers' axis enters at a uniform surface point
    within a cone about the normal and leaves it again less than an opening further; the roll about
    it and the depth between the pads are uniform, the object anywhere between the fingers. Points
    whose ray stays inside for longer make no candidate.
    """
    start, faces = trimesh.sample.sample_surface(mesh, n, seed=rng)
    normal = mesh.face_normals[faces]
    sine = np.sin(_CONE) * np.sqrt(rng.random(n))
    angle = rng.uniform(0, 2 * np.pi, n)
    frame = pose.align_z(-normal)
    axis = np.einsum(
        "nij,nj->ni",
        frame,
        np.stack([sine * np.cos(angle), sine * np.sin(angle), np.sqrt(1 - sine**2)], axis=1),
    )
    inside = start - 1e-5 * normal
    hits, rays, _ = mesh.ray.intersects_location(inside, axis, multiple_hits=False)
    width = np.full(n, np.inf)
    width[rays] = np.linalg.norm(hits - start[rays], axis=1)
    keep = width < franka.MAX_OPENING
    start, axis, width = start[keep], axis[keep], width[keep]
    count = len(width)
    rotation = pose.align_z(axis) @ pose.rotation_about(
        [0.0, 0, 1], rng.uniform(0, 2 * np.pi, count)
    )
    rotation = rotation[:, :, [2, 0, 1]]  # x of the hand along the axis
    middle = (
        start
        + (width / 2 + rng.uniform(-0.5, 0.5, count) * (franka.MAX_OPENING - width))[:, None] * axis
    )
    depth = franka.PAD_CENTRE_Z + rng.uniform(-1, 1, count) * franka.PAD_HALF_WIDTH
    return pose.from_rt(rotation, middle - depth[:, None] * rotation[..., 2])
