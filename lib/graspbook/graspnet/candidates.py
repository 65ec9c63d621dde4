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
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import Grasps
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_grades import GRADES
from graspbook.simulation.shake_model import ShakeSettings, physics
from graspbook.storage import code_hash, content_hash, object_hash

# The range of distances along the approach, from the surface point to the origin of the grasp
# frame. "paper": from the fingers' mount at the surface to the fingertips at the surface.
# "released": the limits in NVlabs/6dof-graspnet, which leave the palm free.
STANDOFFS = {
    "paper": lambda hand: (hand.mount_z, hand.tip_z),
    "released": lambda hand: (hand.palm[:, 2].max() + 0.001, hand.tip_z),
}
# Largest angle in radians between the fingers' axis and the normal where it enters: about arctan of
# the friction.
_CONE = 0.4
_BATCH = 1024
_PATIENCE = 20 * _BATCH  # candidates that need not lead to any
_FEWEST_SIMULABLE = 0.005  # share of candidates below which the search is given up


def propose(
    mesh: trimesh.Trimesh,
    n: int,
    rng: np.random.Generator,
    *,
    standoff: str = "paper",
    gripper: ParallelJaw = FRANKA,
) -> np.ndarray:
    """Poses `object_T_hand` (n, 4, 4) that approach uniform surface points against their normals.

    mesh: of the object, in its own frame, metres.
    n: number of grasps.
    rng: generator of the random numbers.
    standoff, gripper: see `approach`.
    """
    points, faces = trimesh.sample.sample_surface(mesh, n, seed=rng)
    return approach(points, mesh.face_normals[faces], rng, standoff=standoff, gripper=gripper)


def approach(
    points: np.ndarray,
    normals: np.ndarray,
    rng: np.random.Generator,
    *,
    standoff: str = "paper",
    gripper: ParallelJaw = FRANKA,
) -> np.ndarray:
    """Poses (n, 4, 4) of hands that approach points against their normals, in the points' frame.

    points, normals: (n, 3), the normals unit.
    rng: draws standoffs and rolls, uniform.
    standoff: rule for the distance to the surface, one of `STANDOFFS`.
    gripper: the parallel-jaw hand that grasps.
    """
    rotation = pose.align_z(-normals) @ pose.rotation_about(
        [0.0, 0.0, 1.0], rng.uniform(0, 2 * np.pi, len(points))
    )
    distance = rng.uniform(*STANDOFFS[standoff](gripper), len(points))
    return pose.from_rt(rotation, points - distance[:, None] * rotation[..., 2])


