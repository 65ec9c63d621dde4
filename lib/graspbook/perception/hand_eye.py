"""Where the camera sits on the hand: the hand-eye transform from a file, and a check of it.

The transform maps the camera's frame (x right, y down, z forward) to the hand's grasp frame. Our
JSON, `hand_T_camera`, is in these frames. Files of other programs, and bare matrices, are taken to
mean Franka's own hand frame where they name no other, and are converted; `hands.franka` has the
turn. Franka's flange (link8) is the hand turned by 45 degrees about z, its TCP (EE, hand_tcp) is
103.4 mm ahead. The check is on views of a calibration board.
"""

import re
from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull

from graspbook.errors import CaptureError, ParameterError
from graspbook.hands.franka import FRANKA_T_GRASP
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.perception.hand_eye_formats import read_mount
from graspbook.pose import from_rt, inverse, rotation_about

FURTHEST = 0.3  # of the camera from the hand, metres
SURELY_MILLIMETRES = 3.0  # a distance in files that do not say
RIGID = 1e-3  # entries of RᵀR may differ so much from the identity's
FEWEST_VIEWS = 3
LEAST_TURN = np.deg2rad(5)  # between two views of the board
_FLANGE_OFF = 8.0  # degrees about 45 that look like a flange taken for the hand
_SKIN = 0.003  # metres; a camera deeper in the hand is inside it
_Z = np.array([0, 0, 1.0])

# Frames of Franka's arms by the end of their name: the frame in Franka's hand frame.
_HAND_T_FLANGE = from_rt(rotation_about(_Z, np.pi / 4), np.zeros(3))
PARENTS = {
    r"hand_tcp|tcp|ee": from_rt(np.eye(3), [0, 0, 0.1034]),
    r"hand|gripper": np.eye(4),
    r"link_?8|flange|tool0": _HAND_T_FLANGE,
}
_ROBOT = r"(hand|gripper|flange|tcp|ee|tool0?|link_?\d|base|base_link|world|marker|board|target)$"


