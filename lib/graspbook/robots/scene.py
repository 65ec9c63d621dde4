"""What the arm must not touch: a MuJoCo model of arm, open hand, camera, table and observed points,
asked for joint angles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from graspbook import pose
from graspbook.robots.arm_model import CAMERA_BODY, CAMERA_T_BODY, ArmModel
from graspbook.robots.fr3 import FR3

TABLE_CLEARANCE = 0.003  # metres kept from the table
Points = np.ndarray | Sequence  # (N, 3)


@dataclass(frozen=True)
class Limits:
    """Where the arm may be: low and high corner (3,) of the box for the hand's origin and
    fingertips, base frame; metres.

    table: height of its top. Joint limits are those of the arm.
    """

    low: tuple[float, float, float] = (0.15, -0.6, 0.0)
    high: tuple[float, float, float] = (0.85, 0.6, 0.95)
    table: float = 0.0


class Scene:
    """Which joint angles keep the arm with its open hand and camera off itself, the table and
    observed points.

    near: points (N, 3) of the object, base frame, which the hand may touch when it grasps.
    forbidden: points (M, 3) that nothing may touch. limits: `Limits`, the usual ones if None.
    arm: the `ArmModel`. radius: the points of each voxel of 1 cm count as a sphere of so many
    metres about their mean.
    """

    def __init__(
        self,
        near: Points = (),
        forbidden: Points = (),
        limits: Limits | None = None,
        *,
        arm: ArmModel = FR3,
        radius: float = 0.008,
    ) -> None:
        self.limits, self.arm = limits or Limits(), arm
        self.near = np.asarray(near, float).reshape(-1, 3)
        observed = {"near": self.near, "forbidden": np.asarray(forbidden, float).reshape(-1, 3)}
        spec = arm.mjcf()
        _add_camera(spec, arm)
        spec.worldbody.add_geom(
            name="table",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.6, 1.0, 0.02],
            pos=[0.72, 0, self.limits.table - 0.02],
            margin=TABLE_CLEARANCE,
        )
        sphere = {"type": mujoco.mjtGeom.mjGEOM_SPHERE, "size": [radius, 0, 0]}
        for name, points in observed.items():
            for i, point in enumerate(thinned(points)):
                spec.worldbody.add_geom(name=f"{name}_{i}", pos=point, **sphere)
        self._model = model = spec.compile()
        self._data = mujoco.MjData(model)
        names = [model.geom(i).name for i in range(model.ngeom)]
        self._is_near = np.array([name.startswith("near_") for name in names])
        hand = {model.body(name).id for name in arm.hand}
        # The camera is on the hand but does not grasp.
        self._is_hand = np.array([body in hand for body in model.geom_bodyid])
        self._is_hand &= np.array(names) != "camera"
        self._places = [model.joint(name).qposadr[0] for name in arm.joints]
        for name, opening in arm.fingers.items():
            self._data.qpos[model.joint(name).qposadr[0]] = opening

    def touches(self, q: np.ndarray, *, grasping: bool = False) -> str | None:
        """What the arm would touch, in words; None if it is free.

        q: joint angles (N,), rad.
        grasping: the hand and its fingers may touch `near` points.
        """
        self._data.qpos[self._places] = q
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        pairs = self._data.contact.geom
        if grasping and len(pairs):
            allowed = (self._is_near[pairs] | self._is_hand[pairs]).all(axis=1)
            pairs = pairs[~allowed]
        if not len(pairs):
            return None
        return " and ".join(_name(self._model, geom) for geom in pairs[0])

    def refusal(self, q: np.ndarray, *, grasping: bool = False) -> str | None:
        """Why the arm may not be there, in words: limits, workspace, and what it touches; None if
        it may.

        q: joint angles (N,), rad.
        grasping: as in `touches`.
        """
        arm, q = self.arm, np.asarray(q, float)
        if q.shape != (len(arm.joints),) or not np.isfinite(q).all():
            return f"joint angles {q.tolist()}, expected {len(arm.joints)} finite numbers"
        if not arm.within_limits(q):
            low, high = arm.bounds
            i = np.flatnonzero(q != np.clip(q, low, high))[0]
            return f"{arm.joints[i]} at {q[i]:.3f} rad, expected {low[i]:.3f} to {high[i]:.3f}"
        base_T_hand, limits = arm.forward(q), self.limits
        points = {"the hand": [0.0, 0.0, 0.0]}
        if arm.gripper is not None:
            points["the fingertips"] = [0.0, 0.0, arm.gripper.tip_z]
        for name, point in points.items():
            place = pose.transform(base_T_hand, np.array([point]))[0]
            if (place < limits.low).any() or (place > limits.high).any():
                where = f"{name} at {place.round(3).tolist()} m"
                return f"{where}, expected within {limits.low} to {limits.high}"
        touched = self.touches(q, grasping=grasping)
        return touched and f"{touched} would touch"


def thinned(points: Points, voxel: float = 0.01) -> np.ndarray:
    """The mean (M, 3) of the points in each voxel that holds any.

    points: (N, 3), metres.
    voxel: its edge, metres.
    """
    if not len(points):
        return np.zeros((0, 3))
    _, index, counts = np.unique(
        np.floor(np.asarray(points) / voxel), axis=0, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(counts), 3))
    np.add.at(sums, index.ravel(), points)
    return sums / counts[:, None]


def hand_clears_table(base_T_hand: np.ndarray, height: float, *, arm: ArmModel = FR3) -> np.ndarray:
    """Which poses keep the open hand, and the camera on it, `TABLE_CLEARANCE` over a table, bool
    (N,).

    base_T_hand: (N, 4, 4) poses of the hand in the arm's base frame.
    height: of the table's top in the base frame, metres.
    arm: the `ArmModel`, for its hand and camera.
    """
    corners = np.concatenate(arm.jaw.collision_parts())
    if arm.hand_T_camera is not None:
        half = CAMERA_BODY / 2
        box = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
        corners = np.concatenate([corners, pose.transform(arm.hand_T_camera @ CAMERA_T_BODY, box)])
    placed = pose.transform(np.asarray(base_T_hand, float), corners)
    return placed[..., 2].min(axis=-1) > height + TABLE_CLEARANCE


def _add_camera(spec, arm):
    """Add the camera's body to the hand of an arm's MjSpec, if there is one."""
    if arm.hand_T_camera is not None:
        body_T_camera = arm.body_T_hand @ arm.hand_T_camera @ CAMERA_T_BODY
        spec.body(arm.hand[0]).add_geom(
            name="camera",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=CAMERA_BODY / 2,
            pos=body_T_camera[:3, 3],
            quat=pose.matrix_to_quat_wxyz(body_T_camera[:3, :3]),
        )


def _name(model, geom):
    """A geom's name in words: of its body for the arm's."""
    name = model.geom(geom).name
    kind = name.rsplit("_", 1)[0]
    if kind in ("near", "forbidden"):
        return "the object" if kind == "near" else "an observed point"
    if name in ("table", "camera"):
        return f"the {name}"
    return model.body(model.geom_bodyid[geom]).name.replace("_", " ")
