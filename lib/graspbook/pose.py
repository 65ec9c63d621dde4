"""Rigid transforms as 4x4 homogeneous matrices, in numpy (float64) and torch (float32).

`a_T_b` maps coordinates in frame b to frame a. Leading dimensions are batches and free everywhere. Quaternions are
w, x, y, z (`quat_wxyz`), of unit length, with w >= 0: q and -q are one rotation. Torch is imported where it is used: it takes
seconds, and most of the library does without.
"""

import numpy as np


def from_rt(rotation, translation):
    """Pose (..., 4, 4) from rotation matrices (..., 3, 3) and translations (..., 3) in metres."""
    rotation, translation = np.asarray(rotation, float), np.asarray(translation, float)
    pose = np.zeros((*np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1]), 4, 4))
    pose[..., :3, :3] = rotation
    pose[..., :3, 3] = translation
    pose[..., 3, 3] = 1.0
    return pose


def from_rt_torch(rotation, translation):
    """The same pose (..., 4, 4) from torch rotations (..., 3, 3) and translations (..., 3),
    differentiable in both.
    """
    import torch

    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    bottom = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:-2], 1, 4)
    return torch.cat([upper, bottom], dim=-2)


def inverse(pose):
    """Inverse of rigid numpy poses (..., 4, 4): `inverse(a_T_b)` is `b_T_a`."""
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    return from_rt(rotation, -(rotation @ pose[..., :3, 3:])[..., 0])


def transform(pose, points):
    """Points (..., N, 3) in frame b, mapped by `a_T_b` (..., 4, 4) to frame a; numpy or torch."""
    return points @ pose[..., :3, :3].swapaxes(-1, -2) + pose[..., None, :3, 3]


def rotation_about(axis, angle):
    """Rotation matrices (..., 3, 3) about `axis` (..., 3), of any length but zero, by `angle` (...)
    in radians.
    """
    axis, half = np.asarray(axis, float), np.asarray(angle, float)[..., None] / 2
    vector = np.sin(half) * axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    real = np.broadcast_to(np.cos(half), (*vector.shape[:-1], 1))
    return quat_wxyz_to_matrix(np.concatenate([real, vector], axis=-1))


def align_z(direction):
    """Rotation matrices (..., 3, 3) whose z axis is `direction` (..., 3), x axis an arbitrary but
    fixed choice.
    """
    z = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    helper = np.where(np.abs(z[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    y = np.cross(z, helper)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def random_rotations(n, rng):
    """Rotation matrices (n, 3, 3), uniform on SO(3): normalised Gaussian quaternions."""
    return quat_wxyz_to_matrix(rng.normal(size=(n, 4)))


def quat_wxyz_to_matrix(quat):
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), numpy; normalised here."""
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.stack(_quat_rows(quat), axis=-1).reshape(*quat.shape[:-1], 3, 3)


def quat_wxyz_to_matrix_torch(quat):
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), torch, differentiable; normalised
    here.
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


def matrix_to_quat_wxyz(rotation):
    """Unit quaternions (..., 4) with w >= 0 of numpy rotation matrices (..., 3, 3)."""
    m = np.asarray(rotation, float)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four times q q^T: its row with the largest diagonal entry is the quaternion, safe from
    # cancellation.
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., 0, 0], products[..., 1, 1] = 1 + xx + yy + zz, 1 + xx - yy - zz
    products[..., 2, 2], products[..., 3, 3] = 1 - xx + yy - zz, 1 - xx - yy + zz
    for i, j, value in [
        (0, 1, m[..., 2, 1] - m[..., 1, 2]),
        (0, 2, m[..., 0, 2] - m[..., 2, 0]),
        (0, 3, m[..., 1, 0] - m[..., 0, 1]),
        (1, 2, m[..., 1, 0] + m[..., 0, 1]),
        (1, 3, m[..., 0, 2] + m[..., 2, 0]),
        (2, 3, m[..., 2, 1] + m[..., 1, 2]),
    ]:
        products[..., i, j] = products[..., j, i] = value
    best = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(products, best[..., None, None], axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(quat[..., :1] < 0, -quat, quat)


def euler_sxyz_to_matrix_torch(angles):
    """Rotation matrices (..., 3, 3) = Rz(c) Ry(b) Rx(a) of static-axes x, y, z angles a, b, c (...,
    3); differentiable.
    """
    import torch

    (ca, cb, cc), (sa, sb, sc) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = [
        cb * cc,
        sa * sb * cc - ca * sc,
        ca * sb * cc + sa * sc,
        cb * sc,
        sa * sb * sc + ca * cc,
        ca * sb * sc - sa * cc,
        -sb,
        sa * cb,
        ca * cb,
    ]
    return torch.stack(rows, dim=-1).reshape(*angles.shape[:-1], 3, 3)


def matrix_to_euler_sxyz_torch(rotation):
    """Static-axes x, y, z angles (..., 3) in radians of torch rotation matrices (..., 3, 3); c = 0
    at the poles b = ±π/2.
    """
    import torch

    flat = torch.hypot(rotation[..., 0, 0], rotation[..., 1, 0])
    pole = flat < 1e-6
    a = torch.where(
        pole,
        torch.atan2(-rotation[..., 1, 2], rotation[..., 1, 1]),
        torch.atan2(rotation[..., 2, 1], rotation[..., 2, 2]),
    )
    b = torch.atan2(-rotation[..., 2, 0], flat)
    c = torch.where(
        pole, torch.zeros_like(flat), torch.atan2(rotation[..., 1, 0], rotation[..., 0, 0])
    )
    return torch.stack([a, b, c], dim=-1)
