"""The region of an object that a grasp holds (rim, handle or body), for the comparison of Fig. 13.

Regions are known for the families with an open vessel or a handle. Lengths are in metres.
"""

import numpy as np
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.everyday import SECTORS
from graspbook.objects.families import BOWL_SECTORS, MUG_SECTORS
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.solids import HANDLE_SEGMENTS

REGIONS = ("rim", "handle", "body", "nothing")
# For each family, the parts, in their order, that are the wall of an open vessel about z, and the
# handle.
_PARTS = {
    "bowl": (slice(1, 1 + 2 * BOWL_SECTORS), slice(0)),
    "mug": (slice(1, 1 + MUG_SECTORS), slice(1 + MUG_SECTORS, 1 + MUG_SECTORS + HANDLE_SEGMENTS)),
    "cup": (slice(1, 1 + SECTORS), slice(0)),
    "pan": (slice(1, 1 + SECTORS), slice(1 + SECTORS, 2 + SECTORS)),
    "jug": (slice(0), slice(3, 3 + HANDLE_SEGMENTS)),
}
FAMILIES = tuple(_PARTS)
_RAYS = 5  # a side of the pad
_WALL, _HANDLE = 1, 2


def held_regions(
    obj: GraspObject, grasps: np.ndarray, *, gripper: ParallelJaw = FRANKA
) -> np.ndarray:
    """The region, one of `REGIONS`, that the pads of each grasp meet first: (K,) str.

    Rays along the closing direction, from a grid over both pads, find where each pad touches.
    "rim": both touch the wall of the vessel, one from its inside. "handle": both touch the handle.
    "body": anything else. "nothing": no ray meets the object. The grasps should not start in
    collision.

    obj: of a family whose parts are known.
    grasps: (K, 4, 4) `object_T_hand`.
    gripper: whose pads.

    Raises ParameterError for an object whose family is not one of `FAMILIES`.
    """
    if obj.family not in _PARTS:
        raise ParameterError(
            f"{obj.name}: no regions are known for its family {obj.family!r}, expected one of"
            f" {', '.join(FAMILIES)}"
        )
    wall, handle = _PARTS[obj.family]
    kind = np.zeros(len(obj.parts), int)
    kind[wall], kind[handle] = _WALL, _HANDLE
    every = trimesh.util.concatenate(obj.parts)
    part = np.repeat(np.arange(len(obj.parts)), [len(p.faces) for p in obj.parts])
    touched = [_touch(every, grasps, side, gripper) for side in (1, -1)]
    met = np.logical_and.reduce([face >= 0 for face, _ in touched])
    left, right = (kind[part[face]] for face, _ in touched)
    inside = [_faces_axis(every, face, place) for face, place in touched]
    rim = (left == _WALL) & (right == _WALL) & (inside[0] ^ inside[1])
    return np.select(
        [~met, rim, (left == _HANDLE) & (right == _HANDLE)], ["nothing", "rim", "handle"], "body"
    )


def _touch(mesh, grasps, side, gripper):
    """The face (K,) that the pad on one side (1: +x) meets first, -1 for none, and where (K, 3)."""
    part = np.linspace(-1, 1, _RAYS) * 0.9
    y, z = part * gripper.pad_half_width, part * gripper.pad_half_height + gripper.pad_z
    grid = np.meshgrid([side * gripper.opening / 2], y, z, indexing="ij")
    start = np.stack(grid, axis=-1).reshape(-1, 3)
    origins = pose.transform(grasps, start).reshape(-1, 3)
    along = np.repeat(-side * grasps[:, :3, 0], len(start), axis=0)
    places, rays, faces = mesh.ray.intersects_location(origins, along, multiple_hits=False)
    travelled = np.einsum("nj,nj->n", places - origins[rays], along[rays])
    near = travelled < gripper.opening
    places, owner, faces, travelled = (
        places[near],
        rays[near] // len(start),
        faces[near],
        travelled[near],
    )
    order = np.lexsort([travelled, owner])
    owners, first = np.unique(owner[order], return_index=True)
    face, place = np.full(len(grasps), -1), np.zeros((len(grasps), 3))
    face[owners], place[owners] = faces[order][first], places[order][first]
    return face, place


def _faces_axis(mesh, face, place):
    """Whether the faces (K,), met at places (K, 3), look towards the z axis: bool (K,)."""
    return np.einsum("kj,kj->k", mesh.face_normals[face][:, :2], place[:, :2]) < 0
