"""Training data: partial views of objects with stratified grasps, and hard negatives (section 4
"Training", equation 5).

`prepare` does the slow work once per object: it casts views, clusters grasps and draws hard
negatives. `batches` draws from its results.
"""

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from scipy.spatial.distance import cdist

from graspbook import pose
from graspbook.errors import GraspFileError, ParameterError
from graspbook.grasp_set import Grasps
from graspbook.graspnet.frame import object_frame
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.grasp_object import GraspObject
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.degrade import degraded_view
from graspbook.perception.resample import farthest_points
from graspbook.storage import hash_number

CLUSTERS = 32
HARD_TRANSLATION = 0.03
_BLOCK = 64  # hard negatives judged together; each copies the surface, a few MB
# Largest rotation about x, y and z in radians, of the paper and of the released code.
HARD_ROTATIONS = {"paper": (0.6, 0.6, 0.6), "released": (0.6, 0.2, 0.6)}


@dataclass(frozen=True)
class DataSettings:
    """Settings of the data that is prepared per object.

    views: rendered views; the released code draws from 30 × 30.
    points: number of points in each cloud.
    noise: standard deviation of the depth, metres.
    holes: at 0 every view has exactly this noise. Above 0, `perception.degrade` degrades views: up
        to so many holes, noise up to this size, fewer or more points.
    hard_negatives: number of negatives near positives, per object.
    hard_rotation: "paper" or "released".
    surface_points: points on the mesh that decide which hard negatives collide.
    seed: of all random numbers.
    """

    views: int = 8
    points: int = 1024
    noise: float = 0.0
    holes: int = 0
    hard_negatives: int = 300
    hard_rotation: str = "paper"
    surface_points: int = 3000
    seed: int = 0

    def __post_init__(self):
        if self.hard_rotation not in HARD_ROTATIONS:
            raise ParameterError(
                f"hard_rotation {self.hard_rotation!r}, expected one of {', '.join(HARD_ROTATIONS)}"
            )


