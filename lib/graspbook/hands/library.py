"""The hands there are, by name, and how to add one.

A hand is data: a module beside this one whose `build()` returns an `articulated.Hand`, and its name
in HANDS. Say a gripper with one driven joint, as the Franka Hand is (`franka.build` is the whole of
it, in the grasp frame):

    # a convex polyhedron: its corners (V, 3), in metres; or a segment with a radius: a capsule
    palm = Part("palm", corners)
    finger = Part("right", np.array([root, tip]), radius=0.008)
    # the first link is the hand's frame; smaller values close these fingers
    slide = {"axis": (1, 0, 0), "limits": (0, 0.04), "effort": 70, "slides": True, "closes": -1}
    links = [Link("palm"),
             Link("right", "palm", palm_T_right, "finger_joint1", **slide),
             Link("left", "palm", palm_T_left, "finger_joint2", **slide)]
    # dependent joint: whose value, factor, offset
    coupling = {"finger_joint2": ("finger_joint1", 1.0, 0.0)}
    # in the frame of the link
    contacts = {"default": [("right", point, outward_normal), ...]}
    return Hand("franka", links, [palm, finger, ...], contacts, coupling)

1. Links: parent before child, `parent_T_link` at joint value 0; hinges turn about `axis` through
   the link's origin, in rad; slides move along it, in metres. Effort is what the joint's motor
   gives in simulation, N·m or N.
2. Parts decide collisions, closing and what is drawn. A link may have several or none.
3. Contact points lie on the surface of the parts, on the side that grips. Planner, collision loss
   and the width that the hand can get around come from "default". More layouts are more names.
4. Look at it: `shape.mesh(hand, np.eye(4), hand.open).show()`. The tests in
   tests/hands/test_library.py run for every name in HANDS: kinematics against MuJoCo's, contact
   points on the surface with outward normals, none of them buried.

`graspbook plan --hand NAME` then works at once; `graspbook hand-grasp` needs a network trained on
such plans. `barrett` is an example from a Denavit-Hartenberg table, `shadow` one read from MJCF.
Two-finger hands as paper 1 takes them are in `grippers`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from graspbook.errors import ParameterError

if TYPE_CHECKING:  # the command line reads HANDS for its help
    from graspbook.hands.articulated import Hand

HANDS = ("shadow", "barrett", "franka")


@cache
def load_hand(name: str) -> Hand:
    """The Hand of a name, built once.

    name: one of HANDS.

    Raises ParameterError for another name.
    """
    if Path(name).suffix.lower() in (".urdf", ".xacro", ".xml", ".mjcf", ".sdf", ".usd"):
        raise ParameterError(
            f"{name}: hands are not read from files, there are {', '.join(HANDS)}. A new hand is a"
            " Python module of links, convex parts and contact points (see"
            " graspbook/hands/library.py); `graspbook hand-grasp` also needs a network trained for"
            " it"
        )
    if name not in HANDS:
        raise ParameterError(f"unknown hand {name!r}; there are {', '.join(HANDS)}")
    from graspbook.hands import barrett, franka, shadow

    return {"shadow": shadow, "barrett": barrett, "franka": franka}[name].build()
