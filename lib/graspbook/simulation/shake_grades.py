"""Grades of a grip: the loads that a gripped object survives.

Every load acts on 0.3 kg, independent of the object's mass in the shake.
"""

import mujoco
import numpy as np

from graspbook.simulation.shake_model import GRAVITY, OBJECT, ShakeWorld

GRADES = ("gravity_held", "max_acceleration", "closing_width")  # that grasp files keep
GRADE_MASS = 0.3


def held_under_gravity(
    world: ShakeWorld, model: mujoco.MjModel, states: np.ndarray, alive: np.ndarray
) -> np.ndarray:
    """Indices of grasps that hold the object for 0.2 s under gravity along each of the hand's axes.

    Both directions of each axis start from the gripped state.

    world, model: of the test; the model's object weighs `GRADE_MASS`.
    states, alive: gripped (n, S), and their indices (n,).
    """
    steps = round(0.2 / world.settings.timestep)
    for direction in np.concatenate([np.eye(3), -np.eye(3)]):
        wrench = np.zeros((1, steps, 6))
        wrench[..., :3] = GRADE_MASS * GRAVITY * direction
        _, kept = world.keep(states, np.arange(len(states)), wrench, model=model)
        states, alive = states[kept], alive[kept]
    return alive


def largest_acceleration(
    world: ShakeWorld, model: mujoco.MjModel, states: np.ndarray
) -> np.ndarray:
    """Largest acceleration (n,) that the object survives, m/s².

    The object survives if both fingers touch it and it has moved less than 2 cm in the hand. The
    acceleration grows by 80 m/s² per second up to 96 m/s². Its direction circles at 5 Hz in the
    plane that friction holds (y, z), with an x part at twice the rate.

    world, model: of the test; the model's object weighs `GRADE_MASS`.
    states: gripped (n, S).
    """
    step, survived, alive = world.settings.timestep, np.zeros(len(states)), np.arange(len(states))
    start_position = states[:, OBJECT][:, :3]
    for start in np.arange(0.0, 1.2, 0.2):
        if not len(alive):
            break
        time = start + step * np.arange(round(0.2 / step))
        turn = 2 * np.pi * 5.0 * time
        direction = np.stack([0.5 * np.sin(2 * turn), np.cos(turn), np.sin(turn)], axis=1)
        wrench = np.zeros((1, len(time), 6))
        wrench[0, :, :3] = GRADE_MASS * 80.0 * time[:, None] * direction
        after, touch, _ = world.roll(states, len(time), wrench, model=model)
        moved = np.linalg.norm(after[..., OBJECT][..., :3] - start_position[alive, None], axis=2)
        in_place = np.cumprod(moved < 0.02, axis=1).astype(bool)
        firm = touch[..., :2].all(axis=2) & in_place
        last = len(time) - 1 - np.argmax(firm[:, ::-1], axis=1)
        survived[alive] = np.where(firm.any(axis=1), 80.0 * time[last], survived[alive])
        kept = world.in_both_fingers(touch) & in_place[:, -1]
        states, alive = after[kept, -1], alive[kept]
    return survived
