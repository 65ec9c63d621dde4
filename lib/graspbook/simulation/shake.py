"""The shake test: does a closed parallel-jaw hand keep hold of an object while it is shaken?

Mousavian et al. 2019, section 4: "a free-floating parallel-jaw gripper and the free-floating object
without gravity ... After closing its fingers the gripper executes a predefined shaking motion. A
grasp is labeled successful if the object is kept between both fingers."

In the world (`shake_model`) the hand is fixed and the object is shaken. Grasps that lost the object
leave the batch after each stage. A grasp's outcome does not depend on the others in the batch, on
their order, or on the number of threads.
"""

from dataclasses import astuple, dataclass

import numpy as np
import trimesh

from graspbook import pose
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.grasp_object import GraspObject
from graspbook.simulation.shake_grades import (
    GRADE_MASS,
    held_under_gravity,
    largest_acceleration,
)
from graspbook.simulation.shake_model import (
    FINGER_SPEED,
    FINGERS,
    OBJECT,
    ShakeSettings,
    ShakeWorld,
    with_mass,
)

_BATCH = 256


@dataclass(frozen=True)
class ShakeOutcome:
    """Outcomes of N grasps.

    success: (N,) bool, held between both fingers after the shake.
    collides: (N,) bool, the open hand was inside the object at the start.
    closing_width: (N,) metres between the pads after closing, NaN if they held nothing.
    gravity_held: (N,) bool, an object of 0.3 kg stays held under gravity along ±x, ±y, ±z of the
        hand.
    max_acceleration: (N,) m/s², largest acceleration that 0.3 kg survived, 0 for failures; NaN
        where not graded.
    """

    success: np.ndarray
    collides: np.ndarray
    closing_width: np.ndarray
    gravity_held: np.ndarray
    max_acceleration: np.ndarray


