"""A simulated FR3 at a table: franky-sim's server in a process of its own, and a line to it for
what no robot tells.

The client on this side is the real one and speaks the real protocol over loopback. What stands
around the arm is in `simulated_world`, what the controller answers in `simulated_server`; here it
runs, and makes faults when asked.
"""

import os
import signal
import time
from collections import Counter

import numpy as np

from graspbook.errors import RobotError
from graspbook.robots.fr3 import FR3
from graspbook.robots.simulated_process import SimulatedProcess
from graspbook.robots.simulated_server import Servers
from graspbook.robots.simulated_world import Simulator, Truth, World

FAULTS = ("die", "reflex", "slip", "vanish")


class SimulatedController(SimulatedProcess):
    """A controller that runs until it is closed; `with SimulatedController(world) as controller:
    Arm(controller.hostname)`.

    world: what stands around the arm. q: joint angles (7,) at which it starts, rad. realtime: hold
    simulated time back to the clock's; False: as fast as both sides can. timeout: seconds in which
    it must start, else RobotError.
    """

    def __init__(
        self,
        world: World,
        q: np.ndarray = FR3.ready,
        *,
        realtime: bool = True,
        timeout: float = 60.0,
    ) -> None:
        arguments = world, tuple(map(float, q)), realtime
        super().__init__("simulated controller", _serve, arguments, timeout)
        self.hostname = self.ready

    def truth(self) -> Truth:
        """The `Truth` of this moment. Raises RobotError when the controller is gone."""
        return self._ask("truth")

    def commands(self) -> Counter:
        """How many commands of each kind have arrived so far, a Counter: "kMove", ... of the arm,
        "hand.kMove", "hand.kGrasp", ... of the hand; "stream": setpoints.
        """
        return self._ask("commands")

    def inject(self, fault: str, *, motion: int = 1, after: float = 0.0) -> None:
        """Make a fault in one of the arm's next motions.

        fault: "die": the controller's process ends. "reflex": the motion is aborted as by a
            collision. "slip": contacts lose their friction. "vanish": the objects are gone.
        motion: which one, 1 for the next; 0: at once.
        after: seconds into it.
        """
        if fault not in FAULTS:
            raise RobotError(f"fault {fault!r}, expected one of {', '.join(FAULTS)}")
        self._ask("inject", fault, motion, after)


def _serve(line, world, q, realtime):
    """The controller's process: simulate, a millisecond at a time, until told to close or nobody
    listens any more.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to answer
    with Simulator(world, q) as sim, Servers(sim) as servers:
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
                        kind, motion, after = arguments
                        faults.append((kind, controller.motions + motion, after))
                    answers = {"truth": sim.truth, "commands": controller.counted, "inject": int}
                    line.send(answers[name]())
                except (EOFError, OSError):  # whoever asked is gone
                    return
            faults = [fault for fault in faults if not _make(fault, controller, sim)]
            controller.await_answer()
            controller.process_commands()
            sim.step()
            controller.watch()
            controller.send_state()
            # A late controller catches up 50 ms, no more.
            due = max(due + 0.001, time.perf_counter() - 0.05)
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
