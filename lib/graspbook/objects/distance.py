"""Signed distance fields of objects, and their values at any points.

They are o_s of the high-DOF paper (sections III and V-A3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import trimesh

from graspbook.errors import MeshError, ParameterError
from graspbook.objects.eikonal import distances, split
from graspbook.objects.winding import winding_numbers
from graspbook.storage import atomic_path, cache_dir, code_hash, content_hash

if TYPE_CHECKING:
    import torch

FILL = 0.95  # share of the cube's side that the longest side of an object takes: s = 0.95 / L


@dataclass(frozen=True)
class DistanceField:
    """Signed distances on the nodes of a cube.

    values: (n, n, n) float32, metres of the object, negative inside.
    origin: (3,) in the object frame; node i, j, k is at origin + spacing · (i, j, k).
    spacing: metres between nodes.
    """

    values: np.ndarray
    origin: np.ndarray
    spacing: float


def signed_distance_grid(mesh: trimesh.Trimesh, size: int = 128) -> DistanceField:
    """The DistanceField of a mesh.

    The paper's T_sdf (V-A3) puts an object of longest side L into the unit cube. It scales by
    s = 0.95 / L and puts the object's origin at 0.5. An object whose origin is off its middle would
    leave the cube, so here the centre of the bounding box is at 0.5. Values are divided by s. A
    point is inside where the winding number is over a half in size. So bodies may overlap or lie in
    cavities, faces may be missing, and all faces may point inwards. The values are kept under
    `storage.cache_dir()` by content. Raises MeshError for a mesh without faces, not finite or
    without extent, ParameterError for a size under 8.

    mesh: in the object frame, metres.
    size: nodes along each side of the cube.
    """
    if size < 8:
        raise ParameterError(f"a distance field with {size} nodes per side, expected at least 8")
    triangles = np.asarray(mesh.triangles, float)
    finite = len(triangles) and np.isfinite(triangles).all()
    if not finite or not np.ptp(triangles, axis=(0, 1)).max() > 0:
        raise MeshError(
            f"cannot make a distance field of a mesh with {len(triangles)} faces: expected faces"
            " with finite corners, and a size of more than 0"
        )
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    side = (high - low).max() / FILL
    origin, spacing = (low + high - side) / 2, float(side / (size - 1))
    key = content_hash(triangles, size, code_hash(__name__))
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


def centre_of_mass(field: DistanceField) -> np.ndarray:
    """Centre of mass (3,) of an object of uniform density, in the object frame.

    A voxel that the surface cuts counts by the share of it that is inside. Raises MeshError for an
    object with no node inside, such as a single sheet, or a bar that is thinner than the spacing.

    field: of the object.
    """
    if not (field.values < 0).any():
        length = FILL * field.spacing * (len(field.values) - 1)
        raise MeshError(
            f"cannot find the centre of mass of a mesh {length:.3g} m long: it encloses no volume,"
            f" or is thinner than the spacing of its distance field, {1000 * field.spacing:.2g} mm"
        )
    share = np.clip(0.5 - field.values / field.spacing, 0, 1)
    nodes = np.argwhere(share)
    return field.origin + field.spacing * np.average(nodes, axis=0, weights=share[share > 0])


class Fields(NamedTuple):
    """Distance fields of B objects as torch tensors.

    values: (B, n, n, n), metres.
    origins: (B, 3), the first node of each field, object frame, metres.
    spacings: (B,), metres between nodes.
    """

    values: "torch.Tensor"
    origins: "torch.Tensor"
    spacings: "torch.Tensor"


def stack(fields: Sequence[DistanceField], device: "torch.device | str" = "cpu") -> Fields:
    """Several distance fields as one, float32.

    Raises ParameterError for none, and for fields of several sizes.

    fields: of one size, one per object.
    device: where torch keeps them.
    """
    import torch

    sizes = {len(field.values) for field in fields}
    if len(sizes) != 1:
        raise ParameterError(
            f"the distance fields have {sorted(sizes)} nodes per side, expected one or more fields"
            " that all have the same number"
        )
    arrays = zip(*((field.values, field.origin, field.spacing) for field in fields), strict=True)
    return Fields(
        *(torch.as_tensor(np.array(array, np.float32), device=device) for array in arrays)
    )


def cubes(fields: Fields) -> "tuple[torch.Tensor, torch.Tensor]":
    """Centres (B, 3) and half sides (B,) of the cubes of distance fields.

    fields: of B objects.
    """
    halves = fields.spacings * (fields.values.shape[-1] - 1) / 2
    return fields.origins + halves[:, None], halves


def lookup(
    fields: Fields, points: "torch.Tensor", which: "torch.Tensor | None" = None
) -> "torch.Tensor":
    """Signed distances (B, ...) in metres of points; torch, differentiable in the points alone.

    Trilinear between the nodes. A point outside the cube gets its distance to where the surface is
    nearest to the cube's nearest point. That is continuous, exact where this is the nearest point
    of all, else at most √2 times too much. float32 or float64 as the points are.

    fields: of the objects, from `stack`.
    points: (B, ..., 3) in the object frame of their field, row b in that of field b.
    which: (B,) the field of each row, if it is not b.
    """
    return _lookup_function().apply(points, fields, which)


def lookup_gradient(
    fields: Fields, points: "torch.Tensor", which: "torch.Tensor | None" = None
) -> "tuple[torch.Tensor, torch.Tensor]":
    """The same distances and their gradients (B, ..., 3) in the points, outside of autograd.

    One pass for both.

    fields, points, which: as for `lookup`.
    """
    import torch

    with torch.no_grad():
        return _interpolate(fields, points, which, gradient=True)


@cache
def _lookup_function():
    import torch

    class Lookup(torch.autograd.Function):
        """Autograd by the closed gradient: twice as fast as back through the interpolation."""

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


def _interpolate(fields, points, which, *, gradient=False):
    """Distances of points, and their gradients if asked for.

    Coordinates come first inside, for long contiguous rows.
    """
    import torch

    values, origins, spacings = fields
    device = values.device
    which = torch.arange(len(values), device=device) if which is None else which
    rows = torch.as_tensor(which, device=device)
    size, spacing = values.shape[-1], spacings[rows, None].to(points.dtype)
    at = (points.reshape(len(rows), -1, 3).permute(2, 0, 1) - origins[rows].T[..., None]) / spacing
    within = at.clamp(0, size - 1)
    kind = torch.int32 if values.numel() < 2**31 else torch.int64
    node = within.to(kind).clamp_(0, size - 2)
    x, y, z = within - node
    index = ((rows[:, None].to(kind) * size + node[0]) * size + node[1]) * size + node[2]
    corners = [c + b + a for c in (0, 1) for b in (0, size) for a in (0, size * size)]  # z, y, x
    corners = torch.tensor(corners, dtype=kind, device=device)
    around = values.reshape(-1).index_select(0, (corners[:, None] + index.reshape(-1)).reshape(-1))
    around = around.reshape(2, 2, 2, *index.shape).to(points.dtype)
    value, slopes = _trilinear(around, (z, y, x), gradient=gradient)
    slopes = slopes / spacing if gradient else None
    out = torch.nonzero((at != within).any(dim=0).reshape(-1))[:, 0]
    if len(out):

        def picked(array):  # row by row, which is several times as fast as indexing all at once
            return array.reshape(-1, value.numel()).index_select(1, out)

        corners, fractions = picked(around).reshape(2, 2, 2, -1), picked(torch.stack([z, y, x]))
        slope = _trilinear(corners, fractions, gradient=True)[1]
        far = picked(value)[0] * slope / _length(slope).clamp(min=1e-9)
        way = (picked(at) - picked(within)) * picked(spacing.expand_as(value)) + far
        value.view(-1)[out] = _length(way)
        if gradient:
            slopes.view(3, -1)[:, out] = way / _length(way).clamp(min=1e-12)
    distance = value.reshape(points.shape[:-1])
    return (distance, slopes.permute(1, 2, 0).reshape(points.shape)) if gradient else distance


def _length(vectors):
    """Lengths (...) of vectors (3, ...): ten times as fast as torch's norm over a first axis."""
    return (vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2).sqrt()


def _trilinear(around, fractions, *, gradient):
    """Values (...) between corners, and slopes (3, ...) from node to node.

    around: (2, 2, 2, ...) at the corners; fractions: last axis first.
    """
    import torch

    value, slopes = around, []
    for fraction in fractions:
        step = value[1] - value[0]
        value = value[0] + step * fraction
        if gradient:
            slopes = [slope[0] + (slope[1] - slope[0]) * fraction for slope in slopes] + [step]
    return value, torch.stack(slopes[::-1]) if gradient else None
