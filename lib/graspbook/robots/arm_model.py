"""An arm with a hand and a camera, as a value: all that scenes, paths, plans and trials know of it.

The hand's frame is the ACRONYM grasp frame. Kinematics are those of the arm's URDF, by pinocchio.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw

MARGIN = 0.05  # rad kept from every limit
_INSIDE = 0.005  # rad more, kept by inverse kinematics: an arm comes to rest a little off its goal
# The body of a D415, 99 x 23 x 20 mm (data sheet). The depth image's origin is at its front, in
# the left imager 15 mm from the middle.
CAMERA_BODY = np.array([0.099, 0.023, 0.020])
CAMERA_T_BODY = pose.from_rt(np.eye(3), [0.015, 0, -0.010])


@dataclass(frozen=True, eq=False)
class ArmModel:
    """An arm of N joints with a hand.

    joints: their names, in the order of every joint vector.
    low, high: limits (N,), rad.
    velocity, acceleration, jerk: limits (N,) at full speed, rad/s and so on.
    ready: joint angles (N,) with the hand before the base, along x, pointing down.
    look: joint angles (N,) from which the camera sees the table.
    urdf: the file of its kinematics, or their text, in which `joints` are the only ones that move.
    flange, flange_T_hand: the frame there that carries the hand, and the hand in it, (4, 4).
    mjcf: makes the MuJoCo model of arm and hand with their collision shapes alone.
    hand: bodies there that may touch what is grasped, the one that carries the camera first.
    body_T_hand: the hand's frame in that body's, (4, 4).
    fingers: the hand's joints there, and where they stand when it is open.
    gripper: the hand's shape, None where it is no parallel gripper: see `jaw`.
    hand_T_camera: (4, 4), None without a camera.
    """

    name: str
    joints: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    ready: np.ndarray
    look: np.ndarray
    urdf: Path | str
    flange: str
    flange_T_hand: np.ndarray
    mjcf: Callable[[], mujoco.MjSpec]
    hand: tuple[str, ...]
    body_T_hand: np.ndarray
    fingers: dict[str, float]
    gripper: ParallelJaw | None = FRANKA
    hand_T_camera: np.ndarray | None = None

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest joint angles (N,) that keep `MARGIN` from every limit."""
        return self.low + MARGIN, self.high - MARGIN

    @property
    def jaw(self) -> ParallelJaw:
        """The shape of its gripper. Raises RobotError where the hand is no parallel gripper."""
        if self.gripper is None:
            raise RobotError(f"{self.name}: its hand is no parallel gripper, expected gripper")
        return self.gripper

    def within_limits(self, q: np.ndarray) -> Any:
        """Whether joint angles keep `MARGIN` from every limit, bool (...).

        q: (..., N) joint angles, rad.
        """
        q, (low, high) = np.asarray(q, float), self.bounds
        return ((q >= low - 1e-9) & (q <= high + 1e-9)).all(axis=-1)

    def forward(self, q: np.ndarray) -> np.ndarray:
        """Poses `base_T_hand` (..., 4, 4) of joint angles.

        q: (..., N) joint angles, rad.
        """
        q = np.asarray(q, float)
        model, data, flange = _kinematics(self.urdf, self.flange)
        poses = []
        for angles in q.reshape(-1, len(self.joints)):
            pinocchio.framesForwardKinematics(model, data, angles)
            poses.append(data.oMf[flange].homogeneous @ self.flange_T_hand)
        return np.array(poses).reshape(*q.shape[:-1], 4, 4)

    def inverse(
        self, base_T_hand: np.ndarray, q: np.ndarray, *, steps: int = 60, tolerance: float = 1e-4
    ) -> np.ndarray | None:
        """Joint angles (N,) that put the hand at a pose and lie within the limits; None if none are
        found.

        Closed-loop inverse kinematics: damped least squares on the pose's logarithm, joints kept
        within their limits.

        base_T_hand: (4, 4) pose of the hand in the arm's base frame.
        q: (N,), near which they are sought, rad.
        steps: number of iterations at most.
        tolerance: of that logarithm, metres and radians.
        """
        model, data, flange = _kinematics(self.urdf, self.flange)
        target = pinocchio.SE3(np.asarray(base_T_hand, float) @ pose.inverse(self.flange_T_hand))
        low, high = self.bounds[0] + _INSIDE, self.bounds[1] - _INSIDE
        local = pinocchio.ReferenceFrame.LOCAL
        q = np.clip(np.asarray(q, float), low, high)
        for _ in range(steps):
            pinocchio.computeJointJacobians(model, data, q)
            pinocchio.updateFramePlacement(model, data, flange)
            error = pinocchio.log6(data.oMf[flange].actInv(target))
            if np.linalg.norm(error.vector) < tolerance:
                return q
            jacobian = pinocchio.getFrameJacobian(model, data, flange, local)
            damped = jacobian @ jacobian.T + 1e-5 * np.eye(6)
            step = jacobian.T @ np.linalg.solve(damped, error.vector)
            q = np.clip(q + step * min(1.0, 0.5 / max(np.abs(step).max(), 1e-9)), low, high)
        return None

    def base_T_camera(self, base_T_hand: np.ndarray) -> np.ndarray:
        """The pose (4, 4) of the camera on the hand. Raises RobotError where there is none.

        base_T_hand: (4, 4) pose of the hand in the arm's base frame.
        """
        if self.hand_T_camera is None:
            raise RobotError(f"{self.name}: it has no camera on the hand, expected hand_T_camera")
        return base_T_hand @ self.hand_T_camera


@lru_cache(maxsize=8)
def _kinematics(urdf, flange):
    """pinocchio's model and data of a file or its text, and the number of a frame."""
    text = urdf if isinstance(urdf, str) else urdf.read_text()
    model = pinocchio.buildModelFromXML(text)
    return model, model.createData(), model.getFrameId(flange)
