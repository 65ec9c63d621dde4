"""The Franka Hand as an articulated hand; as a parallel jaw it is `parallel_jaw.FRANKA`.

Franka's own hand frame is the grasp frame turned by 90° about z: `FRANKA_T_GRASP`.
"""

import numpy as np

from graspbook import pose
from graspbook.hands.articulated import Hand
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.hands.parts import Link, Part

FRANKA_T_GRASP = pose.from_rt(pose.rotation_about([0, 0, 1.0], np.pi / 2), np.zeros(3))


def build() -> Hand:
    """The Franka Hand as an `articulated.Hand` in the grasp frame.

    Its one independent joint is Franka's finger_joint1, half the distance between the pads in
    metres; finger_joint2 is equal to it. Contact points "default": 9 on either pad and 3 on the
    palm between the fingers.
    """
    links, parts, contacts = [Link("palm")], [Part("palm", FRANKA.palm)], []
    for side, sign, joint in (("right", 1.0, "finger_joint1"), ("left", -1.0, "finger_joint2")):
        turned = pose.from_rt(
            pose.rotation_about([0, 0, 1.0], 0.0 if sign > 0 else np.pi), [0, 0, FRANKA.mount_z]
        )
        limits = (0.0, FRANKA.opening / 2)
        axis = (1.0, 0, 0)
        links.append(Link(side, "palm", turned, joint, axis, limits, 70.0, slides=True, closes=-1))
        parts += [Part(side, vertices) for vertices in FRANKA.finger.values()]
        contacts += [
            (side, np.array([0, y, FRANKA.pad_z - FRANKA.mount_z + z]), np.array([-1.0, 0, 0]))
            for y in (-0.006, 0, 0.006)
            for z in (-0.006, 0, 0.006)
        ]
    top = FRANKA.palm[:, 2].max()
    contacts += [("palm", np.array([x, 0, top]), np.array([0, 0, 1.0])) for x in (-0.02, 0, 0.02)]
    coupling = {"finger_joint2": ("finger_joint1", 1.0, 0.0)}
    return Hand("franka", links, parts, {"default": contacts}, coupling)
