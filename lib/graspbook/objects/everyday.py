"""Families of everyday shapes beyond the paper's five, for networks that meet objects of any kind.

Convex parts may overlap here: their union is the solid. Lengths in metres.
"""

import numpy as np
import trimesh

from graspbook.objects.solids import bow, loft, placed, ring, stack, vessel
from graspbook.pose import random_rotations, rotation_about

_X, _Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
SECTORS = 16
_ALONG_X = rotation_about(_Y, np.pi / 2)


def _block(sides):
    """A box of three sides (3,), centred at the origin."""
    corners = [[-0.5, -0.5, -0.5], [0.5, -0.5, -0.5], [0.5, 0.5, -0.5], [-0.5, 0.5, -0.5]]
    base = np.array(corners) * sides
    return [loft(base, base + [0, 0, sides[2]])]


def _rod(radius, length, end=1.0):
    """A frustum along z, centred at the origin, its upper radius `end` times the lower."""
    return stack([(radius, -length / 2), (radius * end, length / 2)], SECTORS)


def _ball(rng):
    """Fruit and balls: an ellipsoid."""
    radius = rng.uniform(0.018, 0.042)
    sphere = trimesh.creation.icosphere(2)
    points = sphere.vertices * radius * rng.uniform(0.8, 1.2, 3)
    return [trimesh.Trimesh(points, sphere.faces, process=False)]


def _tube(rng):
    """A bar that tapers towards its ends, straight or bent: bananas, carrots, markers."""
    length, radius, turn = rng.uniform(0.09, 0.22), rng.uniform(0.008, 0.024), rng.uniform(0, 1.6)
    flat, ends, segments = rng.uniform(0.7, 1.0), rng.uniform(0.3, 0.9, 2), 6
    at = np.linspace(-1, 1, segments + 1)
    thickness = radius * (1 - np.where(at < 0, 1 - ends[0], 1 - ends[1]) * np.abs(at) ** 3)
    circle = ring(1.0, 0.0, SECTORS) * [1, flat, 1]
    if turn < 0.2:
        rings = [circle * r + [0, 0, length / 2 * t] for t, r in zip(at, thickness, strict=True)]
    else:
        bend = length / turn
        turns = [rotation_about(_Y, -turn / 2 * t) for t in at]
        rings = [(circle * r - [bend, 0, 0]) @ R.T for R, r in zip(turns, thickness, strict=True)]
    parts = []
    for a, b in zip(rings[:-1], rings[1:], strict=True):
        # Segments overlap by some: hulls do not share faces exactly.
        along = (b - a).mean(axis=0) * 0.01
        parts.append(loft(a - along, b + along).convex_hull)
    return parts


def _flashlight(rng):
    """Coaxial cylinders and cones: flashlights, shakers, jars, spray cans, lamps."""
    steps = rng.integers(2, 5)
    radii, heights = rng.uniform(0.012, 0.04, steps + 1), rng.uniform(0.015, 0.07, steps)
    z, profile = np.concatenate([[0], np.cumsum(heights)]), []
    for i in range(steps):
        end = radii[i] if rng.random() < 0.6 else radii[i + 1]
        profile += stack([(radii[i], z[i]), (end, z[i + 1])], SECTORS)
    return profile


def _tool(rng):
    """A handle with a head across its end: hammers, brushes, spatulas, screwdrivers."""
    length, width = rng.uniform(0.10, 0.20), rng.uniform(0.015, 0.036)
    if rng.random() < 0.5:
        handle = _rod(width / 2, length, rng.uniform(0.6, 1.1))
    else:
        handle = _block([width, width * rng.uniform(0.4, 1.0), length])
    head_length, head_width = rng.uniform(0.03, 0.12), rng.uniform(0.016, 0.045)
    if rng.random() < 0.5:
        head = placed(_rod(head_width / 2, head_length, rng.uniform(0.7, 1.0)), _ALONG_X)
    else:
        head = _block([head_length, head_width, rng.uniform(0.008, 0.06)])
    return handle + placed(head, translation=[rng.uniform(-0.3, 0.3) * head_length, 0, length / 2])


