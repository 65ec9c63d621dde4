"""An articulated hand as bodies of a MuJoCo world: the same links, joints, coupling and convex
parts, for steps of 2 ms.
"""

from itertools import combinations
from typing import Any

import mujoco
import numpy as np

from graspbook import pose
from graspbook.hands.articulated import Hand
from graspbook.hands.parts import Link
from graspbook.hands.self_collision import links_apart

# The motor of a joint gives its full effort this share of the joint's range away from its target,
# and a free joint crosses as much again in the settling time: firm, without ringing at 2 ms steps.
SOFTNESS, SETTLING = 0.1, 0.05
_FIRM = [0.004, 1.0]  # as stiff as couplings can be at 2 ms steps
_SMALL = {
    "mass": 0.008,
    "inertia": [1e-5] * 3,
    "explicitinertial": True,
}  # of links without a shape, as in the Shadow's MJCF


def add_hand(
    spec: mujoco.MjSpec, hand: Hand, *, friction: float = 1.0, prefix: str = "hand/"
) -> None:
    """Add a hand, its palm fixed at the world's origin, to a world.

    One position motor for each of `hand.joints`, in that order, limited to the joint's effort; its
    target may lie so far beyond the joint's limits that it gives all of it there. Coupled joints
    follow by joint equalities. Links weigh nothing under gravity. Geoms are prefix + link + "/" +
    number of the part, with contype 1 and conaffinity 3: they meet what has contype 2, and each
    other but for links that overlap at a joint. Angles in the spec count as radians from then on.

    spec: the world.
    hand: the hand.
    friction: Coulomb's, of its geoms.
    prefix: bodies, joints and motors are this + their name.
    """
    spec.compiler.degree = False
    bodies: dict[str, Any] = {}
    driven: dict[str, Link] = {}
    for link in hand.tree:
        parts = [part for part in hand.parts if part.link == link.name]
        rotation = pose.matrix_to_quat_wxyz(link.parent_T_link[:3, :3])
        parent = spec.worldbody if link.parent is None else bodies[link.parent]
        body = bodies[link.name] = parent.add_body(
            name=prefix + link.name,
            pos=link.parent_T_link[:3, 3],
            quat=rotation,
            gravcomp=1,
            **({} if parts else _SMALL),
        )
        if link.joint:
            kind = mujoco.mjtJoint.mjJNT_SLIDE if link.slides else mujoco.mjtJoint.mjJNT_HINGE
            driven[link.joint] = link
            body.add_joint(
                name=prefix + link.joint,
                type=kind,
                axis=link.axis,
                limited=True,
                range=link.limits,
                armature=1e-3,
                damping=[_stiffness(link) * SETTLING if link.joint in hand.joints else 0.0, 0, 0],
            )
        for number, part in enumerate(parts):
            _add_part(spec, body, f"{prefix}{link.name}/{number}", part, friction)
    apart = links_apart(hand)
    for one, other in combinations(range(len(hand.links)), 2):
        if not apart[one, other]:
            names = (prefix + hand.links[index] for index in (one, other))
            spec.add_exclude(**dict(zip(("bodyname1", "bodyname2"), names, strict=True)))
    for joint in hand.joints:
        link = driven[joint]
        motor = spec.add_actuator(
            name=prefix + joint, target=prefix + joint, trntype=mujoco.mjtTrn.mjTRN_JOINT
        )
        motor.set_to_position(kp=_stiffness(link))
        beyond = SOFTNESS * (link.limits[1] - link.limits[0])
        motor.ctrllimited, motor.ctrlrange = (
            True,
            [link.limits[0] - beyond, link.limits[1] + beyond],
        )
        motor.forcelimited, motor.forcerange = True, [-link.effort, link.effort]
    for joint, (source, factor, offset) in hand.coupling.items():
        equality = spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT, name1=prefix + joint, name2=prefix + source, solref=_FIRM
        )
        equality.data[:2] = [offset, factor]


def stiffness(hand: Hand) -> np.ndarray:
    """Gains (J,) of the motors of `hand.joints`, N·m/rad or N/m.

    hand: the hand.
    """
    driven = {link.joint: link for link in hand.tree}
    return np.array([_stiffness(driven[joint]) for joint in hand.joints])


def _stiffness(link):
    return link.effort / (SOFTNESS * (link.limits[1] - link.limits[0]))


def _add_part(spec, body, name, part, friction):
    shape = {
        "name": name,
        "condim": 4,
        "friction": [friction, 0.005, 0.0001],
        "contype": 1,
        "conaffinity": 3,
    }
    if part.radius:
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=part.core.ravel(),
            size=[part.radius, 0, 0],
            **shape,
        )
        return
    mesh = spec.add_mesh(name=name, uservert=np.asarray(part.core, float).ravel())
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **shape)
