"""Starts of a search with the palm against an object's surface: ours, instead of starts anywhere.

Random poses differ in 25 numbers, and few lead to a grasp. A palm that faces the surface leaves
three of them: where it is, and how it is turned about the surface's normal.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from graspbook import pose
from graspbook.errors import ParameterError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand
from graspbook.highdof.energies import DRAWS, Judge, legal_starts
from graspbook.objects.distance import Fields, cubes, lookup_gradient

_BAND = 0.01  # metres from the surface, of points that are moved to it
_ON = 0.001  # metres from the surface at which such a point must end
_SLOPE = 0.5  # least slope of the field there: no side is nearer in the middle of a thin wall
_ROUNDS = 20_000  # of draws, until each has a point


@dataclass(frozen=True)
class PalmSettings:
    """Settings of the search that only puts a palm against the object; closing the hand does the
    rest.

    gap: least and largest distance of the palm from the surface, metres.
    """

    gap: tuple[float, float] = (0.0, 0.004)

    def __post_init__(self) -> None:
        if not 0 <= self.gap[0] <= self.gap[1]:
            raise ParameterError(f"{self}: expected a gap from a least to a largest distance")


@cache
def palm_face(hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """The middle (3,) of the palm's contact points and their mean normal (3,), in the hand's frame.

    If the palm has no contact points, those of all links count, with the hand open.

    hand: with a layout "default" of contact points.
    """
    points, normals, links = hand.contacts["default"]
    on = links == 0
    if not on.any():
        opened = torch.as_tensor(hand.open, dtype=torch.float64)
        poses = hand.forward(opened).numpy()[links]
        points = pose.transform(poses, points[:, None])[:, 0]
        normals = (poses[:, :3, :3] @ normals[..., None])[..., 0]
        on = np.ones(len(points), bool)
    normal = normals[on].mean(axis=0)
    return points[on].mean(axis=0), normal / np.linalg.norm(normal)


def surface_points(
    fields: Fields, which: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random points (N, 3) on the surfaces of objects, and outward normals (N, 3).

    Points within 1 cm of the surface are drawn evenly, and moved to it along the field's gradient.
    Raises PlanError where none is found.

    fields: of the objects.
    which: (N,), the object of each point.
    generator: of the fields' device.
    """
    centres, halves = cubes(fields)
    points, normals = centres.new_zeros(2, len(which), 3)
    left = torch.arange(len(which), device=which.device)
    for _ in range(_ROUNDS):
        objects = which[left]
        drawn = torch.rand(len(left), 3, generator=generator, device=centres.device)
        placed = centres[objects] + (2 * drawn - 1) * halves[objects, None]
        distance, gradient = _at(fields, placed, objects)
        found = distance.abs() < _BAND
        for _ in range(3):
            step = distance / gradient.norm(dim=1).clamp(min=_SLOPE) ** 2
            placed = placed - step[:, None] * gradient
            distance, gradient = _at(fields, placed, objects)
        slope = gradient.norm(dim=1)
        found &= (distance.abs() < _ON) & (slope > _SLOPE)
        points[left[found]] = placed[found]
        normals[left[found]] = (gradient / slope[:, None])[found]
        left = left[~found]
        if not len(left):
            return points, normals
    raise PlanError(f"no point on the surface of an object was found in {_ROUNDS} rounds of draws")


def _at(fields, points, which):
    distance, gradient = lookup_gradient(fields, points[:, None], which)
    return distance[:, 0], gradient[:, 0]


def surface_starts(
    hand: Hand,
    fields: Fields,
    judge: Judge,
    generator: torch.Generator,
    *,
    gap: tuple[float, float] = (0.004, 0.015),
) -> torch.Tensor:
    """Legal pose vectors (N, 7 + J), one for each of the judge's chains: an open hand whose palm
    faces the surface.

    The point of the surface and the turn about its normal are random. Raises PlanError if every
    draw overlaps the object.

    hand: the hand.
    fields: of the objects.
    judge: of legality.
    generator: of the fields' device.
    gap: least and largest distance of the palm from the surface, metres.
    """

    def draw(chains):
        return _draw(hand, fields, judge.which[chains], gap, generator)

    states, left = legal_starts(judge, draw)
    if not len(left):
        return states
    raise PlanError(
        f"in {DRAWS} draws, every pose of the {hand.name} hand with its palm against the object"
        " overlapped the object"
    )


def _draw(hand, fields, which, gap, generator):
    middle, normal = (fields.values.new_tensor(part) for part in palm_face(hand))
    points, normals = surface_points(fields, which, generator)
    aside = torch.randn(normals.shape, generator=generator, device=normals.device)
    own = torch.eye(3, device=normals.device)[normal.abs().argmin()]
    rotation = _basis(-normals, aside) @ _basis(normal[None], own[None]).mT
    share = torch.rand(len(points), 1, generator=generator, device=points.device)
    away = gap[0] + share * (gap[1] - gap[0])
    translation = points + away * normals - rotation @ middle
    quaternion = pose.matrix_to_quat_wxyz(rotation.double().cpu().numpy())
    opened = points.new_tensor(hand.open).expand(len(points), -1)
    parts = [translation, points.new_tensor(quaternion), opened]
    return pose_vector.normalise(torch.cat(parts, dim=1))


def _basis(axis, aside):
    """Rotations (N, 3, 3) whose last column is an axis (N, 3)."""
    first = torch.nn.functional.normalize(torch.linalg.cross(aside, axis), dim=1)
    return torch.stack([first, torch.linalg.cross(axis, first), axis], dim=2)
