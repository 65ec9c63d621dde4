"""Where the camera sits on the hand: the hand-eye transform from a file, and a check of it.

File: JSON with `hand_T_camera`, a 4 × 4 matrix, in metres: camera frame (x right, y down, z
forward) to the hand's grasp frame. The check is on views of a calibration board.
"""

from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError, ParameterError
from graspbook.pose import from_rt
from graspbook.storage import read_json

FURTHEST = 0.3  # of the camera from the hand, metres
RIGID = 1e-3  # entries of RᵀR may differ so much from the identity's
FEWEST_VIEWS = 3
LEAST_TURN = np.deg2rad(5)  # between two views of the board


def read_hand_eye(path: Path | str) -> np.ndarray:
    """The transform `hand_T_camera` (4, 4) of a JSON file, its rotation made exactly orthonormal.

    Raises CaptureError when the file is missing or not such JSON, or the matrix has another shape,
    is not finite or not rigid to 1e-3. Raises it too when the camera is over 0.3 m from the hand,
    or looks away from the hand's approach direction +z by 90° or more.

    path: of the file.
    """
    path = Path(path)
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise CaptureError(f"{path}: no such hand-eye file") from error
    except (OSError, ValueError) as error:
        raise CaptureError(
            f"{path}: not a readable JSON file ({str(error).splitlines()[0]})"
        ) from error
    if not isinstance(content, dict) or "hand_T_camera" not in content:
        raise CaptureError(
            f'{path}: no hand_T_camera, expected {{"hand_T_camera": 4 x 4 matrix in metres}}'
        )
    try:
        pose = _rigid(content["hand_T_camera"], (4, 4), "hand_T_camera")
    except ParameterError as error:
        raise CaptureError(f"{path}: {error}") from error
    distance = np.linalg.norm(pose[:3, 3])
    if distance > FURTHEST:
        raise CaptureError(
            f"{path}: the camera is {distance:.4g} m from the hand, expected at most {FURTHEST}:"
            " millimetres?"
        )
    if pose[2, 2] <= 1e-9:
        angle = np.degrees(np.arccos(np.clip(pose[2, 2], -1, 1)))
        raise CaptureError(
            f"{path}: the camera looks {angle:.0f} degrees away from the hand's +z, expected less"
            " than 90; is it camera_T_hand?"
        )
    return pose


def check_hand_eye(
    hand_T_camera: np.ndarray, base_T_hand: np.ndarray, camera_T_board: np.ndarray
) -> tuple[float, float]:
    """Largest differences, in metres and radians, between the poses of one fixed board.

    The poses are those in the base frame by N views, over all pairs of views. A_i X B_i is the same
    for all views if the calibration, the arm and the board's detection are right (AX = XB: Tsai and
    Lenz 1989). Raises ParameterError for wrong shapes, matrices that are not rigid to 1e-3, and
    fewer than 3 views. Raises it too for hands that all point the same way within 5°: the board
    would agree whatever the transform.

    hand_T_camera: (4, 4), X.
    base_T_hand: (N, 4, 4), A.
    camera_T_board: (N, 4, 4), B.
    """
    X = _rigid(hand_T_camera, (4, 4), "hand_T_camera")
    A = _rigid(base_T_hand, (None, 4, 4), "base_T_hand")
    B = _rigid(camera_T_board, (None, 4, 4), "camera_T_board")
    if len(A) != len(B) or len(A) < FEWEST_VIEWS:
        raise ParameterError(
            f"{len(A)} base_T_hand and {len(B)} camera_T_board, expected as many, at least"
            f" {FEWEST_VIEWS}"
        )
    turn = _largest_turn(A)
    if turn < LEAST_TURN:
        raise ParameterError(
            f"the hand turns by {np.degrees(turn):.2g} degrees between the views of base_T_hand,"
            f" expected at least {np.degrees(LEAST_TURN):.0f}: any hand_T_camera would pass"
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
    off = np.abs(rotation.swapaxes(-1, -2) @ rotation - np.eye(3)).max(initial=0)
    bottom = np.abs(pose[..., 3, :] - [0, 0, 0, 1]).max(initial=0)
    if max(off, bottom) > RIGID or (np.linalg.det(rotation) < 0).any():
        raise ParameterError(
            f"{name} is not a rigid transform: its rotation is {off:.2g} from orthonormal, its"
            f" last row {bottom:.2g} from (0, 0, 0, 1), expected {RIGID} at most and no reflection"
        )
    left, _, right = np.linalg.svd(rotation)
    return from_rt(left @ right, pose[..., :3, 3])
