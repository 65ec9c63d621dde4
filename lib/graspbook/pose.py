"""Rigid transforms as 4x4 homogeneous matrices, in numpy (float64) and torch (float32).

`a_T_b` maps coordinates in frame b to frame a. Leading dimensions are batches and free everywhere.
Quaternions are w, x, y, z (`quat_wxyz`), of unit length, with w >= 0: q and -q are one rotation.
Torch is imported where it is used: it takes seconds, and most of the library does without.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import torch


def from_rt(rotation: ArrayLike, translation: ArrayLike) -> np.ndarray:
    """Pose (..., 4, 4) of a rotation and a translation.

    rotation: matrices (..., 3, 3).
    translation: (..., 3) metres.
    """
    turn, shift = np.asarray(rotation, float), np.asarray(translation, float)
    pose = np.zeros((*np.broadcast_shapes(turn.shape[:-2], shift.shape[:-1]), 4, 4))
    pose[..., :3, :3] = turn
    pose[..., :3, 3] = shift
    pose[..., 3, 3] = 1.0
    return pose


def from_rt_torch(rotation: "torch.Tensor", translation: "torch.Tensor") -> "torch.Tensor":
    """The same pose (..., 4, 4) in torch, differentiable in both.

    rotation: matrices (..., 3, 3).
    translation: (..., 3) metres.
    """
    import torch

    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    bottom = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:-2], 1, 4)
    return torch.cat([upper, bottom], dim=-2)


def inverse(pose: np.ndarray) -> np.ndarray:
    """Inverse of rigid numpy poses: `inverse(a_T_b)` is `b_T_a`.

    pose: (..., 4, 4).
    """
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    return from_rt(rotation, -(rotation @ pose[..., :3, 3:])[..., 0])


def transform(pose: Any, points: Any) -> Any:
    """Points in frame b, mapped to frame a; numpy or torch.

    pose: `a_T_b` (..., 4, 4).
    points: (..., N, 3).
    """
    return points @ pose[..., :3, :3].swapaxes(-1, -2) + pose[..., None, :3, 3]


def rotation_about(axis: ArrayLike, angle: ArrayLike) -> np.ndarray:
    """Rotation matrices (..., 3, 3) about an axis.

    axis: (..., 3), of any length but zero.
    angle: (...) radians.
    """
    along, half = np.asarray(axis, float), np.asarray(angle, float)[..., None] / 2
    vector = np.sin(half) * along / np.linalg.norm(along, axis=-1, keepdims=True)
    real = np.broadcast_to(np.cos(half), (*vector.shape[:-1], 1))
    return quat_wxyz_to_matrix(np.concatenate([real, vector], axis=-1))


def align_z(direction: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) with a given z axis, the x axis an arbitrary but fixed choice.

    direction: (..., 3) the z axis, of any length but zero.
    """
    z = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    helper = np.where(np.abs(z[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    y = np.cross(z, helper)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def random_rotations(n: int, rng: np.random.Generator) -> np.ndarray:
    """Rotation matrices (n, 3, 3), uniform on SO(3): normalised Gaussian quaternions.

    n: how many.
    rng: draws them.
    """
    return quat_wxyz_to_matrix(rng.normal(size=(n, 4)))


def quat_wxyz_to_matrix(quat: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of quaternions, numpy.

    quat: (..., 4), normalised here.
    """
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.stack(_quat_rows(quat), axis=-1).reshape(*quat.shape[:-1], 3, 3)


def quat_wxyz_to_matrix_torch(quat: "torch.Tensor") -> "torch.Tensor":
    """Rotation matrices (..., 3, 3) of quaternions, torch, differentiable.

    quat: (..., 4), normalised here.
    """
    import torch

    quat = torch.nn.functional.normalize(quat, dim=-1)
    return torch.stack(_quat_rows(quat), dim=-1).reshape(*quat.shape[:-1], 3, 3)


def _quat_rows(quat):
    w, x, y, z = quat[..., 0], quat[..., 1], quat[..., 2], quat[..., 3]
    return [
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    ]


def matrix_to_quat_wxyz(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) with w >= 0 of numpy rotation matrices.

    rotation: (..., 3, 3).
    """
    m = np.asarray(rotation, float)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four times q q^T: its row with the largest diagonal entry is the quaternion, safe from
    # cancellation.
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., 0, 0], products[..., 1, 1] = 1 + xx + yy + zz, 1 + xx - yy - zz
    products[..., 2, 2], products[..., 3, 3] = 1 - xx + yy - zz, 1 - xx - yy + zz
    for a, b, c in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        real, imaginary = m[..., c, b] - m[..., b, c], m[..., b, a] + m[..., a, b]
        products[..., 0, a + 1] = products[..., a + 1, 0] = real
        products[..., a + 1, b + 1] = products[..., b + 1, a + 1] = imaginary
    best = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(products, best[..., None, None], axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(quat[..., :1] < 0, -quat, quat)


def euler_sxyz_to_matrix_torch(angles: "torch.Tensor") -> "torch.Tensor":
    """Rotation matrices (..., 3, 3) = Rz(c) Ry(b) Rx(a) of static-axes angles; differentiable.

    angles: (..., 3) a, b, c about x, y, z, radians.
    """
    import torch

    (ca, cb, cc), (sa, sb, sc) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    first = [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc]
    second = [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc]
    rows = torch.stack([*first, *second, -sb, sa * cb, ca * cb], dim=-1)
    return rows.reshape(*angles.shape[:-1], 3, 3)


def matrix_to_euler_sxyz_torch(rotation: "torch.Tensor") -> "torch.Tensor":
    """Static-axes x, y, z angles a, b, c (..., 3) in radians; c = 0 at the poles b = ±π/2.

    rotation: (..., 3, 3) torch.
    """
    import torch

    m, atan2 = rotation, torch.atan2
    flat = torch.hypot(m[..., 0, 0], m[..., 1, 0])
    pole = flat < 1e-6
    at_pole, elsewhere = atan2(-m[..., 1, 2], m[..., 1, 1]), atan2(m[..., 2, 1], m[..., 2, 2])
    a, b = torch.where(pole, at_pole, elsewhere), atan2(-m[..., 2, 0], flat)
    c = torch.where(pole, torch.zeros_like(flat), atan2(m[..., 1, 0], m[..., 0, 0]))
    return torch.stack([a, b, c], dim=-1)
