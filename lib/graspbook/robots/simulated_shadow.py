"""A simulated Shadow Hand with its rosbridge, in a process of its own.

The client on this side is the real one and speaks the real protocol over loopback. How joints
follow is in `simulated_fingers`, the protocol in `simulated_rosbridge`. Here both run, and make
faults when asked. A line to the process gives what no real hand gives.
"""

import signal
import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from graspbook.errors import RobotError
from graspbook.hands.library import load_hand
from graspbook.hands.shadow_names import to_hardware
from graspbook.robots.shadow_messages import COMMAND, COMMAND_KIND, STATES, STATES_KIND
from graspbook.robots.simulated_fingers import Controller, FreeHand, Joints
from graspbook.robots.simulated_process import SimulatedProcess

RATE = 100.0  # joint states per second
FAULTS = ("silent", "drop", "stuck", "nan")
_LATE = 0.05  # seconds; a cycle that is later does not catch up more


@dataclass(frozen=True)
class Truth:
    """What the simulation knows.

    joints, target: (A,), in the order of our model's `all_joints`, rad.
    motions: how many trajectories with points came.
    time: seconds simulated.
    """

    joints: np.ndarray
    target: np.ndarray
    motions: int
    time: float


class SimulatedShadow(SimulatedProcess):
    """A hand that runs until it is closed, `with SimulatedShadow() as sim`.

    A client connects by `ShadowHand(sim.host, sim.port)`.

    joints: the function of targets and seconds of `simulated_fingers`, a `FreeHand` without one.
        It is pickled, and called in the hand's process.
    tendons: whether the hand names J0 of each finger in place of J1 and J2.
    timeout: seconds in which it must start.

    Raises RobotError where it does not start.
    """

    host = "127.0.0.1"

    def __init__(
        self, joints: Joints | None = None, *, tendons: bool = False, timeout: float = 60.0
    ) -> None:
        super().__init__("simulated hand", _serve, (joints or FreeHand(), tendons), timeout)
        self.port = self.ready

    def truth(self) -> Truth:
        """The `Truth` of this moment. Raises RobotError when the hand is gone."""
        return self._ask("truth")

    def received(self) -> list[str]:
        """The last 1000 messages that clients sent, as JSON texts. Raises RobotError when the hand
        is gone.
        """
        return self._ask("received")

    def inject(self, fault: str, *, joint: str = "", motion: int = 1, after: float = 0.0) -> None:
        """Make a fault in one of the hand's next motions.

        fault: "silent": joint states stop. "drop": all connections end. "stuck": a joint stays
            where it is. "nan": the state of a joint is no number.
        joint: which one, by our model's name.
        motion: which one, 1 for the next; 0: at once.
        after: seconds into it.

        Raises RobotError for an unknown fault or joint, and when the hand is gone.
        """
        if fault not in FAULTS:
            raise RobotError(f"fault {fault!r}, expected one of {', '.join(FAULTS)}")
        joints = load_hand("shadow").joints
        if fault in ("stuck", "nan") and joint not in joints:
            raise RobotError(f"joint {joint!r}, expected one of {', '.join(joints)}")
        self._ask("inject", fault, joint, motion, after)

    def repair(self) -> None:
        """End all faults. Raises RobotError when the hand is gone."""
        self._ask("repair")


def _serve(line, joints, tendons):
    """The hand's process: simulate until `close` is asked, or nobody listens any more."""
    from twisted.internet import reactor, task

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to answer
    hand = _Hand(line, Controller(joints, tendons=tendons))
    line.send(hand.server.port)

    def end(failure):
        reactor.callWhenRunning(reactor.stop)
        if not failure.check(EOFError, OSError):  # whoever asked is gone
            failure.printTraceback()

    task.LoopingCall(hand.cycle).start(1 / RATE).addErrback(end)
    reactor.run(installSignalHandlers=False)


class _Hand:
    """A controller, its rosbridge, its faults, and the line to who has started it."""

    def __init__(self, line, controller):
        from graspbook.robots.simulated_rosbridge import Server

        self.line, self.controller = line, controller
        topics = {COMMAND: COMMAND_KIND, STATES: STATES_KIND}
        self.server = Server(topics, {COMMAND: controller.command})
        self.waiting, self.faults, self.last = [], {}, time.perf_counter()

    def cycle(self):
        """All that is due at this moment; EOFError when it is the end."""
        self.answer()
        now = time.perf_counter()
        self.controller.step(min(now - self.last, _LATE))
        self.last = now
        self.waiting = [fault for fault in self.waiting if not self.make(*fault)]
        if "silent" not in self.faults:
            state = self.controller.state()
            wrong = self.faults.get("nan", ())
            named = zip(state["name"], state["position"], strict=True)
            state["position"] = [None if name in wrong else value for name, value in named]
            self.server.publish(STATES, state)

    def answer(self):
        answers = {
            "truth": self.truth,
            "received": partial(list, self.server.received),
            "inject": self.inject,
            "repair": self.repair,
        }
        while self.line.poll():
            name, *arguments = self.line.recv()
            if name == "close":
                raise EOFError
            self.line.send(answers[name](*arguments))

    def truth(self):
        controller = self.controller
        motions = len(controller.began)
        return Truth(controller.joints, controller.target, motions, controller.time)

    def inject(self, fault, joint, motion, after):
        self.waiting.append((fault, joint, len(self.controller.began) + motion, after))

    def repair(self):
        self.waiting, self.faults = [], {}
        self.controller.stuck.clear()

    def make(self, fault, joint, motion, after):
        """Whether the moment of a fault has come, and then make it."""
        controller, began = self.controller, self.controller.began
        if len(began) < motion or (motion and controller.time - began[motion - 1] < after):
            return False
        if fault == "drop":
            self.server.drop()
        elif fault == "stuck":
            coupling = controller.hand.coupling.items()
            controller.stuck |= {joint} | {name for name, (of, *_) in coupling if of == joint}
        else:
            self.faults[fault] = list(to_hardware({joint: 0.0})) if joint else []
        return True
