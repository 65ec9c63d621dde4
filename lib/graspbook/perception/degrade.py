"""What a real depth camera does to the clean cloud of a rendered view: for training."""

import math

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.camera import DepthRenderer
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


def degrade(
    cloud: np.ndarray,
    n: int,
    rng: np.random.Generator,
    *,
    noise: float = 0.0015,
    patches: int = 3,
) -> np.ndarray:
    """A clean cloud as a real camera might see it: (n, 3).

    First a random number of the points is kept, from n / 3 to M, uniform in its logarithm. Then
    holes of radius 3 to 15 mm about random points are made, but none that would leave less than
    70 % of the points. Then points move along their viewing rays: their depths (z) get Gaussian
    noise, and up to 2 % of them fly up to 1 cm behind. At noise 0 no point moves. At last
    `resample` draws n. Raises CaptureError for an empty cloud, and for one with points that are not
    in front of the camera.

    cloud: (M, 3) metres, camera frame.
    n: number of points to return.
    rng: generator of all random choices.
    noise: largest standard deviation of the depths in metres; each cloud's is uniform below it.
    patches: the largest number of holes.
    """
    cloud = checked_cloud(cloud)
    if cloud[:, 2].min() <= 0:
        raise CaptureError(
            f"the point cloud has depths from {cloud[:, 2].min():.3g} m, expected only depths above"
            " 0 in the camera frame"
        )
    fewest = min(math.ceil(n / 3), len(cloud))
    kept = round(math.exp(rng.uniform(math.log(fewest), math.log(len(cloud)))))
    seen = resample(cloud, kept, rng)
    seen = seen[_outside_holes(seen, rng.integers(patches + 1), rng)]
    if noise:
        shift = rng.uniform(0, noise) * rng.standard_normal(len(seen))
        flying = rng.random(len(seen)) < rng.uniform(0, FLYING_SHARE)
        shift = shift + flying * rng.uniform(0, FLYING_DEPTH, len(seen))
        seen = seen * (1 + shift / seen[:, 2])[:, None]
    return resample(seen, n, rng)


def degraded_view(
    renderer: DepthRenderer, n: int, rng: np.random.Generator, *, noise: float, patches: int
) -> tuple[np.ndarray, np.ndarray]:
    """A degraded cloud (n, 3) of a random view, camera frame, and its `camera_T_object`.

    Only pixels that see the object are degraded, at most 8192 of them: none twice, which would move
    apart. Raises as `degrade` and `DepthRenderer.observe`.

    renderer: of the object.
    n, rng, noise, patches: as for `degrade`.
    """
    cloud, camera_T_object = renderer.observe(rng, None)
    cloud = resample(cloud, min(len(cloud), DENSE), rng)
    return degrade(cloud, n, rng, noise=noise, patches=patches), camera_T_object


def _outside_holes(points, holes, rng):
    """Which of points (M, 3) stay (M,) bool, of so many holes."""
    stays = np.ones(len(points), bool)
    for _ in range(holes):
        distance = np.linalg.norm(points - points[rng.integers(len(points))], axis=1)
        left = stays & (distance > rng.uniform(*HOLE_RADII))
        if left.mean() >= LEAST_KEPT:
            stays = left
    return stays
