"""The object on a robot's table: workspace, table plane, what stands on it.

All in the arm's base frame, z up, metres.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError
from graspbook.perception.extraction import OBJECT_EXTENT, PLANE_DISTANCE, clusters, dominant_plane
from graspbook.perception.normals import checked_cloud

TABLE_SHARE = 0.2  # of the points in the workspace, at least, lie on the table
_NEAR, _NEIGHBOURS = 0.01, 5  # a point with fewer neighbours so near is an outlier
_SAME = 1e-3  # metres, of a measured point from one that is marked


@dataclass(frozen=True)
class TableSettings:
    """Where to look.

    low, high: corners of the workspace (x, y, z).
    height: of the table there.
    tolerance: of that height at the workspace's four corners.
    gap: in x and y, between different objects.
    fewest_points: an object has, and a view of the workspace.
    """

    low: tuple[float, float, float] = (0.25, -0.35, -0.05)
    high: tuple[float, float, float] = (0.75, 0.35, 0.5)
    height: float = 0.0
    tolerance: float = 0.02
    gap: float = 0.02
    fewest_points: int = 100


@dataclass(frozen=True)
class TableView:
    """What one view of the table shows, in the base frame.

    normal, offset: of the table, (3,) of unit length, upwards; normal · p + offset is the height
        above it.
    object_points: (M, 3) measured on the object.
    other_points: (K, 3) all else measured above the table in the workspace, for collision checks.
    table_points: (L, 3) measured on the table.
    """

    normal: np.ndarray
    offset: float
    object_points: np.ndarray
    other_points: np.ndarray
    table_points: np.ndarray


def find_object(
    points: np.ndarray,
    settings: TableSettings = TableSettings(),
    seed: int = 0,
    *,
    marked: np.ndarray | None = None,
) -> TableView:
    """The object on the table, of measured points.

    Points outside the workspace are dropped. The table is the largest plane (RANSAC, then least
    squares). Of what is over 6 mm above it, points with fewer than 5 others within 1 cm are
    outliers. The rest is clustered (as in Mousavian et al. 2019, section 4.2) by gaps in x and y:
    from above, a bottle's neck and shoulder are far apart in z with nothing between. The object is
    the cluster of most points among those of enough points and at most 0.4 m long. Raises
    CaptureError for a cloud of a wrong shape or with points that are not finite. Raises it too when
    the view is empty, when it shows no table or one that is tilted or at another height, and when
    nothing stands on it. Each has its own message.

    points: (N, 3) base frame.
    settings: the workspace, and what counts as table and object.
    seed: of the search for the plane.
    marked: (M, 3) points that are known to be the object, however low, base frame.
    """
    points = checked_cloud(points, 0)
    low, high = np.array(settings.low), np.array(settings.high)
    inside = points[((points >= low) & (points <= high)).all(axis=1)]
    if len(inside) < settings.fewest_points:
        raise CaptureError(
            f"empty view: {len(inside)} of {len(points)} measured points lie in the workspace from"
            f" {settings.low} to {settings.high} m, expected at least {settings.fewest_points};"
            " does the camera look at the table, from far enough?"
        )
    normal, offset, share = dominant_plane(inside, np.random.default_rng(seed))
    if share < TABLE_SHARE:
        raise CaptureError(
            f"no table: the largest plane holds {share:.0%} of the {len(inside)} points in the"
            f" workspace, expected at least {TABLE_SHARE:.0%}"
        )
    if normal[2] < 0:
        normal, offset = -normal, -offset
    _check_table(normal, offset, settings)
    above = inside @ normal + offset
    standing = _without_outliers(inside[above > PLANE_DISTANCE])
    table = inside[np.abs(above) <= PLANE_DISTANCE]
    if marked is None:
        chosen = _largest_cluster(standing, settings)
        return TableView(normal, offset, standing[chosen], standing[~chosen], table)
    within = ((marked >= low) & (marked <= high)).all(axis=1)
    if within.sum() < settings.fewest_points:
        raise CaptureError(
            f"{within.sum()} of the {len(marked)} points of the marked object lie in the workspace"
            f" from {settings.low} to {settings.high} m, expected at least {settings.fewest_points}"
        )
    others = cKDTree(marked).query(standing)[0] > _SAME if len(standing) else slice(0)
    return TableView(normal, offset, marked[within], standing[others], table)


def _check_table(normal, offset, settings):
    low, high = settings.low, settings.high
    corners = np.array(list(product((low[0], high[0]), (low[1], high[1]))))
    heights = -(corners @ normal[:2] + offset) / max(normal[2], 1e-9)
    worst = int(np.argmax(np.abs(heights - settings.height)))
    if abs(heights[worst] - settings.height) > settings.tolerance:
        x, y = corners[worst]
        raise CaptureError(
            f"the table is at z = {heights[worst]:.3f} m at the corner ({x:g}, {y:g}) of the"
            f" workspace, tilted by {np.degrees(np.arccos(min(normal[2], 1.0))):.1f} degrees,"
            f" expected z = {settings.height:g} m within {settings.tolerance:g} m; check the"
            " hand-eye transform and the table's height in the settings"
        )


def _without_outliers(points):
    if len(points) <= _NEIGHBOURS:
        return points[:0]
    tree, rank = cKDTree(points), [_NEIGHBOURS + 1]  # itself is the first
    distance = tree.query(points, rank, distance_upper_bound=_NEAR)[0][:, 0]
    return points[np.isfinite(distance)]


def _largest_cluster(points, settings):
    """Which of the points (M,) bool are the object."""
    labels = clusters(points * [1, 1, 0], settings.gap)
    counts = np.bincount(labels)
    for label in np.argsort(-counts, kind="stable"):
        cluster = labels == label
        enough = counts[label] >= settings.fewest_points
        if enough and np.ptp(points[cluster], axis=0).max() <= OBJECT_EXTENT:
            return cluster
    raise CaptureError(
        f"nothing on the table: {len(points)} points lie above it in clusters, and the largest has"
        f" {counts.max(initial=0)}; expected a cluster of at least {settings.fewest_points} points"
        f" that is at most {OBJECT_EXTENT:g} m long"
    )
