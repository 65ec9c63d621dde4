"""Five parametric families of everyday objects, each with the exact convex parts it is made of.

The paper's training objects are boxes, cylinders, bowls, bottles and mugs with random scales (section 4, "Training
Data for Grasping"). Every shape here stands on z = 0 with +z up and is centred on the z axis (mugs: their cup is).
All parts are lofts between two planar polygons; neighbours share faces and never overlap, so the solid is exactly
their union. Sizes are such that a hand that opens 80 mm can hold most objects somewhere: across a side, a body or a
neck, on a rim, or on a handle.
"""

import manifold3d
import numpy as np
import trimesh

from graspbook.errors import ParameterError
from graspbook.objects.grasp_object import GraspObject

ROUND_SIDES = 32
BOTTLE_SIDES = 24
BOWL_SECTORS = 16
MUG_SECTORS = 16
HANDLE_SEGMENTS = 6


def make_shape(family, rng, name=None):
    """Draw one object of a family.

    family: one of `FAMILIES`; rng: the only source of randomness, so equal generators give equal bytes; name: the
    object's name, the family's if omitted. Lengths in metres. Raises ParameterError for an unknown family.
    """
    if family not in _MAKERS:
        raise ParameterError(f"unknown object family {family!r}; available: {', '.join(FAMILIES)}")
    parts = tuple(_MAKERS[family](rng))
    return GraspObject(name or family, family, union(parts), parts, f"{name or family}.obj")


def loft(start, end):
    """Solid between two planar polygons of n corners, corner i of one joined to corner i of the other.

    start, end: (n, 3) in metres, counterclockwise seen from the side of `end`. The result is convex when its corners
    are; its faces point outward. The diagonal of a side starts at the lesser of its two start corners, so neighbours
    that share a side share its triangles and rounding leaves no slit between them.
    """
    n = len(start)
    i, j = np.arange(n), np.roll(np.arange(n), -1)
    rank = np.argsort(np.lexsort(start.T))
    first = rank[i] < rank[j]
    lower = np.where(first[:, None], np.stack([i, j, j + n], axis=1), np.stack([i, j, i + n], axis=1))
    upper = np.where(first[:, None], np.stack([i, j + n, i + n], axis=1), np.stack([j, j + n, i + n], axis=1))
    fan = np.stack([np.zeros(n - 2, int), i[1:-1], i[2:]], axis=1)
    faces = np.concatenate([lower, upper, fan[:, ::-1], fan + n])
    return trimesh.Trimesh(np.concatenate([start, end]), faces, process=False)


def union(parts):
    """Watertight surface of the union of closed parts, in double precision; faces shared by two parts vanish."""
    solids = [manifold3d.Manifold(manifold3d.Mesh64(part.vertices, part.faces.astype(np.uint64))) for part in parts]
    mesh = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    return trimesh.Trimesh(mesh.vert_properties[:, :3], mesh.tri_verts.astype(np.int64), process=False)


def _ring(radius, z, sides):
    """Corners (sides, 3) of a regular polygon at height z, the middle of one side on the +x axis."""
    angle = (np.arange(sides) - 0.5) * 2 * np.pi / sides
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, z)], axis=1)
    ring[1, :2] = ring[0, 0], -ring[0, 1]
    return ring


def _stack(profile, sides):
    """Solid of revolution of the (radius, z) profile, z rising, one frustum a step."""
    rings = [_ring(radius, z, sides) for radius, z in profile]
    return [loft(a, b) for a, b in zip(rings[:-1], rings[1:], strict=True)]


def _vessel(outer, wall, sectors):
    """Open vessel: a bottom slab and, per step of the outer (radius, z) profile above it, a ring of wall sectors.

    The slab spans outer[0] to outer[1]; the inner profile lies `wall` further in.
    """
    parts = _stack(outer[:2], sectors)
    for (radius_a, z_a), (radius_b, z_b) in zip(outer[1:-1], outer[2:], strict=True):
        out_a, out_b = _ring(radius_a, z_a, sectors), _ring(radius_b, z_b, sectors)
        in_a, in_b = _ring(radius_a - wall, z_a, sectors), _ring(radius_b - wall, z_b, sectors)
        for i in range(sectors):
            j = (i + 1) % sectors
            parts.append(loft(np.stack([in_a[i], out_a[i], out_a[j], in_a[j]]), np.stack([in_b[i], out_b[i], out_b[j], in_b[j]])))
    return parts


