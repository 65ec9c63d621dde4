"""Checks: a case of the shake test that can be solved by hand, and kinematics against MuJoCo's."""

from collections.abc import Sequence

import mujoco
import numpy as np
import trimesh

from graspbook import pose
from graspbook.hands import mjcf
from graspbook.hands.articulated import Hand
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects import GraspObject
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_model import ShakeSettings


def slip_of_a_box(
    settings: ShakeSettings,
    loads: Sequence[float] | np.ndarray,
    axis: int = 2,
    *,
    time: float = 0.2,
) -> np.ndarray:
    """Slip (n,), metres, of a box gripped at its middle under constant loads.

    The box is 40 × 50 × 50 mm. Two pads that press with F each hold m·a <= 2·friction·F (Coulomb).
    Beyond this limit the box slides by (load - limit) / m · time² / 2.

    settings: friction, forces and times of the shake test.
    loads: (n,) forces on the box, newtons.
    axis: of the hand along which they act, 1 or 2, in the plane of the pads.
    time: for how long each load acts, seconds.
    """
    mesh = trimesh.creation.box((0.04, 0.05, 0.05))
    shaker = Shaker(GraspObject("box", "box", mesh, (mesh,)), settings, threads=1)
    grasp = pose.from_rt(np.eye(3), [0.0, 0.0, -FRANKA.pad_z])[None]
    states = np.repeat(shaker.grip(grasp)[0], len(loads), axis=0)
    steps = round(time / settings.timestep)
    wrench = np.zeros((len(loads), steps, 6))
    wrench[:, :, axis] = np.asarray(loads, float)[:, None]
    after, _, _ = shaker.roll(states, steps, wrench)
    return np.abs(after[:, -1] - states)[:, 3 + axis]


def kinematics_deviation(hand: Hand, postures: int, seed: int) -> float:
    """Largest difference of any number in link poses (4, 4) by `Hand.forward` and by MuJoCo.

    hand: many-jointed one, see `hands.library`.
    postures: their number, within the joints' limits.
    seed: which postures are drawn.
    """
    import torch

    spec = mujoco.MjSpec()
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    data = mujoco.MjData(model)
    address = [model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints]
    low, high = hand.limits.T
    joints = np.random.default_rng(seed).uniform(low, high, (postures, len(hand.joints)))
    ours, deviation = hand.forward(torch.as_tensor(joints)).numpy(), 0.0
    for values, links in zip(hand.expand(joints), ours, strict=True):
        data.qpos[address] = values
        mujoco.mj_kinematics(model, data)
        bodies = [data.body(f"hand/{name}") for name in hand.links]
        turns = [body.xmat.reshape(3, 3) for body in bodies]
        theirs = pose.from_rt(turns, [body.xpos for body in bodies])
        deviation = max(deviation, float(np.abs(theirs - links).max()))
    return deviation
