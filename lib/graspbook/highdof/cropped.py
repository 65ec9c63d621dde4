"""Convolutions of occupancy grids that are computed only near the objects, with the dense result.

A voxel that no kernel sees an object from has the value it has in an empty grid. One empty grid
stands for all of these voxels, and each object has a window of its own in every layer.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

KERNEL, PADDING, POOL = 4, 1, 2
# An empty grid of this size has every border and a middle in all three layers. Eight voxels more
# per side only repeat the middle.
LEAST, PERIOD = 32, 8


def features(layers: nn.Sequential, grids: torch.Tensor, boxes: np.ndarray) -> torch.Tensor:
    """What the layers give for grids: (B, C, q, q, q), as their own forward does, up to rounding.

    Batch normalisation has the same statistics, and tracks them in training. Gradients are the same
    too, because they also flow through the empty grid.

    layers: three blocks of convolution, batch normalisation, ReLU and pooling.
    grids: (B, n, n, n), numbers.
    boxes: (B, 3, 2), of `occupied`.
    """
    side = grids.shape[1]
    kept = [index for index, box in enumerate(boxes) if (box[:, 0] < box[:, 1]).all()]
    windows = [grids[index, None][_slices(boxes[index])] for index in kept]
    reduced = side if side < LEAST + PERIOD else LEAST + side % PERIOD
    empty = grids.new_zeros((1, *[reduced] * 3))
    values = _Values(empty, windows, [boxes[index] for index in kept], side, len(grids))
    blocks: list[Any] = list(layers)
    for conv, norm in zip(blocks[::4], blocks[1::4], strict=True):
        values = _block(conv, norm, values)
    whole, inner = _expand(values.empty, values.side), [_slices(box) for box in values.boxes]
    everything = [(slice(None),) * 4] * len(kept)
    filled = _Surrounded.apply(whole, everything, inner, *values.windows)
    result = dict(zip(kept, filled, strict=True))
    return torch.stack([result.get(index, whole) for index in range(len(grids))])


def occupied(grids: torch.Tensor) -> np.ndarray:
    """Boxes (B, 3, 2) of the voxels that are not zero: the first and one past the last per axis.

    A grid without any has a box of zeros.

    grids: (B, n, n, n), numbers.
    """
    filled = grids != 0
    flat = filled.any(dim=3)
    along = torch.stack([flat.any(dim=2), flat.any(dim=1), filled.any(dim=2).any(dim=1)], dim=1)
    seen = along.cpu().numpy()
    low, high = seen.argmax(axis=2), seen.shape[2] - seen[:, :, ::-1].argmax(axis=2)
    return np.stack([low, np.where(seen.any(axis=2), high, 0)], axis=2)


def reached(box: np.ndarray, side: int) -> np.ndarray:
    """The outputs (..., 3, 2) of a convolution that see a box, widened to whole cells of pooling.

    box: (..., 3, 2), of inputs.
    side: inputs per axis.
    """
    outputs = side + 2 * PADDING - KERNEL + 1
    low = np.maximum(box[..., 0] - (KERNEL - 1 - PADDING), 0) // POOL * POOL
    high = box[..., 1] + PADDING
    return np.stack([low, np.minimum(high + high % POOL, outputs)], axis=-1)


def spared(boxes: np.ndarray, side: int, width: int) -> float:
    """The multiplications per grid that windows spare in a forward pass.

    boxes: (B, 3, 2), of `occupied`.
    side: voxels per axis of the grids.
    width: kernels of each convolution.
    """
    found = 0.0
    for channels in (1, width, width):
        boxes, side = reached(boxes, side), side + 2 * PADDING - KERNEL + 1
        inside = (boxes[..., 1] - boxes[..., 0]).prod(axis=-1).mean()
        found += float(side**3 - inside) * channels * width * KERNEL**3
        boxes, side = boxes // POOL, side // POOL
    return found


class _Values(NamedTuple):
    """Values between two blocks: of the reduced empty grid (C, r, r, r), of windows (C, ...) in
    their boxes (3, 2), and the side and number of the whole grids.
    """

    empty: Any
    windows: list[Any]
    boxes: list[Any]
    side: int
    number: int


def _block(conv, norm, given):
    """The values after a block."""
    side = given.side + 2 * PADDING - KERNEL + 1
    boxes = [reached(box, given.side) for box in given.boxes]
    seen = [_slices(box + [0, KERNEL - 1]) for box in boxes]
    padded = _expand(given.empty, given.side, PADDING, KERNEL - 1 - PADDING)
    corners = [box[:, :1] - PADDING for box in boxes]
    inner = [_slices(box - corner) for box, corner in zip(given.boxes, corners, strict=True)]
    inputs = _Surrounded.apply(padded, seen, inner, *given.windows)
    found = [functional.conv3d(x[None], conv.weight, conv.bias)[0] for x in inputs]
    found.append(conv(given.empty[None])[0])
    shapes = [value.shape for value in found]
    flat = torch.cat([value.flatten(1) for value in found], dim=1)
    flat = _normalise(norm, flat, lambda: _rest(boxes, side, shapes[-1][1], given.number))
    parts = flat.split([shape[1:].numel() for shape in shapes], dim=1)
    *windows, empty = (
        functional.relu(functional.max_pool3d(part.reshape(shape), POOL))
        for part, shape in zip(parts, shapes, strict=True)
    )
    boxes = [box // POOL for box in boxes]
    return _Values(empty, windows, boxes, side // POOL, given.number)


class _Surrounded(torch.autograd.Function):
    """Windows with the values around them: copies of `seen` slices of the empty grid, each with a
    window in its `inner` slices.
    """

    @staticmethod
    def forward(ctx, empty, seen, inner, *windows):
        ctx.shape, ctx.seen, ctx.inner = empty.shape, seen, inner
        found = [empty[part].clone() for part in seen]
        for values, part, window in zip(found, inner, windows, strict=True):
            values[part] = window
        return tuple(found)

    @staticmethod
    def backward(ctx, *gradients):
        of_empty, of_windows = gradients[0].new_zeros(ctx.shape), []
        for gradient, seen, inner in zip(gradients, ctx.seen, ctx.inner, strict=True):
            around = gradient.clone()
            of_windows.append(gradient[inner])
            around[inner] = 0
            of_empty[seen] += around
        return of_empty, None, None, *of_windows


class _Normalised(torch.autograd.Function):
    """Batch normalisation of values (C, V), the last E of which count as often as `rest` (E,) says.

    `counts` are rest, the sum of all counts, and what is added to the variance. Gives the
    normalised values, the mean and the variance. Only the first has gradients.
    """

    @staticmethod
    def forward(ctx, values, weight, bias, counts):
        rest, total, eps = counts
        mean = _sums(values, rest) / total
        deviations = values - mean[:, None]
        variance = _sums(deviations.square(), rest) / total
        inverse = torch.rsqrt(variance + eps)
        ctx.save_for_backward(deviations, rest, weight, inverse)
        ctx.total = total
        ctx.mark_non_differentiable(mean, variance)
        scaled = torch.addcmul(bias[:, None], deviations, (weight * inverse)[:, None])
        return scaled, mean, variance

    @staticmethod
    def backward(ctx, gradient, *_):
        deviations, rest, weight, inverse = ctx.saved_tensors
        of_bias = gradient.sum(dim=1)
        of_weight = (gradient * deviations).sum(dim=1) * inverse
        shared = deviations * (of_weight * inverse / ctx.total)[:, None]
        shared += (of_bias / ctx.total)[:, None]
        shared[:, -len(rest) :] *= rest
        of_values = (gradient - shared).mul_((weight * inverse)[:, None])
        return of_values, of_weight, of_bias, None


def _sums(values, rest):
    """Sums (C,) of values (C, V), the last E of them times `rest` (E,)."""
    near, empty = values[:, : -len(rest)], values[:, -len(rest) :]
    return near.sum(dim=1) + (empty * rest).sum(dim=1)


def _normalise(norm, values, rest):
    """Batch normalisation as `norm` does it, of values as `_Normalised` takes them.

    rest: gives `rest` and the count of all values.
    """
    if not norm.training:
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        return torch.addcmul(shift[:, None], values, scale[:, None])
    rest, total = rest()
    counts = rest.flatten().to(values), total, norm.eps
    found, mean, variance = _Normalised.apply(values, norm.weight, norm.bias, counts)
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (total / (total - 1)), norm.momentum)
    return found


def _source(side, reduced):
    """The position in the reduced empty grid that has the value of each of the whole one's."""
    at, middle = np.arange(side), (reduced - 1) // 2
    from_end = side - at < reduced - middle
    return np.where(from_end, at - side + reduced, np.minimum(at, middle))


def _expand(empty, side, before=0, after=0):
    """The whole empty grid (C, ...) from a reduced one, with some zeros around it."""
    if side > empty.shape[1]:
        source = _source(side, empty.shape[1])
        chosen = torch.from_numpy(source[:, None] == np.arange(empty.shape[1])).to(empty)
        rows = chosen @ (empty @ chosen.T)
        empty = (chosen @ rows.flatten(2)).reshape(len(empty), side, side, side)
    return functional.pad(empty, (before, after) * 3)


def _rest(boxes, side, reduced, count):
    """How often each voxel (r, r, r) of the reduced empty grid counts for voxels outside of the
    windows, and the number of all voxels.
    """
    source = _source(side, reduced)

    def voxels(box):
        x, y, z = (np.bincount(source[low:high], minlength=reduced) for low, high in box)
        return x[:, None, None] * y[:, None] * z

    rest = count * voxels([[0, side]] * 3) - sum(voxels(box) for box in boxes)
    return torch.from_numpy(rest), count * side**3


def _slices(box):
    """The slices of a box in values (C, ...)."""
    return slice(None), *(slice(low, high) for low, high in box.tolist())
