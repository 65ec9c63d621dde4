"""Cases of the shake test that can be worked out by hand, and kinematics against MuJoCo's."""

import mujoco
import numpy as np
import trimesh

from graspbook import pose
from graspbook.hands import franka, mjcf
from graspbook.objects import GraspObject
from graspbook.simulation.shake import Shaker


def slip_of_a_box(settings, loads, axis=2, time=0.2):
    """How far (n,), metres, a box gripped at its middle has slipped after `time` under constant
    loads (n,) in newtons.

    The box is 40 × 50 × 50 mm. The load acts along the hand's `axis` (1 or 2, in the plane of the
    pads). Two pads pressed by F each hold m·a <= 2·friction·F (Coulomb); beyond it the box slides
    by (load - limit) / m · time² / 2.
    """
    mesh = trimesh.creation.box((0.04, 0.05, 0.05))
    shaker = Shaker(GraspObject("box", "box", mesh, (mesh,)), settings, threads=1)
    grasp = pose.from_rt(np.eye(3), [0.0, 0.0, -franka.PAD_CENTRE_Z])[None]
    states = np.repeat(shaker.grip(grasp)[0], len(loads), axis=0)
    steps = round(time / settings.timestep)
    wrench = np.zeros((len(loads), steps, 6))
    wrench[:, :, axis] = np.asarray(loads, float)[:, None]
    after, _, _ = shaker.roll(states, steps, wrench)
    return np.abs(after[:, -1] - states)[:, 3 + axis]


def kinematics_deviation(hand, postures, seed):
    """Largest difference of any number in the poses (4, 4) of a hand's links as `Hand.forward` and
    as MuJoCo give them.
    """
    import torch

    spec = mujoco.MjSpec()
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    data, address = (
        mujoco.MjData(model),
        [model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints],
    )
    joints = np.random.default_rng(seed).uniform(*hand.limits.T, (postures, len(hand.joints)))
    deviation = 0.0
    for values, links in zip(
        hand.expand(joints), hand.forward(torch.as_tensor(joints)).numpy(), strict=True
    ):
        data.qpos[address] = values
        mujoco.mj_kinematics(model, data)
        bodies = [data.body(f"hand/{name}") for name in hand.links]
        theirs = pose.from_rt(
            [body.xmat.reshape(3, 3) for body in bodies], [body.xpos for body in bodies]
        )
        deviation = max(deviation, float(np.abs(theirs - links).max()))
    return deviation
