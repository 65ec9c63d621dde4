"""The Shadow Dexterous Hand, read from the MuJoCo model that comes with the package
gymnasium-robotics.

The hand's frame is the body `robot0:palm`: z towards the fingers, the palm faces -y, the thumb is
at +x; the two wrist joints above it are not used. Of its 22 joints 18 are independent: each
finger's distal joint is 0.8 times its middle one, as in GraspIt!'s model of this hand, so that with
the pose of the wrist the high-DOF paper's 25 degrees of freedom come out.

Joints keep the model's names without their prefix: FFJ3 (sideways), FFJ2, FFJ1, FFJ0 (distal) of
the first finger, and so on for MF, RF, LF (whose LFJ4 is in the palm) and TH. The hardware counts
them from 1: its FFJ4 is FFJ3 here.

The model is ShadowRobot's sr_description as adapted by Vikash Kumar and OpenAI (Apache-2.0; see
LICENSE.md beside it). It is read where pip put it; nothing of it is part of this project.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from graspbook import pose
from graspbook.hands.articulated import Hand
from graspbook.hands.parts import Link, Part

FINGERS = ("ff", "mf", "rf", "lf")
COUPLING = {f"{finger.upper()}J0": (f"{finger.upper()}J1", 0.8, 0.0) for finger in FINGERS}
CLOSES = {f"{finger.upper()}J{k}": 1 for finger in FINGERS for k in (2, 1, 0)} | {
    "THJ1": -1,
    "THJ0": -1,
}
_PREFIX = "robot0:"
_BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


def model_path() -> Path:
    """The MJCF file of the hand with its forearm, in the installed gymnasium-robotics."""
    package: Any = find_spec("gymnasium_robotics")
    return Path(package.submodule_search_locations[0]) / "envs/assets/hand/reach.xml"


def build() -> Hand:
    """The Shadow Hand with 45 contact points in two layouts: "default" over palm and fingers,
    "fingertips" on the last links.
    """
    model = mujoco.MjModel.from_xml_path(str(model_path()))
    palm = model.body(_PREFIX + "palm").id
    bodies = [i for i in range(model.nbody) if i == palm or _is_below(model, i, palm)]
    parts = [
        _part(model, geom)
        for geom in range(model.ngeom)
        if model.geom_bodyid[geom] in bodies and model.geom(geom).name.startswith(_PREFIX + "C_")
    ]
    return Hand(
        "shadow", [_link(model, i, palm) for i in bodies], parts, _contacts(parts), COUPLING
    )


def _is_below(model, body, ancestor):
    while body:
        body = model.body_parentid[body]
        if body == ancestor:
            return True
    return False


def _name(element):
    return element.name.removeprefix(_PREFIX)


def _link(model, body, palm):
    name = _name(model.body(body))
    if body == palm:
        return Link(name)
    joint = model.joint(model.body_jntadr[body])
    driven = [i for i in range(model.nu) if model.actuator_trnid[i, 0] == joint.id]
    label = _name(joint)
    return Link(
        name,
        _name(model.body(model.body_parentid[body])),
        pose.from_rt(pose.quat_wxyz_to_matrix(model.body_quat[body]), model.body_pos[body]),
        label,
        tuple(joint.axis),
        tuple(joint.range),
        effort=float(model.actuator_forcerange[driven[0], 1]) if driven else 0.0,
        closes=CLOSES.get(label, 0),
    )


def _part(model, geom):
    """A capsule or box of the model as a Part: its other collision shapes belong to the forearm."""
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
        radius, half = model.geom_size[geom, :2]
        core = np.array([[0, 0, -half], [0, 0, half]])
    else:
        radius, core = 0.0, _BOX * model.geom_size[geom]
    body_T_geom = pose.from_rt(
        pose.quat_wxyz_to_matrix(model.geom_quat[geom]), model.geom_pos[geom]
    )
    return Part(
        _name(model.body(model.geom_bodyid[geom])), pose.transform(body_T_geom, core), float(radius)
    )


def _contacts(parts):
    """Both layouts: rows of link, point and outward normal on the side that grips.

    Fingers grip with -y, the thumb with -x. A point on a capsule along z is given by its height as
    a share of the capsule's axis, an angle to the side and one towards the tip, in degrees.
    """
    capsules = {part.link: part for part in parts if part.radius}

    def on(link, share, aside=0.0, up=0.0):
        part, (aside, up) = capsules[link], np.radians([aside, up])
        front, side = ([-1, 0, 0], [0, 1, 0]) if link.startswith("th") else ([0, -1, 0], [1, 0, 0])
        normal = (
            np.cos(up) * (np.cos(aside) * np.array(front) + np.sin(aside) * np.array(side))
            + np.sin(up) * np.eye(3)[2]
        )
        return (
            link,
            part.core[0] + share * (part.core[1] - part.core[0]) + part.radius * normal,
            normal,
        )

    palm = [("palm", x, z) for z in (0.055, 0.078) for x in (-0.012, 0.010, 0.032)]
    palm += [
        ("palm", -0.012, 0.030),
        ("palm", 0.010, 0.030),
        ("lfmetacarpal", -0.0165, -0.005),
        ("lfmetacarpal", -0.0165, 0.022),
    ]
    default = [(link, np.array([x, -0.0111, z]), np.array([0.0, -1.0, 0.0])) for link, x, z in palm]
    fingertips = []
    for finger in (*FINGERS, "th"):
        # The thumb's first link starts inside the palm.
        default += [
            on(f"{finger}proximal", share)
            for share in ((0.75, 1.0) if finger == "th" else (0.35, 0.8))
        ]
        default += [on(f"{finger}middle", 0.3), on(f"{finger}middle", 0.8)]
        default += [
            on(f"{finger}distal", 0.4),
            on(f"{finger}distal", 0.9),
            on(f"{finger}distal", 1.0, up=50),
        ]
        fingertips += [
            on(f"{finger}distal", share, aside, up)
            for share, up in ((0.35, 0), (0.85, 0), (1.0, 45))
            for aside in (-45, 0, 45)
        ]
    return {"default": default, "fingertips": fingertips}
