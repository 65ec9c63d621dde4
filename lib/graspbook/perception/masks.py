"""Masks and label images: which of the points are the object."""

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception.extraction import (
    FEWEST_POINTS,
    OBJECT_EXTENT,
    clusters,
    most_central,
)

_STRAY = 0.02  # clusters with a smaller share of a mask's points are its bleeding edge


def masked_object(
    source: str,
    labels: np.ndarray,
    points: np.ndarray,
    target: int | None,
    notes: list[str],
) -> np.ndarray:
    """Points (M, 3) of one labelled object.

    The only id that has points is taken. Where there are more, the target, or else the object
    nearest the optical axis. Small clusters that lie off the others are dropped.

    source: names the file and the array, for errors.
    labels: ids, 0 or less is background: one per point; or a stack of masks (N, ...) of ids 1 to N;
        or colours of which all channels are equal.
    points: (..., 3), metres; not finite or all zero where nothing was measured.
    target: the wanted id.
    notes: gets what was chosen.

    Raises CaptureError for labels of another shape, an id that is absent, and an object of too few
    points.
    """
    labels = _as_ids(source, labels, points.shape[:-1])
    measured = np.isfinite(points).all(axis=-1) & points.any(axis=-1)
    ids = [int(i) for i in np.unique(labels) if i > 0]
    if not ids:
        raise CaptureError(f"{source} marks nothing: all its values are 0 or less")
    shown = ", ".join(map(str, ids[:20])) + (", ..." if len(ids) > 20 else "")
    if target is not None and target not in ids:
        raise CaptureError(f"{source}: id {target} is not there; the ids are {shown}")
    counts = {i: int((measured & (labels == i)).sum()) for i in ids[:1000]}
    if target is None and len(ids) > 1:
        target = _central(labels, points, measured, counts)
        notes.append(
            f"{source} has the ids {shown}; {target} was taken, near the optical axis"
            " (--target N takes another)"
        )
    else:
        notes.append(f"the object is id {target or ids[0]} of {source} (ids: {shown})")
    target = target or ids[0]
    found = points[measured & (labels == target)].astype(float)
    if len(found) < FEWEST_POINTS:
        raise CaptureError(
            f"{source}: id {target} has {len(found)} measured points, expected at least"
            f" {FEWEST_POINTS}; depth is missing there"
        )
    groups = clusters(found)
    kept = found[(np.bincount(groups) >= _STRAY * len(found))[groups]]
    if FEWEST_POINTS <= len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} stray points at the edges of the mask were dropped")
        found = kept
    length = np.ptp(found, axis=0).max()
    if length > OBJECT_EXTENT:
        notes.append(f"id {target} is {length:.2f} m long: that is more than one object has")
    return found


def _central(labels, points, measured, counts):
    """The id nearest the optical axis of those that are no longer than an object."""
    clouds = {i: points[measured & (labels == i)] for i, n in counts.items() if n >= FEWEST_POINTS}
    clouds = {
        i: cloud for i, cloud in clouds.items() if np.ptp(cloud, axis=0).max() <= OBJECT_EXTENT
    } or clouds
    if not clouds:
        return max(counts, key=lambda i: counts[i])
    return list(clouds)[most_central(list(clouds.values()))]


def _as_ids(source, labels, shape):
    """Labels of the points' shape; raises CaptureError."""
    if labels.dtype.kind not in "iufb":
        raise CaptureError(f"{source} holds {labels.dtype} values, expected ids")
    if labels.ndim == len(shape) + 1 and labels.shape[:-1] == shape and labels.shape[-1] <= 4:
        colours = labels[..., :3] if labels.shape[-1] == 4 else labels
        if labels.shape[-1] == 2:  # grey and alpha
            colours = labels[..., :1]
        if (colours != colours[..., :1]).any():
            raise CaptureError(f"{source} is an image of colours, expected one id per pixel")
        labels = colours[..., 0]
    elif labels.ndim == len(shape) + 1 and labels.shape[1:] == shape and len(labels) <= 1000:
        labels = sum(
            (np.where(mask > 0, number, 0) for number, mask in enumerate(labels, 1)),
            start=np.zeros(shape, int),
        )
    if labels.shape != shape and labels.size == np.prod(shape):
        labels = labels.reshape(shape) if labels.ndim < 3 or 1 in labels.shape else labels
    if labels.shape != shape:
        raise CaptureError(f"{source} has shape {labels.shape}, expected {shape} like the points")
    if labels.dtype.kind == "f":
        labels = np.nan_to_num(labels, posinf=0, neginf=0)
        if (labels != np.rint(labels)).any():
            raise CaptureError(f"{source} holds fractions, expected whole ids")
        labels = labels.clip(-1, 2**31)
    return labels.astype(np.int64)
