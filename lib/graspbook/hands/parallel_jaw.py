"""Parallel-jaw grippers as values: convex parts, control points, and what lies inside them.

Everything is in the grasp frame, which is ACRONYM's: origin at the hand's flange side, +z the
approach direction, the fingers close along ±x. Lengths are in metres.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull


@dataclass(frozen=True, eq=False)
class ParallelJaw:
    """A hand whose two fingers slide along x: whoever takes one works with any.

    name: what grasp files call it, `gripper/type`.
    title: what people call it.
    opening: largest distance between the pads.
    mount_z, tip_z: where the fingers begin and end.
    pad_z: middle of the pads.
    pad_half_width, pad_half_height: half the pads' size in y and in z.
    grip_z: where the pads grip in earnest; GPD wants some of the object beyond it.
    palm: vertices (V, 3) of the convex part that stands still.
    finger: parts, name -> vertices (V, 3), of the finger at +x, with its pad's face at x = 0 and z
        from `mount_z`; the other finger is its image turned about z.
    control_points: (6, 3) that stand for the hand in the networks' losses and inputs.
    """

    name: str
    title: str
    opening: float
    mount_z: float
    tip_z: float
    pad_z: float
    pad_half_width: float
    pad_half_height: float
    grip_z: float
    palm: np.ndarray
    finger: dict[str, np.ndarray]
    control_points: np.ndarray

    def finger_parts(self, opening: float | None = None) -> dict[str, np.ndarray]:
        """Convex parts, name -> vertices (V, 3), of both fingers.

        opening: metres between the pads; all of it if None.

        Raises ValueError for an opening that the hand does not have.
        """
        opening = self.opening if opening is None else opening
        if not 0 <= opening <= self.opening:
            raise ValueError(f"opening {opening} m, expected 0 to {self.opening}")
        parts = {}
        for side, sign in (("right", 1.0), ("left", -1.0)):
            for name, vertices in self.finger.items():
                placed = vertices + [opening / 2, 0, self.mount_z]
                parts[f"{side}_{name}"] = placed * [sign, sign, 1.0]
        return parts

    def collision_parts(self, opening: float | None = None) -> list[np.ndarray]:
        """Vertices (V, 3) of the convex parts of the whole hand, palm first.

        opening: metres between the pads; all of it if None.
        """
        return [self.palm, *self.finger_parts(opening).values()]

    @property
    def configuration(self) -> tuple[float, ...]:
        """What grasp files hold as `gripper/configuration`: how far a finger opens."""
        return (self.opening / 2,)

    @property
    def region(self) -> np.ndarray:
        """Corners (2, 3) of the space between the fingers, as wide as the pads."""
        half = [self.opening / 2, self.pad_half_width]
        return np.array([[-half[0], -half[1], self.mount_z], [*half, self.tip_z]])

    @cached_property
    def _hulls(self):
        """Of each convex part of the open hand: its box (2, 3), and its outward half-spaces n·x + d
        <= 0, each once.
        """
        return [
            (np.array([part.min(axis=0), part.max(axis=0)]), half_spaces(part))
            for part in self.collision_parts()
        ]

    def points_in_hand(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Which points lie inside the open hand: bool (..., N).

        points: (..., N, 3), in the grasp frame.
        margin: by how much the hand is grown, metres.
        """
        points = np.asarray(points)
        inside = np.zeros(points.shape[:-1], bool)
        for (low, high), faces in self._hulls:
            near = np.logical_and.reduce(
                [
                    (points[..., i] > low[i] - margin) & (points[..., i] < high[i] + margin)
                    for i in range(3)
                ]
            )
            inside[near] |= (points[near] @ faces[:, :3].T + faces[:, 3] < margin).all(axis=1)
        return inside

    def points_in_closing_region(self, points: np.ndarray) -> np.ndarray:
        """Which points lie in what the closing pads sweep: bool (..., N).

        points: (..., N, 3), in the grasp frame.
        """
        x, y, z = np.abs(points[..., 0]), np.abs(points[..., 1]), points[..., 2]
        return (
            (x < self.opening / 2)
            & (y < self.pad_half_width)
            & (np.abs(z - self.pad_z) < self.pad_half_height)
        )


def half_spaces(part: np.ndarray) -> np.ndarray:
    """Outward half-spaces (F, 4) n·x + d <= 0 of a convex part, each once.

    part: its vertices (V, 3).
    """
    return np.unique(ConvexHull(part).equations.round(12), axis=0)


def slab(rows: list[tuple[float, float, float, float]]) -> np.ndarray:
    """Convex vertices (V, 3) of a part that is a stack of rectangles.

    rows: (z, x_low, x_high, half depth in y) of each.
    """
    return np.array(
        [[x, y, z] for z, low, high, depth in rows for x in (low, high) for y in (-depth, depth)]
    )


# Measured on the Franka Hand meshes of MuJoCo Menagerie (Apache-2.0): palm z -0.0259...0.066,
# fingers 53.8 mm long, mounted at z = 0.0584, pads 17.5 mm square with their centre at z = 0.1034.
FRANKA = ParallelJaw(
    name="panda",
    title="Franka Hand",
    opening=0.08,
    mount_z=0.0584,
    tip_z=0.0584 + 0.0538,
    pad_z=0.1034,
    pad_half_width=0.00875,
    pad_half_height=0.00875,
    grip_z=0.1034 - 0.002,
    palm=slab(
        [
            (-0.0259, -0.083, -0.045, 0.002),
            (-0.003, -0.1037, 0.0877, 0.0297),
            (0.0047, -0.1040, 0.0931, 0.0316),
            (0.0582, -0.1004, 0.1004, 0.0186),
            (0.0660, -0.0931, 0.0931, 0.0055),
        ]
    ),
    finger={
        "mount": slab([(0.0, 0.0113, 0.0263, 0.0105), (0.0225, 0.0119, 0.0253, 0.0105)]),
        "neck": slab([(0.0225, 0.0150, 0.0245, 0.0103), (0.0362, 0.0060, 0.0158, 0.0090)]),
        "tip": slab(
            [
                (0.0362, 0.0, 0.0144, 0.0089),
                (0.0515, 0.0, 0.0144, 0.0085),
                (0.0538, 0.0014, 0.0144, 0.0055),
            ]
        ),
    },
    # Released code (NVlabs/6dof-graspnet): the wrist twice, then root and tip of both fingers.
    control_points=np.array(
        [
            [0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0],
            [0.0527, -0.00006, 0.0753],
            [-0.0527, 0.00006, 0.0753],
            [0.0527, -0.00006, 0.1053],
            [-0.0527, 0.00006, 0.1053],
        ]
    ),
)