@dataclass(frozen=True)
class Strata:
    """Grasps in clusters.

    grasps: (N, 4, 4), in order of their cluster.
    starts: (clusters + 1) indices that bound the clusters.
    """

    grasps: np.ndarray
    starts: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Random grasps (n, 4, 4): a cluster uniformly, then one of its grasps, with replacement.

        n: number of grasps.
        rng: generator of the random numbers.
        """
        cluster = rng.integers(len(self.starts) - 1, size=n)
        low, high = self.starts[cluster], self.starts[cluster + 1]
        return self.grasps[low + (rng.random(n) * (high - low)).astype(int)]


@dataclass(frozen=True)
class Examples:
    """One object, ready for training.

    name: of the object.
    clouds: (V, N, 3) float32, each in the graspnet object frame of its view.
    view_T_object: (V, 4, 4) pose of the object in the frame of each view.
    positives, negatives, hard_negatives: labelled grasps `object_T_hand`.
    family: objects are drawn family by family.
    explored: more `Grasps` with labels, found by earlier networks (`on_policy`).
    """

    name: str
    clouds: np.ndarray
    view_T_object: np.ndarray
    positives: Strata
    negatives: Strata
    hard_negatives: Strata
    family: str = ""
    explored: Grasps | None = None


def prepare(
    obj: GraspObject,
    grasps: Grasps,
    settings: DataSettings,
    more: Grasps | None = None,
    *,
    gripper: ParallelJaw = FRANKA,
) -> Examples:
    """Examples of one object; they depend on the arguments only.

    obj: the `GraspObject`, metres.
    grasps: labelled by the shake test, in the object frame.
    settings: what is prepared.
    more: more labelled grasps (`extra_grasps`). Their successes join the positives. Their failures
        are the hard negatives, instead of those judged by geometry.
    gripper: the parallel-jaw hand of these grasps.

    Raises GraspFileError if the grasps have no labels.
    """
    if grasps.success is None:
        raise GraspFileError(f"grasps of {obj.name!r} have no labels; label them first")
    rng = np.random.default_rng([settings.seed, hash_number(obj.name)])
    renderer, clouds, frames = DepthRenderer(obj.mesh), [], []
    for _ in range(settings.views):
        cloud, camera_T_object = _observe(renderer, settings, rng)
        frame_T_camera = pose.inverse(object_frame(cloud))
        clouds.append(pose.transform(frame_T_camera, cloud))
        frames.append(frame_T_camera @ camera_T_object)
    positives = grasps.transforms[grasps.success]
    if more is not None and more.success is not None:
        positives, hard = (
            np.concatenate([positives, more.transforms[more.success]]),
            more.transforms[~more.success],
        )
    else:
        hard = positives
        if len(positives):
            hard = hard_negatives(obj.mesh, positives, settings, rng, gripper=gripper)
    return Examples(
        obj.name,
        np.array(clouds, np.float32),
        np.array(frames),
        stratify(positives),
        stratify(grasps.transforms[~grasps.success]),
        stratify(hard),
        obj.family,
    )


def _observe(renderer, settings, rng):
    if not settings.holes:
        return renderer.observe(rng, settings.points, noise=settings.noise)
    return degraded_view(
        renderer, settings.points, rng, noise=settings.noise, patches=settings.holes
    )


def stratify(grasps: np.ndarray) -> Strata:
    """Strata of grasps: each grasp joins the nearest of 32 farthest points of their translations.

    grasps: (N, 4, 4).
    """
    if not len(grasps):
        return Strata(grasps, np.zeros(1, int))
    places = grasps[:, :3, 3]
    centres = places[farthest_points(places, min(CLUSTERS, len(places)))]
    cluster = cdist(places, centres).argmin(axis=1)
    sizes = np.bincount(cluster)
    return Strata(
        grasps[np.argsort(cluster, kind="stable")],
        np.concatenate([[0], np.cumsum(sizes[sizes > 0])]),
    )


def hard_negatives(
    mesh: trimesh.Trimesh,
    positives: np.ndarray,
    settings: DataSettings,
    rng: np.random.Generator,
    *,
    gripper: ParallelJaw = FRANKA,
) -> np.ndarray:
    """Perturbed positives (H, 4, 4) `object_T_hand` that fail by geometry (equation 5).

    Each coordinate moves by up to 3 cm, and the hand turns about its own axes by up to 0.6 rad
    ("paper"). A moved grasp is kept if the mesh's surface then reaches into the hand, or if none of
    it is between the fingers.

    mesh: of the object, in its own frame, metres.
    positives: (P, 4, 4) poses of the hand that hold the object.
    settings: how many at most, and how far they turn.
    rng: generator of the random numbers.
    gripper: the parallel-jaw hand that grasps.
    """
    surface = trimesh.sample.sample_surface(
        mesh, settings.surface_points, seed=int(rng.integers(2**31))
    )[0]
    kept: list[np.ndarray] = []
    wanted = settings.hard_negatives
    while wanted > 0 and len(kept) < 20:
        n = settings.hard_negatives
        turn = rng.uniform(-1, 1, (n, 3)) * HARD_ROTATIONS[settings.hard_rotation]
        shift = rng.uniform(-HARD_TRANSLATION, HARD_TRANSLATION, (n, 3))
        moved = positives[rng.integers(len(positives), size=n)].copy()
        moved[:, :3, :3] = (
            moved[:, :3, :3] @ pose.euler_sxyz_to_matrix_torch(torch.from_numpy(turn)).numpy()
        )
        moved[:, :3, 3] += shift
        fails = np.empty(n, bool)
        for start in range(0, n, _BLOCK):
            local = pose.transform(pose.inverse(moved[start : start + _BLOCK]), surface)
            held = gripper.points_in_closing_region(local).any(axis=-1)
            fails[start : start + _BLOCK] = gripper.points_in_hand(local).any(axis=-1) | ~held
        kept.append(moved[fails][:wanted])
        wanted -= len(kept[-1])
    return np.concatenate(kept) if kept else positives[:0]
