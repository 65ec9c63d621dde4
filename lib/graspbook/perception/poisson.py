"""A solid from oriented points, by Poisson surface reconstruction on a regular grid.

The indicator χ of the solid, 1/2 inside and -1/2 outside, minimises
∫ |∇χ - V|² + screening Σ aᵢ χ(pᵢ)². V holds the points' normals, weighted by the area aᵢ that each
point stands for (Kazhdan, Bolitho, Hoppe 2006; screened: Kazhdan, Hoppe 2013). Those papers use an
octree. Here the grid is regular: cosine transforms solve the Poisson equation at once, and a few
steps of conjugate gradients add all other terms. Ours are two terms for what the cameras saw of the
space itself, see `sight`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn
from scipy.ndimage import map_coordinates

from graspbook.errors import CaptureError
from graspbook.perception.sight import Sight
from graspbook.perception.solid_grid import Nodes, SolidGrid

FEWEST = 100  # points, of a surface


@dataclass(frozen=True)
class PoissonSettings:
    """How smooth the solid is, and what counts.

    blur: standard deviation of the normals' smoothing, in distances between nodes.
    area_blur: that of the density of points, from which each point's area results.
    screening: weight of the points.
    free: weight of nodes through which a camera saw; they are then taken out of the solid.
    hidden: weight of nodes that no camera saw, which are rather inside.
    steps: of conjugate gradients.
    """

    blur: float = 0.8
    area_blur: float = 1.2
    screening: float = 1.0
    free: float = 0.003
    hidden: float = 0.003
    steps: int = 6


def poisson_solid(
    points: np.ndarray,
    normals: np.ndarray,
    nodes: Nodes,
    sight: Sight | None = None,
    *,
    settings: PoissonSettings | None = None,
) -> SolidGrid:
    """The solid whose surface has these points and normals.

    Cosine transforms mirror the solid half a distance beyond the first and the last nodes. Where
    the grid ends at a table, this closes an underside that no camera sees. Raises CaptureError for
    fewer than 100 points.

    points: (M, 3) metres.
    normals: (M, 3) of unit length, outwards.
    nodes: of the grid.
    sight: what the cameras saw of the nodes, None if that is unknown.
    settings: PoissonSettings() if omitted.
    """
    settings = settings or PoissonSettings()
    if len(points) < FEWEST:
        raise CaptureError(
            f"a surface of {len(points)} points, expected at least {FEWEST} to make a solid"
        )
    shape, at = nodes.shape, (points - nodes.low) / nodes.spacing
    squares = _eigenvalues(shape)

    def blurred(array, width):
        return idctn(dctn(array, type=2) * np.exp(-squares * np.float32(width**2 / 2)), type=2)

    density = blurred(_splat(shape, at, np.ones(len(at))), settings.area_blur)
    area = 1 / np.maximum(_at(density, at), 1e-6) / (np.sqrt(2 * np.pi) * settings.area_blur)
    inflow = np.zeros(shape, np.float32)
    for axis in range(3):
        inflow += _inflow(shape, at, area * normals[:, axis], axis)
    inflow = blurred(inflow, settings.blur)
    weight = settings.screening * blurred(_splat(shape, at, area), settings.blur).clip(0)
    chi = _poisson(inflow, squares)
    chi -= np.average(_at(chi, at), weights=area)
    if sight is not None:
        weight += settings.free * sight.free + settings.hidden * sight.hidden
        inflow += (settings.hidden * sight.hidden - settings.free * sight.free) / 2
    chi = _screened(chi, inflow, weight, squares, settings.steps)
    if sight is not None:
        chi = np.where(sight.free, -np.abs(chi), chi)
    return SolidGrid(nodes, chi)


def _eigenvalues(shape):
    """Those of minus the Laplacian with differences of neighbours: (X, Y, Z) float32."""
    axes = [2 - 2 * np.cos(np.pi * np.arange(count) / count) for count in shape]
    x, y, z = (axis.astype(np.float32) for axis in axes)
    return x[:, None, None] + y[None, :, None] + z[None, None, :]


def _splat(shape, at, values):
    """Values (M,) at places (M, 3), shared among the nodes around: (X, Y, Z) float32."""
    at = np.clip(at, 0, np.array(shape) - 1.001)
    first = at.astype(np.int64)
    part = at - first
    first = (first[:, 0] * shape[1] + first[:, 1]) * shape[2] + first[:, 2]
    total = np.zeros(int(np.prod(shape)))
    for x, y, z in np.ndindex(2, 2, 2):
        share = np.abs(1 - np.array([x, y, z]) - part).prod(axis=1)
        number = first + (x * shape[1] + y) * shape[2] + z
        total += np.bincount(number, share * values, len(total))
    return total.reshape(shape).astype(np.float32)


def _at(array, at):
    """Values (M,) of an array at places (M, 3) in its index coordinates."""
    return map_coordinates(array, at.T, order=1, mode="nearest")


def _inflow(shape, at, values, axis):
    """The divergence of a field of values (M,) along an axis, at places (M, 3).

    The field is between neighbours, as their differences are.
    """
    between = [count - (i == axis) for i, count in enumerate(shape)]
    half = np.zeros(3)
    half[axis] = 0.5
    field = _splat(between, at - half, values)
    none = np.zeros([1 if i == axis else count for i, count in enumerate(shape)], np.float32)
    return np.diff(np.concatenate([none, field, none], axis=axis), axis=axis)


def _poisson(inflow, squares):
    """The array of mean 0 whose minus Laplacian is `inflow`."""
    found = dctn(inflow, type=2)
    found[0, 0, 0] = 0
    divisor = squares.copy()
    divisor[0, 0, 0] = 1
    return idctn(found / divisor, type=2)


def _screened(chi, inflow, weight, squares, steps):
    """The solution of -Δχ + weight χ = inflow, improved from a first guess."""

    def product(array):
        return idctn(dctn(array, type=2) * squares, type=2) + weight * array

    divisor = squares + np.float32(weight.mean())
    rest, direction, before = inflow - product(chi), np.zeros_like(chi), 1.0
    for _ in range(steps):
        solved = idctn(dctn(rest, type=2) / divisor, type=2)
        now = float(np.vdot(rest, solved))
        if not now > 0:  # solved
            break
        direction = solved + (now / before) * direction
        image = product(direction)
        step = now / float(np.vdot(direction, image))
        chi, rest, before = chi + step * direction, rest - step * image, now
    return chi
