"""Colours of all figures, and the drawing of a gripper."""

import numpy as np

from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw

SCALE = "Viridis"

COLOURS = ("#3b6ea5", "#e08a1e", "#4c9f70", "#b5485d", "#7a5aa6", "#8a7356", "#4aa3b5", "#6b6b6b")

GOOD, BAD = "#1b9e77", "#d95f02"  # also distinguishable by colour-blind people

OBJECT_COLOUR, POINT_COLOUR = "#b8bec6", "#87909b"


def fork(gripper: ParallelJaw) -> np.ndarray:
    """A gripper as one line (7, 3), in the grasp frame: tip, finger, palm, stem to the flange and
    back, palm, finger, tip.

    gripper: with the opening and lengths.
    """
    half, mount, tip = gripper.opening / 2, gripper.mount_z, gripper.tip_z
    x = [half, half, 0, 0, 0, -half, -half]
    z = [tip, mount, mount, 0, mount, mount, tip]
    return np.stack([x, np.zeros(7), z], axis=1)


FORK = fork(FRANKA)
