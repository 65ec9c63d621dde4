"""How the networks do on held-out objects before any simulation: reconstruction, precision,
calibration.
"""

import numpy as np
import torch

from graspbook.graspnet.dataset import evaluator_batch, sampler_batch
from graspbook.graspnet.evaluator import object_grouper, success_probability
from graspbook.graspnet.pointnet2 import Grouper
from graspbook.graspnet.sampler import control_point_distance


@torch.no_grad()
def reconstruction_error(sampler, examples, batches, seed):
    """Control-point distance (equation 3) in metres, mean over `batches` of 64 positives, decoded
    from their mean latents.
    """
    errors, group = [], Grouper(sampler.settings.backbone)
    for step in range(batches):
        batch = sampler_batch(examples, group, seed, step, sampler.settings.backbone.points)
        seen = sampler.observe(batch.points, batch.groups)
        grasps, _ = sampler.decode(seen, sampler.encode(seen, batch.grasps)[0])
        errors.append(
            control_point_distance(grasps, batch.grasps, sampler.settings.reconstruction).mean()
        )
    return float(torch.stack(errors).mean())


@torch.no_grad()
def evaluator_scores(evaluator, examples, batches, seed):
    """Labels (N,) bool and predicted success probabilities (N,) on `batches` of 64 grasps, 30/30/40
    as in training.
    """
    truth, scores, group = [], [], object_grouper(evaluator.settings)
    for step in range(batches):
        batch = evaluator_batch(examples, group, seed, step, evaluator.settings.points)
        scores.append(
            success_probability(evaluator(batch.points, batch.groups, batch.grasps)).flatten()
        )
        truth.append(batch.success.flatten())
    return torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(float)


def calibration(truth, scores, bins=10):
    """Mean score, observed share of positives and count of the grasps in each equal bin of [0, 1]
    that is not empty.
    """
    which = np.minimum((scores * bins).astype(int), bins - 1)
    used = [k for k in range(bins) if (which == k).any()]
    return (
        np.array([scores[which == k].mean() for k in used]),
        np.array([truth[which == k].mean() for k in used]),
        np.array([(which == k).sum() for k in used]),
    )
