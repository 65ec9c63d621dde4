"""The UR10 (CB3) and the UR10e without a hand: `UR10` and `UR10E`.

Denavit-Hartenberg parameters: Universal Robots, "DH Parameters for calculations of kinematics and
dynamics". Limits of angles and speeds: the data sheets of both arms. How far the links lie beside
each other: ROS's ur_description (BSD-3). Accelerations, jerks, and the radii of the capsules are
ours: Universal Robots publishes none. The base frame is that of the pendant. In it, the arm reaches
along -x at zero angles. The flange frame is the tool's without an offset.
"""

from dataclasses import dataclass
from functools import partial

import mujoco
import numpy as np

from graspbook.robots.arm_model import ArmModel

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")
LINKS = ("shoulder", "upper_arm", "forearm", "wrist_1", "wrist_2", "wrist_3")
_ALPHA = np.array([np.pi / 2, 0, 0, np.pi / 2, -np.pi / 2, 0])
_FOOT = 0.075  # metres: a little less than half of the foot, 190 mm wide


@dataclass(frozen=True)
class Dimensions:
    """Lengths of an arm, metres.

    a, d: Denavit-Hartenberg parameters (6,), by joint.
    upper_arm, forearm: how far the tubes lie from the base's axis, along the shoulder's.
    radii: of the housings at shoulder, elbow and wrists, and of both tubes.
    """

    a: tuple[float, ...]
    d: tuple[float, ...]
    upper_arm: float
    forearm: float
    radii: tuple[float, float, float, float, float]

    def capsules(self) -> dict[str, list[tuple[list[float], list[float], float]]]:
        """Both ends (3,) and the radius of each capsule, by link, metres.

        A link's frame is the Denavit-Hartenberg frame before it, turned by the link's joint.
        """
        shoulder, elbow, wrist, thick, thin = self.radii
        up, fore, long, short = self.upper_arm, self.forearm, self.a[1], self.a[2]
        height, beside, down, end = self.d[0], self.d[3], self.d[4], self.d[5]
        between = (up + fore) / 2
        return {
            "base": [([0, 0, 0.04], [0, 0, 0.09], _FOOT)],
            "shoulder": [([0, 0, height], [0, -up / 2, height], shoulder)],
            "upper_arm": [
                ([0, 0, up - 0.02], [0, 0, up], shoulder),
                ([0, 0, up], [long, 0, up], thick),
                ([long, 0, up], [long, 0, between], elbow),
            ],
            "forearm": [
                ([0, 0, between], [0, 0, fore], elbow),
                ([0, 0, fore], [short, 0, fore], thin),
            ],
            "wrist_1": [([0, 0, (fore + beside) / 2], [0, 0, beside], wrist)],
            "wrist_2": [([0, 0, down / 2], [0, 0, down], wrist)],
            # Up to the flange's face: what is mounted there begins beyond it.
            "wrist_3": [([0, 0, end / 3], [0, 0, end - wrist], wrist)],
        }

    def urdf(self) -> str:
        """The kinematics as the text of a URDF, whose last link is "flange"."""
        links, joints = ["base", *LINKS, "flange"], []
        placed = [(0.0, 0.0, 0.0), *zip(self.a, self.d, _ALPHA.tolist(), strict=True)]
        for i, (a, d, alpha) in enumerate(placed):
            kind = "revolute" if i < len(JOINTS) else "fixed"
            joints.append(
                f'<joint name="{[*JOINTS, "tool"][i]}" type="{kind}"><axis xyz="0 0 1"/>'
                f'<parent link="{links[i]}"/><child link="{links[i + 1]}"/>'
                f'<origin xyz="{a!r} 0 {d!r}" rpy="{alpha!r} 0 0"/>'
                '<limit lower="-6.3" upper="6.3" effort="1" velocity="4"/></joint>'
            )
        named = "".join(f'<link name="{link}"/>' for link in links)
        return f'<robot name="ur">{named}{"".join(joints)}</robot>'


def _mjcf(lengths):
    """A mujoco.MjSpec of the arm's capsules, with a body "flange" to mount a hand on."""
    spec, capsules = mujoco.MjSpec(), lengths.capsules()
    body = spec.worldbody.add_body(name="base")
    placed = [(0.0, 0.0, 0.0), *zip(lengths.a, lengths.d, _ALPHA.tolist(), strict=True)]
    for i, link in enumerate(["base", *LINKS, "flange"]):
        if i:
            a, d, alpha = placed[i - 1]
            turn = [np.cos(alpha / 2), np.sin(alpha / 2), 0, 0]
            body = body.add_body(name=link, pos=[a, 0, d], quat=turn)
        if 0 < i <= len(JOINTS):
            body.add_joint(name=JOINTS[i - 1], axis=[0, 0, 1])
        for begin, end, radius in capsules.get(link, ()):
            kind = mujoco.mjtGeom.mjGEOM_CAPSULE
            body.add_geom(type=kind, fromto=[*begin, *end], size=[radius, 0, 0])
    # MuJoCo leaves out neighbours that touch, but not where one of them stands still.
    spec.add_exclude(bodyname1="base", bodyname2="shoulder")
    return spec


def _arm(name, lengths, ready):
    turns = np.array([2, 2, 1, 2, 2, 2]) * np.pi  # the elbow's is ours: beyond, the arm hits itself
    return ArmModel(
        name=name,
        joints=JOINTS,
        low=-turns,
        high=turns,
        velocity=np.radians([120.0, 120.0, 180.0, 180.0, 180.0, 180.0]),
        acceleration=np.full(6, 8.0),
        jerk=np.full(6, 80.0),
        ready=np.array(ready),
        look=np.array(ready),
        urdf=lengths.urdf(),
        flange="flange",
        flange_T_hand=np.eye(4),
        mjcf=partial(_mjcf, lengths),
        hand=("flange",),
        body_T_hand=np.eye(4),
        fingers={},
        gripper=None,
    )


UR10_DIMENSIONS = Dimensions(
    a=(0.0, -0.612, -0.5723, 0.0, 0.0, 0.0),
    d=(0.1273, 0.0, 0.0, 0.163941, 0.1157, 0.0922),
    upper_arm=0.220941,
    forearm=0.049042,
    radii=(0.085, 0.068, 0.048, 0.065, 0.05),
)
UR10E_DIMENSIONS = Dimensions(
    a=(0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0),
    d=(0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655),
    upper_arm=0.1762,
    forearm=0.0393,
    radii=(0.09, 0.068, 0.048, 0.065, 0.05),
)
UR10 = _arm("UR10", UR10_DIMENSIONS, [2.865, -1.724, 1.971, -1.818, -1.571, -1.848])
UR10E = _arm("UR10e", UR10E_DIMENSIONS, [2.847, -1.721, 2.023, -1.873, -1.571, -1.865])
