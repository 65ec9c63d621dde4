"""Cases of the shake test that can be worked out by hand."""

import numpy as np
import trimesh

from graspbook import pose
from graspbook.hands import franka
from graspbook.objects import GraspObject
from graspbook.simulation.shake import Shaker


def slip_of_a_box(settings, loads, axis=2, time=0.2):
    """How far (n,), metres, a box gripped at its middle has slipped after `time` under constant loads (n,) in newtons.

    The box is 40 × 50 × 50 mm. The load acts along the hand's `axis` (1 or 2, in the plane of the pads). Two pads pressed by
    F each hold m·a <= 2·friction·F (Coulomb); beyond it the box slides by (load - limit) / m · time² / 2.
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
