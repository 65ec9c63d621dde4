"""Refinement of grasps by the evaluator. Methods are its gradient (section 3.3, equation 6),
Metropolis-Hastings (released code), and the gradient of the log odds (ours).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.evaluator import Evaluator, score, success_probability

MAX_TRANSLATION = 0.01
# Ours: length of the first and of the last step in metres, and the metres that equal one radian:
# about half a hand.
STEP_LENGTHS, RADIAN = (0.006, 0.001), 0.06


@dataclass(frozen=True)
class Refinement:
    """Grasps (S + 1, K, 4, 4) and scores (S + 1, K) after 0, 1, ... S steps, in the graspnet object
    frame.
    """

    grasps: Tensor
    scores: Tensor


def refine_by_gradient(
    evaluator: Evaluator,
    cloud: Tensor,
    grasps: Tensor,
    steps: int = 10,
    *,
    generator: torch.Generator | None = None,
    max_translation: float = MAX_TRANSLATION,
    chunk: int = 256,
) -> Refinement:
    """Climb the success probability S (section 3.3, equation 6).

    Each step adds η·∂S/∂(Euler angles) to the static-axes x, y, z angles and η·∂S/∂T to the
    translation, with η = min(max_translation / |∂S/∂T|, 1).

    evaluator: the network that gives S.
    cloud: (N, 3), metres, in the graspnet object frame.
    grasps: (K, 4, 4), in the same frame.
    steps: number of refinement steps.
    generator: unused, nothing is drawn.
    max_translation: the largest motion of a grasp per step, metres.
    chunk: grasps refined together.
    """
    climb = partial(_climb, steps=steps, max_translation=max_translation)
    return _in_chunks(climb, evaluator, cloud, grasps, chunk)


def _in_chunks(climb, evaluator, cloud, grasps, chunk):
    groups = evaluator.prepare(cloud[None])
    parts = [climb(evaluator, cloud[None], groups, part) for part in grasps.split(chunk)]
    return Refinement(*(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))


def _climb(evaluator, points, groups, grasps, *, steps, max_translation):
    angles, translation = pose.matrix_to_euler_sxyz_torch(grasps[:, :3, :3]), grasps[:, :3, 3]
    visited, scores = [], []
    for step in range(steps + 1):
        angles = angles.detach().requires_grad_()
        translation = translation.detach().requires_grad_()
        placed = pose.from_rt_torch(pose.euler_sxyz_to_matrix_torch(angles), translation)
        success = success_probability(evaluator(points, groups, placed[None]))[0]
        visited.append(placed.detach())
        scores.append(success.detach())
        if step < steps:
            turn, shift = torch.autograd.grad(success.sum(), [angles, translation])
            size = shift.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            eta = (max_translation / size).clamp_max(1.0)
            angles, translation = angles + eta * turn, translation + eta * shift
    return torch.stack(visited), torch.stack(scores)


def refine_by_log_odds(
    evaluator: Evaluator,
    cloud: Tensor,
    grasps: Tensor,
    steps: int = 10,
    *,
    generator: torch.Generator | None = None,
    chunk: int = 256,
) -> Refinement:
    """Climb the log odds log(S / (1 - S)) of the success probability S (ours).

    Each step follows the gradient over translation and rotation in the hand's own frame, where a
    radian counts as 6 cm. Its length falls geometrically from 6 mm to 1 mm. Unlike S, the log odds
    keep a slope for grasps that almost certainly fail or hold. Fixed lengths that shrink neither
    stall nor overshoot.

    evaluator, cloud, grasps, steps, generator, chunk: as for `refine_by_gradient`.
    """
    climb = partial(_climb_log_odds, steps=steps)
    return _in_chunks(climb, evaluator, cloud, grasps, chunk)


def _climb_log_odds(evaluator, points, groups, grasps, *, steps):
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
            size = slope.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            grasps = _moved(grasps, length * slope / size)
    return torch.stack(visited), torch.stack(scores)


def _moved(grasps, motion):
    """Grasps (K, 4, 4) moved in their own frames by motion (K, 6): metres along x, y, z, and
    radians about them over `RADIAN`.
    """
    turn = pose.euler_sxyz_to_matrix_torch(motion[:, 3:] / RADIAN)
    rotation = grasps[:, :3, :3]
    shift = (rotation @ motion[:, :3, None])[..., 0]
    return pose.from_rt_torch(rotation @ turn, grasps[:, :3, 3] + shift)


@torch.no_grad()
def refine_by_metropolis(
    evaluator: Evaluator,
    cloud: Tensor,
    grasps: Tensor,
    steps: int = 20,
    *,
    generator: torch.Generator,
    translation: float = 0.02,
    rotation: float = 0.0,
) -> Refinement:
    """Metropolis-Hastings with the success probability as density (released code).

    A proposal replaces the grasp with probability min(1, p'/p).

    evaluator, cloud, grasps, steps: as for `refine_by_gradient`.
    generator: of the proposals.
    translation: the largest change of each coordinate per proposal, metres.
    rotation: the largest change of each Euler angle, radians; zero in the released code.
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
        place = torch.where(accept[:, None], moved_place, place)
        angles = torch.where(accept[:, None], moved_angles, angles)
        current = torch.where(accept[:, None, None], moved, current)
        visited.append(current)
        scores.append(torch.where(accept, moved_score, scores[-1]))
    return Refinement(torch.stack(visited), torch.stack(scores))


METHODS: dict[str, Callable[..., Refinement]] = {
    "gradient": refine_by_gradient,
    "log_odds": refine_by_log_odds,
    "metropolis": refine_by_metropolis,
}


def refine(
    evaluator: Evaluator,
    cloud: Tensor,
    grasps: Tensor,
    steps: int,
    *,
    method: str,
    generator: torch.Generator,
) -> Refinement:
    """The refinement of grasps on a cloud by a named method.

    evaluator, cloud, grasps, steps: as for `refine_by_gradient`.
    method: one of `METHODS`.
    generator: of the method's random numbers.

    Raises ParameterError for an unknown method.
    """
    if method not in METHODS:
        raise ParameterError(f"refinement {method!r}, expected one of {', '.join(METHODS)}")
    return METHODS[method](evaluator, cloud, grasps, steps, generator=generator)


def best_of_iterations(
    refinement: Refinement, threshold: float = 0.8
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each sample's best-scoring step (released code).

    refinement: of K samples.
    threshold: grasps with a higher score count as good.

    Returns grasps (K, 4, 4), scores (K,), the step of each (K,), and which scores exceed the
    threshold (K,) bool.
    """
    scores, step = refinement.scores.max(dim=0)
    grasps = refinement.grasps[step, torch.arange(len(step), device=step.device)]
    return grasps, scores, step, scores > threshold
