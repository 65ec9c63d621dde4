"""The 17 objects of the paper's robot trials as parametric stand-ins.

They are six boxes, three cylinders, three bowls, five mugs (Mousavian et al. 2019, section 4.2,
Fig. 12 and Table 2). "The weights of the objects are between 42g (pepper shaker) and 618g (mustard
bottle)". The paper gives no sizes. Where the product is in the YCB set, size and mass are those of
its list (Calli, Walsman, Singh, Srinivasa, Abbeel, Dollar, Benchmarking in Manipulation Research,
IEEE Robotics & Automation Magazine 22(3), 2015). Its scans are a few millimetres larger, for real
cardboard bulges. The rest is assumed. The set's own sponge (6.2 g) is lighter than the paper's
lightest object, so the sponge is assumed too. The mustard bottle, which the paper counts as a
cylinder, is a straight one of elliptic section. Walls of bowls and mugs are assumed in any case.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh

from graspbook.errors import ParameterError
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.solids import bow, loft, ring, union, vessel

CYLINDER_SIDES = 32
SECTORS = 16  # of bowls and mugs
_BOTTOM, _HANDLE = 0.005, 0.008  # thickness of the bottom of bowls and mugs, and of a handle


@dataclass(frozen=True)
class TrialObject:
    """One object of the trials.

    name: its name in the paper's Table 2, in lower case.
    category: "box", "cylinder", "bowl" or "mug", as there.
    size: in metres. Of a box and a cylinder along x, y and z (a cylinder's section is elliptic).
        Of a bowl the rim's diameter, the height, the foot's diameter and the wall. Of a mug the
        cup's diameter, the height, how far the handle reaches beyond the cup, and the wall.
        Diameters are across the flats of the polygon that stands for a circle.
    mass: in kg.
    source: the object of the YCB set that it follows, or "assumed"; "the paper's mass" where the
        paper states that.
    """

    name: str
    category: str
    size: tuple[float, ...]
    mass: float
    source: str


TRIAL_OBJECTS = {
    trial.name: trial
    for trial in (
        TrialObject("jello_chocolate", "box", (0.035, 0.110, 0.089), 0.187, "YCB 008 pudding box"),
        TrialObject("spam_can", "box", (0.050, 0.097, 0.082), 0.370, "YCB 010 potted meat can"),
        TrialObject("jello_strawberry", "box", (0.028, 0.085, 0.073), 0.097, "YCB 009 gelatin box"),
        TrialObject("sponge", "box", (0.040, 0.115, 0.070), 0.045, "assumed"),
        TrialObject("cheezit_box", "box", (0.060, 0.158, 0.210), 0.411, "YCB 003 cracker box"),
        TrialObject("sugar_box", "box", (0.038, 0.089, 0.175), 0.514, "YCB 004 sugar box"),
        TrialObject(
            "pepper_shaker", "cylinder", (0.045, 0.045, 0.085), 0.042, "assumed, the paper's mass"
        ),
        TrialObject("pirouline_tin", "cylinder", (0.066, 0.066, 0.175), 0.190, "assumed"),
        TrialObject(
            "mustard_bottle",
            "cylinder",
            (0.058, 0.095, 0.190),
            0.618,
            "YCB 006 mustard bottle, the paper's mass",
        ),
        TrialObject("white_bowl", "bowl", (0.140, 0.062, 0.068, 0.005), 0.290, "assumed"),
        TrialObject("green_bowl", "bowl", (0.150, 0.070, 0.072, 0.004), 0.130, "assumed"),
        TrialObject("red_bowl", "bowl", (0.159, 0.053, 0.080, 0.004), 0.147, "YCB 024 bowl"),
        TrialObject("white_mug", "mug", (0.082, 0.096, 0.036, 0.0045), 0.330, "assumed"),
        TrialObject("blue_mug", "mug", (0.084, 0.104, 0.038, 0.0045), 0.350, "assumed"),
        TrialObject("orange_mug", "mug", (0.078, 0.090, 0.035, 0.004), 0.280, "assumed"),
        TrialObject("big_red_mug", "mug", (0.096, 0.112, 0.042, 0.005), 0.460, "assumed"),
        TrialObject("red_ycb_mug", "mug", (0.080, 0.082, 0.036, 0.004), 0.118, "YCB 025 mug"),
    )
}


def make_trial_object(name: str) -> GraspObject:
    """The GraspObject of a trial object, its family the category.

    It stands on z = 0, centred on the z axis (a mug: its cup). Convex parts fill the solid exactly
    and never overlap. Raises ParameterError for a name that is not in TRIAL_OBJECTS.

    name: one of TRIAL_OBJECTS.
    """
    if name not in TRIAL_OBJECTS:
        raise ParameterError(f"no trial object {name!r}; available: {', '.join(TRIAL_OBJECTS)}")
    trial = TRIAL_OBJECTS[name]
    parts = tuple(_MAKERS[trial.category](*trial.size))
    return GraspObject(name, trial.category, union(parts), parts, f"{name}.obj")


def _box(x, y, z):
    base = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]) * [x, y, 1]
    return [loft(base, base + [0, 0, z])]


def _cylinder(x, y, z):
    base = ring(_corner(1.0, CYLINDER_SIDES), 0.0, CYLINDER_SIDES) * [x, y, 1]
    return [loft(base, base + [0, 0, z])]


def _bowl(rim, height, foot, wall):
    """A foot, a wall that curves outwards at two fifths of the height, and a rim."""
    rim, foot = _corner(rim, SECTORS), _corner(foot, SECTORS)
    waist, middle = foot + 0.72 * (rim - foot), 0.42 * height
    start = foot + (waist - foot) * _BOTTOM / middle
    return vessel([(foot, 0.0), (start, _BOTTOM), (waist, middle), (rim, height)], wall, SECTORS)


def _mug(diameter, height, reach, wall):
    """A cup whose handle stands on the wall sector that faces +x."""
    radius = _corner(diameter, SECTORS)
    cup = vessel([(radius, 0.0), (radius, _BOTTOM), (radius, height)], wall, SECTORS)
    facet = ring(radius, 0.0, SECTORS)[0]
    inner = {"gap": reach - _HANDLE, "thickness": _HANDLE, "half_width": -0.8 * facet[1]}
    return cup + bow(facet[0], 0.51 * height, 0.29 * height, **inner)


def _corner(diameter, sides):
    """Radius of the corners of a regular polygon that is `diameter` wide across its flats."""
    return diameter / 2 / np.cos(np.pi / sides)


_MAKERS: dict[str, Callable[..., list[trimesh.Trimesh]]] = {
    "box": _box,
    "cylinder": _cylinder,
    "bowl": _bowl,
    "mug": _mug,
}
