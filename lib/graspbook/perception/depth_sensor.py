"""What a stereo depth camera makes of an exact depth image: noise, quantisation, holes.

The figures are those of the RealSense D415. Such a camera measures disparity d = f B / z in pixels
between two imagers. The image here is that of the left one; the right one is the baseline B away.
Its errors are therefore those of disparities, and grow with the square of the depth.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.camera import Camera, pinhole

_BEHIND_ALL = 1e4  # where no surface is, metres


@dataclass(frozen=True)
class DepthSensor:
    """A stereo depth camera.

    near, far: metres; depths outside are holes.
    baseline: metres between the imagers.
    noise: standard deviation of the disparity in pixels, the same over about a window.
    window: (rows, columns) in pixels, as matching compares windows.
    step: disparities are multiples of it, pixels.
    jump: depth in metres between neighbours that leaves a hole on both.
    grazing: angle in radians between ray and normal from which on nothing is measured.
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


def d415(width: int = 640, height: int = 480) -> DepthSensor:
    """The RealSense D415, its depth aligned to its colour image: vertical field of view 42°.

    Wider images show more. Published (RealSense D400 series data sheet, 337029): baseline 55 mm;
    colour 69° × 42° at 16:9, which holds the field of the depth imagers, 65° × 40° (at 4:3
    50° × 40°, both at 2 m), whose narrower edge is not modelled; least depth 0.31 m at 480 lines
    and 0.45 m at 720, linear in the lines here; up to about 10 m. Noise 0.08 pixels: A.
    Grunnet-Jepsen of the manufacturer in thread 3904 of librealsense on GitHub, who names 0.032 as
    the least, which is the step here. Window and grazing angle were chosen on five real captures of
    a table at 0.5 to 0.65 m (focal length 616 pixels, here 625). There, less its mean over 41 × 41
    pixels, the noise is 0.07 to 0.09 pixels (here 0.077), and little is measured beyond 75° to 80°.
    The jump is assumed. Raises ParameterError for a size that is not positive.

    width, height: of the image in pixels.
    """
    if width < 1 or height < 1:
        raise ParameterError(
            f"image of {width} x {height} pixels for the D415, expected a positive size"
        )
    return DepthSensor(
        camera=Camera(pinhole(width, height, np.deg2rad(42)), width, height),
        near=0.03 + 0.28 * height / 480,
        far=10.0,
        baseline=0.055,
        noise=0.08,
        window=(9, 21),
        step=1 / 32,
        jump=0.02,
        grazing=np.deg2rad(80),
    )


def measure(sensor: DepthSensor, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The depth image (H, W) float32 that a sensor would give of an exact one: metres, NaN holes.

    Gaussian noise on the disparity, correlated over the window, moves depths by z² noise / (f B);
    disparities are quantised. There are holes where the right imager sees nothing: beside its
    image, or behind something nearer. Others are at jumps, at grazing incidence by the exact
    depth's normals, and at depths outside [near, far]. Raises CaptureError when the image is
    not of the size of the sensor's camera.

    sensor: the model of the sensor.
    depth: (H, W) metres, NaN where nothing is.
    rng: draws H × W numbers, whatever is seen.
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
    holes = ~seen | _unseen_by_the_right(disparity) | _at_jumps(depth, sensor.jump)
    holes |= _grazing(depth, camera.K, sensor.grazing)
    white = rng.standard_normal(depth.shape, np.float32)
    size = np.float32(sensor.noise * np.sqrt(np.prod(sensor.window)))
    noise = uniform_filter(white, sensor.window, mode="wrap") * size
    disparity = np.round((disparity + noise) / np.float32(sensor.step)) * np.float32(sensor.step)
    measured = scale / np.maximum(disparity, scale / np.float32(_BEHIND_ALL))
    holes |= (measured < sensor.near) | (measured > sensor.far)
    measured[holes] = np.nan
    return measured


def _unseen_by_the_right(disparity):
    """Pixels that the right imager does not see.

    They fall left of its image, or there on or to the right of a pixel from further right, which
    hides them.
    """
    column = np.arange(disparity.shape[1], dtype=np.float32) - disparity
    hidden = column < 0
    least = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    hidden[:, :-1] |= column[:, :-1] >= least[:, 1:]
    return hidden


def _at_jumps(depth, jump):
    """Both of every two neighbours in a row or column whose depths differ by more than the jump."""
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
    """Derivative along rows, per pixel: the smaller difference to a neighbour.

    Across a jump there is no surface.
    """
    step = np.pad(np.diff(depth, axis=1), [(0, 0), (1, 1)], mode="edge")
    before, after = step[:, :-1], step[:, 1:]
    return np.where(np.abs(before) < np.abs(after), before, after)
