"""Solids on regular grids, and their surfaces."""

from dataclasses import dataclass

import manifold3d
import numpy as np
import trimesh
from scipy.fft import next_fast_len
from scipy.ndimage import binary_fill_holes, label

from graspbook.errors import CaptureError

NODES = 128**3
FINEST = 0.0008  # distance between nodes, metres
MARGIN = 0.015  # of the grid around the points, metres
_SMALL = 0.05  # of the largest part: smaller parts of a solid are left out
_TOLERANCE = 0.25  # of the distance between nodes, by which a simpler surface may differ


@dataclass(frozen=True)
class Nodes:
    """The nodes of a regular grid.

    low: (3,) the node of least coordinates, metres.
    spacing: between neighbours, metres.
    shape: number of nodes along x, y and z.
    """

    low: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    def points(self) -> np.ndarray:
        """All nodes (X · Y · Z, 3) float32, metres, z first."""
        axes = [
            np.float32(low) + np.float32(self.spacing) * np.arange(count, dtype=np.float32)
            for low, count in zip(self.low, self.shape, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class SolidGrid:
    """A solid on a grid.

    nodes: of the grid.
    values: (X, Y, Z) float32, positive inside.
    """

    nodes: Nodes
    values: np.ndarray


def nodes_around(points: np.ndarray, table: float | None, count: int = NODES) -> Nodes:
    """A grid around points with a margin of 15 mm, and nodes at least 0.8 mm apart.

    points: (M, 3) metres.
    table: z of a table, at which the grid ends half a distance below its first node; None without.
    count: of the nodes, about.
    """
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    if table is not None:
        low[2] = table
    spacing = max(FINEST, float((np.prod(high - low) / count) ** (1 / 3)))
    x, y, z = (
        next_fast_len(max(2, int(np.ceil(side / spacing))), real=True) for side in high - low
    )
    return Nodes(low + spacing / 2, spacing, (x, y, z))


def surface_of(solid: SolidGrid) -> trimesh.Trimesh:
    """The closed surface where the values of a solid are zero, by marching cubes (PyMCubes).

    A solid that reaches the grid's border ends half a distance beyond it. Parts of less than a
    twentieth of the largest are left out, and cavities are filled. Raises CaptureError for a grid
    without an inside.

    solid: with values of both signs.
    """
    import mcubes

    values = np.array(solid.values, float)
    parts, count = label(values > 0)
    if not count:
        raise CaptureError("the points bound no solid, expected normals that point outwards")
    sizes = np.bincount(parts.ravel())[1:]
    small = np.flatnonzero(sizes < _SMALL * sizes.max()) + 1
    values[np.isin(parts, small)] *= -1
    values[binary_fill_holes(values > 0) & (values <= 0)] = solid.nodes.spacing
    border = np.pad(values, 1, mode="edge")
    inner = np.zeros(border.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    border[~inner] = -np.abs(border[~inner])
    vertices, faces = mcubes.marching_cubes(border, 0.0)
    vertices = solid.nodes.low + (vertices - 1) * solid.nodes.spacing
    mesh = trimesh.Trimesh(vertices, faces.astype(np.int64), process=False)
    mesh.merge_vertices()
    if mesh.volume < 0:
        mesh.invert()
    return _simpler(mesh, _TOLERANCE * solid.nodes.spacing)


def _simpler(mesh, tolerance):
    """The mesh with fewer faces where it is a manifold, else as it is."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(
            vert_properties=np.ascontiguousarray(mesh.vertices, float),
            tri_verts=np.ascontiguousarray(mesh.faces, np.uint64),
        )
    )
    if solid.status() != manifold3d.Error.NoError or solid.is_empty():
        return mesh
    out = solid.simplify(tolerance).to_mesh64()
    vertices, faces = np.array(out.vert_properties)[:, :3], np.array(out.tri_verts, int)
    return trimesh.Trimesh(vertices, faces, process=False)
