"""Solids put together from convex lofts: what the families of objects are built of."""

from collections.abc import Sequence

import manifold3d
import numpy as np
import trimesh

HANDLE_SEGMENTS = 6


def loft(start: np.ndarray, end: np.ndarray) -> trimesh.Trimesh:
    """Solid between two planar polygons, corner i of one joined to corner i of the other.

    It is convex when its corners are; its faces point outward. The diagonal of a side starts at the
    lesser of its two start corners. So neighbours that share a side share its triangles, and
    rounding leaves no slit between them.

    start, end: (n, 3) corners in metres, counterclockwise seen from the side of `end`.
    """
    n = len(start)
    i, j = np.arange(n), np.roll(np.arange(n), -1)
    rank = np.argsort(np.lexsort(start.T))
    first = rank[i] < rank[j]
    lower = np.stack([i, j, np.where(first, j, i) + n], axis=1)
    upper = np.stack([np.where(first, i, j), j + n, i + n], axis=1)
    fan = np.stack([np.zeros(n - 2, int), i[1:-1], i[2:]], axis=1)
    faces = np.concatenate([lower, upper, fan[:, ::-1], fan + n])
    return trimesh.Trimesh(np.concatenate([start, end]), faces, process=False)


def union(parts: Sequence[trimesh.Trimesh]) -> trimesh.Trimesh:
    """Watertight surface of the union of closed parts, in double precision.

    Faces shared by two parts vanish.

    parts: in one frame.
    """
    solids = [
        manifold3d.Manifold(manifold3d.Mesh64(part.vertices, part.faces.astype(np.uint64)))
        for part in parts
    ]
    mesh = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    faces = mesh.tri_verts.astype(np.int64)
    return trimesh.Trimesh(mesh.vert_properties[:, :3], faces, process=False)


def ring(radius: float, z: float, sides: int) -> np.ndarray:
    """Corners (sides, 3) of a regular polygon, the middle of one side on the +x axis.

    radius: of the corners, metres.
    z: its height, metres.
    sides: number of sides of the polygon.
    """
    angle = (np.arange(sides) - 0.5) * 2 * np.pi / sides
    corners = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, z)], axis=1)
    corners[1, :2] = corners[0, 0], -corners[0, 1]
    return corners


def stack(profile: Sequence[tuple[float, float]], sides: int) -> list[trimesh.Trimesh]:
    """Solid of revolution, one frustum per step of a profile.

    profile: (radius, z) in metres, z rising.
    sides: of the polygon that stands for a circle.
    """
    rings = [ring(radius, z, sides) for radius, z in profile]
    return [loft(a, b) for a, b in zip(rings[:-1], rings[1:], strict=True)]


def vessel(
    outer: Sequence[tuple[float, float]], wall: float, sectors: int
) -> list[trimesh.Trimesh]:
    """Open vessel: a bottom slab and, per step of the profile above it, a ring of wall sectors.

    outer: the profile, (radius, z) in metres; the slab spans its first step.
    wall: how much further in the inner profile lies, metres.
    sectors: number of parts in each ring.
    """
    parts = stack(outer[:2], sectors)
    for (radius_a, z_a), (radius_b, z_b) in zip(outer[1:-1], outer[2:], strict=True):
        out_a, out_b = ring(radius_a, z_a, sectors), ring(radius_b, z_b, sectors)
        in_a, in_b = ring(radius_a - wall, z_a, sectors), ring(radius_b - wall, z_b, sectors)
        for i in range(sectors):
            j = (i + 1) % sectors
            low, high = (
                np.stack([inner[i], out[i], out[j], inner[j]])
                for inner, out in ((in_a, out_a), (in_b, out_b))
            )
            parts.append(loft(low, high))
    return parts


def bow(
    start: float,
    centre: float,
    half_opening: float,
    *,
    gap: float,
    thickness: float,
    half_width: float,
) -> list[trimesh.Trimesh]:
    """A handle in the xz plane, as a chain of lofts; all lengths in metres.

    start: it starts and ends on the plane x = `start`.
    centre, half_opening: middle and half height of the opening along z.
    gap: how wide it is inside, along x.
    thickness: of the bow, in the xz plane.
    half_width: half its width along y.
    """
    angle = np.linspace(-np.pi / 2, np.pi / 2, HANDLE_SEGMENTS + 1)
    reach, rise = np.cos(angle).clip(0) ** 0.6, np.sin(angle)
    reach[[0, -1]] = 0.0
    level = np.zeros_like(reach)
    inner, outer = (
        np.stack([start + (gap + out) * reach, level, centre + (half_opening + out) * rise], axis=1)
        for out in (0.0, thickness)
    )
    side = np.array([0, half_width, 0])
    corners = zip(inner[:-1], inner[1:], outer[1:], outer[:-1], strict=True)
    return [loft(np.stack(face) - side, np.stack(face) + side) for face in corners]


def placed(
    parts: Sequence[trimesh.Trimesh],
    rotation: np.ndarray | None = None,
    translation: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
) -> list[trimesh.Trimesh]:
    """Parts turned, then moved.

    parts: in one frame.
    rotation: (3, 3), none if omitted.
    translation: (3,) metres.
    """
    rotation = np.eye(3) if rotation is None else rotation
    return [
        trimesh.Trimesh(part.vertices @ rotation.T + translation, part.faces, process=False)
        for part in parts
    ]
