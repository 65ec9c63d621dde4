"""The Robotiq 2F-85 as a parallel jaw, z from the flange side of its coupling.

Its sizes are those of MuJoCo Menagerie's robotiq_2f85 (BSD-2-Clause) with the hand open, where no
other source is named: sums of the offsets of its bodies. The real fingers swing on a linkage, so
the tips also move along z. Here they slide.
"""

from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw, slab

_OPENING = 0.085  # Robotiq's stroke; the model's pads are 85.4 mm apart
_PAD = (0.12272, 0.16022)  # 0.0108 + 0.0609 + 0.0375 + 0.01352, and 37.5 mm, the pad's two boxes
_PAD_Z = (_PAD[0] + _PAD[1]) / 2
_HINGE_Z = 0.0616  # the driver's end, where the outer link begins: 0.0108 + 0.0549 - 0.0041
_HINGE_X = 0.0621  # 0.0306 + 0.0315
_BACK = 0.0255  # from the pad's face back to the follower's hinge: 0.0189 + 0.0026 + 0.004
_LINK = 0.006  # half the links' thickness; this and the next, ours, are rather too large
_DEPTH = 0.0135  # half the links' depth in y
_BODY = 0.0375  # radius of the coupling, in ROS-Industrial's robotiq_arg2f_coupling

ROBOTIQ_2F85 = ParallelJaw(
    name="robotiq_2f85",
    title="Robotiq 2F-85",
    opening=_OPENING,
    mount_z=_HINGE_Z,
    tip_z=_PAD[1],
    pad_z=_PAD_Z,
    pad_half_width=0.011,  # of the pad's boxes: 22 mm wide
    pad_half_height=(_PAD[1] - _PAD[0]) / 2,
    grip_z=_PAD_Z - 0.002,  # as for the Franka Hand
    # A square about the round body, the drivers on both sides, and the inner links, whose top at
    # z = 0.09 is ours.
    palm=slab(
        [
            (0.0, -_BODY, _BODY, _BODY),
            (_HINGE_Z, -_BODY, _BODY, _BODY),
            (_HINGE_Z, -_HINGE_X, _HINGE_X, _DEPTH),
            (0.09, -0.02, 0.02, _DEPTH),
        ]
    ),
    finger={
        "link": slab(
            [
                (0.0, _HINGE_X - _OPENING / 2 - _LINK, _HINGE_X - _OPENING / 2 + _LINK, _DEPTH),
                (_PAD[0] - _HINGE_Z, 0.0015, _BACK + _LINK, _DEPTH),
            ]
        ),
        "tip": slab(
            [
                (_PAD[0] - _HINGE_Z, 0.0, _BACK, 0.011),
                (_PAD[1] - _HINGE_Z, 0.0, 0.008, 0.011),  # the pad's boxes are 8 mm thick
            ]
        ),
    },
    # The Franka Hand's, moved as its pads would be to lie on these.
    control_points=FRANKA.control_points
    + [
        [side * (_OPENING - FRANKA.opening) / 2, 0, 0 if side == 0 else _PAD_Z - FRANKA.pad_z]
        for side in (0, 0, 1, -1, 1, -1)
    ],
)