def _box(rng):
    width, depth, height = rng.uniform(0.02, 0.072), rng.uniform(0.03, 0.12), rng.uniform(0.03, 0.18)
    base = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]) * [width, depth, 1]
    return [loft(base, base + [0, 0, height])]


def _cylinder(rng):
    if rng.random() < 0.2:  # a flat tin, held across its height
        radius, height = rng.uniform(0.035, 0.06), rng.uniform(0.02, 0.06)
    else:
        radius, height = rng.uniform(0.012, 0.037), rng.uniform(0.05, 0.18)
    return _stack([(radius, 0.0), (radius, height)], ROUND_SIDES)


def _bowl(rng):
    rim, height = rng.uniform(0.05, 0.085), rng.uniform(0.035, 0.07)
    wall, bottom = rng.uniform(0.003, 0.005), rng.uniform(0.004, 0.006)
    foot, waist = rim * rng.uniform(0.45, 0.6), rim * rng.uniform(0.8, 0.92)
    middle = bottom + (height - bottom) * rng.uniform(0.35, 0.5)
    start = foot + (waist - foot) * bottom / middle
    return _vessel([(foot, 0.0), (start, bottom), (waist, middle), (rim, height)], wall, BOWL_SECTORS)


def _bottle(rng):
    scale = rng.uniform(0.7, 1.15)
    body, neck = scale * rng.uniform(0.026, 0.034), scale * rng.uniform(0.011, 0.014)
    waist = body * rng.uniform(0.85, 1.0)
    z = scale * np.cumsum([rng.uniform(0.04, 0.06), rng.uniform(0.04, 0.07), rng.uniform(0.025, 0.04), rng.uniform(0.02, 0.035)])
    cap = neck * rng.uniform(1.1, 1.3)
    body_parts = _stack([(body, 0.0), (waist, z[0]), (body, z[1]), (neck, z[2]), (neck, z[3])], BOTTLE_SIDES)
    return body_parts + _stack([(cap, z[3]), (cap, z[3] + scale * rng.uniform(0.012, 0.02))], BOTTLE_SIDES)


def _mug(rng):
    """A cup whose handle stands on the wall sector that faces +x."""
    radius, height = rng.uniform(0.034, 0.046), rng.uniform(0.08, 0.115)
    wall, bottom = rng.uniform(0.003, 0.005), rng.uniform(0.004, 0.006)
    cup = _vessel([(radius, 0.0), (radius, bottom), (radius, height)], wall, MUG_SECTORS)

    facet = _ring(radius, 0.0, MUG_SECTORS)[0]
    half_width = -facet[1] * rng.uniform(0.65, 0.9)
    thickness, gap = rng.uniform(0.007, 0.011), rng.uniform(0.025, 0.034)
    centre = height * rng.uniform(0.48, 0.54)
    half_opening = height * rng.uniform(0.27, 0.31)
    angle = np.linspace(-np.pi / 2, np.pi / 2, HANDLE_SEGMENTS + 1)
    bow, rise = np.cos(angle).clip(0) ** 0.6, np.sin(angle)
    bow[[0, -1]] = 0.0
    inner = np.stack([facet[0] + gap * bow, np.zeros_like(bow), centre + half_opening * rise], axis=1)
    outer = np.stack([facet[0] + (gap + thickness) * bow, np.zeros_like(bow), centre + (half_opening + thickness) * rise], axis=1)
    side = np.array([0, half_width, 0])
    handle = []
    for k in range(HANDLE_SEGMENTS):
        face = np.stack([inner[k], inner[k + 1], outer[k + 1], outer[k]])
        handle.append(loft(face - side, face + side))
    return cup + handle


_MAKERS = {
    "box": _box,
    "cylinder": _cylinder,
    "bowl": _bowl,
    "bottle": _bottle,
    "mug": _mug,
}
FAMILIES = tuple(_MAKERS)
