"""Maxima over each row's elements; only elements that are a maximum are in the graph."""

from collections.abc import Callable

import torch
from torch import Tensor

# A slice or indices of elements -> their values (n, H).
Values = Callable[[slice | Tensor], Tensor]


def segment_max(values: Values, owner: Tensor, base: Tensor, block: int = 8192) -> Tensor:
    """Maximum (S, H) over each row of the base and the values of the row's elements.

    Only elements that are the maximum in some channel have a gradient. The maxima are found without
    a graph, in blocks that fit the CPU's cache. The graph has only those elements.

    values: gives the values of elements.
    owner: (E,), the row of each element.
    base: (S, H), at least 0.
    block: elements computed together.
    """
    graph = base.requires_grad or values(slice(0, 0)).requires_grad
    if graph and 4 * len(owner) < base.numel():
        # Few elements per row for its channels: nearly all hold a maximum.
        return _SegmentMax.apply(values(slice(None)).to(base.dtype), owner, base)
    found, wins = base.detach().clone(), torch.zeros_like(owner, dtype=torch.bool)
    with torch.no_grad():
        for start in range(0, len(owner), block):
            part = slice(start, start + block)
            mine, value = owner[part], values(part).to(base.dtype)
            found.scatter_reduce_(0, mine[:, None].expand_as(value), value, "amax")
            if graph:
                wins[part] = found.index_select(0, mine).sub_(value).amin(dim=-1) <= 0
    if not graph:
        return found
    winners = wins.nonzero()[:, 0]
    return _SegmentMax.apply(values(winners).to(base.dtype), owner[winners], base)


class _SegmentMax(torch.autograd.Function):
    """Maximum of values (E, H) and of their row of the base. Equal maxima share its gradient; at
    zero there is none.
    """

    @staticmethod
    def forward(ctx, values, owner, base):
        found = base.scatter_reduce(0, owner[:, None].expand_as(values), values, "amax")
        ctx.save_for_backward(values, owner, base, found)
        return found

    @staticmethod
    def backward(ctx, gradient):
        values, owner, base, found = ctx.saved_tensors
        won = (values == found.index_select(0, owner)).to(gradient)
        kept = (base == found).to(gradient)
        share = gradient * (found > 0) / kept.index_add(0, owner, won)
        return won.mul_(share.index_select(0, owner)), None, kept.mul_(share)
