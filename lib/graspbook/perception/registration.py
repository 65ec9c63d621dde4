"""Small errors of camera poses, corrected by what several views see of the same things."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from graspbook.errors import CaptureError
from graspbook.perception.normals import estimate_normals
from graspbook.perception.view import View
from graspbook.pose import from_rt, transform

FEWEST = 100  # points of a view near the object
REACH = 0.3  # of the scene around the object that counts at all, metres
_AROUND = 0.05  # of the object, where points are compared, metres
_DRAWN = 60_000  # points of a view
_VOXEL = 0.002  # of points that count once, metres
_OF_EACH_SIDE = 400  # points whose normals point to the same side, of 26
_NOISE = 0.001  # of the distance between a point and a plane, metres
_CORRELATED = 10  # points have about the same noise
_SHIFT, _TURN = 0.01, np.deg2rad(1)  # expected errors: 1 degree at a camera moves an object 1 cm
_FAR = (0.015, 0.008, 0.004)  # of a pair of points, pass by pass, metres
_FACING = 0.8  # cosine between the normals of a pair, at least
_BETTER = 0.8  # of the misfit must be left at most, else poses stay as they are
_ROUNDS = 8  # of least squares in each pass
_MOST_SHIFT, _MOST_TURN = 0.03, np.deg2rad(5)  # of a correction


def aligned(views: Sequence[View], notes: list[str]) -> list[View]:
    """The views with corrected poses; the first keeps its own.

    Each view is moved to all others by iterated least squares of distances between points and
    planes (Chen and Medioni 1992). The object counts, and the table around it. Normals of all
    directions count alike, however many points have them (Rusinkiewicz and Levoy 2001). What the
    points do not fix, as the turn of a round object, stays near the given pose. A view that would
    move by more than 3 cm or 5 degrees keeps its pose: it sees something else.

    views: of one world frame, with errors of a centimetre and a few degrees at most.
    notes: gets how far views were moved, and which were not.

    Raises CaptureError where the views have nothing in common.
    """
    seen = transform(views[0].world_T_camera, views[0].object_points)
    centre, reach = np.median(seen, axis=0), float(np.ptp(seen, axis=0).max()) + _AROUND
    rng, clouds, moving = np.random.default_rng(0), [], []
    scenes = [near(view.scene(), centre, min(reach, REACH)) for view in views]
    check_near(scenes)
    for view, scene in zip(views, scenes, strict=True):
        points = thinned(scene, rng)
        normals = estimate_normals(points, 20, viewpoint=view.world_T_camera[:3, 3])
        clouds.append((points, normals))
        chosen = _of_all_sides(normals, rng)
        moving.append((points[chosen], normals[chosen]))
    moves = [np.eye(4) for _ in views]
    for far in _FAR:
        for number in range(1, len(views)):
            others = [
                (transform(moves[i], points), normals @ moves[i][:3, :3].T)
                for i, (points, normals) in enumerate(clouds)
                if i != number and (far != _FAR[0] or i < number)
            ]
            target = [np.concatenate(part) for part in zip(*others, strict=True)]
            moves[number] = _moved(moving[number], target, moves[number], far)
    before, after = (_misfit(moving, clouds, given) for given in ([np.eye(4)] * len(views), moves))
    if after > _BETTER * before:
        notes.append(
            f"the views were not moved: where they overlap, they fit to {1000 * before:.1f} mm"
        )
        return list(views)
    found, stay = [views[0]], []
    shifts, turns = [0.0], [0.0]
    for number in range(1, len(views)):
        shift = np.linalg.norm(transform(moves[number], centre[None])[0] - centre)
        turn = np.arccos(np.clip((np.trace(moves[number][:3, :3]) - 1) / 2, -1, 1))
        if shift > _MOST_SHIFT or turn > _MOST_TURN:
            stay.append(str(number + 1))
            moves[number] = np.eye(4)
        else:
            shifts.append(float(shift))
            turns.append(float(turn))
        pose = moves[number] @ views[number].world_T_camera
        found.append(replace(views[number], world_T_camera=pose))
    notes.append(
        f"views were moved by at most {1000 * max(shifts):.1f} mm and"
        f" {np.rad2deg(max(turns)):.1f} degrees; where they overlap, they now fit to"
        f" {1000 * after:.1f} mm, before to {1000 * before:.1f} mm"
    )
    if stay:
        notes.append(
            f"warning: views {', '.join(stay)} do not fit the others and kept their poses; check"
            " their camera poses"
        )
    return found


def near(points: np.ndarray, centre: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Points near a place, along each axis.

    points: (M, 3) metres.
    centre: (3,) metres.
    reach: metres.
    """
    return points[(np.abs(points - centre) < reach).all(axis=1)]


