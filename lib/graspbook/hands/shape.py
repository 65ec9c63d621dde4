"""The shape of an articulated hand: surface points for penetration tests, distances to its parts, a
mesh to look at.
"""

from typing import Any

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from graspbook import pose
from graspbook.hands.parts import Part, Points

SPACING = 0.0035
_SPHERE = trimesh.creation.icosphere(subdivisions=2, radius=1.0)


def part_mesh(part: Part) -> trimesh.Trimesh:
    """A convex mesh of a part in its link's frame.

    part: round ones get facets, up to 4 % of the radius inside.
    """
    return trimesh.convex.convex_hull(
        (part.core[:, None] + part.radius * _SPHERE.vertices[None]).reshape(-1, 3)
    )


def part_distance(part: Part, points: np.ndarray) -> np.ndarray:
    """Signed distances (N,) of points to a part, negative inside.

    Exact for capsules; for polyhedra exact inside and on them, and a lower bound outside.

    part: convex.
    points: (N, 3), in the link's frame.
    """
    if part.radius:
        return np.linalg.norm(points - _on_axis(part, points), axis=1) - part.radius
    mesh = part_mesh(part)
    return (
        ((points[:, None] - mesh.triangles[None, :, 0]) * mesh.face_normals).sum(axis=2).max(axis=1)
    )


def surface_points(hand: Any) -> Points:
    """What `Hand.surface` is: see there. Points inside another part of the same link are left out.

    hand: an `articulated.Hand`.
    """
    points, normals, links = [], [], []
    for index, link in enumerate(hand.links):
        clouds = []
        for part in (parts := [part for part in hand.parts if part.link == link]):
            cloud = np.concatenate(dense(part), axis=1)
            for other in parts:
                if other is not part:
                    cloud = cloud[part_distance(other, cloud[:, :3]) > 1e-6]
            clouds.append(cloud)
        if parts:
            cloud = np.concatenate(clouds)
            cloud = cloud[thin(cloud[:, :3], SPACING)]
            points.append(cloud[:, :3])
            normals.append(cloud[:, 3:])
            links.append(np.full(len(cloud), index))
    found = Points(*map(np.concatenate, (points, normals, links)))
    poses = link_poses(hand, np.eye(4), hand.open)
    order = farthest_first(pose.transform(poses[found.links], found.points[:, None])[:, 0])
    return Points(*(values[order] for values in found))


def link_poses(hand: Any, wrist: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Poses (L, 4, 4) of the links, in numpy.

    hand: an `articulated.Hand`.
    wrist: pose of the palm (4, 4).
    joints: (J,).
    """
    import torch

    return hand.forward(
        torch.as_tensor(np.asarray(joints, float)), torch.as_tensor(np.asarray(wrist, float))
    ).numpy()


def mesh(hand: Any, wrist: np.ndarray, joints: np.ndarray) -> trimesh.Trimesh:
    """One mesh of all parts of the posed hand; they overlap at the joints.

    hand: an `articulated.Hand`.
    wrist: pose of the palm (4, 4).
    joints: (J,).
    """
    poses = dict(zip(hand.links, link_poses(hand, wrist, joints), strict=True))
    parts = [part_mesh(part).apply_transform(poses[part.link]) for part in hand.parts]
    whole: Any = trimesh.util.concatenate(parts)
    return whole


def _on_axis(part, points):
    """The point of a capsule's core segment that is nearest to each of points (N, 3)."""
    start, along = part.core[0], part.core[1] - part.core[0]
    return start + np.clip((points - start) @ along / (along @ along), 0, 1)[:, None] * along


def dense(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Random points on the surface of a part, and their normals, (N, 3) each.

    There is one per square millimetre or two.

    part: convex.
    """
    facets = part_mesh(part)
    points, faces = trimesh.sample.sample_surface(facets, int(facets.area / 1.5e-6), seed=0)
    if not part.radius:
        return points, facets.face_normals[faces]
    axis = _on_axis(part, points)
    normals = trimesh.unitize(points - axis)
    return axis + part.radius * normals, normals


def thin(points: np.ndarray, gap: float) -> np.ndarray:
    """Indices of points that lie apart, so many that no further one could be added.

    points: (N, 3).
    gap: least distance between any two.
    """
    near = cKDTree(points).query_ball_point(points, gap)
    free, chosen = np.ones(len(points), bool), []
    for index in range(len(points)):
        if free[index]:
            chosen.append(index)
            free[near[index]] = False
    return np.array(chosen)


def farthest_first(points: np.ndarray) -> np.ndarray:
    """Order of points in which each is, of those that are left, the furthest from all before it.

    points: (N, 3).
    """
    squares = (points**2).sum(axis=1)
    order, distance = [], np.full(len(points), np.inf)
    for _ in points:
        order.append(int(distance.argmax()))
        distance = np.minimum(
            distance, squares - 2 * points @ points[order[-1]] + squares[order[-1]]
        )
        distance[order] = -1.0
    return np.array(order)
