"""A depth image from a known place."""

from dataclasses import dataclass

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.camera import backproject
from graspbook.perception.capture import Capture
from graspbook.pose import transform

_IN_FRONT = 0.99  # of the points must be in front of the camera
_SPREAD = 1.5  # of a pixel to the distance between points, where no camera matrix is known
_LARGEST = 1024  # pixels on a side


@dataclass(frozen=True)
class View:
    """A depth image, the object in it, and where the camera was.

    depth: (H, W) float32 metres, NaN where nothing was measured.
    K: (3, 3) camera matrix in pixels.
    world_T_camera: (4, 4) pose of the camera.
    object_points: (M, 3) of the object, camera frame, metres.
    """

    depth: np.ndarray
    K: np.ndarray
    world_T_camera: np.ndarray
    object_points: np.ndarray

    def scene(self) -> np.ndarray:
        """The points (K, 3) of all pixels, world frame, metres."""
        return transform(self.world_T_camera, backproject(self.depth, self.K))


def view_of(capture: Capture, world_T_camera: np.ndarray | None = None) -> View:
    """A capture as a view; CaptureError if a hundredth of its points is behind the camera.

    The image of a cloud is made of its points, with pixels a little wider than their distances.

    capture: of a depth image or a cloud.
    world_T_camera: (4, 4) pose of the camera; the camera is the world if omitted.
    """
    pose = np.eye(4) if world_T_camera is None else np.asarray(world_T_camera, float)
    scene = capture.scene[capture.scene[:, 2] > 0]
    if len(scene) < _IN_FRONT * len(capture.scene):
        raise CaptureError(
            f"{len(capture.scene) - len(scene)} of {len(capture.scene)} points are behind the"
            " camera; say where it was: --camera-pose FILE, or --up AXIS"
        )
    if capture.camera is not None:
        K = capture.camera.K
        shape = capture.camera.height, capture.camera.width
    else:
        K, shape = _camera_of(scene)
    pixels = np.rint((scene @ K.T)[:, :2] / scene[:, 2:]).astype(int)
    inside = ((pixels >= 0) & (pixels < shape[::-1])).all(axis=1)
    depth = np.full(shape, np.inf, np.float32)
    u, v = pixels[inside].T
    np.minimum.at(depth, (v, u), scene[inside, 2].astype(np.float32))
    depth[np.isinf(depth)] = np.nan
    return View(depth, K, pose, capture.points)


def _camera_of(points):
    """A camera matrix and an image size (H, W) for points (M, 3) in the camera frame."""
    rays = points[:, :2] / points[:, 2:]
    low, high = np.percentile(rays, [0.1, 99.9], axis=0)
    width, height = np.maximum(high - low, 1e-3)
    pixel = max(_SPREAD * np.sqrt(width * height / len(points)), max(width, height) / _LARGEST)
    K = np.array([[1 / pixel, 0, -low[0] / pixel], [0, 1 / pixel, -low[1] / pixel], [0, 0, 1.0]])
    return K, (int(np.ceil(height / pixel)) + 1, int(np.ceil(width / pixel)) + 1)
