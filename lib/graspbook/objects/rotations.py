"""The rotations by which the high-DOF paper multiplies its objects (section V-A2), and the way back
to the object frame.

The turned frame of an object has its centre of mass at the origin: `turned_T_object` is the paper's
T_r. A network sees the occupancy of the turned object and answers with `turned_T_hand`;
`pose.inverse(turned_T_object) @ turned_T_hand` is the hand's pose in the object frame.
"""

from itertools import product

import numpy as np

from graspbook import pose
from graspbook.objects.distance import lookup

_ANGLES = np.deg2rad([60.0, 120.0, 180.0])


STORED = 26  # of the rotations, the identity


def rotations():
    """The paper's 27 rotation matrices (27, 3, 3): by 60°, 120° or 180° about X, then about Y, then
    about Z, axes fixed.

    All differ, and the last, 180° about each axis, is the identity: the object as it is stored is
    among them.
    """
    about = [[pose.rotation_about(axis, angle) for angle in _ANGLES] for axis in np.eye(3)]
    return np.array([z @ y @ x for x, y, z in product(*about)])


def turned_frame(rotation, com):
    """`turned_T_object` (..., 4, 4) of rotations (..., 3, 3) about the centre of mass (3,), which
    becomes the origin.
    """
    return pose.from_rt(rotation, -np.asarray(rotation) @ np.asarray(com, float))


def turned_distance(fields, turned_T_object, points, which=None):
    """Signed distances (B, ...) of points (B, ..., 3) in the turned frames turned_T_object (B, 4,
    4): equation 3.

    Torch, differentiable in the points. All rotations of an object share its field; fields, which:
    as for `distance.lookup`, which does the paper's T_sdf.
    """
    flat = points.reshape(len(points), -1, 3)
    in_object = (flat - turned_T_object[:, None, :3, 3]) @ turned_T_object[:, :3, :3]
    return lookup(fields, in_object.reshape(points.shape), which)
