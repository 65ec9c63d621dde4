"""Grasp Pose Detection, candidates and their images: the baseline of section 4.2 (ten Pas,
Gualtieri, Saenko, Platt 2017, "Grasp Pose Detection in Point Clouds", IJRR).

A candidate starts from the Darboux frame of an observed point. The hand approaches against the
normal, its fingers close along the major curvature; it is turned about the axis of the minor
curvature, shifted along the closing direction, and pushed forward until it touches the cloud. What
lies in its closing region is then drawn as 15 images for a network (`gpd_network`).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import franka
from graspbook.perception.normals import darboux_frames

IMAGE, CHANNELS = 60, 15
_SHADOW = 20  # cells a side in which the occluded space is found; IMAGE is a multiple
_CELL = 0.001  # of the hand's front
_LARGEST_SHIFT = 60  # cells: more than half the aperture of any hand
_MARGIN = 0.001  # around the hand: more than half the diagonal of a cell


@dataclass(frozen=True)
class HandShape:
    """An open two-finger hand in the grasp frame, metres.

    parts: vertices (V, 3) of its convex parts. Between the fingers is |x| < aperture / 2, |y| <
    half_height, root < z < tip; some of the object must be in front of z = grip.
    """

    parts: list
    aperture: float
    half_height: float
    root: float
    grip: float
    tip: float

    @property
    def region(self):
        """Corners (2, 3) of the space between the fingers."""
        return np.array(
            [
                [-self.aperture / 2, -self.half_height, self.root],
                [self.aperture / 2, self.half_height, self.tip],
            ]
        )


def _box(low, high):
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def _two_fingers(finger_width, outer_diameter, depth, height, tip):
    """The hand of GPD: two boxes of fingers on a box of a base."""
    outer, inner, half, root = (
        outer_diameter / 2,
        outer_diameter / 2 - finger_width,
        height / 2,
        tip - depth,
    )
    parts = [
        _box((-outer, -half, root - finger_width), (outer, half, root)),
        _box((inner, -half, root), (outer, half, tip)),
        _box((-outer, -half, root), (-inner, half, tip)),
    ]
    return HandShape(parts, 2 * inner, half, root, root, tip)


# The Franka grips with its pads alone, from 2 mm behind their middle. "gpd": the sizes in
# cfg/hand_geometry.cfg of the released code (atenpas/gpd), its tips where the Franka's are.
HANDS = {
    "franka": HandShape(
        franka.collision_parts(),
        franka.MAX_OPENING,
        franka.PAD_HALF_WIDTH,
        franka.FINGER_MOUNT,
        franka.PAD_CENTRE_Z - 0.002,
        franka.TIP_Z,
    ),
    "gpd": _two_fingers(
        finger_width=0.01, outer_diameter=0.12, depth=0.06, height=0.02, tip=franka.TIP_Z
    ),
}


@dataclass(frozen=True)
class GpdSettings:
    """The choices of GPD.

    hand: "franka", or "gpd", its own. neighbours: of a normal. radius (m): of the neighbourhood of
    a Darboux frame. orientations: about the axis of curvature, over half a turn. placements: along
    the closing direction, over the aperture. bite (m): how far the object must reach between the
    fingers. points: of a cloud, larger ones are thinned.

    radius, orientations and placements are the released code's (cfg/eigen_params.cfg). Ours are
    hand, neighbours, bite, and points, instead of voxels of 3 mm; and `draw_candidates` ends at a
    number of candidates, where the released code tries every orientation at num_samples = 30
    points.
    """

    hand: str = "franka"
    neighbours: int = 30
    radius: float = 0.01
    orientations: int = 8
    placements: int = 10
    bite: float = 0.01
    points: int = 4096

    def __post_init__(self):
        if self.hand not in HANDS:
            raise ParameterError(f"GPD hand {self.hand!r}, expected one of {', '.join(HANDS)}")
        if self.orientations < 1 or not 1 <= self.placements <= 40:
            raise ParameterError(f"GPD needs orientations >= 1 and 1 to 40 placements: {self}")


def draw_candidates(cloud, normals, n, settings, rng, whole=None):
    """Up to n candidates `camera_T_hand` (K, 4, 4) on a cloud (M, 3) with normals (M, 3), camera
    frame.

    n points are drawn, all of them if there are fewer. Each gets one orientation, the next one once
    all have had theirs, until n candidates are found: they spread over the points. Each is the
    middle one of the placements where the hand, coming from afar, touches no point of the cloud,
    and the object reaches between its fingers. whole (W, 3): all that was observed, where the cloud
    is thinned; the hand touches nothing of it either.
    """
    hand = HANDS[settings.hand]
    tried = rng.permutation(len(cloud))[:n]
    frames = darboux_frames(cloud, normals, tried, settings.radius)
    frames[..., 1:] *= rng.choice([-1.0, 1.0], len(tried))[
        :, None, None
    ]  # the sign of an axis is arbitrary
    order = rng.permuted(
        np.tile(np.arange(settings.orientations), (len(tried), 1)), axis=1
    ).T.ravel()
    turns = np.pi / settings.orientations * (order - settings.orientations // 2)
    points, frames = (
        np.tile(cloud[tried], (settings.orientations, 1)),
        np.tile(frames, (settings.orientations, 1, 1)),
    )
    approach = -(np.cos(turns)[:, None] * frames[..., 0] + np.sin(turns)[:, None] * frames[..., 1])
    rotations = np.stack([np.cross(frames[..., 2], approach), frames[..., 2], approach], axis=-1)
    found, count = [np.zeros((0, 4, 4))], 0
    for start in range(0, len(points), 32):
        placed = _place(
            cloud, points[start : start + 32], rotations[start : start + 32], hand, settings
        )
        if whole is not None:
            placed = placed[~_touches(whole, placed, settings.hand)]
        found.append(placed)
        count += len(placed)
        if count >= n:
            break
    return np.concatenate(found)[:n]


def _place(cloud, points, rotations, hand, settings):
    """Candidates (K, 4, 4) at points (S, 3) in rotations (S, 3, 3), of those that have a place."""
    front = _front(settings.hand)
    local = (cloud @ rotations - points[:, None] @ rotations).astype(np.float32)
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    step = round(hand.aperture / settings.placements / _CELL)
    shifts = step * (np.arange(settings.placements) - settings.placements // 2)
    cell = _cells(x, y, front)
    between = np.abs(y) < hand.half_height
    low, high = np.where(between, z, np.inf), np.where(between, z, -np.inf)
    advance, valid = np.empty((2, len(points), len(shifts)))
    for k, shift in enumerate(shifts):
        contact = (z - front.ravel().take(cell - shift * front.shape[1])).min(axis=1)
        strip = np.abs(x - shift * _CELL) < hand.aperture / 2
        first = np.where(strip, low, np.inf).min(axis=1)
        last = np.where(strip, high, -np.inf).max(axis=1)
        advance[:, k] = np.minimum(contact, last - hand.grip)
        valid[:, k] = first <= advance[:, k] + hand.tip - settings.bite
    rank = np.cumsum(valid, axis=1)
    middle = np.argmax(rank > rank[:, -1:] // 2, axis=1)
    some = np.flatnonzero(rank[:, -1])
    middle, rotations = middle[some], rotations[some]
    offset = np.stack([shifts[middle] * _CELL, np.zeros(len(some)), advance[some, middle]], axis=-1)
    return pose.from_rt(rotations, points[some] + (rotations @ offset[..., None])[..., 0])


def _touches(points, grasps, name):
    """Whether the hand at poses (K, 4, 4) touches any of the points (W, 3), there or on its way:
    bool (K,).
    """
    front = _front(name)
    x, y, z = np.moveaxis(pose.transform(pose.inverse(grasps), points), -1, 0)
    return (z < front.ravel().take(_cells(x, y, front)) - _MARGIN / 2).any(axis=1)


def _cells(x, y, front):
    """Index of the cell of the front, flattened, that points at x, y lie in; beside it the
    border's, far enough to be shifted.
    """
    rows, columns = front.shape
    row = np.clip(np.floor(x / _CELL) + rows // 2, _LARGEST_SHIFT, rows - 1 - _LARGEST_SHIFT)
    return (row * columns + np.clip(np.floor(y / _CELL) + columns // 2, 0, columns - 1)).astype(
        np.int32
    )


@cache
def _front(name):
    """The hand seen from the front: largest z (A, B) float32 of the hand grown by the margin over
    cells in x and y, -inf beside it, with a border wide enough for every shift.
    """
    hand = HANDS[name]
    half = np.ceil(np.abs(np.concatenate(hand.parts)[:, :2]).max(axis=0) / _CELL).astype(int) + 3
    half[0] += 2 * _LARGEST_SHIFT
    x, y = (np.arange(-h, h) * _CELL + _CELL / 2 for h in half)
    front = np.full((len(x), len(y)), -np.inf)
    for part in hand.parts:
        faces = np.unique(ConvexHull(part).equations.round(12), axis=0)
        level = faces[:, 0] * x[:, None, None] + faces[:, 1] * y[:, None] + faces[:, 3] - _MARGIN
        slope = faces[:, 2]
        above, below = slope > 1e-9, slope < -1e-9
        top = (-level[..., above] / slope[above]).min(axis=-1)
        bottom = (-level[..., below] / slope[below]).max(axis=-1)
        inside = (level[..., ~above & ~below] < 0).all(axis=-1) & (top > bottom)
        front = np.where(inside, np.maximum(front, top), front)
    return front.astype(np.float32)


def draw_images(cloud, normals, grasps, settings):
    """Images (K, 15, 60, 60) uint8 of what grasps (K, 4, 4) `camera_T_hand` have between their
    fingers, camera frame.

    The space between the fingers is projected along each axis of the hand. Channels of each
    projection: the average depth of the points over a pixel (1 to 255 along the axis), their
    average normal in the hand's frame (three, 128 + 127 n), and the average depth of the occluded
    space, behind the observed points as the camera sees it; 0, or 128 in normals, where there is
    none. A point counts in the 3 × 3 pixels around its own, so that clouds of a few thousand points
    leave no holes.
    """
    low, high = HANDS[settings.hand].region
    occluded = occlusion(cloud)
    images = (
        [
            _images(cloud, normals, block, low, high, occluded)
            for block in np.array_split(grasps, -(-len(grasps) // 16))
        ]
        if len(grasps)
        else []
    )
    return np.concatenate([np.zeros((0, CHANNELS, IMAGE, IMAGE), np.uint8), *images])


def _images(cloud, normals, grasps, low, high, occluded):
    count = len(grasps)
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


def occlusion(cloud, behind=0.004):
    """A function that tells which points (Q, 3) the cloud (M, 3) hides from the camera, at the
    origin: bool (Q,).

    A depth image in the direction of the cloud's mean, half a point spacing a pixel, has in each
    pixel the depth of the nearest point, none where that is further than 1.5 spacings. Hidden is
    what lies more than `behind` metres behind.
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
