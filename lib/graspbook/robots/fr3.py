"""The Franka Research 3 with its hand: joints, limits, where the camera sits, and kinematics by
pinocchio.

The arm is that of franky-sim (Apache-2.0), limits those of Franka's FCI documentation for the FR3.
The hand's frame is the ACRONYM grasp frame (`hands.franka`), turned about z against the flange.
"""

from functools import lru_cache
from pathlib import Path

import franky_sim
import numpy as np
import pinocchio

from graspbook import pose
from graspbook.hands.franka import FRANKA_T_GRASP

JOINTS = tuple(f"fr3_joint{i}" for i in range(1, 8))
LOW = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])
HIGH = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])
MARGIN = 0.05  # rad kept from every limit
_INSIDE = 0.005  # rad more, kept by inverse kinematics: an arm comes to rest a little beside where it was sent
# The camera 0.47 m up on the arm's right, looking down at (0.5, 0, 0.06) m by 55 degrees. Of 70
# views of parametric objects, not those of the trials, the best clear grasp holds in the shake test
# in 70 from here, in 64 from between arm and object, by 72 degrees
# (outputs/published/results/look_poses.json).
LOOK = np.array([-0.547, 0.075, 0.0, -1.703, 0.516, 1.447, 1.787])
READY = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
FLANGE_T_FRANKA = pose.from_rt(pose.rotation_about([0, 0, 1.0], -np.pi / 4), np.zeros(3))
FLANGE_T_HAND = FLANGE_T_FRANKA @ FRANKA_T_GRASP

# A D415 beside the hand: in front of the palm, looking along the fingers, its long side parallel to
# the way they close. Body 99 x 23 x 20 mm (data sheet), the depth image's origin at its front, in
# the left imager 15 mm from the middle.
HAND_T_CAMERA = pose.from_rt(np.eye(3), [0.0, -0.075, 0.02])
CAMERA_BODY = np.array([0.099, 0.023, 0.020])
CAMERA_T_BODY = pose.from_rt(np.eye(3), [0.015, 0, -0.010])
HAND_T_CAMERA_BODY = HAND_T_CAMERA @ CAMERA_T_BODY
FRANKA_T_CAMERA_BODY = FRANKA_T_GRASP @ HAND_T_CAMERA_BODY


@lru_cache(maxsize=1)
def _model():
    model = pinocchio.buildModelFromUrdf(
        str(Path(franky_sim.__file__).parent / "assets" / "fr3_clean.urdf")
    )
    return model, model.createData(), model.getFrameId("link8")


def forward(q):
    """Poses `base_T_hand` (..., 4, 4) of joint angles q (..., 7) in rad."""
    q = np.asarray(q, float)
    model, data, flange = _model()
    poses = []
    for angles in q.reshape(-1, 7):
        pinocchio.framesForwardKinematics(model, data, angles)
        poses.append(data.oMf[flange].homogeneous @ FLANGE_T_HAND)
    return np.array(poses).reshape(*q.shape[:-1], 4, 4)


def within_limits(q):
    """Whether joint angles q (..., 7) keep `MARGIN` from every limit, bool (...)."""
    q = np.asarray(q, float)
    return ((q >= LOW + MARGIN - 1e-9) & (q <= HIGH - MARGIN + 1e-9)).all(axis=-1)


def inverse(base_T_hand, q, steps=60, tolerance=1e-4):
    """Joint angles (7,) near q (7,) that put the hand at a pose (4, 4) and lie within the limits;
    None if none is found.

    Closed-loop inverse kinematics: damped least squares on the pose's logarithm, joints kept within
    their limits. tolerance: of that logarithm, metres and radians.
    """
    model, data, flange = _model()
    target = pinocchio.SE3(np.asarray(base_T_hand, float) @ pose.inverse(FLANGE_T_HAND))
    low, high = LOW + MARGIN + _INSIDE, HIGH - MARGIN - _INSIDE
    q = np.clip(np.asarray(q, float), low, high)
    for _ in range(steps):
        pinocchio.computeJointJacobians(model, data, q)
        pinocchio.updateFramePlacement(model, data, flange)
        error = pinocchio.log6(data.oMf[flange].actInv(target))
        if np.linalg.norm(error.vector) < tolerance:
            return q
        jacobian = pinocchio.getFrameJacobian(model, data, flange, pinocchio.ReferenceFrame.LOCAL)
        step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-5 * np.eye(6), error.vector)
        q = np.clip(q + step * min(1.0, 0.5 / max(np.abs(step).max(), 1e-9)), low, high)
    return None
