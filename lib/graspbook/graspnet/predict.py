"""From an observed cloud to ranked grasps: sample, refine, pick, and check against what was seen.

Where grasps come from is a named choice: "graspnet" samples them from the VAE (section 3.1),
"geometric" against the observed surface's normals (the baseline of Fig. 11); both are refined by
the same evaluator. "gpd" is ten Pas et al.'s detector (the baseline of Table 1), whose grasps and
scores are final.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.baselines.geometric import sample_geometric
from graspbook.graspnet.baselines.gpd_network import detect, load_gpd
from graspbook.graspnet.evaluator import load_evaluator
from graspbook.graspnet.frame import object_frame
from graspbook.graspnet.refinement import Refinement, best_of_iterations, refine
from graspbook.graspnet.sampler import load_sampler, sample
from graspbook.hands.franka import points_in_closing_region, points_in_hand
from graspbook.perception.normals import checked_cloud
from graspbook.perception.resample import resample

METHODS = {
    "graspnet": ("sampler", "evaluator"),
    "geometric": ("evaluator",),
    "gpd": ("gpd",),
}  # and the weights they need


@dataclass(frozen=True)
class PredictSettings:
    """Grasps sampled a cloud, where latents come from, refinement (method, steps), score above
    which a grasp is kept in the paper's protocol, the observed points that a grasp must have
    between its fingers to be feasible, and the method, one of `METHODS`. Only graspnet draws
    latents, and gpd refines nothing.
    """

    samples: int = 200
    latents: str = "normal"
    refinement: str = "log_odds"
    steps: int = 10
    threshold: float = 0.8
    min_points_between: int = 20
    method: str = "graspnet"


@dataclass(frozen=True)
class Prediction:
    """Grasps for one cloud, feasible ones first, then by falling score.

    camera_T_hand (K, 4, 4); scores (K,); step (K,): the refinement step each is from; collides (K,)
    bool: observed points inside the open hand; points_between (K,): observed points between its
    fingers; above_threshold (K,) bool; feasible (K,) bool: no collision and enough points between.
    iterations (S + 1, K, 4, 4) and iteration_scores (S + 1, K): every step of the same samples.
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


def weights_files(folder, method="graspnet"):
    """Paths of the weights that a method needs in a weights folder. Raises ParameterError for an
    unknown method.
    """
    if method not in METHODS:
        raise ParameterError(f"method {method!r}, expected one of {', '.join(METHODS)}")
    return [Path(folder) / f"{name}.safetensors" for name in METHODS[method]]


def load_networks(folder, device="cpu", method="graspnet"):
    """The networks (sampler, scorer) of a weights folder: the method's source of grasps, None where
    it has no network, and what scores them, the evaluator or GPD's classifier. Raises WeightsError
    if one is missing or does not fit.
    """
    *source, scorer = weights_files(folder, method)
    sampler = load_sampler(source[0]).to(device) if source else None
    if method == "gpd":
        return sampler, load_gpd(scorer).to(device)
    return sampler, load_evaluator(scorer).to(device)


def predict(cloud, sampler, evaluator, settings, rng, scene=None):
    """Prediction for the observed points (M, 3) of one object, camera frame, metres; `rng` is a
    numpy generator.

    sampler, evaluator: what `load_networks` returns for `settings.method`. The networks see a
    random resample in its `frame.object_frame`; points between the fingers are counted on all M
    points, and collisions on these and on the `scene` (K, 3), what was observed around the object,
    where it is given. Raises CaptureError for a cloud that is empty, of a wrong shape, or not
    finite.
    """
    cloud = checked_cloud(cloud)
    if settings.method == "gpd":
        refinement, camera_T_frame = _detect(cloud, evaluator, settings, rng), np.eye(4)
    else:
        refinement, camera_T_frame = _sample_and_refine(cloud, sampler, evaluator, settings, rng)
    return _rank(refinement, camera_T_frame, cloud, scene, settings)


def _sample_and_refine(cloud, sampler, evaluator, settings, rng):
    """The `Refinement` of a method's samples in the graspnet object frame, and `camera_T_frame` (4,
    4).
    """
    device = next(evaluator.parameters()).device
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    observed, encoded = (
        evaluator.settings.points,
        sampler.settings.backbone.points if sampler else 0,
    )
    seen = resample(cloud, max(observed, encoded), rng)
    camera_T_frame = object_frame(seen)
    frame_T_camera = pose.inverse(camera_T_frame)
    points = torch.as_tensor(
        pose.transform(frame_T_camera, seen), dtype=torch.float32, device=device
    )
    if settings.method == "geometric":
        poses = frame_T_camera @ sample_geometric(cloud, settings.samples, rng)
        grasps = torch.as_tensor(poses, dtype=torch.float32, device=device)
    else:
        grasps, _ = sample(sampler, points[:encoded], settings.samples, generator, settings.latents)
    return refine(
        evaluator, points[:observed], grasps, settings.refinement, settings.steps, generator
    ), camera_T_frame


def _detect(cloud, network, settings, rng):
    """GPD's grasps and scores as a `Refinement` of no steps, in the camera frame."""
    grasps, scores = detect(cloud, network, network.settings, settings.samples, rng)
    return Refinement(torch.as_tensor(grasps)[None], torch.as_tensor(scores)[None])


def _rank(refinement, camera_T_frame, cloud, scene, settings):
    """The Prediction of a `Refinement` in a frame (4, 4)."""
    _, scores, step, above = (
        values.cpu().numpy() for values in best_of_iterations(refinement, settings.threshold)
    )
    iterations = camera_T_frame @ refinement.grasps.cpu().numpy().astype(float)
    best = iterations[step, np.arange(len(step))]
    collides, between = contact_check(best, cloud)
    if scene is not None:
        collides |= contact_check(best, scene)[0]
    feasible = ~collides & (between >= settings.min_points_between)
    order = np.lexsort([-scores, ~feasible])
    return Prediction(
        best[order],
        scores[order],
        step[order],
        collides[order],
        between[order],
        above[order],
        feasible[order],
        iterations[:, order],
        refinement.scores.cpu().numpy()[:, order],
    )


def contact_check(camera_T_hand, cloud, chunk=32):
    """Whether the open hand at poses (K, 4, 4) holds points of a cloud (M, 3) inside it, bool (K,),
    and how many lie between its fingers, (K,).
    """
    collides, between = [], []
    for start in range(0, max(1, len(camera_T_hand)), chunk):
        local = pose.transform(pose.inverse(camera_T_hand[start : start + chunk]), cloud)
        collides.append(points_in_hand(local).any(axis=1))
        between.append(points_in_closing_region(local).sum(axis=1))
    return np.concatenate(collides), np.concatenate(between)
