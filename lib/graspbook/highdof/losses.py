"""The losses of the high-DOF paper (sections IV-B to IV-D and V-C1) on pose vectors x =
[translation, quaternion, joints].

The paper names no unit of its residuals. Here joints count in rad, and quaternions as the nearer of
q and -q. All lengths, of translations and penetrations, count in units of 0.1 m. A hand's wrist and
joints thus have about equal weight. This is a choice, because no unit fits all of the paper's
figures. In this unit, 2.563 points at 0.0553 m give 0.78 of the printed L_collision of 0.914. But
0.719 points at 0.0081 m give only 0.005 of the printed 0.345.
"""

from typing import TypeVar

import numpy as np
import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, place
from graspbook.hands.parts import Points
from graspbook.objects.distance import Fields
from graspbook.objects.rotations import turned_distance

LENGTH = 0.1
# Of several heads: the share of the loss that all of them have, so that none is never used, and the
# weight of their choice.
_ALL, _CHOICE = 0.05, 0.2
Loss = TypeVar("Loss", torch.Tensor, np.ndarray, float)


def units(x: torch.Tensor) -> torch.Tensor:
    """The unit (7 + J,) of each number of pose vectors: metres, none, or rad.

    x: (B, 7 + J).
    """
    found = torch.ones_like(x[0])
    found[:3] = LENGTH
    return found


def squared_parts(x: torch.Tensor, grasps: torch.Tensor) -> torch.Tensor:
    """The parts (B, K, 3) of ‖x - x_j‖² from translations, quaternions and joints.

    x, grasps: (B, 7 + J) and (B, K, 7 + J).
    """
    squares = (x[:, None] - grasps).square()
    turned = (x[:, None, 3:7] + grasps[..., 3:7]).square().sum(dim=-1)
    quaternions = torch.minimum(squares[..., 3:7].sum(dim=-1), turned)
    return torch.stack(
        [squares[..., :3].sum(dim=-1) / LENGTH**2, quaternions, squares[..., 7:].sum(dim=-1)],
        dim=-1,
    )


def squared_distances(x: torch.Tensor, grasps: torch.Tensor) -> torch.Tensor:
    """‖x - x_j‖² (B, K) of pose vectors to grasps; differentiable in x.

    x, grasps: (B, 7 + J) and (B, K, 7 + J).
    """
    return squared_parts(x, grasps).sum(dim=-1)


def consistency(x: torch.Tensor, grasps: torch.Tensor) -> torch.Tensor:
    """L_consistency (B,): the squared distance to the nearest of the K grasps; the paper gives its
    subgradient (IV-B).

    x, grasps: (B, 7 + J) and (B, K, 7 + J).
    """
    return squared_distances(x, grasps).amin(dim=1)


def penetrations(
    hand: Hand,
    x: torch.Tensor,
    fields: Fields,
    which: torch.Tensor,
    turned_T_object: torch.Tensor,
    *,
    contacts: Points,
) -> torch.Tensor:
    """Penetration depth (B, P), metres, of a hand's points in objects, 0 outside: -min(o_s, 0) of
    equation 3.

    hand: with these points.
    x: (B, 7 + J), pose vectors in the turned frames.
    fields: of objects in their own frames.
    which: (B,), the object of each pose.
    turned_T_object: (B, 4, 4).
    contacts: the P points.
    """
    wrist, joints = pose_vector.split(x)
    placed = place(hand, wrist, joints, contacts.points, contacts.links)
    return -turned_distance(fields, turned_T_object, placed, which).clamp(max=0)


def collision(depths: torch.Tensor) -> torch.Tensor:
    """L_collision (B,): the sum of the squares of penetrations (IV-C).

    depths: (B, P), metres.
    """
    return (depths / LENGTH).square().sum(dim=-1)


def combined(consistency: Loss, collision: Loss, beta: float) -> Loss:
    """Equation 2: β · L_consistency + (1 - β) · L_collision.

    consistency, collision: losses, tensors, arrays or numbers.
    beta: 0 to 1.
    """
    return beta * consistency + (1 - beta) * collision


def of_heads(values: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """The loss of answers of H heads. Only the best head of each example learns from it, but for a
    small share. The scores learn which head that is. With one head it is the mean.

    values: (B, H), losses of each answer.
    scores: (B, H), or (B, 0) for one head.
    """
    best = values.amin(dim=1).mean()
    if values.shape[1] == 1:
        return best
    choice = torch.nn.functional.cross_entropy(scores, values.detach().argmin(dim=1))
    return (1 - _ALL) * best + _ALL * values.mean() + _CHOICE * choice
