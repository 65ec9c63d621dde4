"""Whether a cloud is what a camera at the origin sees, and bringing it there where it is not."""

from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.one_view import MANY, ONE_VIEW, hidden_share, off_axis
from graspbook.perception.capture_files import read_numbers
from graspbook.perception.extraction import OBJECT_EXTENT
from graspbook.perception.planes import dominant_plane
from graspbook.pose import inverse, transform

_SOME = 100_000  # points are looked at, of more
_EDGE_ON = 0.03  # metres from the origin to a plane that a camera would see from its edge
UP = {sign + axis: place for place, axis in enumerate("xyz") for sign in ("", "+", "-")}
_TURNED = np.diag([1.0, -1.0, -1.0, 1.0])


def camera_T_cloud(
    points: np.ndarray,
    viewpoint: np.ndarray | None,
    notes: list[str],
    *,
    exact: bool = False,
) -> np.ndarray:
    """Pose (4, 4) that brings a cloud into the frame of its camera: x right, y down, z forward.

    The viewpoint is the camera's pose. That of a file without a rotation is turned to look at the
    cloud. A cloud wholly at negative z is of a viewer with y up and z backwards.

    points: (M, 3) finite, metres.
    viewpoint: `cloud_T_camera` (4, 4), or None.
    notes: gets what was assumed, and a warning where the origin cannot be a camera.
    exact: the viewpoint was given by a person, its rotation is meant as it is.
    """
    source = "given" if exact else "file's"
    if viewpoint is not None:
        if not exact and np.allclose(viewpoint[:3, :3], np.eye(3)):
            viewpoint = looking_at(viewpoint[:3, 3], np.median(points, axis=0))
            notes.append(
                f"the file's viewpoint at {_text(viewpoint[:3, 3])} has no rotation: the camera is"
                " assumed to look at the cloud from there"
            )
        else:
            notes.append(
                f"the {source} viewpoint at {_text(viewpoint[:3, 3])} is used as the camera's pose"
            )
        found = inverse(viewpoint)
        if not exact and (transform(found, points)[:, 2] < 0).mean() > 0.99:
            found = _TURNED @ found
    elif (points[:, 2] < 0).mean() > 0.99 and off_axis(points * [1, 1, -1]) < 50:
        notes.append(
            "the cloud is at negative z, as viewers write it (y up, z backwards): y and z were"
            " negated"
        )
        found = _TURNED
    else:
        found = np.eye(4)
    seen = transform(found, points) if viewpoint is not None or found is _TURNED else points
    if reason := _no_camera(seen, exact):
        notes.append(
            f"warning: the origin cannot be the camera of this cloud ({reason}; expected x right, y"
            " down, z forward). The networks take the origin as the point of view: grasps may be"
            " on the wrong side. Say where the camera was: --camera-pose FILE, or --up AXIS"
        )
    return found


def read_camera_pose(path: Path | str, points: np.ndarray) -> np.ndarray:
    """Read `cloud_T_camera` (4, 4): the pose of the camera in the frame of a cloud.

    path: of a .txt, .json or .npy file of 4 × 4 numbers, or of the camera's position alone, which
        then looks at the points.
    points: (M, 3) of the cloud, metres.

    Raises CaptureError when the file is missing or unreadable, or holds no rigid pose.
    """
    numbers = read_numbers(path)
    if numbers.shape == (3,) and np.isfinite(numbers).all():
        return looking_at(numbers, np.median(points, axis=0))
    return rigid_pose(str(path), numbers, ", or three numbers (the position)")


def rigid_pose(source: str, numbers: np.ndarray, otherwise: str = "") -> np.ndarray:
    """The same numbers, if they are a rigid pose (4, 4).

    source: what errors call them.
    numbers: of any shape.
    otherwise: what else is expected, for errors.

    Raises CaptureError for what is no rigid pose.
    """
    numbers = np.asarray(numbers)
    rigid = numbers.dtype.kind in "iuf" and numbers.shape == (4, 4) and np.isfinite(numbers).all()
    if rigid:
        numbers = numbers.astype(float)
        turn = numbers[:3, :3]
        rigid = np.allclose(turn @ turn.T, np.eye(3), atol=1e-3) and np.linalg.det(turn) > 0
    if not rigid or not np.allclose(numbers[3], [0, 0, 0, 1], atol=1e-6):
        raise CaptureError(
            f"{source}: not a pose: shape {numbers.shape}, expected a rigid 4 x 4 matrix with the"
            f" last row 0 0 0 1{otherwise}"
        )
    return numbers


def pose_from_above(points: np.ndarray, up: str) -> np.ndarray:
    """Pose (4, 4) of a camera 0.6 m from a cloud, 45° above it on the side of the origin.

    points: (M, 3) metres.
    up: one of UP, the axis of the cloud's frame that points upwards.

    Raises ParameterError for another axis.
    """
    if up not in UP:
        raise ParameterError(f"--up {up}: expected x, y or z, or -x, -y or -z")
    axis = np.eye(3)[UP[up]] * (-1 if up.startswith("-") else 1)
    middle = np.median(points, axis=0)
    side = -middle + (middle @ axis) * axis
    if np.linalg.norm(side) < 0.05:  # the origin is below or above: any side does
        side = np.roll(axis, 1)
    direction = side / np.linalg.norm(side) + axis
    return looking_at(middle + 0.6 * direction / np.linalg.norm(direction), middle, axis)


def looking_at(
    position: np.ndarray, target: np.ndarray, up: np.ndarray | None = None
) -> np.ndarray:
    """Pose (4, 4) of a camera that looks at a point, its y axis as far down as can be.

    position: (3,) of the camera.
    target: (3,) that it looks at.
    up: (3,) of unit length, z if omitted.
    """
    up = np.array([0, 0, 1.0]) if up is None else up
    pose = np.eye(4)
    forward = np.asarray(target, float) - position
    forward /= max(np.linalg.norm(forward), 1e-12)
    down = -up if abs(forward @ up) < 0.99 else -np.roll(up, -1)
    right = np.cross(down, forward)
    right /= np.linalg.norm(right)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def _no_camera(points, exact):
    """Why no camera at the origin saw these points, in words, "" if one can have."""
    points = points[:: max(1, len(points) // _SOME)]
    behind = (points[:, 2] <= 0).mean()
    if behind > 0.01:
        return f"{behind:.0%} of the points lie behind it"
    if (angle := off_axis(points)) > 50:
        return f"the points lie {angle:.0f} degrees off its axis"
    if exact:
        return ""
    _, offset, share = dominant_plane(points, np.random.default_rng(0))
    if share > 0.3 and abs(offset) < _EDGE_ON and np.ptp(points, axis=0).max() > OBJECT_EXTENT:
        return "the origin lies in the largest plane, like a robot's base on its table"
    seen = points[points[:, 2] > 0.05]
    if len(seen) >= MANY and (hidden := hidden_share(seen)) > ONE_VIEW:
        return f"from there, {hidden:.0%} of the points are in front of or behind others"
    return ""


def _text(position):
    return "(" + ", ".join(f"{value:.3g}" for value in position) + ")"
