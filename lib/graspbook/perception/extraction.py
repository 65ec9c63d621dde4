"""The object in a scene: the plane it stands on is removed, the rest falls into clusters."""

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.flat import TALL, flat_objects
from graspbook.perception.neighbours import objects_in
from graspbook.perception.planes import (
    PLANE_DISTANCE,
    clusters,
    depth_inside,
    dominant_plane,
    footprint,
    hull,
)

# A cloud no longer than this is an object alone, and no cluster longer than this is one object.
OBJECT_EXTENT = 0.4
FEWEST_POINTS = 50
_PLANE_SHARE = 0.2  # of the points lies on a plane that is removed
_LEVELS = 4  # of scenes within scenes: a tote on a table before a wall
_TABLE_LENGTH, _TABLE_WIDTH = 0.2, 0.07  # of the smallest plane within a cluster
_CONTACT = 0.03  # from a plane to the lowest points of what stands on it
_MOST_BETWEEN = 0.12  # metres of height between parts of one object
_INNER = 0.01  # what stands in a tote is so far inside its outline
_GAP = 0.01  # between the outlines of objects, on the plane they stand on
_SMALL = 0.1  # of the points: a plane or an object with less is none of its own


def extract_object(points: np.ndarray, notes: list[str] | None = None) -> np.ndarray:
    """Points (M, 3) of the object that stands on a plane of a scene.

    The largest plane (RANSAC, then least squares) and all behind it, seen from the camera, are
    removed if it holds a fifth of the points. The rest falls into clusters wherever there is a gap
    of about 2 cm. A cluster with a plane on which something smaller stands is a scene of its own:
    a table before a wall, or a tote. Clusters longer than 0.4 m or of fewer than 50 points are not
    objects, nor is what surrounds another object. The object nearest the optical axis is taken, of
    those with at least a quarter of the points of the largest: the camera was pointed at it.
    Objects whose outlines on the plane are more than 1 cm apart are different ones. Where nothing
    is 1 cm high, what is higher than the noise of the plane counts.

    points: (K, 3) of the scene, camera frame, metres.
    notes: gets what was assumed.

    Raises CaptureError when no object is left.
    """
    notes = [] if notes is None else notes
    found = _standing(points, 0)
    chosen = most_central([part for part, _, _ in found]) if found else 0
    if not found or found[chosen][2] < TALL:
        flat, normal, least = flat_objects(points)
        flat = [one for one in flat if np.ptp(one[0], axis=0).max() <= OBJECT_EXTENT]
        if flat:
            part, height = flat[most_central([part for part, _ in flat])]
            notes.append(f"the object is flat: about {1000 * height:.1f} mm above the table")
            return part
        if not found:
            raise CaptureError(
                f"no object of {FEWEST_POINTS} points or more stands out among {len(points)}"
                f" points. An object must rise more than {1000 * least:.1f} mm above the largest"
                f" plane and be at most {OBJECT_EXTENT:g} m long. Is depth missing, for example"
                " because the object is transparent? Choose an object with --mask FILE"
            )
    if dominant_plane(points, np.random.default_rng(0))[2] <= _PLANE_SHARE:
        notes.append("no table was found: the object is the cluster nearest the optical axis")
    cluster, normal, _ = found[chosen]
    numbers = objects_in(cluster, normal)
    if not numbers.any():
        return cluster
    parts = [cluster[numbers == i] for i in range(numbers.max() + 1)]
    notes.append(
        f"{len(parts)} objects are close together, and the one nearest the optical axis was taken;"
        " choose another with --mask FILE or --target N"
    )
    return parts[most_central(parts)]


def size_note(points: np.ndarray) -> str:
    """Say how long a found cloud is along its principal axes.

    points: (M, 3) metres.
    """
    middle = points - points.mean(axis=0)
    spans = np.ptp(middle @ np.linalg.svd(middle, full_matrices=False)[2].T, axis=0)
    return (
        f"the visible part of the object spans {' x '.join(f'{100 * span:.0f}' for span in spans)}"
        " cm; it may be several objects that touch, which cannot be separated here: choose one"
        " with --mask FILE"
    )


