"""The simulated FR3's protocol: franky-sim's servers of arm and hand, with a real controller's
reflexes and with patience.

Beyond what franky-sim's do, these
- end a motion where the external forces pass the thresholds that the client has set, until its
  errors are recovered;
- wait for the client's answer to each state while a motion runs, a real robot's hard real time
  being out of reach of two busy cores: no motion depends on how fast the machine is;
- count the commands that arrive.
"""

import select
from collections import Counter

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

from graspbook.robots.fr3 import FR3

_JOINTS = len(FR3.joints)
_PATIENCE = 0.05  # seconds that it waits for a client's answer before it goes on without
_CARTESIAN_REFLEX = 7  # in libfranka's list of errors


class Servers(SimulationServer):
    """One server of our kind."""

    def init(self) -> None:
        """Begin to simulate and to listen."""
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
        # franky-sim forgets what it stops, and its client would wait for ever.
        if server._pending_command_id is not None:
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
        self.thresholds = np.full(_JOINTS, np.inf), np.full(6, np.inf)
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

    def counted(self) -> Counter:
        """How many commands of each kind have arrived."""
        return self._counts

    @property
    def moving(self):
        return bool(self.current_motion_id)

    def start_motion(self, *arguments):
        if self.in_reflex:
            # The base class answers it with "aborted".
            raise RuntimeError("the arm is in a reflex: recover it first")
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
        torque, force = self.thresholds
        if (np.abs(torques) > torque).any() or (np.abs(wrench) > force).any():
            self.reflex()

    def stop_motion(self, send_preemption_signal=True):
        holding = self._FrankaRobotServer__holding_q
        super().stop_motion(send_preemption_signal)
        if self.in_reflex:  # a client that stops it once more does not make it press again
            self._FrankaRobotServer__holding_q = holding

    def reflex(self):
        motion = self.current_motion_id
        self.stop_motion(send_preemption_signal=False)
        # Where it stands: it gives way to what it met.
        self._FrankaRobotServer__holding_q = tuple(self._robot.state.q)
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
            still = (0.0,) * _JOINTS
            state = state.replace(dq_d=still, ddq_d=still)
        if not self.in_reflex:
            return state
        errors = tuple(i == _CARTESIAN_REFLEX for i in range(41))
        return state.replace(robot_mode=RobotMode.kReflex, errors=errors, reflex_reason=errors)
