"""A simulated FR3 at a table: franky-sim's server in a process of its own, and a line to it for
what no robot tells.

The client on this side is the real one and speaks the real protocol over loopback. Beyond what franky-sim does, this
controller
- has a table, objects and a camera's body, with the contacts of the shake test (`simulation.shake`), and a hand that
  presses with the force it was asked for;
- feels contact: external torques and forces in its state, and a reflex that ends a motion where the thresholds that the
  client has set are passed, until its errors are recovered;
- waits for the client's answer to each state while a motion runs, a real robot's hard real time being out of reach of two
  busy cores: no motion depends on how fast the machine is;
- counts the commands that arrive, and makes faults when asked.
"""

import contextlib
import multiprocessing
import os
import select
import signal
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass

import mujoco
import numpy as np
from franky_sim import SimulationServer
from franky_sim.base_simulator import FrankaRobotState
from franky_sim.franka_gripper_protocol import (
    GripperCommand,
    GripperCommandStatus,
    GripperStopCommand,
)
from franky_sim.franka_robot_protocol import (
    AutomaticErrorRecoveryCommand,
    MoveStatus,
    RobotCommand,
    RobotMode,
    SetCollisionBehaviorCommand,
    UDPCommand,
)
from franky_sim.franka_robot_server import BaseCommand, FrankaRobotServer
from franky_sim.mujoco_simulator import FrankaMujocoRobot, MujocoSimulator

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots.fr3 import CAMERA_BODY, FRANKA_T_CAMERA_BODY, READY
from graspbook.simulation.shake import SOLIMP, SOLREF, ShakeSettings

FAULTS = ("die", "reflex", "slip", "vanish")
_PATIENCE = (
    0.05  # seconds that the controller waits for a client's answer before it goes on without
)
_CARTESIAN_REFLEX = 7  # in libfranka's list of errors
_FILTER = 0.1  # share of a new millisecond in what the arm feels: a hard touch is no blow
_DAMPING = (
    150.0,
    150.0,
    115.0,
    115.0,
    65.0,
    65.0,
    65.0,
)  # a third of franky-sim's: the arm lags 33 ms behind, not 100


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


class SimulatedController:
    """A controller that runs until it is closed; `with SimulatedController(world) as controller:
    Arm(controller.hostname)`.

    realtime: hold simulated time back to the clock's; False: as fast as both sides can. Raises
    RobotError when it does not start.
    """

    def __init__(self, world, q=READY, realtime=True, timeout=60.0):
        # Spawned: a fork would share the parent's threads and sockets.
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, world, tuple(map(float, q)), realtime), daemon=True
        )
        self._process.start()
        other.close()
        if not self._line.poll(timeout):
            self.close()
            raise RobotError(f"the simulated controller did not start within {timeout:.0f} s")
        try:
            self.hostname = self._line.recv()
        except EOFError:
            self.close()
            raise RobotError(
                f"the simulated controller did not start (exit status {self._process.exitcode})"
            ) from None

    def truth(self):
        """The `Truth` of this moment. Raises RobotError when the controller is gone."""
        return self._ask("truth")

    def commands(self):
        """How many commands of each kind have arrived so far, a Counter: "kMove", ... of the arm,
        "hand.kMove", "hand.kGrasp", ... of the hand; "stream": setpoints.
        """
        return self._ask("commands")

    def inject(self, fault, motion=1, after=0.0):
        """Make a fault, one of `FAULTS`, `after` seconds into the motion-th motion of the arm from
        now (0: at once).

        die: the controller's process ends. reflex: the motion is aborted as by a collision. slip:
        contacts lose their friction. vanish: the objects are gone.
        """
        if fault not in FAULTS:
            raise RobotError(f"fault {fault!r}, expected one of {', '.join(FAULTS)}")
        self._ask("inject", fault, motion, after)

    def close(self):
        """End the process; what it held is gone."""
        if self._process.is_alive():
            with contextlib.suppress(OSError):
                self._line.send(("close",))
            self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, *question):
        try:
            self._line.send(question)
            if self._line.poll(10):
                return self._line.recv()
        except (EOFError, OSError):
            pass
        raise RobotError("the simulated controller is gone")


