"""What a stereo depth camera makes of an exact depth image: noise, quantisation, holes; with the
figures of the RealSense D415.

Such a camera measures disparity d = f B / z in pixels, between its left imager, whose image this
is, and its right one, the baseline B to the right. Its errors are therefore those of disparities,
and grow with the square of the depth.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.camera import Camera

_BEHIND_ALL = 1e4  # where no surface is, metres


@dataclass(frozen=True)
class DepthSensor:
    """A stereo depth camera. Depths and the baseline in metres, noise, step and window in pixels.

    near, far: depths outside are holes. noise: standard deviation of the disparity, the same over
    about `window` (rows, columns), as matching compares windows. step: disparities are multiples of
    it. jump: depth between neighbours that leaves a hole on both. grazing: angle in radians between
    ray and normal from which on nothing is measured.
    """

    camera: Camera
    near: float
    far: float
    baseline: float
    noise: float
    window: tuple[int, int]
    step: float
    jump: float
    grazing: float


def d415(width=640, height=480):
    """The RealSense D415, whose depth is aligned to its colour image: vertical field of view 42°,
    wider images showing more.

    Published (RealSense D400 series data sheet, 337029): baseline 55 mm; colour 69° × 42° at 16:9,
    which holds the field of the depth imagers, 65° × 40° (at 4:3 50° × 40°, both at 2 m), whose
    narrower edge is not modelled; least depth 0.31 m at 480 lines and 0.45 m at 720, linear in the
    lines here; up to about 10 m. Noise 0.08 pixels: A. Grunnet-Jepsen of the manufacturer in thread
    3904 of librealsense on GitHub, who names 0.032 as the least, which is the step here. Window and
    grazing angle were chosen on five real captures of a table at 0.5 to 0.65 m (focal length 616
    pixels, here 625): there, less its mean over 41 × 41 pixels, the noise is 0.07 to 0.09 pixels
    (here 0.077), and little is measured beyond 75° to 80°. The jump is assumed. Raises
    ParameterError for a size that is not positive.
    """
    if width < 1 or height < 1:
        raise ParameterError(
            f"image of {width} x {height} pixels for the D415, expected a positive size"
        )
    focal = height / 2 / np.tan(np.deg2rad(42) / 2)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return DepthSensor(
        camera=Camera(K, width, height),
        near=0.03 + 0.28 * height / 480,
        far=10.0,
        baseline=0.055,
        noise=0.08,
        window=(9, 21),
        step=1 / 32,
        jump=0.02,
        grazing=np.deg2rad(80),
    )


def measure(sensor, depth, rng):
    """The depth image (H, W) float32 in metres, NaN holes, that a sensor would give of an exact one
    (H, W), NaN where nothing is.

    Gaussian noise on the disparity, correlated over the window, moves depths by z² noise / (f B);
    disparities are quantised. Holes: what the right imager does not see (beside its image, or
    behind something nearer), jumps, grazing incidence by the exact depth's normals, and depths
    outside [near, far]. rng: draws H × W numbers, whatever is seen. Raises CaptureError when the
    image is not of the size of the sensor's camera.
    """
    camera = sensor.camera
    depth = np.asarray(depth, np.float32)
    if depth.shape != (camera.height, camera.width):
        raise CaptureError(
            f"depth image of shape {depth.shape}, expected {(camera.height, camera.width)} as the"
            " depth sensor's"
        )
    seen = np.isfinite(depth) & (depth > 0)
    depth = np.where(seen, depth, np.float32(_BEHIND_ALL))
    scale = np.float32(camera.K[0, 0] * sensor.baseline)
    disparity = scale / depth
    holes = (
        ~seen
        | _unseen_by_the_right(disparity)
        | _at_jumps(depth, sensor.jump)
        | _grazing(depth, camera.K, sensor.grazing)
    )
    white = rng.standard_normal(depth.shape, np.float32)
    noise = uniform_filter(white, sensor.window, mode="wrap") * np.float32(
        sensor.noise * np.sqrt(np.prod(sensor.window))
    )
    disparity = np.round((disparity + noise) / np.float32(sensor.step)) * np.float32(sensor.step)
    measured = scale / np.maximum(disparity, scale / np.float32(_BEHIND_ALL))
    holes |= (measured < sensor.near) | (measured > sensor.far)
    measured[holes] = np.nan
    return measured


def _unseen_by_the_right(disparity):
    """Pixels that fall left of the right image, or there on or to the right of a pixel from further
    right: hidden by it.
    """
    column = np.arange(disparity.shape[1], dtype=np.float32) - disparity
    hidden = column < 0
    least = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    hidden[:, :-1] |= column[:, :-1] >= least[:, 1:]
    return hidden


def _at_jumps(depth, jump):
    """Both pixels of every two neighbours in a row or column whose depths differ by more than the
    jump.
    """
    holes = np.zeros(depth.shape, bool)
    across, along = np.abs(np.diff(depth, axis=1)) > jump, np.abs(np.diff(depth, axis=0)) > jump
    holes[:, 1:] |= across
    holes[:, :-1] |= across
    holes[1:] |= along
    holes[:-1] |= along
    return holes


def _grazing(depth, K, limit):
    """Pixels whose ray meets the surface's normal at more than the limit (radians).

    With z(u, v), the normal is (fx z_u, fy z_v, -(z + (u - cx) z_u + (v - cy) z_v)) and its product
    with the ray of depth one -z.
    """
    u = np.arange(depth.shape[1], dtype=np.float32) - np.float32(K[0, 2])
    v = np.arange(depth.shape[0], dtype=np.float32)[:, None] - np.float32(K[1, 2])
    fx, fy = np.float32(K[0, 0]), np.float32(K[1, 1])
    along_v, along_u = _slope(depth.T).T, _slope(depth)
    normal = (fx * along_u) ** 2 + (fy * along_v) ** 2 + (depth + u * along_u + v * along_v) ** 2
    ray = (u / fx) ** 2 + (v / fy) ** 2 + 1
    return depth**2 < np.float32(np.cos(limit) ** 2) * normal * ray


def _slope(depth):
    """Derivative along rows, per pixel: the smaller difference to a neighbour, since across a jump
    there is no surface.
    """
    step = np.pad(np.diff(depth, axis=1), [(0, 0), (1, 1)], mode="edge")
    before, after = step[:, :-1], step[:, 1:]
    return np.where(np.abs(before) < np.abs(after), before, after)
