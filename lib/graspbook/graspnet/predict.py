"""From an observed cloud to ranked grasps: sample, refine, choose, and check against observed
points.

`METHODS` has the sources of grasps by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.baselines.geometric import sample_geometric
from graspbook.graspnet.baselines.gpd_network import detect, load_gpd
from graspbook.graspnet.contact import contact_check, thinned, within_reach
from graspbook.graspnet.evaluator import load_evaluator
from graspbook.graspnet.frame import object_frame
from graspbook.graspnet.network_kinds import Sampler
from graspbook.graspnet.refinement import Refinement, best_of_iterations, refine
from graspbook.graspnet.sampler import load_sampler, sample
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.perception.normals import checked_cloud
from graspbook.perception.resample import resample


@dataclass(frozen=True)
class PredictSettings:
    """Settings of a prediction.

    samples: grasps sampled per cloud.
    latents: their distribution, see `sampler.draw_latents`; only graspnet draws them.
    refinement: one of `refinement.METHODS`; gpd does not refine.
    steps: number of refinement steps.
    threshold: score above which a grasp is kept in the paper's protocol.
    min_points_between: observed points that a feasible grasp has between its fingers.
    method: one of `METHODS`.
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

    camera_T_hand: (K, 4, 4) poses of the hand in the camera frame.
    scores: (K,) of the grasps, higher is better.
    step: (K,), the refinement step of each.
    collides: (K,) bool, observed points inside the open hand.
    points_between: (K,), observed points between its fingers.
    above_threshold: (K,) bool.
    feasible: (K,) bool, no collision and enough points between.
    iterations, iteration_scores: (S + 1, K, 4, 4) and (S + 1, K), every step of the same samples.
    gripper: the hand of these poses.
    note: a remark for the user, or "".
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
    gripper: ParallelJaw = FRANKA
    note: str = ""


@dataclass(frozen=True)
class Method:
    """A method that finds grasps in a cloud.

    about: a line for help texts.
    weights: name of each weights file -> function that loads it. The last network scores grasps;
        one before it samples them.
    find: function of the cloud, both networks, the settings, `rng` and `gripper`. It returns the
        `Refinement` of its samples and `camera_T_frame` (4, 4).
    """

    about: str
    weights: Mapping[str, Callable[[Path], Any]]
    find: Callable[..., tuple[Refinement, np.ndarray]]


def weights_files(folder: Path | str, method: str = "graspnet") -> list[Path]:
    """Paths of the weights that a method needs.

    folder: with the networks' .safetensors files.
    method: one of `METHODS`.

    Raises ParameterError for an unknown method.
    """
    if method not in METHODS:
        raise ParameterError(f"method {method!r}, expected one of {', '.join(METHODS)}")
    return [Path(folder) / f"{name}.safetensors" for name in METHODS[method].weights]


def load_networks(
    folder: Path | str, *, device: str = "cpu", method: str = "graspnet"
) -> tuple[Sampler | None, Any]:
    """The networks of a method: the sampler, None if it has none, and the evaluator or GPD's
    classifier.

    folder: with the networks' .safetensors files.
    device: where torch computes, "cpu" or "cuda".
    method: one of `METHODS`.

    Raises WeightsError if one is missing or does not fit.
    """
    files = weights_files(folder, method)
    loads = METHODS[method].weights.values()
    *source, scorer = [load(file).to(device) for load, file in zip(loads, files, strict=True)]
    return (source[0] if source else None), scorer


def predict(
    cloud: np.ndarray,
    sampler: Sampler | None,
    evaluator: Any,
    settings: PredictSettings,
    rng: np.random.Generator,
    *,
    scene: np.ndarray | None = None,
    gripper: ParallelJaw = FRANKA,
) -> Prediction:
    """Grasps for the observed points of one object.

    The networks see a random resample in its `frame.object_frame`. The count of points between the
    fingers uses all points.

    cloud: (M, 3), camera frame, metres.
    sampler, evaluator: of `load_networks` for the method.
    settings: with the method.
    rng: of all that is drawn.
    scene: (K, 3), points observed around the object; a hand that contains one of these also
        collides.
    gripper: the networks were trained for the Franka Hand only. Another gripper gets the same
        grasps, with its pads in the same place, and `note` says so.

    Raises CaptureError for a cloud that is empty, of a wrong shape, or not finite.
    """
    cloud, note, method = checked_cloud(cloud), "", METHODS[settings.method]
    refinement, camera_T_frame = method.find(
        cloud, sampler, evaluator, settings, rng=rng, gripper=gripper
    )
    if gripper.name != FRANKA.name:
        note = f"the networks were trained for the {FRANKA.title}, not for the {gripper.title}"
    told = {"scene": scene, "settings": settings, "gripper": gripper, "note": note}
    return _rank(refinement, camera_T_frame, cloud, **told)


