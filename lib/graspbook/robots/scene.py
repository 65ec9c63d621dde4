"""What the arm must not touch: a MuJoCo model of arm, open hand, camera, table and observed points,
asked for joint angles.
"""

from dataclasses import dataclass
from pathlib import Path

import franky_sim
import mujoco
import numpy as np

from graspbook import pose
from graspbook.hands.franka import FRANKA_T_GRASP, MAX_OPENING, collision_parts
from graspbook.robots import fr3

TABLE_CLEARANCE = 0.003  # metres kept from the table


@dataclass(frozen=True)
class Limits:
    """Where the arm may be: low and high corner (3,) of the box for the hand's origin and
    fingertips, base frame; metres.

    table: height of its top. Joint limits are those of `fr3`.
    """

    low: tuple = (0.15, -0.6, 0.0)
    high: tuple = (0.85, 0.6, 0.95)
    table: float = 0.0


class Scene:
    """Which joint angles keep the arm with its open hand and camera off itself, the table and
    observed points.

    near (N, 3): observed points of the object, base frame, which the hand may touch when it grasps;
    forbidden (M, 3): points that nothing may touch. The points of each voxel of 1 cm count as a
    sphere of `radius` metres about their mean. hand_T_camera (4, 4): where the camera is on the
    hand, None without one.
    """

    def __init__(
        self, near=(), forbidden=(), limits=None, radius=0.008, hand_T_camera=fr3.HAND_T_CAMERA
    ):
        self.limits, self.hand_T_camera = limits or Limits(), hand_T_camera
        self.near = np.asarray(near, float).reshape(-1, 3)
        spec = _arm(hand_T_camera)
        world, table = spec.worldbody, self.limits.table
        world.add_geom(
            name="table",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.6, 1.0, 0.02],
            pos=[0.72, 0, table - 0.02],
            margin=TABLE_CLEARANCE,
        )
        for name, points in (
            ("near", self.near),
            ("forbidden", np.asarray(forbidden, float).reshape(-1, 3)),
        ):
            for i, point in enumerate(thinned(points)):
                world.add_geom(
                    name=f"{name}_{i}",
                    type=mujoco.mjtGeom.mjGEOM_SPHERE,
                    size=[radius, 0, 0],
                    pos=point,
                )
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        names = [self._model.geom(i).name for i in range(self._model.ngeom)]
        self._is_near = np.array([name.startswith("near_") for name in names])
        hand = {self._model.body(name).id for name in ("hand", "left_finger", "right_finger")}
        # The camera is on the hand but does not grasp.
        self._is_hand = np.array([body in hand for body in self._model.geom_bodyid]) & (
            np.array(names) != "camera"
        )
        self._data.qpos[7:9] = MAX_OPENING / 2

    def touches(self, q, grasping=False):
        """What the arm at joint angles q (7,) would touch, in words; None if it is free.

        grasping: the hand and its fingers may touch `near` points.
        """
        self._data.qpos[:7] = q
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        pairs = self._data.contact.geom
        if grasping and len(pairs):
            allowed = (self._is_near[pairs] | self._is_hand[pairs]).all(axis=1)
            pairs = pairs[~allowed]
        if not len(pairs):
            return None
        return " and ".join(_name(self._model, geom) for geom in pairs[0])

    def refusal(self, q, grasping=False):
        """Why the arm may not be at joint angles q (7,), in words; None if it may: limits,
        workspace, and what it touches.
        """
        q = np.asarray(q, float)
        if q.shape != (7,) or not np.isfinite(q).all():
            return f"joint angles {q.tolist()}, expected 7 finite numbers"
        if not fr3.within_limits(q):
            low, high = fr3.LOW + fr3.MARGIN, fr3.HIGH - fr3.MARGIN
            i = np.flatnonzero(q != np.clip(q, low, high))[0]
            return f"{fr3.JOINTS[i]} at {q[i]:.3f} rad, expected {low[i]:.3f} to {high[i]:.3f}"
        base_T_hand = fr3.forward(q)
        for name, point in (("the hand", [0, 0, 0]), ("the fingertips", [0, 0, 0.1122])):
            place = pose.transform(base_T_hand, np.array([point]))[0]
            if (place < self.limits.low).any() or (place > self.limits.high).any():
                return (
                    f"{name} at {place.round(3).tolist()} m, expected within {self.limits.low} to"
                    f" {self.limits.high}"
                )
        touched = self.touches(q, grasping)
        return touched and f"{touched} would touch"


def thinned(points, voxel=0.01):
    """The mean of the points (N, 3) in each voxel (metres) that holds any, (M, 3)."""
    if not len(points):
        return np.zeros((0, 3))
    _, index, counts = np.unique(
        np.floor(points / voxel), axis=0, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(counts), 3))
    np.add.at(sums, index.ravel(), points)
    return sums / counts[:, None]


def hand_clears_table(base_T_hand, height, hand_T_camera=fr3.HAND_T_CAMERA):
    """Which poses (N, 4, 4) keep the open hand, and the camera on it, `TABLE_CLEARANCE` over a
    table, bool (N,).
    """
    corners = np.concatenate(collision_parts())
    if hand_T_camera is not None:
        half = fr3.CAMERA_BODY / 2
        box = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
        corners = np.concatenate([corners, pose.transform(hand_T_camera @ fr3.CAMERA_T_BODY, box)])
    return (
        pose.transform(np.asarray(base_T_hand, float), corners)[..., 2].min(axis=-1)
        > height + TABLE_CLEARANCE
    )


def _arm(hand_T_camera):
    """A mujoco.MjSpec of the arm with its collision shapes alone, fingers open."""
    folder = Path(franky_sim.__file__).parent / "assets"
    spec = mujoco.MjSpec.from_file(str(folder / "fr3.xml"))
    spec.meshdir = str(folder / "meshes")
    for geom in list(spec.geoms):
        if geom.classname.name == "visual":
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in used:
            spec.delete(mesh)
    for things in (spec.actuators, spec.equalities, spec.keys):
        for thing in list(things):
            spec.delete(thing)
    if hand_T_camera is not None:
        franka_T_body = FRANKA_T_GRASP @ hand_T_camera @ fr3.CAMERA_T_BODY
        spec.body("hand").add_geom(
            name="camera",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=fr3.CAMERA_BODY / 2,
            pos=franka_T_body[:3, 3],
            quat=pose.matrix_to_quat_wxyz(franka_T_body[:3, :3]),
        )
    return spec


def _name(model, geom):
    """A geom's name in words: of its body for the arm's."""
    name = model.geom(geom).name
    kind = name.rsplit("_", 1)[0]
    if kind in ("near", "forbidden"):
        return "the object" if kind == "near" else "an observed point"
    if name in ("table", "camera"):
        return f"the {name}"
    return model.body(model.geom_bodyid[geom]).name.replace("_", " ")
