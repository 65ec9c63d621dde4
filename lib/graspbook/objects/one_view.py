"""Whether points or a surface are what a camera at the origin sees, from one side."""

import numpy as np
import trimesh

ONE_VIEW, _BEHIND = 0.3, 0.02  # share of points with others so far (metres) behind them
MANY = 1000  # points, for the share to mean something


def is_open_view(mesh: trimesh.Trimesh, scale: float = 1.0) -> bool:
    """Whether a surface is open, and its vertices can be one view of a camera at the origin.

    mesh: in any units.
    scale: factor to metres.
    """
    if not is_one_view(scale * mesh.vertices):
        return False
    merged = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    merged.merge_vertices()
    return not merged.is_watertight


def hidden_share(points: np.ndarray) -> float:
    """Share of the points that lie 2 cm (or 2 % of their depth) apart from others in one direction.

    A camera at the origin sees only the nearest in each direction: of one view the share is small.

    points: (M, 3) metres, z positive.
    """
    rays = points[:, :2] / points[:, 2:]
    spread = np.percentile(rays, 99, axis=0) - np.percentile(rays, 1, axis=0)
    cell = 2 * np.sqrt(np.prod(np.maximum(spread, 1e-6)) / len(points))
    _, group = np.unique(np.floor(rays / cell).astype(int), axis=0, return_inverse=True)
    group = group.ravel()
    nearest = np.full(group.max() + 1, np.inf)
    farthest = np.zeros(group.max() + 1)
    np.minimum.at(nearest, group, points[:, 2])
    np.maximum.at(farthest, group, points[:, 2])
    apart = farthest - nearest > np.maximum(_BEHIND, 0.02 * nearest)
    return float(apart[group].mean())


def is_one_view(points: np.ndarray) -> bool:
    """Whether points can be one view of a camera at the origin, looking along z or −z.

    points: (M, 3) metres; rows that are not finite or have z = 0 are left out.
    """
    points = points[np.isfinite(points).all(axis=1) & (points[:, 2] != 0)]
    if len(points) < MANY:
        return False
    if (points[:, 2] < 0).mean() > 0.99:
        points = points * [1, -1, -1]
    seen = points[points[:, 2] > 0.05]
    if len(seen) < 0.99 * len(points) or off_axis(seen) > 50:
        return False
    return hidden_share(seen) < ONE_VIEW


def off_axis(points: np.ndarray) -> float:
    """Median angle in degrees between points and the z axis.

    points: (M, 3) camera frame.
    """
    angles = np.arctan2(np.hypot(points[:, 0], points[:, 1]), points[:, 2])
    return float(np.rad2deg(np.median(angles)))
