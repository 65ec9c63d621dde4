"""The hands there are, by name, and how to add one.

A hand that has a URDF or MJCF file needs no code: `load_hand` takes its folder (see `own`).
Otherwise a hand is data: a module beside this one whose `build()` returns an `articulated.Hand`,
and its name in HANDS. Say a gripper with one driven joint, as the Franka Hand is (`franka.build` is
the whole of it, in the grasp frame):

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

`graspbook plan --hand NAME` then works at once. With a name, `graspbook hand-grasp` needs a network
that was trained on such plans; with a folder, it uses planned candidates only. `barrett` is an
example from a Denavit-Hartenberg table, `shadow` one read from MJCF.
Two-finger hands as paper 1 takes them are in `grippers`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from graspbook.errors import ParameterError

if TYPE_CHECKING:  # the command line reads HANDS for its help
    from graspbook.hands.articulated import Hand

HANDS = ("shadow", "barrett", "franka")
_MOST_FILES = 2000  # of a folder, of which times and sizes are looked at


def load_hand(name: str) -> Hand:
    """The Hand of a name or of a folder, built once.

    name: one of HANDS, or the path of a folder as `own.load_own` reads it.

    Raises ParameterError for another name, and HandError for a folder that has no usable hand.
    """
    if is_folder(name):
        stamps = tuple(
            (str(path), path.stat().st_mtime_ns, path.stat().st_size)
            for path in islice(sorted(Path(name).rglob("*")), _MOST_FILES)
            if path.is_file()
        )
        return _own(str(Path(name).resolve()), stamps)
    return _known(name)


def is_folder(name: str) -> bool:
    """Whether a name is the path of a hand's folder.

    name: as a user gives it.

    Raises ParameterError where it is neither a folder nor one of HANDS.
    """
    if name in HANDS:
        return False
    if (path := Path(name)).is_dir():
        return True
    if path.is_file() or path.suffix.lower() in (".urdf", ".xacro", ".xml", ".mjcf", ".sdf"):
        raise ParameterError(
            f"{name} is a file, expected the folder of a hand; --hand FOLDER reads the .urdf or"
            " .xml and the hand.yaml in it"
        )
    raise ParameterError(
        f"unknown hand {name!r}, expected one of {', '.join(HANDS)}, or the path of a folder with a"
        " hand's .urdf or .xml"
    )


def parameters_of(name: str) -> dict[str, str]:
    """What identifies a hand in files: its name, and the hash of a folder's content.

    name: as for `load_hand`.
    """
    if not is_folder(name):
        return {"hand": name}
    hand = load_hand(name)
    return {"hand": hand.name, "hand_content": hand.content}


@cache
def _known(name):
    from graspbook.hands import barrett, franka, shadow

    return {"shadow": shadow, "barrett": barrett, "franka": franka}[name].build()


@lru_cache(maxsize=8)
def _own(folder, stamps):
    """The hand of a folder, whose files have these stamps."""
    del stamps
    from graspbook.hands.own import load_own

    hand = load_own(folder)
    if hand.name in HANDS:
        raise ParameterError(
            f"{folder}: its hand is named {hand.name!r}, but the package already has a hand of that"
            " name. Choose another name in hand.yaml: `name: NAME`"
        )
    return hand
