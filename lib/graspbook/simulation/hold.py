"""The hold test: does a closed hand of many joints keep an object that gravity pulls in six
directions?

The world is built in the palm's frame. The palm is fixed at the origin, the object floats on a free
joint, and gravity is a force on its centre of mass. The motors continue to press from the closed
joints.
"""

from dataclasses import dataclass
from itertools import product

import mujoco
import numpy as np
from mujoco import rollout

from graspbook import pose
from graspbook.hands import mjcf
from graspbook.simulation.shake_model import GRAVITY, add_object, mass_properties

_BATCH = 64


@dataclass(frozen=True)
class HoldSettings:
    """Parameters of the test.

    mass: of every object, kg, with uniform density.
    friction: Coulomb's, as in the ε-metric; the high-DOF paper's plastic on wood.
    effort: share of each joint's largest torque that presses.
    settle, time: duration of pressing without gravity, then with it in each direction, s.
    lost: largest motion of the object in each of these, metres.
    timestep: of the simulation, s.
    """

    mass: float = 0.3
    friction: float = 0.4
    effort: float = 0.5
    settle: float = 0.3
    time: float = 0.5
    lost: float = 0.02
    timestep: float = 0.002


class Holder:
    """The test of one GraspObject in one `articulated.Hand`: a compiled world for batches."""

    def __init__(self, hand, obj, settings=None, *, threads=2):
        self.hand, self.settings = hand, settings or HoldSettings()
        spec = mujoco.MjSpec()
        spec.option.timestep, spec.option.gravity = self.settings.timestep, [0, 0, 0]
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10
        mjcf.add_hand(spec, hand, friction=self.settings.friction)
        add_object(spec, obj, self.settings)
        self.model = spec.compile()
        self.centre = mass_properties(obj, self.settings)[1]
        low, high = hand.limits.T
        # Distance (J,) of the motors' targets beyond the closed joints.
        self.press = self.settings.effort * mjcf.SOFTNESS * (high - low) * hand.closing
        # A state is time, qpos, qvel.
        self.joint_columns = [
            1 + self.model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints
        ]
        self.place_columns = 1 + self.model.joint("object").qposadr[0] + np.arange(7)
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = rollout.Rollout(nthread=threads if threads > 1 else 0)

    def test(self, object_T_palm: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """The directions in which grasps hold (N, 6) bool: gravity along -x, x, -y, y, -z, z of the
        palm.

        object_T_palm: (N, 4, 4) poses of the palm in the object frame.
        joints: (N, J), values of `hand.joints` of the closed hand.
        """
        joints = np.asarray(joints, float).reshape(-1, len(self.hand.joints))
        states = self._initial_states(np.asarray(object_T_palm, float).reshape(-1, 4, 4), joints)
        batches = [slice(i, i + _BATCH) for i in range(0, len(states), _BATCH)]
        return np.concatenate(
            [
                np.zeros((0, 6), bool),
                *(self._test(states[batch], joints[batch]) for batch in batches),
            ]
        )

    def _initial_states(self, object_T_palm, joints):
        palm_T_object = pose.inverse(object_T_palm)
        states = np.zeros((len(joints), 1 + self.model.nq + self.model.nv))
        states[:, self.joint_columns] = self.hand.expand(joints)
        centre = pose.transform(palm_T_object, self.centre[None])[:, 0]
        states[:, self.place_columns] = np.concatenate(
            [centre, pose.matrix_to_quat_wxyz(palm_T_object[:, :3, :3])], axis=1
        )
        return states

    def _test(self, states, joints):
        settings, held = self.settings, np.zeros((len(states), 6), bool)
        settled, kept = self._roll(states, joints, settings.settle, np.zeros(3))
        for column, (axis, sign) in enumerate(product(np.eye(3), (-1, 1))):
            held[kept, column] = self._roll(
                settled[kept], joints[kept], settings.time, sign * axis * settings.mass * GRAVITY
            )[1]
        return held

    def _roll(self, states, joints, time, force):
        """States after `time` of pressing while `force` (3,) pulls the object's centre of mass, and
        whether it is still there.
        """
        if not len(states):
            return states, np.zeros(0, bool)
        steps = round(time / self.settings.timestep)
        control = np.zeros((len(states), steps, self.model.nu + 6 * self.model.nbody))
        control[..., : self.model.nu] = (joints + self.press)[:, None]
        control[..., self.model.nu + 6 * self.model.body("object").id :][..., :3] = force
        spec = int(mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_XFRC_APPLIED)
        after = self._pool.rollout(self.model, self._data, states, control, control_spec=spec)[0][
            :, -1
        ]
        moved = np.linalg.norm((after - states)[:, self.place_columns[:3]], axis=1)
        return after, moved < self.settings.lost
