"""Which observed points the open hand holds: inside it, and between its fingers."""

import numpy as np

from graspbook import pose
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw

MOST_POINTS = 640 * 480  # within the hand's reach; where there are more they are thinned
VOXEL = 0.003  # metres, in which one point is kept then
_CELL = 0.02  # metres, more than half the diagonal of a cell that is compared as a whole


def contact_check(
    camera_T_hand: np.ndarray, cloud: np.ndarray, *, gripper: ParallelJaw = FRANKA
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the open hand holds points of a cloud inside it, bool (K,), and how many lie between
    its fingers (K,).

    The cloud falls into cells of 2 cm. A hand is compared with points of cells near it alone.

    camera_T_hand: (K, 4, 4) poses of the hand in the camera frame.
    cloud: (M, 3), metres, in the same frame.
    gripper: the parallel-jaw hand that grasps.
    """
    cloud = within_reach(camera_T_hand, cloud, gripper=gripper)
    collides, between = np.zeros(len(camera_T_hand), bool), np.zeros(len(camera_T_hand), int)
    if not len(cloud):
        return collides, between
    numbers = np.unique(_numbers(cloud, _CELL), return_inverse=True)[1].reshape(-1)
    order, counts = np.argsort(numbers, kind="stable"), np.bincount(numbers)
    members = np.split(cloud[order], np.cumsum(counts)[:-1])
    middles = np.array([(some.min(axis=0) + some.max(axis=0)) / 2 for some in members])
    corners = np.concatenate([*gripper.collision_parts(), gripper.region])
    low, high = corners.min(axis=0) - _CELL, corners.max(axis=0) + _CELL
    hands = pose.inverse(camera_T_hand)
    for k, hand in enumerate(hands):
        local = pose.transform(hand, middles)
        near = np.flatnonzero(((local > low) & (local < high)).all(axis=1))
        if len(near):
            local = pose.transform(hand, np.concatenate([members[cell] for cell in near]))
            collides[k] = gripper.points_in_hand(local).any()
            between[k] = gripper.points_in_closing_region(local).sum()
    return collides, between


def _numbers(cloud, side):
    """A number for each point (M,), the same for all points in one cell of a grid."""
    cells = np.floor((cloud - cloud.min(axis=0)) / side).astype(np.int64)
    return np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))


def within_reach(
    camera_T_hand: np.ndarray, cloud: np.ndarray, *, gripper: ParallelJaw = FRANKA
) -> np.ndarray:
    """The points (L, 3) of a cloud that a hand at some poses can hold, in their order.

    camera_T_hand: (K, 4, 4) poses of the hand in the camera frame.
    cloud: (M, 3), metres, in the same frame.
    gripper: the parallel-jaw hand that grasps.
    """
    if not len(camera_T_hand):
        return cloud
    reach = 1e-6 + np.linalg.norm(np.concatenate(gripper.collision_parts()), axis=1).max()
    low, high = camera_T_hand[:, :3, 3].min(axis=0), camera_T_hand[:, :3, 3].max(axis=0)
    return cloud[((cloud > low - reach) & (cloud < high + reach)).all(axis=1)]


def thinned(cloud: np.ndarray) -> np.ndarray:
    """The first point of a cloud in each voxel of 3 mm, (L, 3), in their order.

    A cloud of at most MOST_POINTS stays as it is.

    cloud: (M, 3), metres.
    """
    if len(cloud) <= MOST_POINTS:
        return cloud
    return cloud[np.sort(np.unique(_numbers(cloud, VOXEL), return_index=True)[1])]
