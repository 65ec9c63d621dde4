"""A pinhole depth camera, by ray casting on the processor: no OpenGL, no screen.

Camera frame as in OpenCV: x right, y down, z forward; depth is z in metres. The field of view of
30° and the distance of five times the object's extent are those of the released code
(NVlabs/6dof-graspnet).
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from graspbook.errors import MeshError
from graspbook.perception.resample import resample
from graspbook.pose import from_rt, inverse, random_rotations, transform

FIELD_OF_VIEW = np.deg2rad(30)
DISTANCE_IN_EXTENTS = 5.0


@dataclass(frozen=True)
class Camera:
    """Intrinsics of a camera.

    K: (3, 3) in pixels, the centre of the first pixel at (0, 0).
    width, height: of the image in pixels.
    """

    K: np.ndarray
    width: int
    height: int


def default_camera() -> Camera:
    """The camera of the training views: 640 × 480, vertical field of view 30°."""
    width, height = 640, 480
    return Camera(pinhole(width, height, FIELD_OF_VIEW), width, height)


def pinhole(width: int, height: int, field_of_view: float) -> np.ndarray:
    """The camera matrix (3, 3) in pixels of an image centred on the optical axis.

    width, height: of the image in pixels.
    field_of_view: vertical, radians.
    """
    focal = height / 2 / np.tan(field_of_view / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


class DepthRenderer:
    """One object ready for many views: its ray-casting scene is built once.

    mesh: a trimesh in the object frame, metres.
    """

    def __init__(self, mesh: trimesh.Trimesh) -> None:
        self.mesh = mesh
        self._centre = mesh.bounds.mean(axis=0)
        # In single precision: centred, since object origins can be metres away.
        self._scene = EmbreeScene()
        TriangleMesh(self._scene, (mesh.triangles - self._centre).astype(np.float32))

    def depth(self, camera: Camera, camera_T_object: np.ndarray) -> np.ndarray:
        """Depth image (height, width) float32 in metres, NaN where nothing is seen.

        camera: its matrix and image size.
        camera_T_object: (4, 4) pose of the object in the camera frame.
        """
        image = np.full((camera.height, camera.width), np.nan, np.float32)
        left, top, right, bottom = self._window(camera, camera_T_object)
        v, u = np.mgrid[top:bottom, left:right]
        rays = _rays(u.ravel(), v.ravel(), camera.K)
        object_T_camera = inverse(camera_T_object)
        directions = (rays @ object_T_camera[:3, :3].T).astype(np.float32)
        origin = (object_T_camera[:3, 3] - self._centre).astype(np.float32)
        if len(rays):
            origins = np.repeat(origin[None], len(rays), axis=0)
            # The distance of rays with z = 1, so it is the depth.
            found = self._scene.run(origins, directions, query="DISTANCE")
            image[top:bottom, left:right] = np.where(found < 1e6, found, np.nan).reshape(v.shape)
        return image

    def observe(
        self,
        rng: np.random.Generator,
        points: int | None = 1024,
        *,
        noise: float = 0.0,
        camera: Camera | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Partial cloud (points, 3) float64 of a random view, and its `camera_T_object`.

        The cloud is in the camera frame. Raises MeshError when the view shows nothing.

        rng: draws the view, the noise and the points.
        points: drawn by `resample`; None: all pixels that see the object.
        noise: standard deviation in metres of Gaussian noise on the depth.
        camera: `default_camera()` if omitted.
        """
        camera = camera or default_camera()
        camera_T_object = random_view(self.mesh, rng)
        depth = self.depth(camera, camera_T_object)
        if noise:
            depth = depth + rng.normal(0, noise, depth.shape).astype(np.float32)
        cloud = backproject(depth, camera.K)
        if not len(cloud):
            raise MeshError("from a random view, the camera does not see the object")
        return cloud if points is None else resample(cloud, points, rng), camera_T_object

    def _window(self, camera, camera_T_object):
        """Columns and rows (left, top, right, bottom) in which the object's bounding box lies."""
        x, y, z = np.meshgrid(*self.mesh.bounds.T, indexing="ij")
        corners = transform(camera_T_object, np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1))
        if corners[:, 2].min() <= 0:
            return 0, 0, camera.width, camera.height
        pixels = (corners @ camera.K.T)[:, :2] / corners[:, 2:]
        size = [camera.width, camera.height]
        left, top = np.clip(np.floor(pixels.min(axis=0)), 0, size).astype(int)
        right, bottom = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, size).astype(int)
        return left, top, right, bottom


def render_depth(mesh: trimesh.Trimesh, camera: Camera, camera_T_object: np.ndarray) -> np.ndarray:
    """Depth image (height, width) float32 in metres of one view, NaN where nothing is seen.

    mesh: in the object frame, metres.
    camera, camera_T_object: as for `DepthRenderer.depth`.
    """
    return DepthRenderer(mesh).depth(camera, camera_T_object)


def random_view(mesh: trimesh.Trimesh, rng: np.random.Generator) -> np.ndarray:
    """A `camera_T_object` (4, 4) that looks at the centre of a mesh's bounding box.

    It looks from five of its extents away. Viewing direction uniform on the sphere, roll about it
    uniform.

    mesh: in the object frame, metres.
    rng: draws the view.
    """
    rotation = random_rotations(1, rng)[0]
    distance = DISTANCE_IN_EXTENTS * mesh.extents.max()
    return from_rt(rotation, [0, 0, distance] - rotation @ mesh.bounds.mean(axis=0))


def backproject(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points (M, 3) float64 in the camera frame of the M pixels that have a depth.

    depth: (H, W) metres; NaN and 0 are none.
    K: (3, 3) in pixels.
    """
    v, u = np.nonzero(depth > 0)
    return _rays(u, v, K) * depth[v, u, None].astype(float)


def _rays(u, v, K):
    """Directions (M, 3) through pixels u, v (M,), of depth one."""
    return np.stack([u, v, np.ones(len(u))], axis=1) @ np.linalg.inv(K).T
