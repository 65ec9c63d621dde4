"""Point clouds of a fixed number of points."""

import numpy as np


def resample(points, n, rng):
    """Draw n of the points (M, 3) at random -> (n, 3): without replacement where there are enough,
    else all of them and the rest drawn again. In random order: any part of the result is a draw
    too.
    """
    count = len(points)
    if count >= n:
        return points[rng.choice(count, n, replace=False)]
    return points[
        rng.permutation(np.concatenate([np.arange(count), rng.integers(count, size=n - count)]))
    ]


def farthest_points(points, n):
    """Indices (n,) of farthest point sampling of points (M, D) from the first one on, n at most M.

    Each next point is the one farthest from those chosen; on a tie the first. Deterministic.
    """
    if not 0 < n <= len(points):
        raise ValueError(f"cannot choose {n} of {len(points)} points")
    chosen = np.zeros(n, int)
    distance = np.full(len(points), np.inf)
    for i in range(1, n):
        distance = np.minimum(distance, ((points - points[chosen[i - 1]]) ** 2).sum(axis=1))
        chosen[i] = np.argmax(distance)
    return chosen
