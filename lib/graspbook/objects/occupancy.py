"""Occupancy grids: what the high-DOF paper's network sees of an object (sections III and V-B)."""

import numpy as np
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.objects.distance import FILL, lookup, signed_distance_grid, stack


def occupancy_grids(
    mesh: trimesh.Trimesh, turned_T_object: np.ndarray, size: int, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Occupied voxels (R, size, size, size) bool of a mesh in turned frames, and `grid_T_object`.

    grid_T_object (R, 4, 4) is T_sdf · turned_T_object. The paper's T_sdf (V-A3) scales by
    s = 0.95 / L and puts the turned frame's origin, the centre of mass, at the middle 0.5 of the
    unit cube. With the paper's L, the longest side of the bounding box, rotated and lopsided
    objects leave the cube. Here L is `length` for all, which keeps their sizes apart. Voxel i, j, k
    has its centre at (i + ½, j + ½, k + ½) / size. It is occupied where that is inside the object,
    or within half a voxel of its surface, so that thin walls stay closed. Raises ParameterError for
    an object that is too large for `length`, and what `signed_distance_grid` raises.

    mesh: in the object frame, metres.
    turned_T_object: (R, 4, 4), see `rotations`.
    size: voxels along each side.
    length: L, the metres that 0.95 of the grid's side represents.
    """
    import torch

    field = stack([signed_distance_grid(mesh)])
    turned_T_object = np.asarray(turned_T_object, float)
    reach = np.linalg.norm(pose.transform(turned_T_object, mesh.vertices), axis=-1).max()
    if not length >= 2 * reach:
        raise ParameterError(
            f"the object reaches {reach:.4g} m from its centre of mass, expected at most"
            f" {length / 2:g} m: the network sees an object of at most {length:g} m across"
        )
    scale = FILL / length
    along = (np.arange(size) + 0.5) / size
    centres = (np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1) - 0.5) / scale
    half, grids = 0.5 / size / scale, []
    for object_T_turned in pose.inverse(turned_T_object):
        points = pose.transform(object_T_turned, centres.reshape(-1, 3))
        distance = lookup(field, torch.as_tensor(points, dtype=torch.float32)[None])[0]
        grids.append((distance <= half).reshape((size,) * 3).numpy())
    grid_T_turned = np.diag([scale, scale, scale, 1.0])
    grid_T_turned[:3, 3] = 0.5
    return np.array(grids), grid_T_turned @ turned_T_object
