"""Figures of the networks on held-out objects, without simulation: reconstruction, precision,
calibration.
"""

from collections.abc import Sequence

import numpy as np
import torch

from graspbook.graspnet.batches import evaluator_batch, sampler_batch
from graspbook.graspnet.dataset import Examples
from graspbook.graspnet.evaluator import Evaluator, success_probability
from graspbook.graspnet.network_kinds import Sampler
from graspbook.graspnet.sampler import control_point_distance


@torch.no_grad()
def reconstruction_error(
    sampler: Sampler, examples: Sequence[Examples], batches: int, seed: int
) -> float:
    """Mean control-point distance (equation 3) in metres; positives are decoded from their mean
    latents.

    sampler: the trained network that draws grasps.
    examples: objects with clouds and labelled grasps.
    batches: how many, of 64 positives each.
    seed: which batches are drawn.
    """
    errors, settings = [], sampler.settings
    grouper = settings.grouper()
    for step in range(batches):
        batch = sampler_batch(examples, grouper, seed, step, points=settings.points)
        seen = sampler.observe(batch.points, batch.groups)
        grasps, _ = sampler.decode(seen, sampler.encode(seen, batch.grasps)[0])
        distance = control_point_distance(grasps, batch.grasps, settings.reconstruction)
        errors.append(distance.mean())
    return float(torch.stack(errors).mean())


@torch.no_grad()
def evaluator_scores(
    evaluator: Evaluator, examples: Sequence[Examples], batches: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) bool and predicted success probabilities (N,).

    evaluator: the trained network that scores grasps.
    examples: objects with clouds and labelled grasps.
    batches: how many, of 64 grasps each, 30/30/40 as in training.
    seed: which batches are drawn.
    """
    truth, scores, settings = [], [], evaluator.settings
    grouper = settings.grouper()
    for step in range(batches):
        batch = evaluator_batch(examples, grouper, seed, step, points=settings.points)
        logits = evaluator(batch.points, batch.groups, batch.grasps)
        scores.append(success_probability(logits).flatten())
        truth.append(batch.success.flatten())
    return torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(float)


def calibration(
    truth: np.ndarray, scores: np.ndarray, *, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean score, observed share of positives and count of the grasps in each bin that is not
    empty.

    truth: (N,) bool.
    scores: (N,), in 0..1.
    bins: of equal width.
    """
    which = np.minimum((scores * bins).astype(int), bins - 1)
    used = [k for k in range(bins) if (which == k).any()]
    return (
        np.array([scores[which == k].mean() for k in used]),
        np.array([truth[which == k].mean() for k in used]),
        np.array([(which == k).sum() for k in used]),
    )
