"""The losses of the high-DOF paper (sections IV-B to IV-D and V-C1) on pose vectors x =
[translation, quaternion, joints].

The paper names no unit of its residuals. Here joints count in rad, quaternions as they are, of q
and -q the nearer one, and lengths in units of 0.1 m, those of translations as those of
penetrations, so that a hand's wrist and joints weigh about alike. That is a choice: no unit fits
all of the paper's figures. In this one 2.563 points at 0.0553 m make 0.78 of the printed
L_collision of 0.914, but 0.719 points at 0.0081 m only 0.005 of the printed 0.345.
"""

import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.objects.rotations import turned_distance

LENGTH = 0.1


def units(x):
    """The unit (7 + J,) of each number of pose vectors x (B, 7 + J), in metres, as it is, or in
    rad.
    """
    found = torch.ones_like(x[0])
    found[:3] = LENGTH
    return found


def squared_parts(x, grasps):
    """The parts (B, K, 3) of ‖x - x_j‖² that translations, quaternions and joints have; see
    `squared_distances`.
    """
    squares = (x[:, None] - grasps).square()
    turned = (x[:, None, 3:7] + grasps[..., 3:7]).square().sum(dim=-1)
    quaternions = torch.minimum(squares[..., 3:7].sum(dim=-1), turned)
    return torch.stack(
        [squares[..., :3].sum(dim=-1) / LENGTH**2, quaternions, squares[..., 7:].sum(dim=-1)],
        dim=-1,
    )


def squared_distances(x, grasps):
    """‖x - x_j‖² (B, K) of pose vectors x (B, 7 + J) to grasps (B, K, 7 + J); differentiable in x."""
    return squared_parts(x, grasps).sum(dim=-1)


def consistency(x, grasps):
    """L_consistency (B,): the squared distance to the nearest of the K grasps, whose subgradient
    the paper gives (IV-B).
    """
    return squared_distances(x, grasps).amin(dim=1)


def penetrations(hand, x, fields, which, turned_T_object, points, links):
    """How deep (B, P), metres, points (P, 3) on the `links` (P,) of a hand are inside objects, 0
    outside: -min(o_s, 0).

    x (B, 7 + J) in the turned frames turned_T_object (B, 4, 4) of the objects which (B,) of
    `distance.Fields`: equation 3.
    """
    wrist, joints = pose_vector.split(x)
    placed = place(hand, wrist, joints, points, links)
    return -turned_distance(fields, turned_T_object, placed, which).clamp(max=0)


def collision(depths):
    """L_collision (B,) of penetrations (B, P): the sum of their squares (IV-C)."""
    return (depths / LENGTH).square().sum(dim=-1)


def combined(consistency, collision, beta):
    """Equation 2: β · L_consistency + (1 - β) · L_collision."""
    return beta * consistency + (1 - beta) * collision
