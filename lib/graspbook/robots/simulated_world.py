"""The simulated FR3's world: franky-sim's arm in MuJoCo, with a table, objects and a camera's body
around it, and the contacts of the shake test (`simulation.shake`).

Beyond what franky-sim's does, the arm feels what touches it, and the hand presses with the force it
was asked for.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from franky_sim.base_simulator import FrankaRobotState
from franky_sim.mujoco_simulator import FrankaMujocoRobot, MujocoSimulator

from graspbook import pose
from graspbook.robots.arm_model import CAMERA_BODY, CAMERA_T_BODY
from graspbook.robots.fr3 import FR3
from graspbook.simulation.shake_model import SOLIMP, SOLREF, ShakeSettings

_JOINTS = len(FR3.joints)
_FILTER = 0.1  # share of a new millisecond in what the arm feels: a hard touch is no blow
# A third of franky-sim's: the arm lags 33 ms behind, not 100.
_DAMPING = 150.0, 150.0, 115.0, 115.0, 65.0, 65.0, 65.0


@dataclass(frozen=True)
class World:
    """What stands around the arm: MJCF text of `simulation.tabletop.tabletop`, and the number of
    its objects.
    """

    mjcf: str
    objects: int


@dataclass(frozen=True)
class Truth:
    """What the simulation knows: q (7,) rad, width (m) between the pads, base_T_objects (N, 4, 4),
    held (N,) bool: touched by both fingers, table (N,) bool: touches the table or the floor, time
    (s) simulated.
    """

    q: np.ndarray
    width: float
    base_T_objects: np.ndarray
    held: np.ndarray
    table: np.ndarray
    time: float


class Robot(FrankaMujocoRobot):
    """An arm that feels what touches it, and a hand whose fingers press with the force they were
    asked for.
    """

    external: tuple[np.ndarray, ...] = np.zeros(_JOINTS), np.zeros(6)

    def _pre_step(self):
        if self.data is None:
            return
        # Damping of force over speed, implicit in the integrator, makes a free finger move at that
        # speed and a stopped one press.
        force, speed = self._hand_goal_force, self._hand_goal_velocity
        for address, dof in zip(self._finger_qpos_addrs, self._finger_dof_addrs, strict=True):
            self.model.dof_damping[dof] = force / speed
            short = self._hand_goal_width / 2 - self.data.qpos[address]
            wanted = np.clip(20 * short, -speed, speed)
            self.data.qfrc_applied[dof] = wanted * force / speed

    def feel(self) -> None:
        """Take up the joint torques (7,) of all contacts with the arm and, as the real arm does,
        the force and torque (6,) at the hand, base frame, that explain them.
        """
        model, data = self.model, self.data
        rows = data.efc_type >= int(mujoco.mjtConstraint.mjCNSTR_CONTACT_FRICTIONLESS)
        torques, wrench = np.zeros(_JOINTS), np.zeros(6)
        if rows.any():
            lever = data.efc_J.reshape(data.nefc, model.nv)[rows][:, self._dof_addrs]
            torques = lever.T @ data.efc_force[rows]
            jacobian, hand = np.zeros((6, model.nv)), model.body("robot0_hand").id
            mujoco.mj_jacBody(model, data, jacobian[:3], jacobian[3:], hand)
            wrench = np.linalg.pinv(jacobian[:, self._dof_addrs].T, rcond=1e-2) @ torques
        self.external = tuple(
            old + _FILTER * (new - old)
            for old, new in zip(self.external, (torques, wrench), strict=True)
        )

    @property
    def state(self) -> FrankaRobotState:
        """What the arm tells of itself, with what it feels."""
        torques, wrench = map(tuple, self.external)
        state = FrankaMujocoRobot.state.fget(self)
        return state.replace(tau_ext_hat_filtered=torques, O_F_ext_hat_K=wrench)


class Simulator(MujocoSimulator):
    """franky-sim's world with the table, the objects and the camera's body in it, and the contacts
    of the shake test.
    """

    def __init__(self, world: World, q: Sequence[float]) -> None:
        super().__init__()
        self.world = world
        self.worldbody.remove(self.worldbody.find("geom[@name='ground']"))
        option = self.scene.find("option")
        option.set("cone", "elliptic")
        option.set("impratio", "10")
        solid = self.scene.find(".//default[@class='collision']/geom")
        solid.set("friction", f"{ShakeSettings().friction} 0.005 0.0001")
        solid.set("condim", "4")
        solid.set("solref", _text(SOLREF))
        solid.set("solimp", _text(SOLIMP))
        self.add_robot(initial_q=q, initial_hand_width=0.08)
        hand = self.worldbody.find(".//body[@name='robot0_hand']")
        body_T_camera = FR3.body_T_hand @ (FR3.hand_T_camera @ CAMERA_T_BODY)
        geom = {"name": "robot0_camera", "type": "box", "mass": "0.072", "group": "3"}
        geom |= {"size": _text(CAMERA_BODY / 2), "pos": _text(body_T_camera[:3, 3])}
        geom |= {"quat": _text(pose.matrix_to_quat_wxyz(body_T_camera[:3, :3]))}
        ET.SubElement(hand, "geom", geom, rgba="0.2 0.2 0.2 1")
        around = ET.fromstring(world.mjcf)
        for element in around.findall("asset/*"):
            self.scene.find("asset").append(element)
        for element in around.findall("worldbody/*"):
            self.worldbody.append(element)

    def add_robot(self, **options: Any) -> None:
        """Add an arm of our kind, in place of the base class's, before it is wired up.

        options: of the base class.
        """
        super().add_robot(**options)
        self._robots[0] = Robot(options["initial_q"], options["initial_hand_width"], kv=_DAMPING)

    def _start(self):
        self.scene.find("option").set("jacobian", "dense")
        super()._start()

    def _step(self):
        super()._step()
        self._robots[0].feel()

    def truth(self) -> Truth:
        """What is true at this moment."""
        model, data, count = self.model, self.data, self.world.objects
        touched, low = np.zeros((count, 2), bool), np.zeros(count, bool)
        fingers = [model.body(f"robot0_{side}_finger").id for side in ("left", "right")]
        objects = [model.body(f"object_{i}").id for i in range(count)]
        for contact in data.contact:
            pair = model.geom_bodyid[contact.geom]
            for one, other in (pair, pair[::-1]):
                if one in objects:
                    if other in fingers:
                        touched[objects.index(one), fingers.index(other)] = True
                    low[objects.index(one)] |= other == 0
        poses = [pose.from_rt(data.body(i).xmat.reshape(3, 3), data.body(i).xpos) for i in objects]
        robot = self._robots[0]
        return Truth(
            np.array(robot.inner_state.q),
            robot.hand_width,
            np.array(poses).reshape(-1, 4, 4),
            np.asarray(touched.all(axis=1)),
            low,
            data.time,
        )


def _text(numbers):
    return " ".join(f"{number:.9g}" for number in numbers)
