"""Training batches: partial views of objects with stratified grasps, and hard negatives (section 4
"Training", equation 5).

What takes time is done once an object by `prepare`: views are ray cast, grasps clustered, hard
negatives drawn. Batch k is then a pure function of the seed and k, so a training run can go on from
any step.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from scipy.spatial.distance import cdist

from graspbook import pose
from graspbook.errors import GraspFileError, ParameterError
from graspbook.graspnet.frame import object_frame
from graspbook.hands.franka import points_in_closing_region, points_in_hand
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.degrade import degraded_view
from graspbook.perception.resample import farthest_points
from graspbook.storage import Grasps, code_hash, content_hash, hash_number

CLUSTERS = 32
_EXPLORED = 0.4
HARD_TRANSLATION = 0.03
_BLOCK = 64  # hard negatives judged together: their copies of the surface take a few MB each
# Largest rotation about x, y and z in radians: the paper's, and the released code's.
HARD_ROTATIONS = {"paper": (0.6, 0.6, 0.6), "released": (0.6, 0.2, 0.6)}


@dataclass(frozen=True)
class DataSettings:
    """What is prepared an object.

    views, points, noise (metres, standard deviation of the depth): the rendered clouds; the
    released code draws from 30 × 30 views. holes: at 0 the noise is that of every view; above,
    views are degraded as `perception.degrade` does it: up to so many holes, noise up to that size,
    fewer or more points. hard_negatives: how many are drawn; hard_rotation: "paper" or "released".
    surface_points: on the mesh, to judge hard negatives by.
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
    """Grasps (N, 4, 4) in order of their cluster; `starts` (clusters + 1) bound the clusters."""

    grasps: np.ndarray
    starts: np.ndarray

    def draw(self, n, rng):
        """n grasps (n, 4, 4): a cluster uniformly, then one of its grasps, with replacement."""
        cluster = rng.integers(len(self.starts) - 1, size=n)
        low, high = self.starts[cluster], self.starts[cluster + 1]
        return self.grasps[low + (rng.random(n) * (high - low)).astype(int)]


@dataclass(frozen=True)
class Examples:
    """One object, ready for training.

    clouds (V, N, 3) float32, each in the graspnet object frame of its view; view_T_object (V, 4,
    4); positives and negatives: labelled grasps `object_T_hand`; hard_negatives likewise. family:
    objects are drawn family by family. explored: further `Grasps` with labels, those that earlier
    networks found (`exploration`).
    """

    name: str
    clouds: np.ndarray
    view_T_object: np.ndarray
    positives: Strata
    negatives: Strata
    hard_negatives: Strata
    family: str = ""
    explored: Grasps | None = None


class SamplerBatch(NamedTuple):
    """points (C, N, 3), groups of `pointnet2.group`, and positive grasps (C, G, 4, 4), in the
    graspnet object frame.
    """

    points: torch.Tensor
    groups: tuple
    grasps: torch.Tensor


class EvaluatorBatch(NamedTuple):
    """points (C, N, 3), what `evaluator.object_groups` made of them, grasps (C, G, 4, 4), and
    labels success (C, G).
    """

    points: torch.Tensor
    groups: tuple | None
    grasps: torch.Tensor
    success: torch.Tensor


def prepare(obj, grasps, settings, more=None):
    """Examples of one GraspObject: a pure function of it, its labelled `Grasps` and the settings.

    more: further labelled `Grasps` (`enrichment`), whose successes join the positives and whose
    failures are the hard negatives, instead of those judged by geometry. Raises GraspFileError if
    the grasps have no labels.
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
    if more is not None:
        positives, hard = (
            np.concatenate([positives, more.transforms[more.success]]),
            more.transforms[~more.success],
        )
    else:
        hard = hard_negatives(obj.mesh, positives, settings, rng) if len(positives) else positives
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
        return renderer.observe(rng, settings.points, settings.noise)
    return degraded_view(renderer, settings.points, rng, settings.noise, settings.holes)


def stratify(grasps):
    """Strata of grasps (N, 4, 4): each joins the nearest of 32 farthest points of their
    translations.
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


def hard_negatives(mesh, positives, settings, rng):
    """Up to `settings.hard_negatives` perturbed positives that fail by geometry (equation 5): (H,
    4, 4) `object_T_hand`.

    Each coordinate moves by up to 3 cm, the hand turns about its own axes by up to 0.6 rad
    ("paper"). Kept are those where the hand then holds a point of the mesh's surface inside it, or
    none between its fingers.
    """
    surface = trimesh.sample.sample_surface(
        mesh, settings.surface_points, seed=int(rng.integers(2**31))
    )[0]
    kept, wanted = [], settings.hard_negatives
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
            fails[start : start + _BLOCK] = points_in_hand(local).any(
                axis=-1
            ) | ~points_in_closing_region(local).any(axis=-1)
        kept.append(moved[fails][:wanted])
        wanted -= len(kept[-1])
    return np.concatenate(kept) if kept else positives[:0]


