"""The rotations by which the high-DOF paper multiplies its objects, and back (section V-A2).

The turned frame of an object has its centre of mass at the origin: `turned_T_object` is the paper's
T_r. A network sees the occupancy of the turned object and answers with `turned_T_hand`. The hand's
pose in the object frame is `pose.inverse(turned_T_object) @ turned_T_hand`.
"""

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from graspbook import pose
from graspbook.objects.distance import Fields, lookup

if TYPE_CHECKING:
    import torch

_ANGLES = np.deg2rad([60.0, 120.0, 180.0])
STORED = 26  # of the rotations, the identity


def rotations() -> np.ndarray:
    """The paper's 27 rotations (27, 3, 3): by 60°, 120° or 180° about X, then Y, then Z.

    The axes are fixed. All rotations differ. The last, 180° about each axis, is the identity: the
    object as it is stored is among them.
    """
    about = [[pose.rotation_about(axis, angle) for angle in _ANGLES] for axis in np.eye(3)]
    return np.array([z @ y @ x for x, y, z in product(*about)])


def turned_frame(rotation: np.ndarray, com: np.ndarray) -> np.ndarray:
    """`turned_T_object` (..., 4, 4) of rotations about the centre of mass.

    The centre of mass becomes the origin.

    rotation: (..., 3, 3).
    com: (3,) the centre of mass in the object frame, metres.
    """
    return pose.from_rt(rotation, -np.asarray(rotation) @ np.asarray(com, float))


def turned_distance(
    fields: Fields,
    turned_T_object: "torch.Tensor",
    points: "torch.Tensor",
    which: "torch.Tensor | None" = None,
) -> "torch.Tensor":
    """Signed distances (B, ...) of points in turned frames (the high-DOF paper's equation 3).

    Torch, differentiable in the points. All rotations of an object share its field.

    fields, which: as for `distance.lookup`, which does the paper's T_sdf.
    turned_T_object: (B, 4, 4).
    points: (B, ..., 3) in the turned frames, metres.
    """
    flat = points.reshape(len(points), -1, 3)
    in_object = (flat - turned_T_object[:, None, :3, 3]) @ turned_T_object[:, :3, :3]
    return lookup(fields, in_object.reshape(points.shape), which)
