"""The Franka Hand: convex parts, control points, and what lies inside the hand or between its
fingers.

Everything is in the grasp frame, which is ACRONYM's: origin at the hand's flange side, +z the
approach direction, the fingers close along ±x. Franka's own hand frame is this one turned by 90°
about z: `FRANKA_T_GRASP`.

Dimensions were measured on the Franka Hand meshes of MuJoCo Menagerie (Apache-2.0): palm z
-0.0259...0.066, fingers 53.8 mm long, mounted at z = 0.0584, pads 17.5 mm square with their centre
at z = 0.1034.
"""

import numpy as np
from scipy.spatial import ConvexHull

from graspbook import pose

FINGER_MOUNT = 0.0584
FINGER_LENGTH = 0.0538
TIP_Z = FINGER_MOUNT + FINGER_LENGTH
PAD_CENTRE_Z = 0.1034
PAD_HALF_WIDTH = 0.00875
MAX_OPENING = 0.08
FRANKA_T_GRASP = pose.from_rt(pose.rotation_about([0, 0, 1.0], np.pi / 2), np.zeros(3))

# Released code (NVlabs/6dof-graspnet): the wrist twice, then root and tip of both fingers.
CONTROL_POINTS = np.array(
    [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0527, -0.00006, 0.0753],
        [-0.0527, 0.00006, 0.0753],
        [0.0527, -0.00006, 0.1053],
        [-0.0527, 0.00006, 0.1053],
    ]
)


def _slab(rows):
    """Convex vertices (V, 3) from rows (z, x_low, x_high, half depth in y)."""
    return np.array(
        [[x, y, z] for z, low, high, depth in rows for x in (low, high) for y in (-depth, depth)]
    )


# The finger at +x with its pad's face at x = 0, z from the finger's mount; the other is its image
# turned about z.
FINGER_PARTS = {
    "mount": _slab([(0.0, 0.0113, 0.0263, 0.0105), (0.0225, 0.0119, 0.0253, 0.0105)]),
    "neck": _slab([(0.0225, 0.0150, 0.0245, 0.0103), (0.0362, 0.0060, 0.0158, 0.0090)]),
    "tip": _slab(
        [
            (0.0362, 0.0, 0.0144, 0.0089),
            (0.0515, 0.0, 0.0144, 0.0085),
            (0.0538, 0.0014, 0.0144, 0.0055),
        ]
    ),
}
PALM = _slab(
    [
        (-0.0259, -0.083, -0.045, 0.002),
        (-0.003, -0.1037, 0.0877, 0.0297),
        (0.0047, -0.1040, 0.0931, 0.0316),
        (0.0582, -0.1004, 0.1004, 0.0186),
        (0.0660, -0.0931, 0.0931, 0.0055),
    ]
)


def finger_parts(opening=MAX_OPENING):
    """Convex parts, name -> vertices (V, 3), of both fingers at `opening` (metres between the
    pads).
    """
    if not 0 <= opening <= MAX_OPENING:
        raise ValueError(f"opening {opening} m, expected 0 to {MAX_OPENING}")
    parts = {}
    for side, sign in (("right", 1.0), ("left", -1.0)):
        for name, vertices in FINGER_PARTS.items():
            placed = vertices + [opening / 2, 0, FINGER_MOUNT]
            parts[f"{side}_{name}"] = placed * [sign, sign, 1.0]
    return parts


def collision_parts(opening=MAX_OPENING):
    """Vertices (V, 3) of the convex parts of the whole hand, palm first, at `opening` (metres
    between the pads).
    """
    return [PALM, *finger_parts(opening).values()]


# Of each convex part of the open hand: its box (2, 3), and its outward half-spaces n·x + d <= 0,
# each once.
_HULLS = [
    (
        np.array([part.min(axis=0), part.max(axis=0)]),
        np.unique(ConvexHull(part).equations.round(12), axis=0),
    )
    for part in collision_parts()
]


def points_in_hand(points, margin=0.0):
    """Which points (..., N, 3), in the grasp frame, lie inside the open hand grown by `margin`
    metres: bool (..., N).
    """
    points = np.asarray(points)
    inside = np.zeros(points.shape[:-1], bool)
    for (low, high), faces in _HULLS:
        near = np.logical_and.reduce(
            [
                (points[..., i] > low[i] - margin) & (points[..., i] < high[i] + margin)
                for i in range(3)
            ]
        )
        inside[near] |= (points[near] @ faces[:, :3].T + faces[:, 3] < margin).all(axis=1)
    return inside


def points_in_closing_region(points):
    """Which points (..., N, 3), in the grasp frame, lie between the open fingers' pads: bool (...,
    N).

    The region is as deep and wide as the pads (17.5 mm) and 80 mm long: what the closing pads
    sweep.
    """
    x, y, z = np.abs(points[..., 0]), np.abs(points[..., 1]), points[..., 2]
    return (
        (x < MAX_OPENING / 2) & (y < PAD_HALF_WIDTH) & (np.abs(z - PAD_CENTRE_Z) < PAD_HALF_WIDTH)
    )


def build():
    """The Franka Hand as an `articulated.Hand` in the grasp frame.

    Its one independent joint is Franka's finger_joint1, half the distance between the pads in
    metres; finger_joint2 is equal to it. Contact points "default": 9 on either pad and 3 on the
    palm between the fingers.
    """
    from graspbook.hands.articulated import Hand
    from graspbook.hands.parts import Link, Part

    links, parts, contacts = [Link("palm")], [Part("palm", PALM)], []
    for side, sign, joint in (("right", 1.0, "finger_joint1"), ("left", -1.0, "finger_joint2")):
        turned = pose.from_rt(
            pose.rotation_about([0, 0, 1.0], 0.0 if sign > 0 else np.pi), [0, 0, FINGER_MOUNT]
        )
        links.append(
            Link(
                side,
                "palm",
                turned,
                joint,
                (1.0, 0, 0),
                (0.0, MAX_OPENING / 2),
                70.0,
                slides=True,
                closes=-1,
            )
        )
        parts += [Part(side, vertices) for vertices in FINGER_PARTS.values()]
        contacts += [
            (side, np.array([0, y, PAD_CENTRE_Z - FINGER_MOUNT + z]), np.array([-1.0, 0, 0]))
            for y in (-0.006, 0, 0.006)
            for z in (-0.006, 0, 0.006)
        ]
    contacts += [
        ("palm", np.array([x, 0, PALM[:, 2].max()]), np.array([0, 0, 1.0]))
        for x in (-0.02, 0, 0.02)
    ]
    return Hand(
        "franka",
        links,
        parts,
        {"default": contacts},
        {"finger_joint2": ("finger_joint1", 1.0, 0.0)},
    )
