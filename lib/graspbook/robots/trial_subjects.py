"""What is grasped in trials, and how it lies on the table."""

from dataclasses import dataclass

import numpy as np

from graspbook.graspnet.candidates import propose_antipodal
from graspbook.objects.grasp_object import GraspObject
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.fr3 import FR3
from graspbook.robots.planning import TURNED
from graspbook.robots.scene import hand_clears_table
from graspbook.simulation.shake import Shaker
from graspbook.simulation.tabletop import stable_poses
from graspbook.storage import content_hash, object_hash

PLACE = np.array([0.50, 0.0])  # where objects stand, base frame, metres
SCATTER = 0.03  # how far from there
_CANDIDATES, _FEWEST = 1000, 5


@dataclass(frozen=True)
class Subject:
    """An object of the trials: a GraspObject, its mass (kg) and its category in the tables."""

    obj: GraspObject
    mass: float
    category: str

    def content_hash(self) -> str:
        """Hash of its shape and mass."""
        return content_hash(object_hash(self.obj), self.mass)


def trial_poses(obj: GraspObject, count: int, seed: int = 0, *, arm: ArmModel = FR3) -> np.ndarray:
    """Poses base_T_object (count or fewer, 4, 4) of an object resting on the table, the likeliest
    first, about `PLACE`.

    Only poses in which the hand, with its camera, can hold it: of 1000 antipodal grasps of the true
    shape at least five succeed in the shake test and keep clear of the table, whatever any method
    finds. Raises MeshError where there is none.

    obj: `GraspObject` that is to be grasped, metres.
    count: number of poses that are wanted.
    seed: of where and how it is turned.
    arm: model of the arm, with its hand and camera.
    """
    poses = stable_poses(obj, count, seed, _graspable(obj, arm))
    shifts = np.random.default_rng([seed, 7]).uniform(-SCATTER, SCATTER, (len(poses), 2))
    poses[:, :2, 3] += PLACE + shifts
    return poses


def _graspable(obj, arm):
    """A function of world_T_object (4, 4): whether the hand can hold the object there."""
    shaker = Shaker(obj)
    grasps = propose_antipodal(obj.mesh, _CANDIDATES, np.random.default_rng(0))
    holds = grasps[shaker.test(grasps, grade=False).success]

    def accept(world_T_object):
        ways = (world_T_object @ holds, world_T_object @ holds @ TURNED)
        clear, turned = (hand_clears_table(placed, 0.0, arm=arm) for placed in ways)
        return (clear | turned).sum() >= _FEWEST

    return accept
