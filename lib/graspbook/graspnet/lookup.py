"""Nearest observed points by table: built once a cloud, a few operations a query, for networks that ask very often.

A cell of the table knows the observed point nearest to its centre, and so the point that a query in it gets is nearest up to the
cell's size; vectors to it are exact. Two tables a cloud: of the points in space, and of their image along the
camera's z axis, in the frame of a cloud whose axes are the camera's.
"""

from typing import NamedTuple

import torch

CELL = 0.006
MARGIN = 0.04
_BLOCK = 16384


class Tables(NamedTuple):
    """Of C clouds of N points: origin (C, 3) in metres, cells along each axis (C, 3), where each cloud's part starts in
    `space` and in `image` (C, 2), and these: for every cell the index of its nearest point among all C·N."""

    origin: torch.Tensor
    size: torch.Tensor
    start: torch.Tensor
    space: torch.Tensor
    image: torch.Tensor


@torch.no_grad()
def tabulate(points):
    """Tables of one cloud (N, 3) in metres; they reach `MARGIN` beyond it, further out the nearest cell answers."""
    low = points.min(dim=0).values - MARGIN
    size = ((points.max(dim=0).values + MARGIN - low) / CELL).ceil().long()
    axes = [low[i] + CELL * (torch.arange(int(size[i]), dtype=points.dtype, device=points.device) + 0.5) for i in range(3)]
    space = _nearest(torch.cartesian_prod(*axes), points)
    image = _nearest(torch.cartesian_prod(*axes[:2]), points[:, :2])
    return Tables(low[None], size[None], torch.zeros_like(size[None, :2]), space, image)


def _nearest(queries, points):
    # |q - p|² less |q|², which no choice depends on.
    squares = points.square().sum(-1)
    return torch.cat([(squares - 2 * block @ points.T).argmin(-1) for block in queries.split(_BLOCK)]).to(torch.int32)


def join(tables, points):
    """One `Tables` of those of several clouds of `points` points each."""
    ends = torch.tensor([[len(table.space), len(table.image)] for table in tables]).cumsum(0)
    start = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]]).to(tables[0].start.device)
    return Tables(torch.cat([table.origin for table in tables]), torch.cat([table.size for table in tables]), start,
                  torch.cat([table.space + points * i for i, table in enumerate(tables)]),
                  torch.cat([table.image + points * i for i, table in enumerate(tables)]))


def nearest_points(queries, points, tables):
    """The observed points nearest to queries (C, Q, 3), in space and in the image: (C, Q, 3) each, of clouds (C, N, 3)."""
    with torch.no_grad():
        size = tables.size[:, None]
        cell = ((queries - tables.origin[:, None]) / CELL).long()
        x, y, z = torch.minimum(cell.clamp_min(0), size - 1).unbind(-1)
        column = x * size[..., 1] + y
        space = tables.space[tables.start[:, :1] + column * size[..., 2] + z].long()
        image = tables.image[tables.start[:, 1:] + column].long()
    every = points.flatten(0, 1)
    return every[space], every[image]
