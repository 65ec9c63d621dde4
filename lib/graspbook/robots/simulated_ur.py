"""A simulated UR10 or UR10e: a controller in a process of its own, and a line to it for what no
robot tells.

The client on this side is the real one and speaks the real protocols over loopback. In one process
with the controller, the client would wait for ever. What the controller answers is in
`simulated_ur_server`, what it does in `simulated_ur_program`.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from graspbook.errors import RobotError
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.simulated_process import SimulatedProcess
from graspbook.robots.simulated_ur_program import Program
from graspbook.robots.simulated_ur_server import run
from graspbook.robots.ur10 import UR10E

# At 127.0.0.1 the client does not ask whether the arm is in remote control.
_HOSTS = [f"127.0.0.{i}" for i in range(2, 40)]
FAULTS = ("die", "drop", "emergency", "protective", "silent")


class Truth(NamedTuple):
    """What the simulation knows: joint angles and speeds (6,), rad and rad/s."""

    q: np.ndarray
    qd: np.ndarray


class SimulatedUr(SimulatedProcess):
    """A controller that runs until it is closed; `with SimulatedUr() as controller:
    UrArm(controller.hostname)`.

    arm: which one.
    q: joint angles (6,) at which it starts, rad; its `ready` ones if None.
    polyscope: version, two numbers. From 5 on, an e-Series with 500 cycles per second; before, a
        CB3 with 125.
    remote: whether it is in remote control.
    follow: called in the controller's process with joint angles (6,), rad, after every cycle. It is
        for what hangs on the arm, and must be picklable.
    host: the address; the first one of this machine that is free if None.
    timeout: seconds in which it must start.

    Raises RobotError when it does not start, or when no address is free.
    """

    def __init__(
        self,
        arm: ArmModel = UR10E,
        q: np.ndarray | None = None,
        *,
        polyscope: tuple[int, int] = (5, 9),
        remote: bool = True,
        follow: Callable[[np.ndarray], object] | None = None,
        host: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        start = arm.ready if q is None else np.asarray(q, float)
        # A program runs where the control script is started on the pendant, not sent.
        program = Program(arm, start, playing=(10, 0) <= polyscope < (10, 11), follow=follow)
        hosts = [host] if host else _HOSTS
        arguments = hosts, program, polyscope, remote
        super().__init__("simulated UR controller", run, arguments, timeout)
        if not isinstance(self.ready, str):
            self.close()
            raise RobotError(str(self.ready))
        self.hostname = self.ready

    def truth(self) -> Truth:
        """The `Truth` of this moment. Raises RobotError when the controller is gone."""
        return Truth(*self._ask("truth"))

    def commands(self) -> Counter:
        """How many commands of each kind have arrived so far: "moveJ", "servoJ", "stopJ" and so on.

        Raises RobotError when the controller is gone.
        """
        return self._ask("commands")

    def inject(self, fault: str, *, motion: int = 1, after: float = 0.0) -> None:
        """Make a fault in one of the arm's next motions.

        fault: "die": the controller's process ends. "drop": it closes all connections. "silent": it
            sends no states any more. "protective", "emergency": it stops the arm for safety.
        motion: which one, 1 for the next; 0: at once.
        after: seconds into it.

        Raises RobotError for an unknown fault.
        """
        if fault not in FAULTS:
            raise RobotError(f"fault {fault!r}, expected one of {', '.join(FAULTS)}")
        self._ask("inject", fault, motion, after)
