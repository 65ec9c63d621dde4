"""What hands are made of: links with their joints, convex parts, and points on their surface."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Link:
    """A rigid link and the joint that moves it against its parent.

    name: of the link.
    parent: name of an earlier link, None for the palm.
    parent_T_link: (4, 4) at joint value 0.
    joint: its name, None for a link that is fixed to its parent.
    axis: unit vector in the link's frame; a hinge turns about it through the link's origin, a slide
        moves along it.
    limits: rad, or metres for a slide.
    effort: largest torque in N·m, or force in N.
    slides: the joint is no hinge.
    closes: the sign of the motion that closes the hand, 0 for none.
    """

    name: str
    parent: str | None = None
    parent_T_link: np.ndarray = field(default_factory=lambda: np.eye(4))
    joint: str | None = None
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    limits: tuple[float, float] = (0.0, 0.0)
    effort: float = 0.0
    slides: bool = False
    closes: int = 0


@dataclass(frozen=True)
class Part:
    """A convex piece of a link: all points within a radius of the convex hull of its core.

    link: name of the link.
    core: (V, 3), in the link's frame.
    radius: 0 makes a polyhedron; with a radius the core has two points and the part is a capsule.
    """

    link: str
    core: np.ndarray
    radius: float = 0.0


class Points(NamedTuple):
    """Points on a hand.

    points: (P, 3), in the frames of their links.
    normals: (P, 3), unit, outward, likewise.
    links: (P,) indices of their links.
    """

    points: np.ndarray
    normals: np.ndarray
    links: np.ndarray
