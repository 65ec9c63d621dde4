"""The value that stands for one thing to grasp."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import trimesh


@dataclass(frozen=True)
class GraspObject:
    """One rigid object: its surface, and its convex parts for simulation and mass properties.

    mesh, parts: in metres and in the same object frame. Parts of the families fill the solid
        exactly. Those of other meshes may overlap and bulge a little (`objects.parts`).
    file, scale: where the mesh is from, and the factor from that file's units to metres.
    """

    name: str
    family: str
    mesh: trimesh.Trimesh
    parts: tuple[trimesh.Trimesh, ...]
    file: str = ""
    scale: float = 1.0

    @property
    def volume(self) -> float:
        """Volume in m³: of the mesh where it encloses one, else of the parts together."""
        bodies = (self.mesh,) if self.mesh.is_volume else self.parts
        return float(sum(body.volume for body in bodies))

    @property
    def extent(self) -> float:
        """Longest side in metres of the axis-aligned bounding box."""
        return float(np.max(self.mesh.extents))


class ObjectSet(Protocol):
    """Objects by name, such as those of `objects.sets`."""

    def load(self, name: str) -> GraspObject:
        """The object of a name.

        name: in the set.
        """
