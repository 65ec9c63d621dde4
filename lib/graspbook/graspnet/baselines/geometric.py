"""The geometric sampler on an observed cloud, with which Fig. 11 compares the learned sampler."""

import numpy as np

from graspbook.graspnet.candidates import approach
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.perception.normals import estimate_normals


def sample_geometric(
    cloud: np.ndarray,
    n: int,
    rng: np.random.Generator,
    *,
    standoff: str = "paper",
    gripper: ParallelJaw = FRANKA,
) -> np.ndarray:
    """Poses `camera_T_hand` (n, 4, 4) that approach random points against their estimated normals.

    Standoff and roll are uniform as for the training grasps (section 4.1, "Learned Grasp Sampler
    vs. Geometric Grasp Sampler").

    cloud: (M, 3), camera frame.
    n: number of grasps.
    rng: generator of the random numbers.
    standoff: one of `candidates.STANDOFFS`.
    gripper: the parallel-jaw hand that grasps.

    Raises CaptureError for a cloud without normals, see `estimate_normals`.
    """
    normals = estimate_normals(cloud)
    chosen = rng.integers(len(normals), size=n)
    points = np.asarray(cloud)[chosen]
    return approach(points, normals[chosen], rng, standoff=standoff, gripper=gripper)
