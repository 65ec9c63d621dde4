"""Where a trial is done: in simulation, each with a controller of its own, or with a real arm and
somebody who places the objects.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.objects.grasp_object import GraspObject
from graspbook.perception.depth_sensor import d415
from graspbook.robots.arm import REAL_SPEED, SIMULATED_SPEED, Arm
from graspbook.robots.controller import SimulatedController
from graspbook.robots.frames import DepthCamera, Frame
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.simulated_camera import SimulatedCamera
from graspbook.robots.simulated_world import World
from graspbook.robots.trial import CLOSED, attempt
from graspbook.robots.trial_subjects import Subject
from graspbook.simulation.tabletop import TABLE_CENTRE, TABLE_SIZE, tabletop

LIFTED = 0.02  # metres over the table that every point of an object must be
_LOOKS = 20


def simulate(
    subject: Subject,
    base_T_object: np.ndarray,
    networks: tuple,
    settings: TrialSettings,
    rng: np.random.Generator,
    *,
    realtime: bool = True,
) -> dict[str, Any]:
    """One simulated trial of an object: what `attempt` tells of it, with `commands` and
    `base_T_object`.

    subject: the object with its mass and category.
    base_T_object: (4, 4) pose of the object in the arm's base frame.
    networks: what `predict.load_networks` returns for the method.
    settings: prediction, table, motion, limits, gripper force and arm.
    rng: the generator of noise and of what is sampled.
    realtime: as for `SimulatedController`.
    """
    obj, base_T_object = subject.obj, np.asarray(base_T_object, float)
    spec = tabletop([obj], [base_T_object], [subject.mass])
    table, model = table_mesh(), settings.arm
    with SimulatedController(World(spec.to_xml(), 1), realtime=realtime) as controller:
        truth = controller.truth
        with Arm(controller.hostname, execute=True, speed=SIMULATED_SPEED, model=model) as arm:
            camera = SimulatedCamera(
                lambda: [(table, np.eye(4)), (obj.mesh, truth().base_T_objects[0])],
                lambda: model.base_T_camera(model.forward(truth().q)),
                d415(),
                rng,
            )

            def judge():
                for _ in range(_LOOKS):  # pads lose touch for moments
                    now = truth()
                    if now.held[0]:
                        break
                    time.sleep(0.005)
                placed = pose.transform(now.base_T_objects[0], obj.mesh.vertices)
                height = float(placed[:, 2].min())
                return bool(now.held[0]) and height >= LIFTED, height

            found = attempt(arm, camera, networks, settings, rng=rng, judge=judge)
            return found | {"commands": arm.commands, "base_T_object": base_T_object.tolist()}


def simulated_view(
    obj: GraspObject,
    base_T_object: np.ndarray,
    base_T_camera: np.ndarray,
    rng: np.random.Generator,
) -> Frame:
    """The camera's frame of an object on the table, the arm out of its sight.

    obj: the `GraspObject`, metres.
    base_T_object, base_T_camera: where they are, (4, 4).
    rng: generator of the camera's noise.
    """
    seen = [(table_mesh(), np.eye(4)), (obj.mesh, base_T_object)]
    return SimulatedCamera(lambda: seen, lambda: base_T_camera, d415(), rng).frame()


def table_mesh() -> trimesh.Trimesh:
    """The mesh of `tabletop`'s table."""
    place = pose.from_rt(np.eye(3), [*TABLE_CENTRE, -TABLE_SIZE[2] / 2])
    return trimesh.creation.box(TABLE_SIZE, place)


@dataclass(frozen=True, kw_only=True)
class RealSetup:
    """A real arm and camera, and somebody who places the objects.

    hostname, execute, recover: as for `Arm`; camera: of `open_camera`; show: function of a Subject,
    the number of its pose and base_T_object (4, 4) that says where it is to be seen; ask: shows a
    text and returns when it is answered.
    """

    hostname: str
    camera: DepthCamera
    show: Callable[[Subject, int, np.ndarray], str]
    execute: bool = False
    recover: bool = False
    ask: Callable[[str], object] = input

    def place(self, subject: Subject, index: int, base_T_object: np.ndarray) -> None:
        """Have the object placed. Raises RobotError where nobody can be asked.

        subject: the object with its mass and category.
        index: number of its stable pose, from 0 on.
        base_T_object: (4, 4) pose of the object in the arm's base frame.
        """
        shown, (x, y) = self.show(subject, index, base_T_object), base_T_object[:2, 3]
        where = f"about {x:.2f} m in front of the arm's base and {abs(y):.2f} m to its"
        where += " left" if y > 0 else " right"
        try:
            self.ask(f"Place {subject.obj.name} as in {shown}, {where}, step back, press Enter: ")
        # No terminal; Jupyter's StdinNotImplementedError is a RuntimeError.
        except (EOFError, RuntimeError) as error:
            raise RobotError(
                "a person must place the objects: run this in JupyterLab or a terminal"
            ) from error

    def attempt(
        self, networks: tuple, settings: TrialSettings, rng: np.random.Generator
    ) -> dict[str, Any]:
        """One trial of what stands there, judged by the hand's width alone.

        networks: what `predict.load_networks` returns for the method.
        settings: prediction, table, motion, limits, gripper force and arm.
        rng: the generator of what is sampled.
        """
        leave = {"execute": self.execute, "recover": self.recover}
        with Arm(self.hostname, speed=REAL_SPEED, model=settings.arm, **leave) as arm:

            def judge():
                return arm.width > CLOSED, None

            found = attempt(arm, self.camera, networks, settings, rng=rng, judge=judge)
            return found | {"commands": arm.commands, "base_T_object": None}
