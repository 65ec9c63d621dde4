"""Grasp Pose Detection, the images: the points between a candidate's fingers, drawn for the network
(`gpd_network`).
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from graspbook import pose
from graspbook.graspnet.baselines.gpd import HANDS, GpdSettings

IMAGE, CHANNELS = 60, 15
_SHADOW = 20  # cells per side in which the occluded space is found; IMAGE is a multiple


def draw_images(
    cloud: np.ndarray, normals: np.ndarray, grasps: np.ndarray, settings: GpdSettings
) -> np.ndarray:
    """Images (K, 15, 60, 60) uint8 of the points between the fingers of grasps.

    The space between the fingers is projected along each axis of the hand. Channels of each
    projection: the average depth of the points over a pixel (1 to 255 along the axis), their
        average normal in the hand's frame (three, 128 + 127 n), and the average depth of the
        occluded space, behind the observed points as the camera sees it; 0, or 128 in normals,
        where there is none. A point counts in the 3 × 3 pixels around its own, so that clouds of a
        few thousand points leave no holes.

    cloud, normals: (M, 3), camera frame.
    grasps: (K, 4, 4) `camera_T_hand`.
    settings: whose hand.
    """
    region, occluded = HANDS[settings.hand].region, occlusion(cloud)
    images = [np.zeros((0, CHANNELS, IMAGE, IMAGE), np.uint8)]
    if len(grasps):
        blocks = np.array_split(grasps, -(-len(grasps) // 16))
        images += [_images(cloud, normals, block, region, occluded) for block in blocks]
    return np.concatenate(images)


def _images(cloud, normals, grasps, region, occluded):
    count, (low, high) = len(grasps), region
    local = (pose.transform(pose.inverse(grasps), cloud) - low) / (high - low)
    grasp, point = np.nonzero(((local >= 0) & (local < 1)).all(axis=-1))
    local = local[grasp, point]
    turned = (normals[point][:, None] @ grasps[grasp][:, :3, :3])[:, 0]
    pixel = (local * IMAGE).astype(np.int64) + 1
    place = np.concatenate(
        [
            ((3 * grasp + axis) * (IMAGE + 2) + pixel[:, b]) * (IMAGE + 2) + pixel[:, c]
            for axis, (b, c) in enumerate([(1, 2), (0, 2), (0, 1)])
        ]
    )
    values = [None, local.T.ravel(), *(np.tile(turned[:, i], 3) for i in range(3))]
    sums = np.stack(
        [np.bincount(place, value, 3 * count * (IMAGE + 2) ** 2) for value in values]
    ).astype(np.float32)
    sums = sums.reshape(5, count, 3, IMAGE + 2, IMAGE + 2)
    sums = sums[..., :-2, :] + sums[..., 1:-1, :] + sums[..., 2:, :]
    sums = sums[..., :-2] + sums[..., 1:-1] + sums[..., 2:]
    seen = sums[0] > 0
    average = sums[1:] / np.maximum(sums[0], 1)
    images = np.empty((count, 3, 5, IMAGE, IMAGE), np.uint8)
    images[:, :, 0] = np.where(seen, 1 + 254 * average[0], 0)
    images[:, :, 1:4] = np.rint(128 + 127 * average[1:]).transpose(1, 2, 0, 3, 4)

    depth = (np.arange(_SHADOW) + 0.5) / _SHADOW
    grid = low + np.stack(np.meshgrid(depth, depth, depth, indexing="ij"), axis=-1).reshape(
        -1, 3
    ) * (high - low)
    shadow = occluded(pose.transform(grasps, grid).reshape(-1, 3)).reshape(
        count, _SHADOW, _SHADOW, _SHADOW
    )
    for axis in range(3):
        along = np.moveaxis(shadow, 1 + axis, -1).astype(np.float32)
        cells = along.sum(axis=-1)
        values = np.where(cells > 0, 1 + 254 * (along @ depth) / np.maximum(cells, 1), 0).astype(
            np.uint8
        )
        images[:, axis, 4] = values.repeat(IMAGE // _SHADOW, axis=1).repeat(
            IMAGE // _SHADOW, axis=2
        )
    return images.reshape(count, CHANNELS, IMAGE, IMAGE)


def occlusion(cloud: np.ndarray, *, behind: float = 0.004) -> Callable[[np.ndarray], np.ndarray]:
    """A function that says which points (Q, 3) a cloud hides from the camera: bool (Q,).

    It uses a depth image in the direction of the cloud's mean, with half a point spacing per pixel.
    A pixel has the depth of the nearest point, or none if that is further than 1.5 spacings.

    cloud: (M, 3), with the camera at the origin.
    behind: smallest distance behind the cloud of a hidden point, metres.
    """
    turn = pose.align_z(cloud.mean(axis=0))
    seen = cloud @ turn
    seen, depth = seen[:, :2] / seen[:, 2:], seen[:, 2]
    tree = cKDTree(seen)
    spacing = max(
        2 * np.median(tree.query(seen, 2)[0][:, 1]), 1e-3
    )  # of random points: twice the nearest one's distance
    low, width = seen.min(axis=0) - 2 * spacing, np.ptp(seen, axis=0) + 4 * spacing
    pixels = np.ceil(width / (spacing / 2)).astype(int)
    grid = (
        np.stack(np.meshgrid(*(np.arange(p) + 0.5 for p in pixels), indexing="ij"), axis=-1)
        * (spacing / 2)
        + low
    )
    nearest = tree.query(grid, distance_upper_bound=1.5 * spacing)[1]
    image = np.append(depth, np.inf)[nearest]  # a neighbour that is not there has the index M

    def occluded(points):
        turned = points @ turn
        u, v = (
            np.clip(
                (turned[:, i] / turned[:, 2] - low[i]) * (2 / spacing), 0, pixels[i] - 1
            ).astype(int)
            for i in (0, 1)
        )
        return turned[:, 2] > image[u, v] + behind

    return occluded
