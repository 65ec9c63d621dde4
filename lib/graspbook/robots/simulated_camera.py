"""A depth camera in a simulated scene."""

from collections.abc import Callable, Iterable

import numpy as np
import trimesh

from graspbook.perception.camera import DepthRenderer
from graspbook.perception.depth_sensor import DepthSensor, measure
from graspbook.pose import inverse
from graspbook.robots.frames import DepthCamera, Frame


class SimulatedCamera(DepthCamera):
    """A depth camera in a simulated scene, by ray casting.

    scene: lists (trimesh, base_T_mesh (4, 4)) as they are now, metres. The ray-casting scene of
    each mesh is built once, so a mesh must not be changed. base_T_camera: the camera's pose (4, 4)
    as it is now. sensor: what its measurements are like. rng: the generator of its noise.
    """

    def __init__(
        self,
        scene: Callable[[], Iterable[tuple[trimesh.Trimesh, np.ndarray]]],
        base_T_camera: Callable[[], np.ndarray],
        sensor: DepthSensor,
        rng: np.random.Generator,
    ) -> None:
        self._scene, self._base_T_camera = scene, base_T_camera
        self._sensor, self._rng = sensor, rng
        self._renderers: dict[int, DepthRenderer] = {}

    def frame(self) -> Frame:
        """The `Frame` of this moment, without colour."""
        camera = self._sensor.camera
        camera_T_base = inverse(self._base_T_camera())
        exact = np.full((camera.height, camera.width), np.nan, np.float32)
        for mesh, base_T_mesh in self._scene():
            # A renderer holds its mesh, so that no other can get its id.
            renderer = self._renderers.get(id(mesh)) or DepthRenderer(mesh)
            self._renderers[id(mesh)] = renderer
            exact = np.fmin(exact, renderer.depth(camera, camera_T_base @ base_T_mesh))
        return Frame(measure(self._sensor, exact, self._rng), camera.K.copy())