class Shaker(ShakeWorld):
    """The test of one GraspObject: a compiled world, ready for batches of grasps."""

    def __init__(self, obj, settings=None, *, threads=2, gripper=FRANKA):
        super().__init__(obj, settings, threads=threads, gripper=gripper)
        self.grade_model = with_mass(self.model, GRADE_MASS)
        # Dense points on the object; they give the fingers' free motion.
        self.surface = trimesh.sample.sample_surface(obj.mesh, 4096, seed=0)[0]

    def collides(self, object_T_hand: np.ndarray) -> np.ndarray:
        """Whether the open hand is inside the object by more than `settings.penetration`, (N,)
        bool.

        object_T_hand: (N, 4, 4) poses of the hand in the object frame.
        """
        states = self.initial_states(object_T_hand)
        if not len(states):
            return np.zeros(0, bool)
        _, touch, distance = self.roll(states, 1)
        return (touch & (distance < -self.settings.penetration)).any(axis=(1, 2))

    def test(self, object_T_hand: np.ndarray, *, grade: bool = True) -> ShakeOutcome:
        """The ShakeOutcome of grasps that are closed, and shaken along and about each axis of the
        hand.

        object_T_hand: (N, 4, 4) poses of the hand in the object frame.
        grade: also measure how firmly the successful ones hold.
        """
        object_T_hand = np.asarray(object_T_hand, float).reshape(-1, 4, 4)
        outcomes = [
            _test_batch(self, object_T_hand[i : i + _BATCH], grade)
            for i in range(0, max(1, len(object_T_hand)), _BATCH)
        ]
        return ShakeOutcome(
            *(np.concatenate(values) for values in zip(*map(astuple, outcomes), strict=True))
        )

    def grip(self, object_T_hand: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States (G, S) of the grasps that close on the object and come to rest, and which (G,).

        object_T_hand: (N, 4, 4) poses of the hand in the object frame.
        """
        return _close(self, _preshape(self, object_T_hand), np.arange(len(object_T_hand)))


def shake_test(
    obj: GraspObject,
    object_T_hand: np.ndarray,
    settings: ShakeSettings | None = None,
    *,
    threads: int = 2,
    grade: bool = True,
    gripper: ParallelJaw = FRANKA,
) -> ShakeOutcome:
    """The ShakeOutcome of grasps of an object, by a Shaker that is used once.

    obj: the `GraspObject`, metres.
    object_T_hand: (N, 4, 4) poses of the hand in the object frame.
    settings: the frozen ones if None.
    threads: of the CPU that simulate at the same time.
    grade: also measure how firmly the successful ones hold.
    gripper: the parallel-jaw hand that grasps.
    """
    shaker = Shaker(obj, settings, threads=threads, gripper=gripper)
    return shaker.test(object_T_hand, grade=grade)


def _test_batch(shaker, object_T_hand, grade):
    n = len(object_T_hand)
    outcome = ShakeOutcome(
        np.zeros(n, bool),
        shaker.collides(object_T_hand),
        np.full(n, np.nan),
        np.zeros(n, bool),
        np.full(n, 0.0 if grade else np.nan),
    )
    alive = np.flatnonzero(~outcome.collides)
    states, gripping = shaker.grip(object_T_hand[alive])
    alive = alive[gripping]
    outcome.closing_width[alive] = states[:, 1] + states[:, 2]
    gripped = np.zeros((n, states.shape[1]))
    gripped[alive] = states
    for axis in range(3):
        states, alive = shaker.keep(states, alive, _shake_wrench(shaker, states, axis))
    outcome.success[alive] = True
    if grade:
        graded, states = shaker.grade_model, gripped[alive]
        outcome.gravity_held[held_under_gravity(shaker, graded, states, alive)] = True
        outcome.max_acceleration[alive] = largest_acceleration(shaker, graded, states)
    return outcome


def _preshape(shaker, object_T_hand):
    """Initial states with the fingers closed to 4 mm before the first surface point that they can
    meet.

    The fingers meet nothing until then, so this saves steps. It can change a borderline label: 2 of
    600 on five parametric objects differed from fingers that start fully open.
    """
    states, hand = shaker.initial_states(object_T_hand), shaker.gripper
    half_width = np.abs(np.concatenate(list(hand.finger.values()))[:, 1]).max()
    beside = round(half_width + 0.0025, 6)
    for state, hand_T_object in zip(states, pose.inverse(object_T_hand), strict=True):
        x, y, z = np.abs(pose.transform(hand_T_object, shaker.surface)).T
        reach = x[(y < beside) & (z > hand.mount_z - 0.002) & (z < hand.tip_z + 0.002)]
        if reach.size:
            state[FINGERS] = min(reach.max() + 0.004, hand.opening / 2)
    return states


def _close(shaker, states, alive):
    """Close until both fingers touch the object and rest, at most 0.6 s; returns the states of
    grasps that hold, and their indices.
    """
    step = round(0.1 / shaker.settings.timestep)
    done_states, done = [states[:0]], [alive[:0]]
    for _ in range(6):
        if not len(states):
            break
        after, touch, _ = shaker.roll(states, step)
        states = after[:, -1]
        still = (np.abs(states[:, FINGER_SPEED]) < 0.005).all(axis=1)
        resting = shaker.in_both_fingers(touch) & still
        done_states.append(states[resting])
        done.append(alive[resting])
        closing = ~resting & (states[:, 1] + states[:, 2] > 1e-3)
        states, alive = states[closing], alive[closing]
    order = np.argsort(np.concatenate(done), kind="stable")
    return np.concatenate(done_states)[order], np.concatenate(done)[order]


def _shake_wrench(shaker, states, axis):
    """Inertial wrenches (n, steps, 6) on the object while the hand moves to and fro once, along and
    about one of its axes.

    Accelerations are cosines, so the hand starts and ends at rest. In the hand's frame the object's
    centre of mass is r. The force is -m (a + α×r + ω×(ω×r)), and the torque is -(I α + ω×I ω). The
    object's own motion in the hand is neglected.
    """
    settings, unit = shaker.settings, np.eye(3)[axis]
    steps = np.arange(round(1 / settings.frequency / settings.timestep))
    phase = 2 * np.pi * steps * settings.frequency * settings.timestep
    linear = settings.acceleration * np.cos(phase)[:, None] * unit
    angular = settings.angular_acceleration * np.cos(phase)[:, None] * unit
    speed = settings.angular_acceleration / (2 * np.pi * settings.frequency)
    spin = speed * np.sin(phase)[:, None] * unit
    centre = states[:, None, OBJECT][..., :3]
    rotation = pose.quat_wxyz_to_matrix(states[:, OBJECT][:, 3:]) @ pose.quat_wxyz_to_matrix(
        shaker.model.body("object").iquat
    )
    inertia = (rotation * shaker.inertia) @ rotation.swapaxes(1, 2)
    force = -shaker.mass * (
        linear + np.cross(angular, centre) + np.cross(spin, np.cross(spin, centre))
    )
    torque = -(angular @ inertia + np.cross(spin, spin @ inertia))
    return np.concatenate([force, torque], axis=-1)
