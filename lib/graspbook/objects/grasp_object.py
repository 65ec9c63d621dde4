"""The value that stands for one thing to grasp."""

from dataclasses import dataclass

import numpy as np
import trimesh


@dataclass(frozen=True)
class GraspObject:
    """One rigid object: its surface, and the convex parts that simulation and mass properties use.

    `mesh` and every part are in metres and in the same object frame; the parts do not overlap beyond what their
    making allows (exactly not at all for the families), so their volumes add up.
    """

    name: str
    family: str
    mesh: trimesh.Trimesh
    parts: tuple[trimesh.Trimesh, ...]

    @property
    def volume(self) -> float:
        """Volume of the convex parts in m³ (defined for surfaces with holes too)."""
        return float(sum(part.volume for part in self.parts))

    @property
    def center_of_mass(self) -> np.ndarray:
        """Centre of mass (3,) in the object frame at constant density, from the convex parts."""
        volumes = np.array([part.volume for part in self.parts])
        centres = np.array([part.center_mass for part in self.parts])
        return volumes @ centres / volumes.sum()

    @property
    def extent(self) -> float:
        """Longest side in metres of the axis-aligned bounding box."""
        return float(np.max(self.mesh.extents))
