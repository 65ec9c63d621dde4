"""Parametric families of objects with their exact convex parts: the paper's and `everyday` ones.

The paper's training objects are boxes, cylinders, bowls, bottles and mugs with random scales
(section 4, "Training Data for Grasping"). Each of them stands on z = 0 with +z up and is centred on
the z axis (mugs: their cup is). All their parts are lofts between two planar polygons. Neighbours
share faces and never overlap, so the solid is exactly their union. A hand that opens 80 mm can hold
most objects somewhere: across a side, a body or a neck, on a rim, or on a handle.
"""

import numpy as np

from graspbook.errors import ParameterError
from graspbook.objects import everyday
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.solids import bow, loft, ring, stack, union, vessel

ROUND_SIDES = 32
BOTTLE_SIDES = 24
BOWL_SECTORS = 16
MUG_SECTORS = 16


def make_shape(family: str, rng: np.random.Generator, name: str | None = None) -> GraspObject:
    """Draw one object of a family.

    Raises ParameterError for an unknown family.

    family: one of `FAMILIES`.
    rng: the only source of randomness, so equal generators give equal bytes.
    name: the object's, the family's if omitted.
    """
    if family not in _MAKERS:
        raise ParameterError(f"unknown object family {family!r}; available: {', '.join(FAMILIES)}")
    parts = tuple(_MAKERS[family](rng))
    return GraspObject(name or family, family, union(parts), parts, f"{name or family}.obj")


def _box(rng):
    width, depth = rng.uniform(0.02, 0.072), rng.uniform(0.03, 0.12)
    base = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    base *= [width, depth, 1]
    return [loft(base, base + [0, 0, rng.uniform(0.03, 0.18)])]


def _cylinder(rng):
    if rng.random() < 0.2:  # a flat tin, held across its height
        radius, height = rng.uniform(0.035, 0.06), rng.uniform(0.02, 0.06)
    else:
        radius, height = rng.uniform(0.012, 0.037), rng.uniform(0.05, 0.18)
    return stack([(radius, 0.0), (radius, height)], ROUND_SIDES)


def _bowl(rng):
    rim, height = rng.uniform(0.05, 0.085), rng.uniform(0.035, 0.07)
    wall, bottom = rng.uniform(0.003, 0.005), rng.uniform(0.004, 0.006)
    foot, waist = rim * rng.uniform(0.45, 0.6), rim * rng.uniform(0.8, 0.92)
    middle = bottom + (height - bottom) * rng.uniform(0.35, 0.5)
    start = foot + (waist - foot) * bottom / middle
    profile = [(foot, 0.0), (start, bottom), (waist, middle), (rim, height)]
    return vessel(profile, wall, BOWL_SECTORS)


def _bottle(rng):
    scale = rng.uniform(0.7, 1.15)
    body, neck = scale * rng.uniform(0.026, 0.034), scale * rng.uniform(0.011, 0.014)
    waist = body * rng.uniform(0.85, 1.0)
    steps = ((0.04, 0.06), (0.04, 0.07), (0.025, 0.04), (0.02, 0.035))
    z = scale * np.cumsum([rng.uniform(low, high) for low, high in steps])
    cap = neck * rng.uniform(1.1, 1.3)
    profile = [(body, 0.0), (waist, z[0]), (body, z[1]), (neck, z[2]), (neck, z[3])]
    top = [(cap, z[3]), (cap, z[3] + scale * rng.uniform(0.012, 0.02))]
    return stack(profile, BOTTLE_SIDES) + stack(top, BOTTLE_SIDES)


def _mug(rng):
    """A cup whose handle stands on the wall sector that faces +x."""
    radius, height = rng.uniform(0.034, 0.046), rng.uniform(0.08, 0.115)
    wall, bottom = rng.uniform(0.003, 0.005), rng.uniform(0.004, 0.006)
    cup = vessel([(radius, 0.0), (radius, bottom), (radius, height)], wall, MUG_SECTORS)

    facet = ring(radius, 0.0, MUG_SECTORS)[0]
    half_width = -facet[1] * rng.uniform(0.65, 0.9)
    thickness, gap = rng.uniform(0.007, 0.011), rng.uniform(0.025, 0.034)
    centre, half_opening = height * rng.uniform(0.48, 0.54), height * rng.uniform(0.27, 0.31)
    handle = {"gap": gap, "thickness": thickness, "half_width": half_width}
    return cup + bow(facet[0], centre, half_opening, **handle)


_MAKERS = {"box": _box, "cylinder": _cylinder, "bowl": _bowl, "bottle": _bottle, "mug": _mug}
PAPER_FAMILIES = tuple(_MAKERS)
_MAKERS |= everyday.MAKERS
FAMILIES = tuple(_MAKERS)