def check_near(scenes: Sequence[np.ndarray]) -> None:
    """Raise CaptureError for a view with fewer than 100 points near the object.

    scenes: points (M, 3) near the object in each view.
    """
    for number, scene in enumerate(scenes):
        if len(scene) < FEWEST:
            raise CaptureError(
                f"view {number + 1} of {len(scenes)} has {len(scene)} points near the object in the"
                f" first view, expected at least {FEWEST}; are all camera poses in metres and in"
                " one frame?"
            )


def thinned(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One point of each voxel of 2 mm, of at most 60 000 random points.

    points: (M, 3) metres.
    rng: chooses.
    """
    points = points[rng.permutation(len(points))[:_DRAWN]]
    return points[np.unique(voxels(points, _VOXEL), return_index=True)[1]]


def voxels(points: np.ndarray, size: float) -> np.ndarray:
    """Number (M,) of the voxel of each point.

    points: (M, 3) metres.
    size: of a voxel, metres.
    """
    cells = np.floor(points / size).astype(np.int64)
    cells -= cells.min(axis=0)
    return np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))


def _of_all_sides(normals, rng):
    """Numbers of points, as many for each direction of normals if there are."""
    side = (np.rint(normals).astype(int) + 1) @ [9, 3, 1]
    several = [np.flatnonzero(side == one) for one in np.unique(side)]
    return np.concatenate([rng.permutation(one)[:_OF_EACH_SIDE] for one in several])


def _misfit(moving, clouds, moves):
    """Root mean square distance of points to planes of the other views, metres."""
    squares = []
    for number, (points, normals) in enumerate(moving):
        others = [
            (transform(moves[i], cloud[0]), cloud[1] @ moves[i][:3, :3].T)
            for i, cloud in enumerate(clouds)
            if i != number
        ]
        target, facing = (np.concatenate(part) for part in zip(*others, strict=True))
        at, own = transform(moves[number], points), normals @ moves[number][:3, :3].T
        distance, other = cKDTree(target).query(at, distance_upper_bound=_FAR[0])
        pairs = np.isfinite(distance)
        at, own, other = at[pairs], own[pairs], other[pairs]
        pairs = np.einsum("ij,ij->i", own, facing[other]) > _FACING
        apart = np.einsum("ij,ij->i", target[other] - at, facing[other])[pairs]
        squares.append(apart**2)
    return float(np.sqrt(np.mean(np.concatenate(squares))))


def _moved(cloud, target, move, far):
    """The pose (4, 4) that brings points with normals to a target of points with normals."""
    tree = cKDTree(target[0])
    for _ in range(_ROUNDS):
        at, own = transform(move, cloud[0]), cloud[1] @ move[:3, :3].T
        distance, other = tree.query(at, distance_upper_bound=far)
        pairs = np.isfinite(distance)
        # The two sides of a thin wall are no pair.
        facing = np.einsum("ij,ij->i", own[pairs], target[1][other[pairs]]) > _FACING
        pairs[pairs] = facing
        if pairs.sum() < 50:
            return move
        at, normals = at[pairs], target[1][other[pairs]]
        apart = np.einsum("ij,ij->i", target[0][other[pairs]] - at, normals)
        middle = at.mean(axis=0)
        rows = np.concatenate([np.cross(at - middle, normals), normals], axis=1)
        # The correction so far, of the turn and of the shift at the middle of the points.
        turned = Rotation.from_matrix(move[:3, :3]).as_rotvec()
        before = transform(np.linalg.inv(move), middle[None])[0]
        kept = np.concatenate([turned, middle - before])
        expected = np.diag(np.repeat([_TURN**-2, _SHIFT**-2], 3)) * _NOISE**2 * _CORRELATED
        system = rows.T @ rows + expected
        turn, shift = np.split(np.linalg.solve(system, rows.T @ apart - expected @ kept), 2)
        step = from_rt(Rotation.from_rotvec(turn).as_matrix(), np.zeros(3))
        step[:3, 3] = middle + shift - step[:3, :3] @ middle
        move = step @ move
        if np.abs(turn).max() < 1e-5 and np.abs(shift).max() < 1e-5:
            break
    return move
