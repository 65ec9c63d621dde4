"""How alike two solids are."""

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree

from graspbook.objects.distance import lookup, signed_distance_grid, stack

_PLACES = 1_000_000  # at which two solids are compared
_SAMPLES = 20_000  # points of each surface


def overlap(one: trimesh.Trimesh, other: trimesh.Trimesh) -> float:
    """The volume that two solids share, relative to that of both together: 1 for the same solid.

    Counted at a million places of a regular grid.

    one, other: closed, of one frame, metres.
    """
    low = np.minimum(one.bounds[0], other.bounds[0])
    high = np.maximum(one.bounds[1], other.bounds[1])
    spacing = (np.prod(high - low) / _PLACES) ** (1 / 3)
    axes = [np.arange(*ends, spacing) + spacing / 2 for ends in zip(low, high, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    first, second = (_inside(mesh, places) for mesh in (one, other))
    return float((first & second).sum() / max(1, (first | second).sum()))


def chamfer(one: trimesh.Trimesh, other: trimesh.Trimesh, seed: int = 0) -> float:
    """Mean distance in metres of points of a surface to the nearest of another, over both ways.

    20 000 random points of each surface count. Two samples of one surface are therefore apart too,
    by about half the distance between such points.

    one, other: of one frame, metres.
    seed: of the points.
    """
    points = [mesh.sample(_SAMPLES, seed=seed + i) for i, mesh in enumerate((one, other))]
    forth, back = (cKDTree(points[1 - i]).query(points[i])[0].mean() for i in (0, 1))
    return float(forth + back) / 2


def _inside(mesh, places):
    field = stack([signed_distance_grid(mesh, 128)])
    which = torch.zeros(1, dtype=torch.long)
    chunks = np.array_split(places.astype(np.float32), max(1, len(places) // 250_000))
    return np.concatenate(
        [lookup(field, torch.from_numpy(part)[None], which)[0].numpy() < 0 for part in chunks]
    )
