"""What is grasped in trials, and how it lies."""

import numpy as np

from graspbook import pose
from graspbook.objects.trial_objects import make_trial_object
from graspbook.robots import trial_subjects
from graspbook.robots.fr3 import FR3
from graspbook.robots.trial_subjects import PLACE, SCATTER, trial_poses

BOX = make_trial_object("jello_strawberry")


def test_poses_are_on_the_table_near_the_place_and_can_be_grasped(monkeypatch):
    monkeypatch.setattr(trial_subjects, "_CANDIDATES", 60)
    accept = trial_subjects._graspable(BOX, FR3)
    monkeypatch.setattr(trial_subjects, "_graspable", lambda *_: accept)
    poses = trial_poses(BOX, 2, seed=3)
    np.testing.assert_array_equal(poses, trial_poses(BOX, 2, seed=3))
    assert len(poses) == 2 and np.abs(poses - trial_poses(BOX, 2, seed=4)).max() > 1e-3
    for base_T_object in poses:
        placed = pose.transform(base_T_object, BOX.mesh.vertices)
        assert abs(placed[:, 2].min()) < 1e-3
        assert np.abs(placed.mean(axis=0)[:2] - PLACE).max() <= SCATTER + 1e-3
    assert all(accept(base_T_object) for base_T_object in poses)
    assert not accept(pose.from_rt(np.eye(3), [0, 0, -0.5]))  # where the hand would be in the table