def _pan(rng):
    """A shallow vessel with a bar for a handle: pans, ladles, dishes."""
    radius, height = rng.uniform(0.04, 0.085), rng.uniform(0.02, 0.05)
    wall, bottom = rng.uniform(0.002, 0.005), rng.uniform(0.003, 0.006)
    foot = radius * rng.uniform(0.7, 0.95)
    cup = vessel([(foot, 0.0), (foot + 0.001, bottom), (radius, height)], wall, SECTORS)
    length, width = rng.uniform(0.07, 0.14), rng.uniform(0.014, 0.03)
    block = _block([length, width, rng.uniform(0.007, 0.018)])
    tilt = rotation_about(_Y, -rng.uniform(0, 0.5))
    bar = placed(block, translation=[length / 2 - 0.004, 0, 0])
    rim = radius * np.cos(np.pi / SECTORS) - wall / 2
    return cup + placed(bar, tilt, [rim, 0, height * rng.uniform(0.6, 0.9)])


def _jug(rng):
    """A closed round body with handle, knob and, mostly, a spout: teapots, jugs, kettles."""
    radius, height = rng.uniform(0.03, 0.06), rng.uniform(0.06, 0.12)
    waist, neck = radius * rng.uniform(0.75, 1.0), radius * rng.uniform(0.5, 0.9)
    parts = stack([(waist, 0.0), (radius, 0.45 * height), (neck, height)], SECTORS)
    knob = rng.uniform(0.007, 0.015)
    parts += stack([(knob, height), (knob, height + rng.uniform(0.012, 0.025))], SECTORS)
    half, thickness = height * rng.uniform(0.25, 0.36), rng.uniform(0.007, 0.013)
    # The handle starts inside the body, on a plane that the body reaches over its whole height.
    start = min(waist, neck) * 0.93
    gap, half_width = radius - start + rng.uniform(0.025, 0.04), rng.uniform(0.006, 0.012)
    parts += bow(start, height * 0.5, half, gap=gap, thickness=thickness, half_width=half_width)
    if rng.random() < 0.7:
        spout = _rod(rng.uniform(0.01, 0.016), rng.uniform(0.06, 0.09), rng.uniform(0.5, 0.9))
        tilt = rotation_about(_Y, -rng.uniform(0.5, 1.0))
        parts += placed(spout, tilt, [-radius * 1.05, 0, height * rng.uniform(0.5, 0.7)])
    return parts


def _gadget(rng):
    """A box with smaller boxes and cylinders on it: cameras, staplers, plugs, toys."""
    sides = np.array([rng.uniform(0.05, 0.14), rng.uniform(0.02, 0.06), rng.uniform(0.02, 0.08)])
    parts = _block(sides)
    for _ in range(rng.integers(1, 4)):
        axis, sign = rng.integers(3), rng.choice([-1.0, 1.0])
        size = rng.uniform(0.012, 0.06)
        if rng.random() < 0.5:
            extra = _block(rng.uniform(0.4, 1.0, 3) * size)
        else:
            extra = _rod(size / 2, size * rng.uniform(0.3, 1.2))
        turn = rotation_about([_Y, _X, _X][axis], [np.pi / 2, np.pi / 2, 0.0][axis])
        place = rng.uniform(-0.35, 0.35, 3) * sides
        place[axis] = sign * sides[axis] / 2
        parts += placed(extra, turn, place)
    return parts


def _cup(rng):
    """An open vessel without a handle: beakers, tumblers, flower pots, tins."""
    radius, height = rng.uniform(0.028, 0.055), rng.uniform(0.05, 0.12)
    wall, bottom = rng.uniform(0.002, 0.005), rng.uniform(0.003, 0.006)
    foot = radius * rng.uniform(0.65, 1.0)
    start = foot + (radius - foot) * bottom / height
    return vessel([(foot, 0.0), (start, bottom), (radius, height)], wall, SECTORS)


def _turned(make):
    """A family whose shapes lie in any orientation."""

    def make_turned(rng):
        parts = make(rng)
        return placed(parts, random_rotations(1, rng)[0])

    return make_turned


MAKERS = {
    "ball": _ball,
    "tube": _turned(_tube),
    "flashlight": _flashlight,
    "tool": _turned(_tool),
    "pan": _pan,
    "jug": _jug,
    "gadget": _turned(_gadget),
    "cup": _cup,
}