def _serve(line, world, q, realtime):
    """The controller's process: simulate, a millisecond at a time, until told to close or nobody
    listens any more.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to answer
    with _Simulator(world, q) as sim, _SimulationServer(sim) as servers:
        controller = servers.robot_servers[0]
        line.send(controller.hostname)
        faults, due = [], time.perf_counter()
        while True:
            if line.poll():
                try:
                    name, *arguments = line.recv()
                    if name == "close":
                        return
                    if name == "inject":
                        faults.append(
                            (arguments[0], controller.motions + arguments[1], arguments[2])
                        )
                    line.send(
                        {"truth": sim.truth, "commands": controller.counted, "inject": int}[name]()
                    )
                except (EOFError, OSError):  # whoever asked is gone
                    return
            faults = [fault for fault in faults if not _make(fault, controller, sim)]
            controller.await_answer()
            controller.process_commands()
            sim.step()
            controller.watch()
            controller.send_state()
            due = max(
                due + 0.001, time.perf_counter() - 0.05
            )  # a late controller catches up 50 ms, no more
            if realtime:
                time.sleep(max(0.0, due - time.perf_counter()))
            elif not controller.moving:
                time.sleep(0.0001)  # let the client have the core


def _make(fault, controller, sim):
    """Whether the moment of a fault has come, and then make it."""
    kind, motion, after = fault
    if controller.motions < motion or controller.moving_since is None and after > 0:
        return False
    if after > 0 and sim.data.time - controller.moving_since < after:
        return False
    if kind == "die":
        os._exit(1)
    if kind == "reflex":
        controller.reflex()
    if kind == "slip":
        sim.model.geom_friction[:] = 1e-3
    if kind == "vanish":
        for i in range(sim.world.objects):
            address = sim.model.joint(f"object_{i}").qposadr[0]
            sim.data.qpos[address : address + 3] = [-1.5, i, -1.0]
    return True


class _Robot(FrankaMujocoRobot):
    """An arm that feels what touches it, and a hand whose fingers press with the force they were
    asked for.
    """

    external = np.zeros(7), np.zeros(6)

    def _pre_step(self):
        if self.data is None:
            return
        # Damping of force over speed, implicit in the integrator, makes a free finger move at that
        # speed and a stopped one press.
        force, speed = self._hand_goal_force, self._hand_goal_velocity
        for address, dof in zip(self._finger_qpos_addrs, self._finger_dof_addrs, strict=True):
            self.model.dof_damping[dof] = force / speed
            wanted = np.clip(
                20 * (self._hand_goal_width / 2 - self.data.qpos[address]), -speed, speed
            )
            self.data.qfrc_applied[dof] = wanted * force / speed

    def feel(self):
        """Take up the joint torques (7,) of all contacts with the arm and, as the real arm does,
        the force and torque (6,) at the hand, base frame, that explain them.
        """
        data, rows = (
            self.data,
            self.data.efc_type >= int(mujoco.mjtConstraint.mjCNSTR_CONTACT_FRICTIONLESS),
        )
        torques, wrench = np.zeros(7), np.zeros(6)
        if rows.any():
            torques = (
                data.efc_J.reshape(data.nefc, self.model.nv)[rows][:, self._dof_addrs].T
                @ data.efc_force[rows]
            )
            jacobian = np.zeros((6, self.model.nv))
            mujoco.mj_jacBody(
                self.model, data, jacobian[:3], jacobian[3:], self.model.body("robot0_hand").id
            )
            wrench = np.linalg.pinv(jacobian[:, self._dof_addrs].T, rcond=1e-2) @ torques
        self.external = tuple(
            old + _FILTER * (new - old)
            for old, new in zip(self.external, (torques, wrench), strict=True)
        )

    @property
    def state(self):
        torques, wrench = self.external
        return FrankaMujocoRobot.state.fget(self).replace(
            tau_ext_hat_filtered=tuple(torques), O_F_ext_hat_K=tuple(wrench)
        )


class _Simulator(MujocoSimulator):
    """franky-sim's world with the table, the objects and the camera's body in it, and the contacts
    of the shake test.
    """

    def __init__(self, world, q):
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
        quat = pose.matrix_to_quat_wxyz(FRANKA_T_CAMERA_BODY[:3, :3])
        ET.SubElement(
            hand,
            "geom",
            name="robot0_camera",
            type="box",
            size=_text(CAMERA_BODY / 2),
            quat=_text(quat),
            pos=_text(FRANKA_T_CAMERA_BODY[:3, 3]),
            mass="0.072",
            group="3",
            rgba="0.2 0.2 0.2 1",
        )
        around = ET.fromstring(world.mjcf)
        for element in around.findall("asset/*"):
            self.scene.find("asset").append(element)
        for element in around.findall("worldbody/*"):
            self.worldbody.append(element)

    def add_robot(self, **options):
        # The base class makes its own kind of robot; this one replaces it before it is wired up.
        super().add_robot(**options)
        self._robots[0] = _Robot(options["initial_q"], options["initial_hand_width"], kv=_DAMPING)

    def _start(self):
        self.scene.find("option").set("jacobian", "dense")
        super()._start()

    def _step(self):
        super()._step()
        self._robots[0].feel()

    def truth(self):
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
            touched.all(axis=1),
            low,
            data.time,
        )


class _SimulationServer(SimulationServer):
    """One server of our kind."""

    def init(self):
        server = _Server(self.sim.robots[0], self._hostname_candidates)
        server.init()
        self.robot_servers.append(server)
        self.sim.start()


class _Counted(dict):
    """A server's table of commands, which is asked once for each that arrives."""

    def __init__(self, table, counts, prefix=""):
        super().__init__(table)
        self._counts, self._prefix = counts, prefix

    def get(self, command):
        self._counts[self._prefix + command.name] += 1
        return super().get(command)


