"""Masks and label images: which of the points are the object."""

from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.extraction import (
    FEWEST_POINTS,
    OBJECT_EXTENT,
    PLANE_DISTANCE,
    clusters,
    dominant_plane,
    holds_table,
    most_central,
)
from graspbook.perception.missing_depth import say_missing

_STRAY = 0.02  # clusters with a smaller share of a mask's points are its bleeding edge


def masked_object(
    source: str,
    labels: np.ndarray,
    points: np.ndarray,
    target: int | None,
    notes: list[str],
) -> np.ndarray:
    """Points (M, 3) of one labelled object.

    If only one id has points, it is taken. If there are more, the target is taken, or without one
    the object nearest the optical axis. Small clusters away from the others are dropped.

    source: names the file and the array, for errors.
    labels: ids, 0 or less is background: one per point; or a stack of masks (N, ...) of ids 1 to N;
        or colours of which all channels are equal.
    points: (..., 3), metres; not finite or all zero where nothing was measured.
    target: the wanted id, None for any.
    notes: gets what was chosen.

    Raises CaptureError for labels of another shape, an id that is absent, and an object of too few
    points.
    """
    labels = _as_ids(source, labels, points.shape[:-1], target)
    measured = np.isfinite(points).all(axis=-1) & points.any(axis=-1)
    ids = [int(i) for i in np.unique(labels) if i > 0]
    if not ids:
        raise CaptureError(f"{source} marks nothing: all its values are 0 or less")
    shown = ", ".join(map(str, ids[:20])) + (", ..." if len(ids) > 20 else "")
    if target is not None and target not in ids:
        raise CaptureError(f"{source}: it has no id {target}; the ids are {shown}")
    counts = {i: int((measured & (labels == i)).sum()) for i in ids[:1000]}
    if target is None and len(ids) > 1:
        target = _central(labels, points, measured, counts)
        notes.append(
            f"{Path(source).name} has the ids {shown}; id {target} was chosen, since it is near the"
            " optical axis (--target N chooses another)"
        )
    else:
        notes.append(f"the object is id {target or ids[0]} of {Path(source).name} (ids: {shown})")
    target = target or ids[0]
    found = points[measured & (labels == target)].astype(float)
    if len(found) < FEWEST_POINTS:
        raise CaptureError(
            f"{source}: id {target} has {len(found)} measured points, expected at least"
            f" {FEWEST_POINTS}; depth is missing there"
        )
    if points.ndim == 3:
        share = 1 - len(found) / int((labels == target).sum())
        say_missing(share, len(found), f"the pixels of id {target}", notes, source)
    found = one_object(found, notes)
    length = np.ptp(found, axis=0).max()
    if length > OBJECT_EXTENT:
        notes.append(f"id {target} is {length:.2f} m long, which is too long for one object")
    return found


def one_object(points: np.ndarray, notes: list[str]) -> np.ndarray:
    """Points (M, 3) of an object without the bleeding edge of its mask.

    Clusters with less than 2 % of the points are dropped. If the rest is longer than an object,
    what is farther than 0.2 m from its median is dropped too, and what that leaves is clustered
    again.

    points: (K, 3) metres.
    notes: gets how many were dropped.
    """
    kept = _without_strays(points)
    if np.ptp(kept, axis=0).max(initial=0) > OBJECT_EXTENT:
        near = np.abs(kept - np.median(kept, axis=0)).max(axis=1) < OBJECT_EXTENT / 2
        if near.mean() > 0.5:
            kept = _without_strays(kept[near])
    if not FEWEST_POINTS <= len(kept) < len(points):
        return points
    notes.append(f"{len(points) - len(kept)} stray points at the edges of the mask were dropped")
    return kept


def nothing_around(grid: np.ndarray) -> bool:
    """Whether a depth image is empty at its border and in more than half of its pixels.

    grid: points (H, W, 3), zero where nothing was measured.
    """
    measured = grid[..., 2] > 0
    return bool(_frame(measured).mean() <= 0.01 and 0 < measured.mean() <= 0.5)


