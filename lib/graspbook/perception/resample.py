"""Point clouds of a fixed number of points."""

import numpy as np


def resample(points: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n of the points at random -> (n, 3), in random order, so any part is a draw too.

    If there are at least n, none is drawn twice. Otherwise all are used, and the rest is drawn
    again.

    points: (M, 3).
    n: number of points to return.
    rng: generator of the draw.
    """
    count = len(points)
    if count >= n:
        return points[rng.choice(count, n, replace=False)]
    again = rng.integers(count, size=n - count)
    return points[rng.permutation(np.concatenate([np.arange(count), again]))]


def farthest_points(points: np.ndarray, n: int) -> np.ndarray:
    """Indices (n,) of farthest point sampling from the first point on.

    Each next point is the one farthest from those chosen; on a tie the first. Deterministic.

    points: (M, D).
    n: number of points to choose, at most M.
    """
    if not 0 < n <= len(points):
        raise ValueError(f"cannot choose {n} of {len(points)} points")
    chosen = np.zeros(n, int)
    distance = np.full(len(points), np.inf)
    for i in range(1, n):
        distance = np.minimum(distance, ((points - points[chosen[i - 1]]) ** 2).sum(axis=1))
        chosen[i] = np.argmax(distance)
    return chosen
