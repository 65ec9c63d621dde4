"""Simulated depth images of an object on a table, from places around it."""

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from graspbook.perception.camera import DepthRenderer, backproject
from graspbook.perception.camera_frame import looking_at
from graspbook.perception.depth_sensor import DepthSensor, d415, measure
from graspbook.perception.extraction import extract_object
from graspbook.perception.view import View
from graspbook.pose import from_rt, inverse

DISTANCE = 0.55  # of the camera from the object's middle, metres
ELEVATIONS = 35.0, 65.0  # above the table, in turn, degrees
ONE_ELEVATION = 45.0  # of a single view
_TABLE = 1.2, 1.2, 0.02  # metres


def views_on_arc(
    mesh: trimesh.Trimesh,
    count: int,
    rng: np.random.Generator,
    *,
    sensor: DepthSensor | None = None,
    shift: float = 0.0,
    turn: float = 0.0,
) -> list[View]:
    """Depth images of a mesh that stands on a table, its lowest point down.

    The cameras are 0.55 m away, all around, 35° and 65° above the table in turn. A single one is
    45° above it. The world is the frame of the mesh. Only the first view knows the object's points.

    mesh: in metres, z up.
    count: number of views.
    rng: of the sensor's noise and of the errors of poses.
    sensor: the D415 if omitted.
    shift, turn: standard deviations of the errors that the known poses have, metres and radians,
        but for the first one.
    """
    sensor = sensor or d415()
    centre = mesh.bounds.mean(axis=0)
    table = trimesh.creation.box(_TABLE)
    table.apply_translation([*centre[:2], mesh.bounds[0, 2] - _TABLE[2] / 2])
    renderer = DepthRenderer(mesh + table)
    views = []
    for number in range(count):
        around = 2 * np.pi * number / count
        up = np.deg2rad(ELEVATIONS[number % 2] if count > 1 else ONE_ELEVATION)
        direction = [np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)]
        pose = looking_at(centre + DISTANCE * np.array(direction), centre)
        depth = measure(sensor, renderer.depth(sensor.camera, inverse(pose)), rng)
        seen = np.zeros((0, 3))
        if number == 0:
            seen = extract_object(backproject(depth, sensor.camera.K))
        elif shift or turn:
            error = Rotation.from_rotvec(rng.normal(0, turn / np.sqrt(3), 3)).as_matrix()
            pose = pose @ from_rt(error, rng.normal(0, shift / np.sqrt(3), 3))
        views.append(View(depth, sensor.camera.K, pose, seen))
    return views
