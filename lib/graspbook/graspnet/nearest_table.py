"""Nearest observed points by table: built once per cloud, with a few operations per query, for very
frequent queries.

A cell of the table stores the observed points nearest to its centre. A query in the cell gets the
nearest of these. This is nearly always the nearest of all. Within the table it is never farther
than the nearest by more than the cell's diagonal. A cloud has two tables: one of the points in
space, and one of their image along z, the view (`frame.object_frame`; rays count as parallel).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.spatial import cKDTree
from torch import Tensor

CELL = 0.008
CANDIDATES = 4
MARGIN = 0.04


class Tables(NamedTuple):
    """Tables of C clouds of N points: origin (C, 3) in metres, cells along each axis (C, 3), and
    the start of each cloud's part in `space` and in `image` (C, 2). These two (cells, K) have, for
    every cell, the indices of its nearest points among all C·N.
    """

    origin: Tensor
    size: Tensor
    start: Tensor
    space: Tensor
    image: Tensor


@torch.no_grad()
def tabulate(points: Tensor) -> Tables:
    """Tables of one cloud. They reach `MARGIN` beyond it; further out, the nearest cell answers.

    points: (N, 3), metres.
    """
    low = points.min(dim=0).values - MARGIN
    size = ((points.max(dim=0).values + MARGIN - low) / CELL).ceil().long()
    axes = [
        low[i] + CELL * (torch.arange(int(size[i]), dtype=points.dtype, device=points.device) + 0.5)
        for i in range(3)
    ]
    space = _candidates(torch.cartesian_prod(*axes), points)
    image = _candidates(torch.cartesian_prod(*axes[:2]), points[:, :2])
    return Tables(low[None], size[None], torch.zeros_like(size[None, :2]), space, image)


def _candidates(centres, points):
    ranks = range(1, min(CANDIDATES, len(points)) + 1)
    found = cKDTree(points.cpu().numpy()).query(centres.cpu().numpy(), ranks)[1]
    kind = "int16" if len(points) < 2**15 else "int32"
    return torch.from_numpy(found.astype(kind)).to(points.device)


def join(tables: Sequence[Tables], points: int) -> Tables:
    """One `Tables` from the tables of several clouds.

    tables: of one cloud each.
    points: number of points in each cloud.
    """
    ends = torch.tensor([[len(table.space), len(table.image)] for table in tables]).cumsum(0)
    start = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]]).to(tables[0].start.device)
    return Tables(
        torch.cat([table.origin for table in tables]),
        torch.cat([table.size for table in tables]),
        start,
        torch.cat([table.space.int() + points * i for i, table in enumerate(tables)]),
        torch.cat([table.image.int() + points * i for i, table in enumerate(tables)]),
    )


def nearest_points(queries: Tensor, points: Tensor, tables: Tables) -> tuple[Tensor, Tensor]:
    """The observed points nearest to queries, in space and in the image: (C, Q, 3) each.

    queries: (C, Q, 3), metres.
    points: (C, N, 3) of C clouds, in the object frame, metres.
    tables: of the points.
    """
    every = points.flatten(0, 1)
    with torch.no_grad():
        size = tables.size[:, None]
        cell = ((queries - tables.origin[:, None]) / CELL).long()
        x, y, z = torch.minimum(cell.clamp_min(0), size - 1).unbind(-1)
        column = x * size[..., 1] + y
        in_space = tables.space[tables.start[:, :1] + column * size[..., 2] + z].long()
        in_image = tables.image[tables.start[:, 1:] + column].long()
        space = _nearest(queries, every, in_space)
        image = _nearest(queries[..., :2], every[:, :2], in_image)
    return every[space], every[image]


def _nearest(queries, points, candidates):
    """Indices (C, Q) of the nearest candidate for each query (C, Q, D); candidates (C, Q, K) are
    indices of points (M, D).
    """
    found = points.index_select(0, candidates.flatten()).view(*candidates.shape, -1)
    distance = (found - queries[:, :, None]).square().sum(-1)
    return candidates.gather(-1, distance.argmin(-1, keepdim=True))[..., 0]
