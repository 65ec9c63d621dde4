"""Solids put together from convex lofts, each with its parts: what the families of objects are
built of.
"""

import manifold3d
import numpy as np
import trimesh

HANDLE_SEGMENTS = 6


def loft(start, end):
    """Solid between two planar polygons of n corners, corner i of one joined to corner i of the
    other.

    start, end: (n, 3) in metres, counterclockwise seen from the side of `end`. The result is convex
    when its corners are; its faces point outward. The diagonal of a side starts at the lesser of
    its two start corners, so neighbours that share a side share its triangles and rounding leaves
    no slit between them.
    """
    n = len(start)
    i, j = np.arange(n), np.roll(np.arange(n), -1)
    rank = np.argsort(np.lexsort(start.T))
    first = rank[i] < rank[j]
    lower = np.where(
        first[:, None], np.stack([i, j, j + n], axis=1), np.stack([i, j, i + n], axis=1)
    )
    upper = np.where(
        first[:, None], np.stack([i, j + n, i + n], axis=1), np.stack([j, j + n, i + n], axis=1)
    )
    fan = np.stack([np.zeros(n - 2, int), i[1:-1], i[2:]], axis=1)
    faces = np.concatenate([lower, upper, fan[:, ::-1], fan + n])
    return trimesh.Trimesh(np.concatenate([start, end]), faces, process=False)


def union(parts):
    """Watertight surface of the union of closed parts, in double precision; faces shared by two
    parts vanish.
    """
    solids = [
        manifold3d.Manifold(manifold3d.Mesh64(part.vertices, part.faces.astype(np.uint64)))
        for part in parts
    ]
    mesh = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    return trimesh.Trimesh(
        mesh.vert_properties[:, :3], mesh.tri_verts.astype(np.int64), process=False
    )


def ring(radius, z, sides):
    """Corners (sides, 3) of a regular polygon at height z, the middle of one side on the +x axis."""
    angle = (np.arange(sides) - 0.5) * 2 * np.pi / sides
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, z)], axis=1)
    ring[1, :2] = ring[0, 0], -ring[0, 1]
    return ring


def stack(profile, sides):
    """Solid of revolution of the (radius, z) profile, z rising, one frustum a step."""
    rings = [ring(radius, z, sides) for radius, z in profile]
    return [loft(a, b) for a, b in zip(rings[:-1], rings[1:], strict=True)]


def vessel(outer, wall, sectors):
    """Open vessel: a bottom slab and, per step of the outer (radius, z) profile above it, a ring of
    wall sectors.

    The slab spans outer[0] to outer[1]; the inner profile lies `wall` further in.
    """
    parts = stack(outer[:2], sectors)
    for (radius_a, z_a), (radius_b, z_b) in zip(outer[1:-1], outer[2:], strict=True):
        out_a, out_b = ring(radius_a, z_a, sectors), ring(radius_b, z_b, sectors)
        in_a, in_b = ring(radius_a - wall, z_a, sectors), ring(radius_b - wall, z_b, sectors)
        for i in range(sectors):
            j = (i + 1) % sectors
            parts.append(
                loft(
                    np.stack([in_a[i], out_a[i], out_a[j], in_a[j]]),
                    np.stack([in_b[i], out_b[i], out_b[j], in_b[j]]),
                )
            )
    return parts


def bow(start, centre, half_opening, gap, thickness, half_width):
    """A handle in the xz plane: a bow that starts and ends on the plane x = `start`, `gap` wide
    inside, as a chain of lofts.

    centre, half_opening: middle and half height of the opening along z; half_width: along y.
    """
    angle = np.linspace(-np.pi / 2, np.pi / 2, HANDLE_SEGMENTS + 1)
    reach, rise = np.cos(angle).clip(0) ** 0.6, np.sin(angle)
    reach[[0, -1]] = 0.0
    inner = np.stack(
        [start + gap * reach, np.zeros_like(reach), centre + half_opening * rise], axis=1
    )
    gap, half_opening = gap + thickness, half_opening + thickness
    outer = np.stack(
        [start + gap * reach, np.zeros_like(reach), centre + half_opening * rise], axis=1
    )
    side = np.array([0, half_width, 0])
    corners = zip(inner[:-1], inner[1:], outer[1:], outer[:-1], strict=True)
    return [loft(np.stack(face) - side, np.stack(face) + side) for face in corners]


def placed(parts, rotation=None, translation=(0.0, 0.0, 0.0)):
    """Parts turned by `rotation` (3, 3) and moved by `translation` (3,)."""
    rotation = np.eye(3) if rotation is None else rotation
    return [
        trimesh.Trimesh(part.vertices @ rotation.T + translation, part.faces, process=False)
        for part in parts
    ]
