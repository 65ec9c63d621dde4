"""The graspnet object frame: the networks see clouds and grasps in this frame."""

import numpy as np

from graspbook import pose


def object_frame(cloud: np.ndarray) -> np.ndarray:
    """`camera_T_frame` (4, 4) for one observed object: origin at its points' mean, z ahead.

    The paper's axes are parallel to the camera's (section 3.1), and in training the camera looks at
    the object. Here the axes are turned so that this always holds. An object off the image's centre
    is seen as if the camera had turned to it. The axes are not turned if a point is not in front of
    the camera (z > 0).

    cloud: (M, 3), metres, camera frame.
    """
    centre = cloud.mean(axis=0)
    return pose.from_rt(pose.align_z(centre) if cloud[:, 2].min() > 0 else np.eye(3), centre)
