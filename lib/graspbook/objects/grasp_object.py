"""The value that stands for one thing to grasp."""

from dataclasses import dataclass

import numpy as np
import trimesh


@dataclass(frozen=True)
class GraspObject:
    """One rigid object: its surface, and the convex parts that simulation and mass properties use.

    `mesh` and every part are in metres and in the same object frame. Parts of the families fill the solid exactly;
    those of other meshes may overlap and bulge a little (`objects.parts`).
    """

    name: str
    family: str
    mesh: trimesh.Trimesh
    parts: tuple[trimesh.Trimesh, ...]
    file: str = ""
    scale: float = 1.0

    @property
    def volume(self):
        """Volume in m³: of the mesh where it encloses one, else of the parts together."""
        return float(
            self.mesh.volume if self.mesh.is_volume else sum(part.volume for part in self.parts)
        )

    @property
    def extent(self):
        """Longest side in metres of the axis-aligned bounding box."""
        return float(np.max(self.mesh.extents))
