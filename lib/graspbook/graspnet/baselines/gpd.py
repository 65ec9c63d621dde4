"""Grasp Pose Detection, candidates and their images: the baseline of section 4.2 (ten Pas,
Gualtieri, Saenko, Platt 2017, "Grasp Pose Detection in Point Clouds", IJRR).

A candidate starts from the Darboux frame of an observed point. The hand approaches against the
normal, and its fingers close along the major curvature. It is turned about the axis of the minor
curvature, shifted along the closing direction, and pushed forward until it touches the cloud. The
points in its closing region are then drawn as 15 images (`gpd_images`) for a network
(`gpd_network`).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands.grippers import GRIPPERS
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw, half_spaces, slab
from graspbook.perception.normals import darboux_frames

_CELL = 0.001  # of the hand's front
_LARGEST_SHIFT = 60  # cells: more than half the aperture of any hand
_MARGIN = 0.001  # around the hand: more than half the diagonal of a cell


# GPD's own hand: a box with two boxes as fingers, with the fingertips of the Franka Hand. Sizes of
# cfg/hand_geometry.cfg in the released code (atenpas/gpd): finger width, outer diameter, depth and
# height.
_WIDTH, _OUTER, _ROOT, _HALF = 0.01, 0.12 / 2, FRANKA.tip_z - 0.06, 0.02 / 2
_INNER = _OUTER - _WIDTH
OWN = ParallelJaw(
    name="gpd",
    title="hand of GPD",
    opening=2 * _INNER,
    mount_z=_ROOT,
    tip_z=FRANKA.tip_z,
    pad_z=(_ROOT + FRANKA.tip_z) / 2,
    pad_half_width=_HALF,
    pad_half_height=(FRANKA.tip_z - _ROOT) / 2,
    grip_z=_ROOT,
    palm=slab([(_ROOT - _WIDTH, -_OUTER, _OUTER, _HALF), (_ROOT, -_OUTER, _OUTER, _HALF)]),
    finger={
        "finger": slab([(z, 0.0, _OUTER - _INNER, _HALF) for z in (0.0, FRANKA.tip_z - _ROOT)])
    },
    control_points=FRANKA.control_points,
)
HANDS = {"franka": FRANKA, "gpd": OWN} | {
    name: hand for name, hand in GRIPPERS.items() if hand is not FRANKA
}


@dataclass(frozen=True)
class GpdSettings:
    """The choices of GPD.

    radius, orientations and placements are the released code's (cfg/eigen_params.cfg). hand,
    neighbours and bite are ours, and points, instead of voxels of 3 mm. `draw_candidates` ends at a
    number of candidates. The released code tries every orientation at num_samples = 30 points.

    hand: "franka", "gpd", its own, or another of `hands.grippers`.
    neighbours: of a normal.
    radius: of the neighbourhood of a Darboux frame, metres.
    orientations: about the axis of curvature, over half a turn.
    placements: along the closing direction, over the opening.
    bite: how far the object must reach between the fingers, metres.
    points: of a cloud; larger clouds are thinned.
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
            raise ParameterError(f"{self}: expected orientations >= 1, and 1 to 40 placements")