def closing_region_filled(
    surface: np.ndarray, object_T_hand: np.ndarray, *, gripper: ParallelJaw = FRANKA
) -> np.ndarray:
    """Whether a point of the object is between the open pads of each grasp (N,).

    surface: (M, 3) dense points on the object, in its frame, metres.
    object_T_hand: (N, 4, 4) poses of the hand in the object frame.
    gripper: the parallel-jaw hand that grasps.
    """
    # In blocks: a thousand grasps times thousands of points would not fit a small cache, let alone
    # memory.
    blocks = np.array_split(object_T_hand, max(1, len(object_T_hand) // 64))
    return np.concatenate(
        [
            gripper.points_in_closing_region(pose.transform(pose.inverse(block), surface)).any(
                axis=1
            )
            for block in blocks
        ]
    )


def sample_grasps(
    obj: GraspObject,
    n: int,
    seed: int,
    settings: ShakeSettings | None = None,
    *,
    standoff: str = "paper",
    threads: int = 2,
    progress: bool = True,
    gripper: ParallelJaw = FRANKA,
) -> Grasps:
    """Label simulated candidates of an object and return both classes.

    The result depends on all arguments except `threads` and `progress`. `parameters` in the result
    has the settings and the counts at each stage: candidates, not_colliding, simulable (with the
    object between the fingers), simulated (`n` of those), successes.

    obj: `GraspObject` that is grasped, metres.
    n: number of grasps that are simulated.
    seed: which candidates are drawn.
    settings: of the shake test, the frozen ones if None.
    standoff: rule for the distance to the surface, one of `STANDOFFS`.
    threads: of the CPU that simulate at the same time.
    progress: whether a bar is shown on stderr.
    gripper: the parallel-jaw hand that grasps.

    Raises MeshError if too few candidates fit the hand.
    """
    settings = settings or ShakeSettings()
    rng = np.random.default_rng(seed)
    surface = trimesh.sample.sample_surface(obj.mesh, 8192, seed=seed)[0]
    shaker = Shaker(obj, settings, threads=threads, gripper=gripper)
    counts = dict.fromkeys(("candidates", "not_colliding", "simulable", "simulated"), 0)
    kept, outcomes = [], []
    with tqdm(total=n, desc=obj.name, unit="grasp", leave=False, disable=not progress) as bar:
        while counts["simulated"] < n and counts["simulable"] >= _FEWEST_SIMULABLE * (
            counts["candidates"] - _PATIENCE
        ):
            batch = propose(obj.mesh, _BATCH, rng, standoff=standoff, gripper=gripper)
            free = ~shaker.collides(batch)
            wanted = free & closing_region_filled(surface, batch, gripper=gripper)
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
            f"{obj.name}: only {counts['simulated']} of {counts['candidates']} candidates keep the"
            f" hand clear and have the object between the fingers, expected {n}. The hand opens"
            f" {1000 * gripper.opening:.0f} mm, the object measures {sides} mm"
        )
    parameters = _parameters(obj, n, seed, settings=settings, standoff=standoff, gripper=gripper)
    success = np.concatenate([outcome.success for outcome in outcomes])
    return Grasps(
        np.concatenate(kept),
        success,
        grades={
            name: np.concatenate([getattr(outcome, name) for outcome in outcomes])
            for name in GRADES
        },
        object_file=obj.file,
        object_scale=obj.scale,
        physics=physics(obj, settings),
        parameters=parameters | {"counts": counts | {"successes": int(success.sum())}},
        gripper=gripper.name,
        configuration=gripper.configuration,
    )


def sample_to_file(
    obj: GraspObject,
    path: Path | str,
    n: int,
    seed: int,
    *,
    threads: int = 2,
    progress: bool = True,
    gripper: ParallelJaw = FRANKA,
    again: bool = False,
) -> dict[str, int]:
    """`sample_grasps` into a grasp file; returns the counts of each stage.

    A file that was made by the same code with the same parameters stays as it is, so a killed run
    continues where it was.

    obj, n, seed, threads, progress, gripper: see `sample_grasps`.
    path: of the file to write.
    again: whether a file that exists is made again.
    """
    if not again and (known := made_counts(obj, path, n, seed, gripper=gripper)):
        return known
    grasps = sample_grasps(obj, n, seed, threads=threads, progress=progress, gripper=gripper)
    write_grasps(path, grasps)
    return grasps.parameters["counts"]


def made_counts(
    obj: GraspObject, path: Path | str, n: int, seed: int, *, gripper: ParallelJaw = FRANKA
) -> dict[str, int] | None:
    """Counts in a grasp file that the same code made with the same parameters, None without one.

    obj, path, n, seed, gripper: as for `sample_to_file`.

    Raises GraspFileError for a file of another kind.
    """
    if not Path(path).is_file():
        return None
    known, frozen = read_grasps(path).parameters, ShakeSettings()
    wanted = _parameters(obj, n, seed, settings=frozen, standoff="paper", gripper=gripper)
    return known["counts"] if wanted.items() <= known.items() else None


def sample_task(
    objects: FamilySet | FolderSet,
    name: str,
    path: Path | str,
    n: int,
    seed: int,
    *,
    gripper: ParallelJaw = FRANKA,
) -> dict[str, int]:
    """`sample_to_file` of one object of a set, on one thread: a task for `parallel.run_tasks`.

    objects, name: the set, and which of its objects.
    path: of the file to write.
    n, seed, gripper: see `sample_grasps`.
    """
    obj = objects.load(name)
    return sample_to_file(obj, path, n, seed, threads=1, progress=False, gripper=gripper)


def _parameters(obj, n, seed, *, settings, standoff, gripper):
    return {
        "code": code_hash(__name__),
        "grasps": n,
        "seed": seed,
        "standoff": standoff,
        "settings": asdict(settings),
        "object": object_hash(obj),
        "gripper": content_hash(asdict(gripper)),
    }


def propose_antipodal(
    mesh: trimesh.Trimesh, n: int, rng: np.random.Generator, *, gripper: ParallelJaw = FRANKA
) -> np.ndarray:
    """Poses `object_T_hand` (K, 4, 4), at most n, whose fingers close on two opposite points.

    The fingers' axis enters at a uniform surface point, within a cone about the normal. It leaves
    the object after less than the hand's opening. Points whose ray stays inside for longer give no
    candidate. The roll about the axis, the depth between the pads, and the object's position
    between the fingers are uniform.

    mesh: of the object, in its own frame, metres.
    n: number of surface points that are tried.
    rng: generator of the random numbers.
    gripper: the parallel-jaw hand that grasps.
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
    keep = width < gripper.opening
    start, axis, width = start[keep], axis[keep], width[keep]
    count = len(width)
    rotation = pose.align_z(axis) @ pose.rotation_about(
        [0.0, 0, 1], rng.uniform(0, 2 * np.pi, count)
    )
    rotation = rotation[:, :, [2, 0, 1]]  # x of the hand along the axis
    middle = (
        start
        + (width / 2 + rng.uniform(-0.5, 0.5, count) * (gripper.opening - width))[:, None] * axis
    )
    depth = gripper.pad_z + rng.uniform(-1, 1, count) * gripper.pad_half_height
    return pose.from_rt(rotation, middle - depth[:, None] * rotation[..., 2])