def is_rectangle(grid: np.ndarray) -> bool:
    """Whether what was measured is a rectangle, as if cut out around an object.

    grid: points (H, W, 3), zero where nothing was measured.
    """
    measured = grid[..., 2] > 0
    rows, columns = np.flatnonzero(measured.any(axis=1)), np.flatnonzero(measured.any(axis=0))
    cut = measured[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bool(_frame(cut).mean() > 0.75)


def has_table(points: np.ndarray) -> bool:
    """Whether most points are on a plane that is much wider than what is in front of it.

    points: (M, 3) of a scene no longer than an object, metres.
    """
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    heights = points @ normal + offset
    above, on = points[heights > PLANE_DISTANCE], points[np.abs(heights) < PLANE_DISTANCE]
    behind = (heights < -PLANE_DISTANCE).sum()  # as of a round object, not of a table
    if (
        share < 0.5
        or behind > 0.15 * len(on)
        or len(above) < max(0.05 * len(points), FEWEST_POINTS)
    ):
        return False
    axes = np.linalg.svd(normal[None])[2][1:]
    spans = [np.prod(np.ptp(part @ axes.T, axis=0)) for part in (above, on)]
    return bool(spans[1] > 2 * spans[0])


def is_alone(points: np.ndarray) -> bool:
    """Whether a scene is one object without a table: its largest plane may be a side of it.

    points: (M, 3) of the scene, metres.
    """
    if np.ptp(points, axis=0).max() > OBJECT_EXTENT:
        return False
    return not has_table(points) and not holds_table(points)


def _without_strays(points):
    labels = clusters(points)
    return points[(np.bincount(labels) >= _STRAY * len(points))[labels]]


def _frame(image):
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _central(labels, points, measured, counts):
    """The id nearest the optical axis of those that are no longer than an object."""
    clouds = {i: points[measured & (labels == i)] for i, n in counts.items() if n >= FEWEST_POINTS}
    clouds = {
        i: cloud for i, cloud in clouds.items() if np.ptp(cloud, axis=0).max() <= OBJECT_EXTENT
    } or clouds
    if not clouds:
        return max(counts, key=lambda i: counts[i])
    return list(clouds)[most_central(list(clouds.values()))]


def _as_ids(source, labels, shape, target):
    """Labels of the points' shape; raises CaptureError."""
    if labels.dtype.kind not in "iufb":
        raise CaptureError(f"{source} holds {labels.dtype} values, expected numbers as ids")
    if labels.ndim == len(shape) + 1 and labels.shape[:-1] == shape and labels.shape[-1] <= 4:
        colours = labels[..., :3] if labels.shape[-1] == 4 else labels
        if labels.shape[-1] == 2:  # grey and alpha
            colours = labels[..., :1]
        if (colours != colours[..., :1]).any():
            raise CaptureError(f"{source} is an image of colours, expected one id per pixel")
        labels = colours[..., 0]
    elif labels.ndim == len(shape) + 1 and labels.shape[1:] == shape and len(labels) <= 1000:
        labels = _from_stack(source, labels, target)
    flat = np.squeeze(labels)
    if labels.size == np.prod(shape) and (flat.ndim == 1 or flat.ndim == 2 > len(shape)):
        labels = labels.reshape(shape)
    labels = flat if flat.shape == shape else labels
    if labels.shape != shape:
        turned = "; it is transposed" if labels.shape == shape[::-1] else ""
        raise CaptureError(
            f"{source} has shape {labels.shape}, expected {shape} like the points{turned}"
        )
    if labels.dtype.kind == "f":
        labels = np.nan_to_num(labels, posinf=0, neginf=0)
        if (labels != np.rint(labels)).any():
            raise CaptureError(f"{source} holds fractions, expected whole ids")
        labels = labels.clip(-1, 2**31)
    return labels.astype(np.int64)


def _from_stack(source, masks, target):
    """Ids of a stack of masks (N, ...); masks may only overlap beside the target."""
    ids, overlap = np.zeros(masks.shape[1:], int), False
    for number, mask in enumerate(masks, 1):
        overlap |= bool((ids[mask > 0] > 0).any())
        ids[mask > 0] = number
    if target is None and overlap:
        raise CaptureError(
            f"{source}: some of its {len(masks)} masks overlap; choose one with --target N"
        )
    if target is not None and 1 <= target <= len(masks):
        ids[masks[target - 1] > 0] = target
    return ids
