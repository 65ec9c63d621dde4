"""Centroids and neighbours of a cloud, as PointNet++ groups points (Qi et al. 2017).

They depend only on the cloud. `group` chooses them once, and all grasps of the cloud share them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from graspbook.graspnet.backbone import BackboneSettings


class Level(NamedTuple):
    """Indices of one set abstraction into the points of the level below: centroids (C, M),
    neighbours (C, M, K).
    """

    centroids: Tensor
    neighbours: Tensor


Groups = tuple[Level, ...]


def farthest_points(points: Tensor, count: int) -> Tensor:
    """Indices (C, count) that farthest point sampling visits, from the first point on.

    points: (C, N, 3).
    count: of indices per cloud.
    """
    chosen = torch.zeros(points.shape[0], count, dtype=torch.long, device=points.device)
    distance = torch.full(points.shape[:2], float("inf"), device=points.device)
    rows = torch.arange(points.shape[0], device=points.device)
    for i in range(1, count):
        latest = points[rows, chosen[:, i - 1]]
        distance = torch.minimum(distance, (points - latest[:, None]).square().sum(-1))
        chosen[:, i] = distance.argmax(-1)
    return chosen


def ball_query(points: Tensor, centres: Tensor, radius: float, count: int) -> Tensor:
    """Indices (C, M, count) of the first points within a radius of each centre.

    points: (C, N, 3) of C clouds, in the object frame, metres.
    centres: (C, M, 3), metres; each ball must contain a point, as balls around points of the cloud
        do.
    radius: metres.
    count: of points per ball. A ball with fewer points repeats its first one. This does not change
        a maximum over neighbours.
    """
    n = points.shape[1]
    inside = (centres[:, :, None] - points[:, None]).square().sum(-1) <= radius * radius
    order = torch.where(inside, torch.arange(n, device=points.device), n)
    first = order.topk(min(count, n), largest=False, sorted=True).values
    return torch.where(first < n, first, first[..., :1])


@torch.no_grad()
def group(points: Tensor, settings: BackboneSettings) -> Groups:
    """The two grouped levels of clouds: farthest points as centroids, balls around them.

    points: (C, N, 3) of C clouds, in the object frame, metres.
    settings: with centroids, radii and neighbours.
    """
    levels, sizes = [], (settings.centroids, settings.radii, settings.neighbours)
    for count, radius, neighbours in zip(*sizes, strict=True):
        centroids = farthest_points(points, min(count, points.shape[1]))
        centres = take(points, centroids)
        levels.append(Level(centroids, ball_query(points, centres, radius, neighbours)))
        points = centres
    return tuple(levels)


class Grouper:
    """`group` with a memory of clouds, since training uses each view often."""

    def __init__(self, settings: BackboneSettings, limit: int = 1024) -> None:
        self.settings, self.limit = settings, limit
        self.known: dict[bytes, Groups] = {}

    def __call__(self, points: Tensor) -> Groups:
        """The two levels of clouds (C, N, 3)."""
        found = [self._one(cloud) for cloud in points]
        return tuple(
            Level(*(torch.cat(indices) for indices in zip(*level, strict=True)))
            for level in zip(*found, strict=True)
        )

    def _one(self, cloud):
        key = cloud.cpu().numpy().tobytes()
        levels = self.known.get(key) or group(cloud[None], self.settings)
        if len(self.known) < self.limit:
            self.known[key] = levels
        return levels


def take(values: Tensor, index: Tensor) -> Tensor:
    """Rows of per-cloud values: (..., C, ..., F).

    values: (..., C, N, F).
    index: (C, ...), of rows in 0 .. N - 1.
    """
    clouds, n, size = values.shape[-3:]
    flat = values.reshape(*values.shape[:-3], clouds * n, size)
    offset = torch.arange(clouds, device=index.device).view(-1, *[1] * (index.dim() - 1)) * n
    rows = flat.index_select(-2, (index + offset).flatten())
    return rows.view(*values.shape[:-3], *index.shape, size)


def real_pairs(neighbours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cloud, centroid and neighbour (E,) of every pair that does not repeat a ball's first.

    neighbours: (C, M, K), of `ball_query`.
    """
    real = neighbours != neighbours[..., :1]
    real[..., 0] = True
    cloud, centre, column = real.nonzero(as_tuple=True)
    return cloud, centre, neighbours[cloud, centre, column]