def draw_candidates(
    cloud: np.ndarray,
    normals: np.ndarray,
    n: int,
    settings: GpdSettings,
    rng: np.random.Generator,
    *,
    whole: np.ndarray | None = None,
) -> np.ndarray:
    """Candidates `camera_T_hand` (K, 4, 4) on a cloud, camera frame.

    n points are drawn, or all of them if there are fewer. Orientations are tried in turn: each at
    all points before the next, until n candidates are found. The candidates thus spread over the
    points. A placement is valid if the hand, coming from afar, touches no point, and the object
    reaches between its fingers. A candidate is the middle one of the valid placements.

    cloud, normals: (M, 3).
    n: number of grasps at most.
    settings: the choices.
    rng: generator that draws the points.
    whole: (W, 3), all observed points, if the cloud is thinned; the hand touches none of these
        either.
    """
    hand = HANDS[settings.hand]
    tried = rng.permutation(len(cloud))[:n]
    frames = darboux_frames(cloud, normals, tried, settings.radius)
    signs = rng.choice([-1.0, 1.0], len(tried))
    frames[..., 1:] *= signs[:, None, None]  # the sign of an axis is arbitrary
    turn, count = settings.orientations, len(tried)
    order = rng.permuted(np.tile(np.arange(turn), (count, 1)), axis=1).T.ravel()
    turns = np.pi / turn * (order - turn // 2)
    points, frames = np.tile(cloud[tried], (turn, 1)), np.tile(frames, (turn, 1, 1))
    approach = -(np.cos(turns)[:, None] * frames[..., 0] + np.sin(turns)[:, None] * frames[..., 1])
    rotations = np.stack([np.cross(frames[..., 2], approach), frames[..., 2], approach], axis=-1)
    found, count = [np.zeros((0, 4, 4))], 0
    for start in range(0, len(points), 32):
        block = slice(start, start + 32)
        placed = _place(cloud, points[block], rotations[block], hand, settings)
        if whole is not None:
            placed = placed[~_touches(whole, placed, hand)]
        found.append(placed)
        count += len(placed)
        if count >= n:
            break
    return np.concatenate(found)[:n]


def _place(cloud, points, rotations, hand, settings):
    """Candidates (K, 4, 4) at points (S, 3) in rotations (S, 3, 3), where a placement is valid."""
    front = _front(hand)
    local = (cloud @ rotations - points[:, None] @ rotations).astype(np.float32)
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    step = round(hand.opening / settings.placements / _CELL)
    shifts = step * (np.arange(settings.placements) - settings.placements // 2)
    cell = _cells(x, y, front)
    between = np.abs(y) < hand.pad_half_width
    low, high = np.where(between, z, np.inf), np.where(between, z, -np.inf)
    advance, valid = np.empty((2, len(points), len(shifts)))
    for k, shift in enumerate(shifts):
        contact = (z - front.ravel().take(cell - shift * front.shape[1])).min(axis=1)
        strip = np.abs(x - shift * _CELL) < hand.opening / 2
        first = np.where(strip, low, np.inf).min(axis=1)
        last = np.where(strip, high, -np.inf).max(axis=1)
        advance[:, k] = np.minimum(contact, last - hand.grip_z)
        valid[:, k] = first <= advance[:, k] + hand.tip_z - settings.bite
    rank = np.cumsum(valid, axis=1)
    middle = np.argmax(rank > rank[:, -1:] // 2, axis=1)
    some = np.flatnonzero(rank[:, -1])
    middle, rotations = middle[some], rotations[some]
    offset = np.stack([shifts[middle] * _CELL, np.zeros(len(some)), advance[some, middle]], axis=-1)
    return pose.from_rt(rotations, points[some] + (rotations @ offset[..., None])[..., 0])


def _touches(points, grasps, hand):
    """Whether the hand at poses (K, 4, 4) touches any of the points (W, 3), there or on its
    approach: bool (K,).
    """
    front = _front(hand)
    x, y, z = np.moveaxis(pose.transform(pose.inverse(grasps), points), -1, 0)
    return (z < front.ravel().take(_cells(x, y, front)) - _MARGIN / 2).any(axis=1)


def _cells(x, y, front):
    """Index of the front's cell, flattened, that contains the points at x, y. Points outside get a
    cell of the border, far enough for every shift.
    """
    rows, columns = front.shape
    row = np.clip(np.floor(x / _CELL) + rows // 2, _LARGEST_SHIFT, rows - 1 - _LARGEST_SHIFT)
    return (row * columns + np.clip(np.floor(y / _CELL) + columns // 2, 0, columns - 1)).astype(
        np.int32
    )


@cache
def _front(hand):
    """The hand seen from the front: largest z (A, B) float32 of the hand, grown by the margin, over
    cells in x and y. It is -inf outside of the hand, and has a border wide enough for every shift.
    """
    parts = hand.collision_parts()
    half = np.ceil(np.abs(np.concatenate(parts)[:, :2]).max(axis=0) / _CELL).astype(int) + 3
    half[0] += 2 * _LARGEST_SHIFT
    x, y = (np.arange(-h, h) * _CELL + _CELL / 2 for h in half)
    front = np.full((len(x), len(y)), -np.inf)
    for part in parts:
        faces = half_spaces(part)
        level = faces[:, 0] * x[:, None, None] + faces[:, 1] * y[:, None] + faces[:, 3] - _MARGIN
        slope = faces[:, 2]
        above, below = slope > 1e-9, slope < -1e-9
        top = (-level[..., above] / slope[above]).min(axis=-1)
        bottom = (-level[..., below] / slope[below]).max(axis=-1)
        inside = (level[..., ~above & ~below] < 0).all(axis=-1) & (top > bottom)
        front = np.where(inside, np.maximum(front, top), front)
    return front.astype(np.float32)
