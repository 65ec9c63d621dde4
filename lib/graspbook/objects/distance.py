"""Signed distance fields of objects, and their values at any points: o_s of the high-DOF paper
(sections III and V-A3).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graspbook.errors import MeshError, ParameterError
from graspbook.objects.eikonal import distances, split
from graspbook.objects.winding import winding_numbers
from graspbook.storage import atomic_path, cache_dir, code_hash, content_hash

FILL = 0.95  # share of the cube's side that the longest side of an object takes: s = 0.95 / L


@dataclass(frozen=True)
class DistanceField:
    """Signed distances on the nodes of a cube.

    values: (n, n, n) float32, metres of the object, negative inside; node i, j, k is at origin +
    spacing · (i, j, k) in the object frame. origin: (3,); spacing: metres.
    """

    values: np.ndarray
    origin: np.ndarray
    spacing: float


def signed_distance_grid(mesh, size=128):
    """The DistanceField of a mesh on size³ nodes.

    The paper's T_sdf (V-A3) puts an object of longest side L into the unit cube, scaled by s = 0.95
    / L and its origin at 0.5. Objects whose origin is off their middle would leave the cube, so
    here the centre of the bounding box is at 0.5. Values are divided by s. A point is inside where
    the winding number is over a half in size: bodies may overlap or lie in cavities, faces be
    missing, and all faces point inwards. The values are kept under `storage.cache_dir()` by
    content. Raises MeshError for a mesh without faces, not finite or without extent, ParameterError
    for a size under 8.
    """
    if size < 8:
        raise ParameterError(f"a distance field of {size} nodes a side: expected at least 8")
    triangles = np.asarray(mesh.triangles, float)
    if (
        not len(triangles)
        or not np.isfinite(triangles).all()
        or not np.ptp(triangles, axis=(0, 1)).max() > 0
    ):
        raise MeshError(
            f"a distance field of a mesh of {len(triangles)} faces: expected finite faces and some"
            " extent"
        )
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    side = (high - low).max() / FILL
    origin, spacing = (low + high - side) / 2, float(side / (size - 1))
    key = content_hash(
        triangles,
        size,
        code_hash(__name__),
    )
    file = cache_dir() / "distance" / f"{key}.npy"
    if file.is_file():
        return DistanceField(np.load(file), origin, spacing)
    scaled = split((triangles - origin) / spacing)
    winding = np.abs(winding_numbers(scaled, size))
    inside = winding > 0.5
    values = distances(scaled, inside, overlapping=winding.max() > 1.5) * np.float32(spacing)
    np.negative(values, out=values, where=inside)
    with atomic_path(file) as temporary:
        np.save(temporary, values)
    return DistanceField(values, origin, spacing)


def centre_of_mass(field):
    """Centre (3,) of the inside of a DistanceField, in the object frame: that of the object's mass
    if its density is uniform.

    A voxel that the surface cuts counts by the share of it that is inside. Raises MeshError for an
    object with no node inside, such as a single sheet, or a bar that is thinner than the spacing.
    """
    if not (field.values < 0).any():
        length = FILL * field.spacing * (len(field.values) - 1)
        raise MeshError(
            f"the centre of mass of a mesh {length:.3g} m long: it encloses no volume, or is"
            f" thinner than the {1000 * field.spacing:.2g} mm between the points of its distance"
            " field"
        )
    share = np.clip(0.5 - field.values / field.spacing, 0, 1)
    nodes = np.argwhere(share)
    return field.origin + field.spacing * np.average(nodes, axis=0, weights=share[share > 0])


class Fields(NamedTuple):
    """Distance fields of B objects as torch tensors: values (B, n, n, n), origins (B, 3), spacings
    (B,).
    """

    values: Any
    origins: Any
    spacings: Any


def stack(fields, device="cpu"):
    """The Fields of DistanceFields of one size, float32; ParameterError for none or several sizes."""
    import torch

    sizes = {len(field.values) for field in fields}
    if len(sizes) != 1:
        raise ParameterError(
            f"distance fields of {sorted(sizes)} nodes a side: expected at least one, all of one"
            " size"
        )
    arrays = (
        [field.values for field in fields],
        [field.origin for field in fields],
        [field.spacing for field in fields],
    )
    return Fields(
        *(torch.as_tensor(np.array(array, np.float32), device=device) for array in arrays)
    )


def lookup(fields, points, which=None):
    """Signed distances (B, ...) in metres of points (B, ..., 3) in the object frame of their field;
    torch, differentiable.

    Row b of the points belongs to field b, or to field which[b] where `which` (B,) is given.
    Trilinear between the nodes. A point outside the cube gets its distance to where the surface is
    nearest to the cube's nearest point: continuous, exact where that is the nearest of all, else at
    most √2 too much. The gradient is in the points alone; float32 or float64 as the points are.
    """
    return _lookup_function().apply(points, fields, which)


def lookup_gradient(fields, points, which=None):
    """The same distances and their gradients (B, ..., 3) in the points, outside of autograd: one
    pass for both.
    """
    import torch

    with torch.no_grad():
        return _interpolate(fields, points, which, gradient=True)


@cache
def _lookup_function():
    import torch

    class Lookup(torch.autograd.Function):
        """Autograd by the closed gradient: half the time of going back through the interpolation."""

        @staticmethod
        def forward(ctx, points, fields, which):
            if not ctx.needs_input_grad[0]:
                return _interpolate(fields, points, which)
            distance, gradient = _interpolate(fields, points, which, gradient=True)
            ctx.save_for_backward(gradient)
            return distance

        @staticmethod
        def backward(ctx, upstream):
            return upstream[..., None] * ctx.saved_tensors[0], None, None

    return Lookup


def _interpolate(fields, points, which, gradient=False):
    """Distances of points, and their gradients if asked for; coordinates come first inside, for
    long contiguous rows.
    """
    import torch

    values, origins, spacings = fields
    rows = (
        torch.arange(len(values), device=values.device)
        if which is None
        else torch.as_tensor(which, device=values.device)
    )
    size, spacing = values.shape[-1], spacings[rows, None].to(points.dtype)
    at = (points.reshape(len(rows), -1, 3).permute(2, 0, 1) - origins[rows].T[..., None]) / spacing
    within = at.clamp(0, size - 1)
    kind = torch.int32 if values.numel() < 2**31 else torch.int64
    node = within.to(kind).clamp_(0, size - 2)
    x, y, z = within - node
    index = ((rows[:, None].to(kind) * size + node[0]) * size + node[1]) * size + node[2]
    corners = torch.tensor(
        [[[a + b + c for a in (0, size * size)] for b in (0, size)] for c in (0, 1)],
        dtype=kind,
        device=values.device,
    )  # z, y, x
    around = values.reshape(-1).index_select(
        0, (corners.reshape(-1, 1) + index.reshape(1, -1)).reshape(-1)
    )
    around = around.reshape(2, 2, 2, *index.shape).to(points.dtype)
    value, slopes = _trilinear(around, (z, y, x), gradient)
    slopes = slopes / spacing if gradient else None
    out = torch.nonzero((at != within).any(dim=0).reshape(-1))[:, 0]
    if len(out):

        def picked(
            array,
        ):  # a row at a time, which is several times as fast as indexing all at once
            return array.reshape(-1, value.numel()).index_select(1, out)

        slope = _trilinear(
            picked(around).reshape(2, 2, 2, -1), picked(torch.stack([z, y, x])), True
        )[1]
        far = picked(value)[0] * slope / _length(slope).clamp(min=1e-9)
        way = (picked(at) - picked(within)) * picked(spacing.expand_as(value)) + far
        value.view(-1)[out] = _length(way)
        if gradient:
            slopes.view(3, -1)[:, out] = way / _length(way).clamp(min=1e-12)
    distance = value.reshape(points.shape[:-1])
    return (distance, slopes.permute(1, 2, 0).reshape(points.shape)) if gradient else distance


def _length(vectors):
    """Lengths (...) of vectors (3, ...): some ten times as fast as torch's norm over a first axis."""
    return (vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2).sqrt()


def _trilinear(around, fractions, gradient):
    """Values (...) between corners around (2, 2, 2, ...) at fractions, last axis first, and slopes
    (3, ...) from node to node.
    """
    import torch

    value, slopes = around, []
    for fraction in fractions:
        step = value[1] - value[0]
        value = value[0] + step * fraction
        if gradient:
            slopes = [slope[0] + (slope[1] - slope[0]) * fraction for slope in slopes] + [step]
    return value, torch.stack(slopes[::-1]) if gradient else None
