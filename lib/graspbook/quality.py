"""Grasp quality: the ε-metric of Ferrari and Canny (1992), for any hand."""

from itertools import combinations, product

import numpy as np
from scipy.spatial import ConvexHull

from graspbook.errors import ParameterError

_TOLERANCE = 1e-7
_FEW = 48  # wrenches whose hull is made at once
_FACETS = 50  # looked beyond at once


def epsilon(points, normals, com, length, friction=0.4, edges=8):
    """Radius of the largest ball around the origin in the convex hull of all contact wrenches; -1
    without force closure.

    points: (P, 3) contacts on the object, metres; normals: (P, 3) unit vectors into the object,
    along which the hand pushes; com: (3,) centre of mass; length: metres by which torques are
    divided, the largest distance of a vertex of the object from com. Each cone has `edges` forces n
    + friction · t, the first t along the arm from com to the contact, or towards the contact
    furthest off the normal where the arm lies on it, so the figure depends on no choice of axes.
    This is GraspIt!'s L1 metric, which the high-DOF paper reports (section V-C4). Raises
    ParameterError for wrong shapes, normals not of unit length, what is not finite, and impossible
    numbers.
    """
    points, normals, com = (
        np.asarray(points, float),
        np.asarray(normals, float),
        np.asarray(com, float),
    )
    if (
        points.ndim != 2
        or points.shape[1] != 3
        or normals.shape != points.shape
        or com.shape != (3,)
    ):
        raise ParameterError(
            f"ε of points {points.shape}, normals {normals.shape} and centre of mass {com.shape}: "
            "expected (P, 3), (P, 3) and (3,)"
        )
    if not all(np.isfinite(array).all() for array in (points, normals, com)):
        raise ParameterError("ε of contacts or a centre of mass that are not finite")
    if len(normals) and np.abs(np.linalg.norm(normals, axis=1) - 1).max() > 1e-3:
        raise ParameterError("ε of normals that do not have unit length")
    if not (
        np.isfinite(length)
        and length > 0
        and np.isfinite(friction)
        and friction >= 0
        and edges >= 3
    ):
        raise ParameterError(
            f"ε with length {length}, friction {friction}, {edges} edges: expected a positive"
            " length, no negative friction and at least 3 edges"
        )
    wrenches = contact_wrenches(points, normals, com, length, friction, edges)
    if (
        len(wrenches) < 7
        or np.linalg.svd(wrenches - wrenches.mean(axis=0), compute_uv=False)[-1] < _TOLERANCE
    ):
        return -1.0
    return _largest_ball(wrenches)


def contact_wrenches(points, normals, com, length, friction, edges):
    """Wrenches (P · edges, 6), force and torque / length about com, of the edges of the contacts'
    friction cones.
    """
    # Candidates for a cone's first tangent: the arm from the centre of mass, and the ways to the
    # contacts.
    ways = np.concatenate([points[:, None] - com, points[None] - points[:, None]], axis=1)
    ways -= np.einsum("ijk,ik->ij", ways, normals)[..., None] * normals[:, None]
    off = np.linalg.norm(ways, axis=2)
    best = np.where(off[:, 0] > 1e-6 * length, 0, off.argmax(axis=1))
    first = ways[np.arange(len(points)), best]
    # With all of them on one line any tangent will do: there is no closure.
    any_tangent = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)])
    first = np.where(off.max(axis=1, keepdims=True) > 1e-6 * length, first, any_tangent)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    angle = 2 * np.pi * np.arange(edges) / edges
    tangents = (
        np.cos(angle)[:, None] * first[:, None]
        + np.sin(angle)[:, None] * np.cross(normals, first)[:, None]
    )
    forces = normals[:, None] + friction * tangents
    torques = np.cross((points - com)[:, None], forces) / length
    return np.concatenate([forces, torques], axis=2).reshape(-1, 6)


def _largest_ball(wrenches):
    """Radius of the largest ball around the origin in the convex hull of wrenches (N, 6) that span
    all directions, or -1.

    For every unit vector u the radius is at most max w·u; where that is not positive there is no
    closure. The facets of the hull of some wrenches give such u. The wrenches furthest beyond the
    facets nearest to the origin join the hull, until no facet is nearer than the least bound: then
    that is the radius. For 45 contacts a quarter of the time of the hull of all.
    """
    pairs = np.array(
        [
            sign * a + other * b
            for a, b in combinations(np.eye(6), 2)
            for sign, other in product((1, -1), repeat=2)
        ]
    )
    reach = np.concatenate([np.eye(6), -np.eye(6), pairs / np.sqrt(2)]) @ wrenches.T
    bound, chosen = reach.max(axis=1).min(), np.zeros(len(wrenches), bool)
    chosen[reach.argmax(axis=1)] = True
    if len(wrenches) <= _FEW or chosen.sum() < 7:
        chosen[:] = True
    while bound > _TOLERANCE:
        equations = ConvexHull(wrenches[chosen], qhull_options="QJ").equations
        nearest = equations[np.argsort(-equations[:, 6], kind="stable")[:_FACETS]]
        reach = nearest[-nearest[:, 6] < bound - _TOLERANCE, :6] @ wrenches.T
        beyond = reach.argmax(axis=1)
        bound = min(bound, reach.max(axis=1).min(initial=np.inf))
        if chosen[beyond].all():
            break
        chosen[beyond] = True
    return float(bound) if bound > _TOLERANCE else -1.0
