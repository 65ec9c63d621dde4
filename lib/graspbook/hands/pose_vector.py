"""The high-DOF paper's pose vector x: where the wrist is and what the joints do, (..., 7 + J) for a
hand of J joints.

x = [translation (3, metres), quaternion w, x, y, z (4), joints (J, rad, in the order of
`Hand.joints`)]: 25 numbers for the Shadow Hand, 11 for the Barrett Hand (section III, and Table I).
Quaternions have unit length and w >= 0.
"""

from typing import Any

import numpy as np

from graspbook import pose


def join(wrist: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Pose vectors (..., 7 + J), numpy.

    wrist: poses (..., 4, 4).
    joints: values (..., J).
    """
    wrist, joints = np.asarray(wrist, float), np.asarray(joints, float)
    head = np.concatenate(
        [wrist[..., :3, 3], pose.matrix_to_quat_wxyz(wrist[..., :3, :3])], axis=-1
    )
    batch = np.broadcast_shapes(head.shape[:-1], joints.shape[:-1])
    return np.concatenate(
        [np.broadcast_to(head, (*batch, 7)), np.broadcast_to(joints, (*batch, joints.shape[-1]))],
        axis=-1,
    )


def split(x: Any) -> tuple[Any, Any]:
    """Wrist poses (..., 4, 4) and joint values (..., J), torch, differentiable.

    x: pose vectors, their quaternions of any length.
    """
    return pose.from_rt_torch(pose.quat_wxyz_to_matrix_torch(x[..., 3:7]), x[..., :3]), x[..., 7:]


def normalise(x: Any) -> Any:
    """The same pose vectors with quaternions of unit length and w >= 0; torch, differentiable.

    x: pose vectors.
    """
    import torch

    quat = torch.nn.functional.normalize(x[..., 3:7], dim=-1)
    return torch.cat([x[..., :3], torch.where(quat[..., :1] < 0, -quat, quat), x[..., 7:]], dim=-1)
