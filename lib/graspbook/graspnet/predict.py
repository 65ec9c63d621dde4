"""From an observed cloud to ranked grasps: sample, refine, pick, and check against what was seen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from graspbook import pose
from graspbook.errors import CaptureError
from graspbook.graspnet.evaluator import load_evaluator
from graspbook.graspnet.refinement import MAX_TRANSLATION, best_of_iterations, refine
from graspbook.graspnet.sampler import load_sampler, sample
from graspbook.hands.franka import points_in_closing_region, points_in_hand
from graspbook.perception.resample import resample


@dataclass(frozen=True)
class PredictSettings:
    """Grasps sampled a cloud, where latents come from, refinement (method, steps, largest translation of a gradient step in
    metres), score above which a grasp is kept in the paper's protocol, and the observed points that a grasp must have between
    its fingers to be feasible."""

    samples: int = 200
    latents: str = "normal"
    refinement: str = "gradient"
    steps: int = 10
    max_translation: float = MAX_TRANSLATION
    threshold: float = 0.8
    min_points_between: int = 20


@dataclass(frozen=True)
class Prediction:
    """Grasps for one cloud, feasible ones first, then by falling score.

    camera_T_hand (K, 4, 4); scores (K,); step (K,): the refinement step each is from; collides (K,) bool: observed points
    inside the open hand; points_between (K,): observed points between its fingers; above_threshold (K,) bool; feasible
    (K,) bool: no collision and enough points between. iterations (S + 1, K, 4, 4) and iteration_scores (S + 1, K): every
    step of the same samples.
    """

    camera_T_hand: np.ndarray
    scores: np.ndarray
    step: np.ndarray
    collides: np.ndarray
    points_between: np.ndarray
    above_threshold: np.ndarray
    feasible: np.ndarray
    iterations: np.ndarray
    iteration_scores: np.ndarray


def load_networks(folder, device="cpu"):
    """The sampler and the evaluator of a weights folder. Raises WeightsError if one is missing or does not fit."""
    sampler = load_sampler(Path(folder) / "sampler.safetensors")
    return sampler.to(device), load_evaluator(Path(folder) / "evaluator.safetensors").to(device)


def predict(cloud, sampler, evaluator, settings, rng, scene=None):
    """Prediction for the observed points (M, 3) of one object, camera frame, metres; `rng` is a numpy generator.

    The networks see a random resample, centred at its mean; points between the fingers are counted on all M points, and
    collisions on these and on the `scene` (K, 3), what was observed around the object, where it is given. Raises
    CaptureError for a cloud that is empty, of a wrong shape, or not finite.
    """
    cloud = np.asarray(cloud, float)
    if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
        raise CaptureError(f"point cloud of shape {cloud.shape}, expected (M, 3) with M > 0")
    if not np.isfinite(cloud).all():
        raise CaptureError(f"point cloud has {int((~np.isfinite(cloud)).any(axis=1).sum())} points that are not finite")
    device = next(sampler.parameters()).device
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    seen = resample(cloud, sampler.settings.backbone.points, rng)
    centre = seen.mean(axis=0)
    points = torch.as_tensor(seen - centre, dtype=torch.float32, device=device)
    grasps, _ = sample(sampler, points, settings.samples, generator, settings.latents)
    refinement = refine(evaluator, points, grasps, settings.refinement, settings.steps, generator, settings.max_translation)
    _, scores, step, above = (values.cpu().numpy() for values in best_of_iterations(refinement, settings.threshold))
    iterations = pose.from_rt(np.eye(3), centre) @ refinement.grasps.cpu().numpy().astype(float)
    best = iterations[step, np.arange(len(step))]
    collides, between = contact_check(best, cloud)
    if scene is not None:
        collides |= contact_check(best, scene)[0]
    feasible = ~collides & (between >= settings.min_points_between)
    order = np.lexsort([-scores, ~feasible])
    return Prediction(best[order], scores[order], step[order], collides[order], between[order], above[order], feasible[order],
                      iterations[:, order], refinement.scores.cpu().numpy()[:, order])


def contact_check(camera_T_hand, cloud, chunk=32):
    """Whether the open hand at poses (K, 4, 4) holds points of a cloud (M, 3) inside it, bool (K,), and how many lie between
    its fingers, (K,)."""
    collides, between = [], []
    for start in range(0, len(camera_T_hand), chunk):
        local = pose.transform(pose.inverse(camera_T_hand[start:start + chunk]), cloud)
        collides.append(points_in_hand(local).any(axis=1))
        between.append(points_in_closing_region(local).sum(axis=1))
    return np.concatenate(collides), np.concatenate(between)