def read_hand_eye_noted(path: Path | str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The transform `hand_T_camera` (4, 4) of a file, and what was assumed to read it.

    path: of the file, see `graspbook formats`.

    Raises CaptureError when the file is missing or of no known kind, or the matrix has another
    shape, is not finite or not rigid to 1e-3. Raises it too when the camera is over 0.3 m from the
    hand, looks 90° or more away from the hand's approach direction +z, or is inside the hand. It
    does so for the identity, for frames that are no hand's and camera's, and for a camera at 45°
    about z. Our JSON may say {"odd_mount": true} where that last is meant.
    """
    path = Path(path)
    if path.is_dir():
        raise CaptureError(f"{path}: it is a folder, expected a hand-eye file")
    try:
        mount = read_mount(path)
        pose, notes = _in_grasp_frame(mount)
        _check(pose, meant=mount.meant)
    except FileNotFoundError as error:
        raise CaptureError(f"{path}: no such hand-eye file") from error
    except OSError as error:
        raise CaptureError(f"{path}: not a readable file ({error.strerror or error})") from error
    except (CaptureError, ParameterError) as error:
        raise CaptureError(f"{path}: {error}") from error
    return pose, notes


def _in_grasp_frame(mount):
    """`hand_T_camera` of a file's mount, and notes of what was assumed."""
    pose = mount.pose
    if not mount.ours:  # rounded quaternions and matrices are made orthonormal here
        pose = np.array(pose, float)
        distance = np.linalg.norm(pose[:3, 3]) if pose.shape == (4, 4) else 0.0
        millimetres = mount.millimetres or distance > SURELY_MILLIMETRES
        if millimetres and np.isfinite(distance):
            pose[:3, 3] /= 1000
    pose = _rigid(pose, (4, 4), "hand_T_camera")
    if np.abs(pose - np.eye(4)).max() < RIGID:
        raise CaptureError(
            "hand_T_camera is the identity, so the calibration was not solved or not saved;"
            " expected the pose of a camera next to the hand"
        )
    if mount.ours:
        return pose, ()
    hand_T_parent, parent = _parent(mount)
    if mount.child.endswith("_link") and "optical" not in mount.child:
        raise CaptureError(
            f"the child frame {mount.child!r} is the body of a camera (x forward), expected its"
            " optical frame (z forward), such as camera_color_optical_frame"
        )
    notes = [parent] + (["millimetres, by their size"] if millimetres else [])
    if not mount.child:
        notes.append("the camera's optical frame is assumed, z forward")
    return inverse(FRANKA_T_GRASP) @ hand_T_parent @ pose, tuple(notes)


def _parent(mount):
    """The parent frame in Franka's hand frame, and a note. Raises CaptureError for other frames."""
    parent, child = (name.strip("/").lower() for name in (mount.parent, mount.child))
    if re.search(r"cam|optical", parent) and child:
        raise CaptureError(
            f"the transform goes from {mount.parent!r} to {mount.child!r}, expected its inverse:"
            " the camera's pose in the hand's frame"
        )
    if re.search(rf"(^|_|/){_ROBOT}", child) and not re.search(r"cam|optical", child):
        raise CaptureError(
            f"the child frame {mount.child!r} is a frame of the robot, expected a camera's frame"
        )
    if not parent:
        return np.eye(4), "it names no frame of the hand: Franka's hand frame is assumed"
    for ends, hand_T_parent in PARENTS.items():
        if re.search(rf"(^|[_/])({ends})$", parent):
            turned = (
                " (45 degrees about z from the hand)" if hand_T_parent is _HAND_T_FLANGE else ""
            )
            return hand_T_parent, f"converted from the frame {mount.parent}{turned}"
    raise CaptureError(
        f"the parent frame {mount.parent!r} is not a hand frame, expected panda_hand, fr3_hand,"
        " hand_tcp, link8 or flange"
    )


def _check(pose, *, meant):
    """Raise CaptureError for a camera that cannot be, or hardly, on a hand."""
    distance = np.linalg.norm(pose[:3, 3])
    if distance > FURTHEST:
        raise CaptureError(
            f"the camera is {distance:.4g} m from the hand, expected at most"
            f" {FURTHEST} m: is its position in millimetres?"
        )
    if pose[2, 2] <= 1e-9:
        angle = np.degrees(np.arccos(np.clip(pose[2, 2], -1, 1)))
        raise CaptureError(
            f"the camera looks {angle:.0f} degrees away from the hand's +z, expected less"
            " than 90; is the transform camera_T_hand, the inverse of hand_T_camera?"
        )
    planes = ConvexHull(FRANKA.palm).equations
    if (planes @ [*pose[:3, 3], 1] < -_SKIN).all():
        where = np.round(pose[:3, 3], 4).tolist()
        raise CaptureError(
            f"the camera is inside the hand at {where} m, expected outside. Is the transform for"
            " another frame, or is its position missing?"
        )
    roll = np.degrees(np.arctan2(pose[1, 0], pose[0, 0])) % 90
    if abs(roll - 45) < _FLANGE_OFF and not meant:
        raise CaptureError(
            f"the camera is turned by {roll:.0f} degrees about the hand's z, expected 0 or 90."
            " Probably the pose is relative to the flange (link8), which is turned by 45 degrees."
            ' If the camera is mounted that way, write {"hand_T_camera": ..., "odd_mount": true}'
        )


def check_hand_eye(
    hand_T_camera: np.ndarray, base_T_hand: np.ndarray, camera_T_board: np.ndarray
) -> tuple[float, float]:
    """Largest differences, in metres and radians, between the poses of one fixed board.

    The poses are those in the base frame by N views, over all pairs of views. A_i X B_i is the same
    for all views if the calibration, the arm and the board's detection are right (AX = XB: Tsai and
    Lenz 1989). Raises ParameterError for wrong shapes, matrices that are not rigid to 1e-3, and
    fewer than 3 views. Raises it too for hands that all point the same way within 5°: the board
    would agree whatever the transform.

    hand_T_camera: (4, 4), the calibration X.
    base_T_hand: (N, 4, 4), the hand's poses A.
    camera_T_board: (N, 4, 4), the board's poses B in the same views.
    """
    X = _rigid(hand_T_camera, (4, 4), "hand_T_camera")
    A = _rigid(base_T_hand, (None, 4, 4), "base_T_hand")
    B = _rigid(camera_T_board, (None, 4, 4), "camera_T_board")
    if len(A) != len(B) or len(A) < FEWEST_VIEWS:
        raise ParameterError(
            f"{len(A)} base_T_hand and {len(B)} camera_T_board, expected equal"
            f" numbers of both, at least {FEWEST_VIEWS}"
        )
    turn = _largest_turn(A)
    if turn < LEAST_TURN:
        raise ParameterError(
            f"base_T_hand: the hand turns by only {np.degrees(turn):.2g} degrees between views,"
            f" expected at least {np.degrees(LEAST_TURN):.0f}; with smaller turns, even"
            " a wrong hand_T_camera would pass this check"
        )
    board = A @ X @ B
    position = board[:, :3, 3]
    return float(np.linalg.norm(position[:, None] - position, axis=-1).max()), _largest_turn(board)


def _largest_turn(poses):
    """Largest angle between rotations of two poses (N, 4, 4): ‖R - S‖ is 2 √2 sin(θ / 2)."""
    rotations = poses[:, :3, :3].reshape(len(poses), 9)
    chord = np.linalg.norm(rotations[:, None] - rotations, axis=-1).max()
    return float(2 * np.arcsin(min(chord / np.sqrt(8), 1.0)))


def _rigid(pose, shape, name):
    """Poses as float64 with orthonormal rotations, the nearest by singular values.

    Raises ParameterError if they are no poses. shape: expected, None where any length is.
    """
    try:
        pose = np.asarray(pose, float)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} is not a matrix of numbers") from error
    allowed = tuple(n or m for n, m in zip(shape, pose.shape, strict=False))
    if pose.shape != allowed or pose.ndim != len(shape):
        raise ParameterError(
            f"{name} has shape {pose.shape}, expected ({', '.join(str(n or 'N') for n in shape)})"
        )
    if not np.isfinite(pose).all():
        raise ParameterError(f"{name} has entries that are not finite")
    rotation = pose[..., :3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(rotation.swapaxes(-1, -2) @ rotation - np.eye(3)).max(initial=0)
    bottom = np.abs(pose[..., 3, :] - [0, 0, 0, 1]).max(initial=0)
    if max(off, bottom) > RIGID or (np.linalg.det(rotation) < 0).any():
        raise ParameterError(
            f"{name} is not a rigid transform. Its rotation differs from an orthonormal matrix by"
            f" {off:.2g}, and its last row from (0, 0, 0, 1) by {bottom:.2g}. Expected differences"
            f" of at most {RIGID}, and no reflection"
        )
    left, _, right = np.linalg.svd(rotation)
    return from_rt(left @ right, pose[..., :3, 3])