class _CollisionBehavior(SetCollisionBehaviorCommand):
    def handle(self, server):
        server.thresholds = (
            np.array(self.upper_torque_thresholds_nominal),
            np.array(self.upper_force_thresholds_nominal),
        )
        self.reply(0)


class _Recovery(AutomaticErrorRecoveryCommand):
    def handle(self, server):
        server.in_reflex = False
        super().handle(server)


class _HandStop(GripperStopCommand):
    def handle(self, server):
        if (
            server._pending_command_id is not None
        ):  # franky-sim forgets what it stops, and its client would wait for ever
            BaseCommand.send_response(
                server._pending_tcp_socket,
                server._pending_command_type,
                server._pending_command_id,
                GripperCommandStatus.kAborted,
                command_type_struct="H",
                status_type_struct="H",
            )
        super().handle(server)


class _Server(FrankaRobotServer):
    """The arm's and hand's servers, with reflexes, counts, and patience with the client."""

    def __init__(self, robot, hostnames):
        self._counts = Counter()
        self.in_reflex, self.motions, self.moving_since = False, 0, None
        self.thresholds = np.full(7, np.inf), np.full(6, np.inf)
        self._robot = robot
        super().__init__(robot, hostnames)
        # franky-sim has no public way in here.
        table = self._FrankaServer__command_class_map | {
            RobotCommand.kSetCollisionBehavior: _CollisionBehavior,
            RobotCommand.kAutomaticErrorRecovery: _Recovery,
        }
        self._FrankaServer__command_class_map = _Counted(table, self._counts)

    def _bind_children(self, hostname):
        super()._bind_children(hostname)
        gripper = self.gripper_server
        table = gripper._FrankaServer__command_class_map | {GripperCommand.kStop: _HandStop}
        gripper._FrankaServer__command_class_map = _Counted(table, self._counts, "hand.")

    def counted(self):
        return self._counts

    @property
    def moving(self):
        return bool(self.current_motion_id)

    def start_motion(self, *arguments):
        if self.in_reflex:
            raise RuntimeError(
                "a reflex has to be recovered from first"
            )  # which the base class answers with "aborted"
        super().start_motion(*arguments)
        # From where the arm is held, as the client takes it, not from where it has sagged to.
        self._FrankaRobotServer__current_control_command = UDPCommand(
            q_c=self._FrankaRobotServer__holding_q
        )
        self.motions += 1
        self.moving_since = self._robot.data.time

    def _handle_udp_command(self, data):
        self._counts["stream"] += 1
        super()._handle_udp_command(data)

    def await_answer(self):
        """While a motion runs, wait for the setpoint or command that answers the last state."""
        if self.moving and self.udp_connected:
            select.select([self._FrankaServer__udp_socket, self._tcp_socket], [], [], _PATIENCE)

    def watch(self):
        """End the motion where external forces pass the client's thresholds."""
        if not self.moving:
            self.moving_since = None
            return
        torques, wrench = self._robot.external
        if (np.abs(torques) > self.thresholds[0]).any() or (
            np.abs(wrench) > self.thresholds[1]
        ).any():
            self.reflex()

    def stop_motion(self, send_preemption_signal=True):
        holding = self._FrankaRobotServer__holding_q
        super().stop_motion(send_preemption_signal)
        if self.in_reflex:  # a client that stops it once more does not make it press again
            self._FrankaRobotServer__holding_q = holding

    def reflex(self):
        motion = self.current_motion_id
        self.stop_motion(send_preemption_signal=False)
        self._FrankaRobotServer__holding_q = tuple(
            self._robot.state.q
        )  # where it stands: it gives way to what it met
        self.in_reflex = True
        if motion:
            self.send_state()  # with the errors, before the motion's end
            BaseCommand.send_response(
                self._tcp_socket, RobotCommand.kMove, motion, MoveStatus.kReflexAborted
            )
            self.reset_current_motion_id()

    @property
    def robot_state(self) -> FrankaRobotState:
        state = FrankaRobotServer.robot_state.fget(self)
        if not self.moving:  # franky-sim tells filtered differences, which never quite come to rest
            state = state.replace(dq_d=(0.0,) * 7, ddq_d=(0.0,) * 7)
        if not self.in_reflex:
            return state
        errors = tuple(i == _CARTESIAN_REFLEX for i in range(41))
        return state.replace(robot_mode=RobotMode.kReflex, errors=errors, reflex_reason=errors)


def _text(numbers):
    return " ".join(f"{number:.9g}" for number in numbers)
