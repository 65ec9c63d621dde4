"""The Barrett Hand BH8-280: three fingers of two links each, two of which spread about the palm.

The hand's frame lies in the middle of the palm's foot, z towards the fingers. At spread 0 fingers 1
and 2 point to -y, side by side and opposite finger 3; the spread joint carries them about the palm,
mirrored, to finger 3's side. Joint values are 0 where the hand is wide open, with the proximal
links level with the palm.

Kinematics: the Denavit-Hartenberg table of Barrett's user's manual D3000 (section on kinematics;
the frames are Craig's), with A_w = 25 mm, A_1 = 50 mm, A_2 = 70 mm, A_3 = 50 mm, D_3 = 9.5 mm and
the height D_w = 75.4 mm of the BH8-280; 0 to 180° of spread, 0 to 140° of a proximal joint. One
motor drives a finger: distal = proximal / 3 + 40° (gears of 1/125 and 1/375, as in GraspIt!'s
model). The shapes are boxes and capsules drawn around these axes, not Barrett's surfaces: fingers
19 mm thick (2 · D_3), a round palm 84 mm across. Efforts: 15 N at the finger tip, 0.12 m from the
proximal joint.
"""

import numpy as np

from graspbook import pose
from graspbook.hands.articulated import Hand
from graspbook.hands.parts import Link, Part

A_W, A_1, A_2, A_3, D_W, D_3 = 0.025, 0.050, 0.070, 0.050, 0.0754, 0.0095
SPREAD, PROXIMAL, DISTAL_OFFSET = np.pi, np.radians(140), np.radians(40)
EFFORT = 15 * (A_2 + A_3)
PALM_RADIUS = 0.042
# Of fingers 1, 2 and 3: the side of the spread axis and the angle at spread 0, the table's r and
# -90° · j.
_SIDE, _ANGLE = (-1, 1, 0), (-np.pi / 2, -np.pi / 2, np.pi / 2)


def build() -> Hand:
    """The Barrett Hand with the joints spread, finger_1, finger_2, finger_3, and 45 contact points
    in two layouts.

    "default" has them on palm and fingers, "fingertips" on the distal links alone.
    """
    links, parts, coupling = [Link("palm")], [Part("palm", _prism(PALM_RADIUS, 0.0, D_W))], {}
    for k, (side, angle) in enumerate(zip(_SIDE, _ANGLE, strict=True), start=1):
        base, proximal, distal = f"base_{k}", f"proximal_{k}", f"distal_{k}"
        spread = {1: "spread", 2: "spread_2", 3: None}[k]
        links += [
            Link(
                base,
                "palm",
                _modified_dh(side * A_W, 0, angle, D_W),
                spread,
                (0, 0, side or 1),
                (0, SPREAD),
                EFFORT,
            ),
            Link(
                proximal,
                base,
                _modified_dh(A_1, np.pi / 2, 0, 0),
                f"finger_{k}",
                limits=(0, PROXIMAL),
                effort=EFFORT,
                closes=1,
            ),
            Link(
                distal,
                proximal,
                _modified_dh(A_2, 0, 0, 0),
                f"distal_{k}",
                limits=(DISTAL_OFFSET, PROXIMAL / 3 + DISTAL_OFFSET),
                effort=EFFORT,
                closes=1,
            ),
        ]
        coupling[f"distal_{k}"] = (f"finger_{k}", 1 / 3, DISTAL_OFFSET)
        parts += [
            Part(base, _box((0.0 if side else 0.02, -0.0125, -0.034), (0.060, 0.0125, -D_3))),
            Part(proximal, np.array([[0.0, 0, 0], [A_2, 0, 0]]), D_3),
            Part(distal, np.array([[0.0, 0, 0], [A_3, 0, 0]]), D_3),
        ]
    return Hand("barrett", links, parts, _contacts(), coupling | {"spread_2": ("spread", 1.0, 0.0)})


def _modified_dh(a, alpha, theta, d):
    """Craig's transform from frame i to i-1: along x by a and about it by alpha, then about z by
    theta and along it by d.
    """
    about_x = pose.from_rt(pose.rotation_about([1.0, 0, 0], alpha), [a, 0, 0])
    return about_x @ pose.from_rt(pose.rotation_about([0, 0, 1.0], theta), [0, 0, d])


def _box(low, high):
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def _prism(radius, low, high, sides=16):
    angles = 2 * np.pi * np.arange(sides) / sides
    return np.array(
        [[radius * np.cos(a), radius * np.sin(a), z] for z in (low, high) for a in angles]
    )


def _contacts():
    """Rows of link, point and outward normal: links lie along x and grip with +y, the palm with its
    top.
    """

    def on(link, along, aside=0.0, up=0.0):
        aside, up = np.radians([aside, up])
        normal = np.array([np.sin(up), np.cos(up) * np.cos(aside), np.cos(up) * np.sin(aside)])
        return link, np.array([along, 0, 0]) + D_3 * normal, normal

    default = [
        ("palm", np.array([x, y, D_W]), np.array([0.0, 0, 1]))
        for x in (-0.02, 0, 0.02)
        for y in (-0.02, 0, 0.02)
    ]
    fingertips = []
    for k in (1, 2, 3):
        default += [on(f"proximal_{k}", x) for x in (0.012, 0.027, 0.042, 0.057)]
        default += [on(f"distal_{k}", x, aside) for x in (0.022, 0.042) for aside in (-30, 30)]
        default += [on(f"distal_{k}", x) for x in (0.012, 0.032)] + [
            on(f"distal_{k}", A_3, up=up) for up in (20, 60)
        ]
        fingertips += [
            on(f"distal_{k}", x, aside) for x in (0.015, 0.027, 0.039) for aside in (-50, 0, 50)
        ]
        fingertips += [
            on(f"distal_{k}", A_3, aside, up) for up in (10, 45) for aside in (-50, 0, 50)
        ]
    return {"default": default, "fingertips": fingertips}
