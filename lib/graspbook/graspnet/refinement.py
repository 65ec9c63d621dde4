"""Improving grasps by the evaluator: along its gradient (section 3.3, equation 6), by
Metropolis-Hastings (released code), or along the gradient of the log odds (ours).
"""

from dataclasses import dataclass

import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.evaluator import score, success_probability

METHODS = ("gradient", "log_odds", "metropolis")
MAX_TRANSLATION = 0.01
# Ours: length of the first and of the last step in metres, and the metres that one radian counts
# as: about half a hand.
STEP_LENGTHS, RADIAN = (0.006, 0.001), 0.06


@dataclass(frozen=True)
class Refinement:
    """Grasps (S + 1, K, 4, 4) and scores (S + 1, K) after 0, 1, ... S steps, in the graspnet object
    frame.
    """

    grasps: torch.Tensor
    scores: torch.Tensor


def refine(evaluator, cloud, grasps, method, steps, generator):
    """The refinement of grasps (K, 4, 4) on a cloud (N, 3) by a named method."""
    if method == "gradient":
        return refine_by_gradient(evaluator, cloud, grasps, steps)
    if method == "log_odds":
        return refine_by_log_odds(evaluator, cloud, grasps, steps)
    if method == "metropolis":
        return refine_by_metropolis(evaluator, cloud, grasps, generator, steps)
    raise ParameterError(f"refinement {method!r}, expected one of {', '.join(METHODS)}")


def refine_by_gradient(
    evaluator, cloud, grasps, steps=10, max_translation=MAX_TRANSLATION, chunk=256
):
    """Climb the success probability S of grasps (K, 4, 4) on a cloud (N, 3), both in the graspnet
    object frame.

    Each step adds η·∂S/∂(Euler angles) to the static-axes x, y, z angles and η·∂S/∂T to the
    translation, with η = min(max_translation / |∂S/∂T|, 1), so that no translation moves further
    than max_translation metres a step.
    """
    groups = evaluator.prepare(cloud[None])
    parts = [
        _climb(evaluator, cloud[None], groups, part, steps, max_translation)
        for part in grasps.split(chunk)
    ]
    return Refinement(
        torch.cat([g for g, _ in parts], dim=1), torch.cat([s for _, s in parts], dim=1)
    )


def _climb(evaluator, points, groups, grasps, steps, max_translation):
    angles, translation = pose.matrix_to_euler_sxyz_torch(grasps[:, :3, :3]), grasps[:, :3, 3]
    visited, scores = [], []
    for step in range(steps + 1):
        angles, translation = (
            angles.detach().requires_grad_(),
            translation.detach().requires_grad_(),
        )
        placed = pose.from_rt_torch(pose.euler_sxyz_to_matrix_torch(angles), translation)
        success = success_probability(evaluator(points, groups, placed[None]))[0]
        visited.append(placed.detach())
        scores.append(success.detach())
        if step < steps:
            turn, shift = torch.autograd.grad(success.sum(), [angles, translation])
            eta = (max_translation / shift.norm(dim=-1, keepdim=True).clamp_min(1e-12)).clamp_max(
                1.0
            )
            angles, translation = angles + eta * turn, translation + eta * shift
    return torch.stack(visited), torch.stack(scores)


def refine_by_log_odds(evaluator, cloud, grasps, steps=10, chunk=256):
    """Climb the log odds log(S / (1 - S)) of grasps (K, 4, 4) on a cloud (N, 3), both in the
    graspnet object frame.

    Each step goes along the gradient over translation and rotation in the hand's own frame, a
    radian counted as 6 cm, by a length that falls geometrically from 6 mm to 1 mm. Unlike S, its
    log odds have a slope where the grasp is hopeless and where it is nearly certain; and steps of a
    set length that shrink neither stall nor overshoot.
    """
    groups = evaluator.prepare(cloud[None])
    parts = [
        _climb_log_odds(evaluator, cloud[None], groups, part, steps) for part in grasps.split(chunk)
    ]
    return Refinement(
        torch.cat([g for g, _ in parts], dim=1), torch.cat([s for _, s in parts], dim=1)
    )


def _climb_log_odds(evaluator, points, groups, grasps, steps):
    first, last = STEP_LENGTHS
    visited, scores = [], []
    for step in range(steps + 1):
        motion = torch.zeros(len(grasps), 6, device=grasps.device, requires_grad=True)
        logits = evaluator(points, groups, _moved(grasps, motion)[None])[0]
        visited.append(grasps)
        scores.append(success_probability(logits.detach()))
        if step < steps:
            slope = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), motion)[0]
            length = first * (last / first) ** (step / max(1, steps - 1))
            grasps = _moved(
                grasps, length * slope / slope.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            )
    return torch.stack(visited), torch.stack(scores)


def _moved(grasps, motion):
    """Grasps (K, 4, 4) moved in their own frames by motion (K, 6): metres along x, y, z, and
    radians about them over `RADIAN`.
    """
    turn = pose.euler_sxyz_to_matrix_torch(motion[:, 3:] / RADIAN)
    rotation = grasps[:, :3, :3]
    return pose.from_rt_torch(
        rotation @ turn, grasps[:, :3, 3] + (rotation @ motion[:, :3, None])[..., 0]
    )


@torch.no_grad()
def refine_by_metropolis(
    evaluator, cloud, grasps, generator, steps=20, translation=0.02, rotation=0.0
):
    """Metropolis-Hastings over grasps (K, 4, 4) on a cloud (N, 3) with the success probability as
    density.

    A proposal moves each coordinate by up to `translation` metres and each Euler angle by up to
    `rotation` radians (the released code's is zero); it replaces the grasp with probability min(1,
    p'/p).
    """
    angles, place = pose.matrix_to_euler_sxyz_torch(grasps[:, :3, :3]), grasps[:, :3, 3]
    current, scores = grasps, [score(evaluator, cloud, grasps)]
    visited = [current]
    for _ in range(steps):
        draws = torch.rand(len(grasps), 7, generator=generator).to(grasps)
        moved_place = place + translation * (2 * draws[:, :3] - 1)
        moved_angles = angles + rotation * (2 * draws[:, 3:6] - 1)
        moved = pose.from_rt_torch(pose.euler_sxyz_to_matrix_torch(moved_angles), moved_place)
        moved_score = score(evaluator, cloud, moved)
        accept = draws[:, 6] * scores[-1] <= moved_score
        place, angles = (
            torch.where(accept[:, None], moved_place, place),
            torch.where(accept[:, None], moved_angles, angles),
        )
        current = torch.where(accept[:, None, None], moved, current)
        visited.append(current)
        scores.append(torch.where(accept, moved_score, scores[-1]))
    return Refinement(torch.stack(visited), torch.stack(scores))


def best_of_iterations(refinement, threshold=0.8):
    """Each sample's best-scoring step (released code).

    Returns grasps (K, 4, 4), scores (K,), the step each was found at (K,), and which scores exceed
    the threshold (K,) bool.
    """
    scores, step = refinement.scores.max(dim=0)
    grasps = refinement.grasps[step, torch.arange(len(step), device=step.device)]
    return grasps, scores, step, scores > threshold