def _graspnet(cloud, sampler, evaluator, settings, *, rng, gripper):
    def propose(points, frame_T_camera, generator):
        seen = points[: sampler.settings.points]
        latents = settings.latents
        return sample(sampler, seen, settings.samples, generator, latents=latents)[0]

    taken = max(evaluator.settings.points, sampler.settings.points)
    return _refined(propose, cloud, evaluator, settings, rng, taken=taken, gripper=gripper)


def _geometric(cloud, sampler, evaluator, settings, *, rng, gripper):
    def propose(points, frame_T_camera, generator):
        poses = frame_T_camera @ sample_geometric(cloud, settings.samples, rng)
        return torch.as_tensor(poses, dtype=points.dtype, device=points.device)

    taken = evaluator.settings.points
    return _refined(propose, cloud, evaluator, settings, rng, taken=taken, gripper=gripper)


def _refined(propose, cloud, evaluator, settings, rng, *, taken, gripper):
    """The refinement of the grasps that `propose` makes from `taken` points, in the graspnet object
    frame.
    """
    device = next(evaluator.parameters()).device
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    seen = resample(cloud, taken, rng)
    camera_T_frame = object_frame(seen)
    frame_T_camera = pose.inverse(camera_T_frame)
    points = pose.transform(frame_T_camera, seen)
    points = torch.as_tensor(points, dtype=torch.float32, device=device)
    grasps, observed = (
        propose(points, frame_T_camera, generator),
        points[: evaluator.settings.points],
    )
    how = {"method": settings.refinement, "generator": generator}
    refinement = refine(evaluator, observed, grasps, settings.steps, **how)
    if gripper.name != FRANKA.name:
        to_pads = torch.eye(4, dtype=refinement.grasps.dtype, device=device)
        to_pads[2, 3] = FRANKA.pad_z - gripper.pad_z
        refinement = replace(refinement, grasps=refinement.grasps @ to_pads)
    return refinement, camera_T_frame


def _gpd(cloud, sampler, network, settings, *, rng, gripper):
    # Grasps and scores are final: no steps, in the camera frame.
    chosen = network.settings
    if gripper.name != FRANKA.name:
        chosen = replace(chosen, hand=gripper.name)
    grasps, scores = detect(cloud, network, chosen, settings.samples, rng)
    return Refinement(torch.as_tensor(grasps)[None], torch.as_tensor(scores)[None]), np.eye(4)


METHODS = {
    "graspnet": Method(
        "6-DOF GraspNet, samples of the VAE refined by the evaluator (section 3)",
        {"sampler": load_sampler, "evaluator": load_evaluator},
        _graspnet,
    ),
    "geometric": Method(
        "samples along the observed surface's normals, refined by the evaluator (Fig. 11)",
        {"evaluator": load_evaluator},
        _geometric,
    ),
    "gpd": Method("the detector GPD of ten Pas et al. (Table 1)", {"gpd": load_gpd}, _gpd),
}


def _rank(refinement, camera_T_frame, cloud, *, scene, settings, gripper, note):
    """The Prediction of a `Refinement` in a frame (4, 4)."""
    _, scores, step, above = (
        values.cpu().numpy() for values in best_of_iterations(refinement, settings.threshold)
    )
    iterations = camera_T_frame @ refinement.grasps.cpu().numpy().astype(float)
    best = iterations[step, np.arange(len(step))]
    collides, between = contact_check(best, cloud, gripper=gripper)
    if scene is not None:
        near = within_reach(best, scene, gripper=gripper)
        few = thinned(near)
        collides |= contact_check(best, few, gripper=gripper)[0]
        if len(few) < len(near):
            text = f"the {len(near)} points in the hand's reach were thinned to one per 3 mm"
            note = "; ".join(filter(None, (note, text)))
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
        gripper,
        note,
    )
