"""The geometric sampler on an observed cloud: what Fig. 11 compares the learned sampler with."""

import numpy as np

from graspbook import pose
from graspbook.graspnet.candidates import STANDOFFS
from graspbook.perception.normals import estimate_normals


def sample_geometric(cloud, n, rng, standoff="paper"):
    """Poses `camera_T_hand` (n, 4, 4): approach against the estimated normal at random points of a cloud (M, 3), in the
    camera frame, with standoff and roll uniform as for the training grasps (section 4.1, "Learned Grasp Sampler vs.
    Geometric Grasp Sampler").

    Raises CaptureError for a cloud that has no normals, see `estimate_normals`.
    """
    normals = estimate_normals(cloud)
    chosen = rng.integers(len(normals), size=n)
    rotation = pose.align_z(-normals[chosen]) @ pose.rotation_about([0.0, 0.0, 1.0], rng.uniform(0, 2 * np.pi, n))
    distance = rng.uniform(*STANDOFFS[standoff], n)
    return pose.from_rt(rotation, np.asarray(cloud)[chosen] - distance[:, None] * rotation[..., 2])