def examples_hash(examples):
    """One hash of everything that training reads: the examples, and the code of the networks and of
    the loop.
    """
    # A checkpoint keeps this among its parameters: one that other code wrote is not resumed.
    values = [code_hash("graspbook.graspnet.sampler", "graspbook.graspnet.evaluator")]
    for e in examples:
        values += [e.name, e.family, e.clouds, e.view_T_object]
        values += [
            part
            for strata in (e.positives, e.negatives, e.hard_negatives)
            for part in (strata.grasps, strata.starts)
        ]
        if e.explored:
            values += [e.explored.transforms, e.explored.success]
    return content_hash(*values)


@torch.no_grad()
def held_out_figures(model, batch_of, loss_of, batches=16):
    """Mean loss and figures of a model over the first `batches` batches, the same ones and the same
    noise every time.
    """
    figures = []
    for step in range(batches):
        batch = batch_of(step)
        loss, others = loss_of(model, batch, torch.Generator(batch.points.device).manual_seed(step))
        figures.append({"loss": float(loss), **others})
    return {name: float(np.mean([entry[name] for entry in figures])) for name in figures[0]}


def check_points(examples, points):
    """Raise ParameterError unless the clouds of the examples have the points that a network takes,
    or more.
    """
    for example in examples:
        found = example.clouds.shape[1]
        if found < points:
            raise ParameterError(
                f"{example.name}: prepared with clouds of {found} points, the network takes"
                f" {points}"
            )


def sampler_batch(examples, group, seed, step, points=None, clouds=1, grasps=64, device="cpu"):
    """Batch `step` for the sampler: positives of `clouds` random views, stratified; `group` maps
    points to groups.

    Of each view the first `points` points, all of them if None.
    Raises GraspFileError if no object has a positive grasp.
    """
    rng = np.random.default_rng([seed, step])
    chosen, seen = _draw_views(
        [e for e in examples if len(e.positives.grasps)], clouds, rng, "a positive grasp"
    )
    poses = [frame @ example.positives.draw(grasps, rng) for example, frame in chosen]
    seen = torch.from_numpy(seen[:, :points]).to(device)
    return SamplerBatch(seen, group(seen), torch.from_numpy(np.array(poses, np.float32)).to(device))


def evaluator_batch(examples, group, seed, step, points=None, clouds=1, grasps=64, device="cpu"):
    """Batch `step` for the evaluator: 30 % positive, 30 % negative, 40 % hard negative grasps of
    `clouds` random views.

    Of 64 these are 19, 20 and 25, as in the released code. Of an object that no grasp holds all are
    negative, so that what is too wide for the hand is learned too. Where all examples have explored
    grasps, these are 40 % of the batch and the others share the rest; where any has none they are
    left out. Of each view the first `points` points, all of them if None. Raises GraspFileError if
    no object has negative and hard negative grasps.
    """
    rng = np.random.default_rng([seed, step])
    usable = [e for e in examples if len(e.negatives.grasps) and len(e.hard_negatives.grasps)]
    chosen, seen = _draw_views(usable, clouds, rng, "negative and hard negative grasps")
    explored = int(_EXPLORED * grasps) if all(e.explored for e in examples) else 0
    labelled = grasps - explored
    positive, hard = int(0.3 * labelled), int(0.4 * labelled)
    poses, success = [], np.arange(grasps) < np.full((clouds, 1), positive)
    for i, (e, frame) in enumerate(chosen):
        held = len(e.positives.grasps) > 0
        success[i] &= held
        easy = e.negatives, labelled - positive - hard
        kinds = (e.positives if held else e.negatives, positive), easy, (e.hard_negatives, hard)
        drawn = [strata.draw(count, rng) for strata, count in kinds]
        if explored:
            which = rng.integers(len(e.explored.success), size=explored)
            drawn.append(e.explored.transforms[which])
            success[i, labelled:] = e.explored.success[which]
        poses.append(frame @ np.concatenate(drawn))
    seen = torch.from_numpy(seen[:, :points]).to(device)
    success = torch.from_numpy(success).to(device)
    return EvaluatorBatch(
        seen, group(seen), torch.from_numpy(np.array(poses, np.float32)).to(device), success
    )


def _draw_views(usable, clouds, rng, need):
    """Random (examples, view_T_object) pairs and their points (clouds, N, 3): a family, one of its
    objects, one of its views.
    """
    if not usable:
        raise GraspFileError(f"no object has {need} to train on")
    families = {}
    for e in usable:
        families.setdefault(e.family, []).append(e)
    families, chosen = list(families.values()), []
    for _ in range(clouds):
        family = families[rng.integers(len(families))]
        chosen.append((family[rng.integers(len(family))], rng.integers(len(usable[0].clouds))))
    return [(e, e.view_T_object[v]) for e, v in chosen], np.stack([e.clouds[v] for e, v in chosen])


def random_roll(count, generator):
    """Rotations (count, 3, 3) about the camera's axis by uniform angles: under each, the same view
    looks just as likely.
    """
    angle = 2 * np.pi * torch.rand(count, generator=generator, device=generator.device)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [
        torch.stack(row, dim=-1)
        for row in ([cosine, -sine, zero], [sine, cosine, zero], [zero, zero, zero + 1])
    ]
    return torch.stack(rows, dim=-2)
