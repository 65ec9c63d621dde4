"""Grasp quality: the ε-metric of Ferrari and Canny (1992), for any hand."""

from itertools import combinations, product

import numpy as np
from scipy.spatial import ConvexHull

from graspbook.errors import ParameterError

_TOLERANCE = 1e-7
_FEW = 48  # number of wrenches in the first hull
_FACETS = 50  # number of facets checked at once
_SPREAD, _FLAT, _NEWTON, _SHORTER = 1e-4, 1e-7, 40, 12  # of balanced forces


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
            f"ε: points, normals and centre of mass have shapes {points.shape}, {normals.shape} and"
            f" {com.shape}, expected (P, 3), (P, 3) and (3,)"
        )
    if not all(np.isfinite(array).all() for array in (points, normals, com)):
        raise ParameterError(
            "ε: a contact or the centre of mass is not finite, expected finite numbers"
        )
    if len(normals) and np.abs(np.linalg.norm(normals, axis=1) - 1).max() > 1e-3:
        raise ParameterError(
            "ε: a normal is too long or too short, expected unit length, within 1e-3"
        )
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


def balanced_forces(
    points: np.ndarray,
    normals: np.ndarray,
    there: np.ndarray,
    com: np.ndarray,
    length: float,
    *,
    friction: float = 0.4,
    edges: int = 8,
) -> np.ndarray:
    """Forces (N, P, 3) at contacts of N grasps that cancel, with normal parts that add up to 1.

    Each force is a sum of non-negative multiples of its cone's edges. The squared net wrench, plus
    1e-4 times the squares of the multiples, is least. So the forces are spread over the contacts.
    Where forces cannot cancel, the net wrench is as small as it can be for their sum. This solves
    the non-negative least squares by Newton's method on the dual, with seven variables per grasp.
    Forces are 0 where there is no contact at all.

    points, normals: (N, P, 3), on the object, and unit vectors into it.
    there: (N, P) bool, whether a contact exists.
    com, length: as for `epsilon`.
    friction: coefficient.
    edges: of each cone.
    """
    first = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=2)])
    first /= np.linalg.norm(first, axis=2, keepdims=True).clip(1e-12)
    angle = 2 * np.pi * np.arange(edges)[:, None] / edges
    tangents = (
        np.cos(angle) * first[:, :, None] + np.sin(angle) * np.cross(normals, first)[:, :, None]
    )
    cone = normals[:, :, None] + friction * tangents
    moments = np.cross((points - com)[:, :, None], cone) / length
    rows = np.concatenate([cone, moments, np.ones((*cone.shape[:3], 1))], axis=3)
    rows = (rows * there[:, :, None, None]).reshape(len(points), -1, 7)
    multiples = _least_multiples(rows).reshape(cone.shape[:3])
    forces = np.einsum("npe,npec->npc", multiples * there[:, :, None], cone)
    return forces / multiples.sum(axis=(1, 2)).clip(1e-12)[:, None, None]


def _least_multiples(rows):
    """Multiples f >= 0 (N, E) of rows (N, E, 7): |f|² + |Σ f·row - (0, …, 0, 1)|² / 1e-4 is least.

    f = max(0, rows · y), where y (N, 7) is the greatest in y₇ - |f|² / 2 - 1e-4 |y|² / 2.
    """
    y, identity = np.zeros((len(rows), 7)), _SPREAD * np.eye(7)
    y[:, 6] = 1 / np.maximum(1, rows[..., 6].sum(axis=1))
    value, f = _dual(rows, y)
    left = np.arange(len(rows))
    for _ in range(_NEWTON):
        slope = -(f[left, None] @ rows[left])[:, 0] - _SPREAD * y[left]
        slope[:, 6] += 1
        steep = np.abs(slope).max(axis=1) > _FLAT
        left, slope = left[steep], slope[steep]
        if not len(left):
            break
        some = rows[left]
        active = some * (f[left] > 0)[..., None]
        bend = active.transpose(0, 2, 1) @ active + identity
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        for _ in range(_SHORTER):
            better, g = _dual(some, y[left] + step)
            worse = better < value[left] - 1e-9 * (1 + np.abs(value[left]))
            if not worse.any():
                break
            step[worse] /= 4
        on, better, g = left[~worse], better[~worse], g[~worse]
        y[on] += step[~worse]
        value[on], f[on] = better, g
    return f


def _dual(rows, y):
    """The dual's values (N,) and the multiples (N, E) at y (N, 7)."""
    f = np.maximum((rows @ y[..., None])[..., 0], 0)
    return y[:, 6] - ((f * f).sum(axis=1) + _SPREAD * (y * y).sum(axis=1)) / 2, f


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
