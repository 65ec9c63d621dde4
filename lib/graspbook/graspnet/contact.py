"""Which observed points the open hand holds: inside it, and between its fingers."""

import numpy as np

from graspbook import pose
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw

MOST_POINTS = 640 * 480  # within the hand's reach; where there are more they are thinned
VOXEL = 0.003  # metres, in which one point is kept then
_AT_ONCE = 3_000_000  # points in all poses checked together


def contact_check(
    camera_T_hand: np.ndarray, cloud: np.ndarray, *, chunk: int = 32, gripper: ParallelJaw = FRANKA
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the open hand holds points of a cloud inside it, bool (K,), and how many lie between
    its fingers (K,).

    camera_T_hand: (K, 4, 4).
    cloud: (M, 3), metres, in the same frame.
    chunk: poses checked together, fewer of a large cloud.
    gripper: the hand.
    """
    cloud = within_reach(camera_T_hand, cloud, gripper=gripper)
    chunk = max(1, min(chunk, _AT_ONCE // max(len(cloud), 1)))
    collides, between = [], []
    for start in range(0, max(1, len(camera_T_hand)), chunk):
        local = pose.transform(pose.inverse(camera_T_hand[start : start + chunk]), cloud)
        collides.append(gripper.points_in_hand(local).any(axis=1))
        between.append(gripper.points_in_closing_region(local).sum(axis=1))
    return np.concatenate(collides), np.concatenate(between)


def within_reach(
    camera_T_hand: np.ndarray, cloud: np.ndarray, *, gripper: ParallelJaw = FRANKA
) -> np.ndarray:
    """The points (L, 3) of a cloud that a hand at some poses can hold, in their order.

    camera_T_hand: (K, 4, 4).
    cloud: (M, 3), metres, in the same frame.
    gripper: the hand.
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
    cells = np.floor((cloud - cloud.min(axis=0)) / VOXEL).astype(np.int64)
    numbers = np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))
    return cloud[np.sort(np.unique(numbers, return_index=True)[1])]
