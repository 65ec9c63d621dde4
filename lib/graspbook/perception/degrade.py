"""What a real depth camera does to the clean cloud of a rendered view: for training on views as
they will be met.
"""

import math

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.normals import checked_cloud
from graspbook.perception.resample import resample

HOLE_RADII = (0.003, 0.015)
DENSE = 8192  # points of a view, at most, before it is degraded
LEAST_KEPT = 0.7  # of the points, whatever the holes
# Pixels on the edge of an object mix its depth with the background's: at most this share of the
# points lies behind, by at most so many metres. Any points are chosen, not those on the edge, which
# a cloud does not show.
FLYING_SHARE = 0.02
FLYING_DEPTH = 0.01


def degrade(cloud, n, rng, noise=0.0015, patches=3):
    """A clean cloud (M, 3) in metres, camera frame, as a real camera might see it: (n, 3).

    In this order: a random number of the points is kept, from n / 3 to M, uniform in its logarithm;
    up to `patches` holes are made, of radius 3 to 15 mm about random points, but none that would
    leave less than 70 % of the points; points move along their viewing rays, so that their depths
    (z) have Gaussian noise with a standard deviation uniform in [0, noise] metres, drawn once, and
    up to 2 % of them fly up to 1 cm behind; `resample` draws n. At noise 0 no point moves. Raises
    CaptureError for an empty cloud, and for one with points that are not in front of the camera.
    """
    cloud = checked_cloud(cloud)
    if cloud[:, 2].min() <= 0:
        raise CaptureError(
            f"point cloud with depths from {cloud[:, 2].min():.3g} m, expected all above 0, in the"
            " camera frame"
        )
    fewest = min(math.ceil(n / 3), len(cloud))
    seen = resample(
        cloud, round(math.exp(rng.uniform(math.log(fewest), math.log(len(cloud))))), rng
    )
    seen = seen[_outside_holes(seen, rng.integers(patches + 1), rng)]
    if noise:
        shift = rng.uniform(0, noise) * rng.standard_normal(len(seen))
        flying = rng.random(len(seen)) < rng.uniform(0, FLYING_SHARE)
        shift = shift + flying * rng.uniform(0, FLYING_DEPTH, len(seen))
        seen = seen * (1 + shift / seen[:, 2])[:, None]
    return resample(seen, n, rng)


def degraded_view(renderer, n, rng, noise, patches):
    """A degraded cloud (n, 3) of a random view by a `camera.DepthRenderer`, camera frame, and its
    `camera_T_object`.

    Only pixels that see the object are degraded, at most 8192 of them: none twice, which would move
    apart. Raises as `degrade` and `DepthRenderer.observe`.
    """
    cloud, camera_T_object = renderer.observe(rng, None)
    return (
        degrade(resample(cloud, min(len(cloud), DENSE), rng), n, rng, noise, patches),
        camera_T_object,
    )


def _outside_holes(points, holes, rng):
    """Which of points (M, 3) stay (M,) bool, of so many holes."""
    stays = np.ones(len(points), bool)
    for _ in range(holes):
        distance = np.linalg.norm(points - points[rng.integers(len(points))], axis=1)
        left = stays & (distance > rng.uniform(*HOLE_RADII))
        if left.mean() >= LEAST_KEPT:
            stays = left
    return stays