def holds_table(points: np.ndarray, length: float = 0.0, width: float = 0.0) -> bool:
    """Whether a cloud has a plane on which something smaller stands.

    points: (M, 3) metres.
    length, width: of the smallest plane.
    """
    rest = points
    for _ in range(3):
        normal, offset, _ = dominant_plane(rest, np.random.default_rng(0))
        heights = points @ normal + offset
        on = points[np.abs(heights) < PLANE_DISTANCE]
        if len(on) < max(_SMALL * len(points), FEWEST_POINTS):
            return False
        if (heights < -PLANE_DISTANCE).sum() > 0.3 * len(on):
            rest = rest[np.abs(rest @ normal + offset) >= PLANE_DISTANCE]
            continue
        flat = footprint(on, normal)
        faces, area = hull(flat)
        spans = np.ptp(
            flat @ np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2].T, axis=0
        )
        filled = len(np.unique(np.floor(flat / _GAP), axis=0)) * _GAP**2
        if spans[0] > length and spans[1] > width and filled > 0.5 * area:
            for part in _parts(points[heights > PLANE_DISTANCE]):
                around = footprint(part, normal)
                low = np.percentile(part @ normal + offset, 2)
                inside = depth_inside(around.mean(axis=0)[None], faces)[0]
                if low < _CONTACT and inside > _INNER and hull(around)[1] < area / 3:
                    return True
        rest = rest[np.abs(rest @ normal + offset) >= PLANE_DISTANCE]
    return False


def _standing(points, level):
    """(points (M, 3), normal (3,), height) of all that stands on the largest plane, and on planes
    of what stands on it.
    """
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    above = points[points @ normal + offset > PLANE_DISTANCE] if share > _PLANE_SHARE else points
    found = []
    for part in _without_containers(_parts(above), normal, offset):
        inner, is_long = [], np.ptp(part, axis=0).max() > OBJECT_EXTENT
        if level < _LEVELS and (is_long or holds_table(part, _TABLE_LENGTH, _TABLE_WIDTH)):
            faces = hull(footprint(part, normal))[0]
            inner = [
                one
                for one in _standing(part, level + 1)
                if depth_inside(footprint(one[0], normal).mean(axis=0)[None], faces)[0] > _INNER
            ]
        if inner or not is_long:
            found += inner or [(part, normal, _height(part, normal, offset))]
    return found


def _height(points, normal, offset):
    return np.percentile(points @ normal + offset, 98)


def _parts(points):
    """The clusters of enough points, in the order of their labels."""
    labels = clusters(points)
    return [points[labels == i] for i in np.flatnonzero(np.bincount(labels) >= FEWEST_POINTS)]


def _without_containers(parts, normal, offset):
    """Parts less those around others, as a tote is around an object.

    What is within another part's outline but flat or far above the plane, as the cap of a bottle
    seen from above, is one with it.
    """
    parts, dropped = list(parts), set()
    flats = [footprint(part, normal) for part in parts]
    outlines = [hull(flat) for flat in flats]
    for big in sorted(range(len(parts)), key=lambda i: -outlines[i][1]):
        for small in range(len(parts)):
            if small in dropped or outlines[small][1] >= outlines[big][1]:
                continue
            if (depth_inside(flats[small], outlines[big][0]) > 0).mean() < 0.9:
                continue
            heights = parts[small] @ normal + offset
            low, high = np.percentile(heights, [2, 98])
            stands = low < _CONTACT and high - low > _INNER
            # A smaller part is of the inner wall, as of a mug.
            stands &= len(parts[small]) > _SMALL * len(parts[big])
            if stands or np.ptp(parts[big], axis=0).max() > _TABLE_LENGTH:
                if _surrounds(flats[big], flats[small].mean(axis=0)):
                    dropped.add(big)
            elif _height_between(parts[big] @ normal + offset, heights) < _MOST_BETWEEN:
                parts[big] = np.concatenate([parts[big], parts[small]])
                dropped.add(small)
    return [part for i, part in enumerate(parts) if i not in dropped]


def _height_between(heights, others):
    return max(heights.min() - others.max(), others.min() - heights.max())


def _surrounds(flat, middle):
    """Whether points lie around another in at least 7 of 8 directions."""
    x, y = (flat - middle).T
    return len(np.unique(np.floor(np.arctan2(y, x) / (np.pi / 4)))) >= 7


def most_central(found: list[np.ndarray]) -> int:
    """The place in a list of the cloud that is nearest the optical axis.

    Clouds of fewer points than a quarter of the largest are passed over.

    found: clouds (M, 3) in the camera frame, metres.
    """
    largest = max(len(cluster) for cluster in found)
    centres = [cluster.mean(axis=0) for cluster in found]
    off_axis = [
        np.hypot(*centre[:2]) / centre[2] if len(cluster) >= largest / 4 else np.inf
        for centre, cluster in zip(centres, found, strict=True)
    ]
    return int(np.argmin(off_axis))
