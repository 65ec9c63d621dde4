"""The graspnet object frame: what the networks see clouds and grasps in."""

import numpy as np

from graspbook import pose


def object_frame(cloud: np.ndarray) -> np.ndarray:
    """`camera_T_frame` (4, 4) for one observed object: origin at its points' mean, z ahead.

    The paper's axes are parallel to the camera's (section 3.1), which looks at the object in
    training. Here they are turned so that it always does: an object beside the image's middle is
    seen as if the camera had turned to it. Of points that are not all in front of a camera, z > 0,
    the axes stay as they are.

    cloud: (M, 3), metres, camera frame.
    """
    centre = cloud.mean(axis=0)
    return pose.from_rt(pose.align_z(centre) if cloud[:, 2].min() > 0 else np.eye(3), centre)
