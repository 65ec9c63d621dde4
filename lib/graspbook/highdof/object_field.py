"""One object for planning, correcting and judging grasps: its distance field, centre of mass and
size.
"""

from dataclasses import dataclass

import numpy as np
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.distance import Fields, centre_of_mass, signed_distance_grid, stack


@dataclass(frozen=True)
class Target:
    """One object.

    fields: of it alone.
    com: (3,), its centre of mass.
    length: the largest distance of a vertex from it, metres, by which ε measures torques.
    """

    fields: Fields
    com: np.ndarray
    length: float


def make_target(mesh: trimesh.Trimesh) -> Target:
    """The Target of a mesh; raises what `signed_distance_grid` and `centre_of_mass` raise.

    mesh: in metres.
    """
    grid = signed_distance_grid(mesh)
    com = centre_of_mass(grid)
    return Target(stack([grid]), com, float(np.linalg.norm(mesh.vertices - com, axis=1).max()))


def named_target(name: str, mesh: trimesh.Trimesh) -> Target:
    """The Target of a mesh; raises MeshError, with its name, if its distance field has no inside,
    as for a thin sheet.

    name: of the mesh.
    mesh: in metres.
    """
    try:
        return make_target(mesh)
    except MeshError as error:
        raise MeshError(f"{name}: {error}") from error
