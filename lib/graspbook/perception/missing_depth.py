"""How much depth is missing on an object, as it is on what is transparent or shines."""

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_fill_holes,
    binary_opening,
    distance_transform_edt,
    label,
)

from graspbook.errors import CaptureError

_CLOSED = 10  # pixels: gaps up to twice as wide are within the object
_LARGE = (7, 7)  # pixels: what is narrower than this is an edge
_AROUND, _FEWEST = (8, 30), 50  # pixels from an object to its table, points of a floor
_FLOOR = 0.0015  # metres of an object's floor above the table
SAID, REFUSED = 0.35, 0.85  # shares of an object's region without depth


def check_depth(scene: np.ndarray, points: np.ndarray, seen: np.ndarray, notes: list[str]) -> None:
    """Say that depth is missing on an object, or refuse what little is left of it.

    scene: (K, 3) of the pixels with a depth, row by row.
    points: (M, 3) of the object, some of the scene's.
    seen: (H, W) bool, pixels with a depth.
    notes: gets the share that is missing.

    Raises CaptureError where hardly anything is left.
    """
    every, own = (cloud[:, 0] + 1j * cloud[:, 1] for cloud in (scene, points))
    pixels = np.zeros(seen.shape, bool)
    pixels[seen] = np.isin(every, own)
    grid = np.zeros((*seen.shape, 3))
    grid[seen] = scene
    share = missing_share(pixels | floor_within(pixels, grid), seen)
    say_missing(share, len(points), "the object's region", notes)


def say_missing(share: float, count: int, where: str, notes: list[str], source: str = "") -> None:
    """Note that depth is missing, or raise CaptureError where hardly anything is left.

    share: the share of the pixels without depth.
    count: of the points that are left.
    where: the name of the region in the note.
    notes: the list to which the note is added.
    source: names the file and the array, for errors.
    """
    before = f"{source}: " if source else ""
    text = (
        f"depth is missing on about {share:.0%} of {where}; is the object transparent, black or"
        " shiny?"
    )
    if share > REFUSED:
        raise CaptureError(
            f"{before}{text} The {count} points that are left do not show the object's shape."
            " Coat the object with a matt spray, or use another camera"
        )
    if share > SAID:
        notes.append(f"warning: {text} The object's shape is only partly known")


def missing_share(pixels: np.ndarray, seen: np.ndarray) -> float:
    """Share of an object's region that has no depth of the object.

    The region is the object's pixels, gaps up to 20 pixels wide between them, and holes in the
    depth beside them. A hole on one side only, left or right, is what the object hides from one of
    two imagers: it does not count. Holes at the image's border do not count either.

    pixels: (H, W) bool of the object.
    seen: (H, W) bool with a depth.
    """
    holes = binary_opening(~seen, np.ones(_LARGE))
    numbers = label(holes)[0]
    edges = np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
    beside = np.setdiff1d(numbers[binary_dilation(pixels, iterations=4)], [0, *edges])
    holes = np.isin(numbers, beside)
    rows = np.flatnonzero(pixels.any(axis=1))
    columns = np.arange(pixels.shape[1])
    first = pixels[rows].argmax(axis=1)[:, None]
    last = pixels.shape[1] - 1 - pixels[rows, ::-1].argmax(axis=1)[:, None]
    left, right = holes[rows] & (columns < first), holes[rows] & (columns > last)
    sides = 2 * min(left.sum(), right.sum()) - left.sum() - right.sum()
    region = int((_closed(pixels) | holes).sum() + sides)
    return 1 - pixels.sum() / max(region, 1)


def floor_within(pixels: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of a floor within an object's rim, as of a mug seen from above.

    It lies hardly above the table, so that it was removed with it. Through what is transparent,
    the table itself is seen, or what is below it.

    pixels: (H, W) bool of the object.
    grid: (H, W, 3) points, zero where nothing was measured.
    """
    seen, floor = grid[..., 2] > 0, np.zeros(pixels.shape, bool)
    rim = _closed(binary_fill_holes(pixels | ~seen & _closed(pixels)))
    around = binary_dilation(rim, iterations=_AROUND[1])
    around &= seen & ~binary_dilation(rim, iterations=_AROUND[0])
    if around.sum() < _FEWEST:
        return floor
    table = grid[around]
    for _ in range(3):
        middle = table.mean(axis=0)
        normal = np.linalg.eigh(np.cov((table - middle).T))[1][:, 0]
        normal *= -np.sign(normal @ middle)
        off = np.abs((table - middle) @ normal)
        table = table[off <= max(2.5 * 1.4826 * np.median(off), 1e-3)]
        if len(table) < _FEWEST:
            return floor
    numbers, count = label(rim & seen & ~pixels)
    heights = (grid - middle) @ normal
    for number in range(1, count + 1):
        patch = numbers == number
        if patch.sum() >= _FEWEST and np.median(heights[patch]) > _FLOOR:
            floor |= patch
    return floor


def _closed(pixels):
    padded = np.pad(pixels, _CLOSED + 1)
    grown = distance_transform_edt(~padded) <= _CLOSED
    inner = slice(_CLOSED + 1, -_CLOSED - 1)
    return (distance_transform_edt(grown) > _CLOSED)[inner, inner]
