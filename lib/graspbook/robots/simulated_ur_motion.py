"""How the simulated UR arm moves: the motions of URScript, one cycle at a time.

Each motion has `advance(q, qd, dt)`, which returns joint angles and speeds (6,) after a cycle, and
whether the motion is over. Source: Universal Robots, "URScript Programming Language", for movej,
speedj, servoj and stopj.
"""

from dataclasses import dataclass

import numpy as np

SERVO_ACCELERATION = 15.0  # rad/s2, at most, while the arm follows a stream; ours
_STILL = 1e-9
Step = tuple[np.ndarray, np.ndarray, bool]


class Move:
    """A straight way in joint space from rest to rest, as movej's.

    The leading axis speeds up, goes on at a constant speed, and slows down. The others keep their
    share.

    start, goal: joint angles (6,), rad.
    speed, acceleration: of the leading axis, rad/s and rad/s2.
    """

    def __init__(
        self, start: np.ndarray, goal: np.ndarray, speed: float, acceleration: float
    ) -> None:
        self._start, self._way = start, goal - start
        self._length = float(np.abs(self._way).max())
        top = min(speed, np.sqrt(self._length * acceleration))
        self._top, self._acceleration, self._time = top, acceleration, 0.0
        self._ramp = top / acceleration
        self.duration = self._length / top + self._ramp if self._length > _STILL else 0.0

    def advance(self, q: np.ndarray, qd: np.ndarray, dt: float) -> Step:
        """The next step.

        q, qd: joint angles and speeds (6,), which it knows already.
        dt: seconds of a cycle.
        """
        self._time += dt
        if self._time >= self.duration:
            return self._start + self._way, np.zeros_like(q), True
        left, ramp, rate = self.duration - self._time, self._ramp, self._acceleration
        if self._time < ramp:
            passed, speed = rate * self._time**2 / 2, rate * self._time
        elif left < ramp:
            passed, speed = self._length - rate * left**2 / 2, rate * left
        else:
            passed, speed = self._top * (self._time - ramp / 2), self._top
        share = self._way / self._length
        return self._start + share * passed, share * speed, False


class Line:
    """A straight way of the tool from rest to rest, as movel's.

    points: (K, 6) joint angles, equally far from each other along it, rad.
    length: metres.
    speed, acceleration: of the tool, m/s and m/s2.
    """

    def __init__(
        self, points: np.ndarray, length: float, speed: float, acceleration: float
    ) -> None:
        self._points = points
        self._passed = np.linspace(0, length, len(points))
        self._way = Move(np.zeros(1), np.array([length]), speed, acceleration)

    def advance(self, q: np.ndarray, qd: np.ndarray, dt: float) -> Step:
        """The next step.

        q, qd: joint angles and speeds (6,), rad and rad/s.
        dt: seconds of a cycle.
        """
        passed, _, over = self._way.advance(np.zeros(1), np.zeros(1), dt)
        columns = self._points.T
        reached = np.array([np.interp(passed[0], self._passed, each) for each in columns])
        return reached, np.zeros_like(q) if over else (reached - q) / dt, over


@dataclass
class Speed:
    """Constant joint speeds, as speedj's and stopj's: it ends when they are 0 and reached.

    goal: joint speeds (6,), rad/s.
    acceleration: of the leading axis, rad/s2.
    left: seconds after which the goal is 0, None for no end.
    """

    goal: np.ndarray
    acceleration: float
    left: float | None = None

    def advance(self, q: np.ndarray, qd: np.ndarray, dt: float) -> Step:
        """The next step.

        q, qd: joint angles and speeds (6,), rad and rad/s.
        dt: seconds of a cycle.
        """
        if self.left is not None:
            self.left -= dt
            if self.left <= 0:
                self.goal = np.zeros_like(qd)
        change = self.goal - qd
        most = np.abs(change).max() / (self.acceleration * dt)
        qd = qd + change / max(most, 1.0)
        return q + qd * dt, qd, bool(np.abs(qd).max() < _STILL and not self.goal.any())


@dataclass
class Servo:
    """A stream of joint angles, as servoj's: the arm is where the stream was `lookahead` ago.

    goal: joint angles (6,), rad, replaced by each command.
    lookahead: seconds.
    most: joint speeds (6,), rad/s, which it never exceeds.
    """

    goal: np.ndarray
    lookahead: float
    most: np.ndarray

    def advance(self, q: np.ndarray, qd: np.ndarray, dt: float) -> Step:
        """The next step; a stream never ends by itself.

        q, qd: joint angles and speeds (6,), rad and rad/s.
        dt: seconds of a cycle.
        """
        wanted = np.clip((self.goal - q) / max(self.lookahead, dt), -self.most, self.most)
        change = SERVO_ACCELERATION * dt
        qd = qd + np.clip(wanted - qd, -change, change)
        return q + qd * dt, qd, False
