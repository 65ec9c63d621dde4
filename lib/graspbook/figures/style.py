"""Colours of all figures, and how a gripper is drawn."""

import numpy as np

from graspbook.hands.franka import FINGER_MOUNT, MAX_OPENING, TIP_Z

SCALE = "Viridis"

COLOURS = ("#3b6ea5", "#e08a1e", "#4c9f70", "#b5485d", "#7a5aa6", "#8a7356", "#4aa3b5", "#6b6b6b")

GOOD, BAD = "#1b9e77", "#d95f02"  # told apart by the colour-blind too

OBJECT_COLOUR, POINT_COLOUR = "#b8bec6", "#87909b"

# The hand as a fork drawn in one stroke: tip, finger, palm, stem to the flange and back, palm,
# finger, tip.
FORK = np.array(
    [
        [MAX_OPENING / 2, 0, TIP_Z],
        [MAX_OPENING / 2, 0, FINGER_MOUNT],
        [0, 0, FINGER_MOUNT],
        [0, 0, 0],
        [0, 0, FINGER_MOUNT],
        [-MAX_OPENING / 2, 0, FINGER_MOUNT],
        [-MAX_OPENING / 2, 0, TIP_Z],
    ]
)
