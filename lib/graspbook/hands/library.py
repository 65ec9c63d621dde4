"""The hands there are, by name.

To add one: write a module beside this one whose `build()` returns an `articulated.Hand`, and name it in HANDS. A hand is data:
Links (parent, pose in the parent at joint value 0, joint name, axis, limits, effort, the sign that closes it), convex Parts
(a polyhedron's corners, or a segment with a radius), a coupling of dependent joints, and rows of link, contact point and
outward normal for at least the layout "default". The `build()` of `franka` is the shortest example, `barrett` one from a
Denavit-Hartenberg table, `shadow` one read from MJCF. The tests in tests/hands/test_library.py run for every name in HANDS:
kinematics against MuJoCo's, contact points on the surface with outward normals, joints by name. Then look at it:
`shape.mesh(hand, np.eye(4), hand.open).show()`.
"""

from functools import cache
from importlib import import_module

from graspbook.errors import ParameterError

HANDS = ("shadow", "barrett", "franka")


@cache
def load_hand(name):
    """The Hand of a name in HANDS, built once; ParameterError for another name."""
    if name not in HANDS:
        raise ParameterError(f"unknown hand {name!r}; there are {', '.join(HANDS)}")
    return import_module(f"graspbook.hands.{name}").build()
