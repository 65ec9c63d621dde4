"""Grasp quality: the ε-metric of Ferrari and Canny (1992), for any hand."""

from itertools import combinations, product

import numpy as np
from scipy.spatial import ConvexHull

from graspbook.errors import ParameterError

_TOLERANCE = 1e-7
_FEW = 48  # number of wrenches in the first hull
_FACETS = 50  # number of facets checked at once


def epsilon(
    points: np.ndarray,
    normals: np.ndarray,
    com: np.ndarray,
    length: float,
    *,
    friction: float = 0.4,
    edges: int = 8,
) -> float:
    """Radius of the largest ball around the origin in the convex hull of all contact wrenches.

    It is -1 without force closure. Each friction cone has `edges` forces n + friction · t. The
    first t is along the line from com to the contact. If that line is parallel to the normal, t
    points to the furthest contact. The result therefore does not depend on the axes. This is the L1
    metric of GraspIt!, which the high-DOF paper reports (section V-C4). Raises ParameterError for
    wrong shapes, normals without unit length, numbers that are not finite, and impossible ones.

    points: (P, 3) contacts on the object, metres.
    normals: (P, 3) unit vectors into the object, along which the hand pushes.
    com: (3,) centre of mass.
    length: metres by which torques are divided, the largest distance of a vertex of the object from
        com.
    friction: Coulomb's coefficient.
    edges: number of edges of each friction cone.
    """
    points, normals, com = (np.asarray(array, float) for array in (points, normals, com))
    if points.shape[1:] != (3,) or normals.shape != points.shape or com.shape != (3,):
        raise ParameterError(
            f"ε of points {points.shape}, normals {normals.shape} and centre of mass {com.shape}: "
            "expected (P, 3), (P, 3) and (3,)"
        )
    if not all(np.isfinite(array).all() for array in (points, normals, com)):
        raise ParameterError("ε of contacts and a centre of mass: expected finite numbers")
    if len(normals) and np.abs(np.linalg.norm(normals, axis=1) - 1).max() > 1e-3:
        raise ParameterError("ε of normals: expected unit length, within 1e-3")
    if not (0 < length < np.inf and 0 <= friction < np.inf and edges >= 3):
        raise ParameterError(
            f"ε with length {length}, friction {friction}, {edges} edges: expected a positive"
            " length, a friction of 0 or more and at least 3 edges"
        )
    wrenches = contact_wrenches(points, normals, com, length, friction=friction, edges=edges)
    if len(wrenches) < 7:
        return -1.0
    spread = np.linalg.svd(wrenches - wrenches.mean(axis=0), compute_uv=False)
    return -1.0 if spread[-1] < _TOLERANCE else _largest_ball(wrenches)


def contact_wrenches(
    points: np.ndarray,
    normals: np.ndarray,
    com: np.ndarray,
    length: float,
    *,
    friction: float,
    edges: int,
) -> np.ndarray:
    """Wrenches (P · edges, 6), force and torque / length about com, of the friction cones' edges.

    points, normals, com, length: as for `epsilon`.
    friction, edges: as for `epsilon`.
    """
    # Candidates for a cone's first tangent: the arm from the centre of mass, and the directions to
    # the contacts.
    ways = np.concatenate([points[:, None] - com, points[None] - points[:, None]], axis=1)
    ways -= np.einsum("ijk,ik->ij", ways, normals)[..., None] * normals[:, None]
    off = np.linalg.norm(ways, axis=2)
    best = np.where(off[:, 0] > 1e-6 * length, 0, off.argmax(axis=1))
    first = ways[np.arange(len(points)), best]
    # If all are on one line, any tangent will do: there is no closure.
    any_tangent = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)])
    first = np.where(off.max(axis=1, keepdims=True) > 1e-6 * length, first, any_tangent)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    angle = 2 * np.pi * np.arange(edges) / edges
    second = np.cross(normals, first)[:, None]
    tangents = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second
    forces = normals[:, None] + friction * tangents
    torques = np.cross((points - com)[:, None], forces) / length
    return np.concatenate([forces, torques], axis=2).reshape(-1, 6)


def _largest_ball(wrenches):
    """Radius of the largest ball around the origin in the hull of wrenches (N, 6), or -1.

    The wrenches span all directions. For every unit vector u the radius is at most max w·u. If that
    is not positive, there is no closure. The facets of the hull of some wrenches give such u.
    Wrenches furthest beyond the facets nearest to the origin are added to the hull. When no facet
    is nearer than the least bound, this bound is the radius. For 45 contacts this takes a quarter
    of the time of the whole hull.
    """
    signs = list(product((1, -1), repeat=2))
    pairs = [s * a + t * b for a, b in combinations(np.eye(6), 2) for s, t in signs]
    reach = np.concatenate([np.eye(6), -np.eye(6), np.array(pairs) / np.sqrt(2)]) @ wrenches.T
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
