"""The geometric sampler on an observed cloud: what Fig. 11 compares the learned sampler with."""

import numpy as np

from graspbook.graspnet.candidates import approach
from graspbook.perception.normals import estimate_normals


def sample_geometric(cloud, n, rng, standoff="paper"):
    """Poses `camera_T_hand` (n, 4, 4): approach against the estimated normal at random points of a
    cloud (M, 3), in the camera frame, with standoff and roll uniform as for the training grasps
    (section 4.1, "Learned Grasp Sampler vs. Geometric Grasp Sampler").

    Raises CaptureError for a cloud that has no normals, see `estimate_normals`.
    """
    normals = estimate_normals(cloud)
    chosen = rng.integers(len(normals), size=n)
    return approach(np.asarray(cloud)[chosen], normals[chosen], rng, standoff)
