import json

import numpy as np
import pytest

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.hand_eye import check_hand_eye, read_hand_eye
from graspbook.pose import from_rt, inverse, random_rotations, rotation_about

MOUNT = from_rt(rotation_about([1, 2, 0.5], 0.3), [0.05, -0.02, 0.03])
BOARD = from_rt(rotation_about([1, 0, 0], np.pi), [0.5, 0.1, 0.0])  # base_T_board


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def views(n=6, seed=0):
    """Hand poses (n, 4, 4) over the table, and the board as a camera at MOUNT sees it from each (n,
    4, 4).
    """
    rng = np.random.default_rng(seed)
    tilts = rotation_about(rng.normal(size=(n, 3)), rng.uniform(0.2, 0.5, n))
    hands = from_rt(tilts @ BOARD[:3, :3], rng.uniform(-0.1, 0.1, (n, 3)) + [0.5, 0, 0.5])
    return hands, inverse(hands @ MOUNT) @ BOARD


def test_a_file_is_read_as_it_is_written(tmp_path):
    found = read_hand_eye(
        written(tmp_path / "mount.json", {"hand_T_camera": MOUNT.tolist(), "when": "today"})
    )
    assert found.shape == (4, 4) and found.dtype == np.float64
    np.testing.assert_allclose(found, MOUNT, atol=1e-15)
    identity = read_hand_eye(
        written(tmp_path / "whole.json", {"hand_T_camera": np.eye(4, dtype=int).tolist()})
    )
    np.testing.assert_array_equal(identity, np.eye(4))


def test_a_rounded_rotation_is_made_orthonormal(tmp_path):
    rough = read_hand_eye(
        written(tmp_path / "mount.json", {"hand_T_camera": MOUNT.round(4).tolist()})
    )
    assert np.abs(MOUNT[:3, :3].round(4).T @ MOUNT[:3, :3].round(4) - np.eye(3)).max() > 1e-5
    np.testing.assert_allclose(rough[:3, :3].T @ rough[:3, :3], np.eye(3), atol=1e-14)
    np.testing.assert_allclose(rough, MOUNT, atol=2e-4)


def changed(row, column, value):
    pose = MOUNT.copy()
    pose[row, column] = value
    return pose.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{not json", "not a readable JSON file"),
        ("\x00\xff", "not a readable JSON file"),
        ([1, 2], "no hand_T_camera"),
        ({"camera_T_hand": MOUNT.tolist()}, "no hand_T_camera"),
        ({"hand_T_camera": MOUNT[:3].tolist()}, r"shape \(3, 4\), expected \(4, 4\)"),
        ({"hand_T_camera": [[1, 2], [3]]}, "not a matrix of numbers"),
        ({"hand_T_camera": {"x": 1}}, "not a matrix of numbers"),
        ({"hand_T_camera": None}, r"shape \(\), expected"),
        ({"hand_T_camera": changed(0, 3, float("nan"))}, "not finite"),
        (
            {"hand_T_camera": changed(0, 0, MOUNT[0, 0] + 0.01)},
            "not a rigid transform: its rotation is 0.0",
        ),
        ({"hand_T_camera": (MOUNT * [[2], [2], [2], [1]]).tolist()}, "not a rigid transform"),
        ({"hand_T_camera": MOUNT.T.tolist()}, "its last row 0.05"),
        ({"hand_T_camera": np.diag([-1.0, 1, 1, 1]).tolist()}, "no reflection"),
        ({"hand_T_camera": changed(1, 3, 0.4)}, r"0.40\d+ m from the hand, expected at most 0.3"),
        (
            {
                "hand_T_camera": (
                    MOUNT * np.where(np.arange(4) == 3, [[1000], [1000], [1000], [1]], 1)
                ).tolist()
            },
            "millimetres",
        ),
        (
            {"hand_T_camera": from_rt(rotation_about([1, 0, 0], np.pi), [0, 0, 0]).tolist()},
            "180 degrees away",
        ),
        (
            {"hand_T_camera": from_rt(rotation_about([0, 1, 0], np.pi / 2), [0, 0, 0]).tolist()},
            "90 degrees away",
        ),
    ],
)
def test_files_that_are_no_mount_are_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(CaptureError, match=message) as raised:
        read_hand_eye(written(tmp_path / "mount.json", content))
    assert "mount.json" in str(raised.value) and "\n" not in str(raised.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(CaptureError, match="none.json: no such hand-eye file"):
        read_hand_eye(tmp_path / "none.json")
    with pytest.raises(CaptureError, match="not a readable JSON file"):
        read_hand_eye(tmp_path)


def test_a_right_mount_places_the_board_at_one_pose_wherever_it_and_the_world_are():
    hands, seen = views()
    assert max(check_hand_eye(MOUNT, hands, seen)) < 1e-7
    other_board, world_T_base = from_rt(
        random_rotations(2, np.random.default_rng(3)), [[0.1, 2, 0.3], [1, -2, 3]]
    )
    assert max(check_hand_eye(MOUNT, world_T_base @ hands, seen @ other_board)) < 1e-7


def test_a_mount_that_is_off_shows_as_the_turns_between_the_views():
    # A translation error t moves the board by R_i t: between two hands turned by 180 degrees about
    # z, by twice its x and y.
    hands = from_rt(rotation_about([0, 0, 1], np.array([0, np.pi / 2, np.pi])), np.zeros(3))
    seen = inverse(hands) @ BOARD
    shift, turn = check_hand_eye(from_rt(np.eye(3), [0.003, 0.004, 0.1]), hands, seen)
    assert (shift, turn) == (pytest.approx(0.01, abs=1e-12), pytest.approx(0, abs=1e-7))
    # One about x by 0.02 turns it about R_i x: about x and -x at the ends.
    shift, turn = check_hand_eye(from_rt(rotation_about([1, 0, 0], 0.02), np.zeros(3)), hands, seen)
    assert turn == pytest.approx(0.04, abs=1e-9)


def test_the_spread_is_the_same_in_any_world_and_order():
    hands, seen = views(5, 1)
    wrong = MOUNT @ from_rt(rotation_about([0, 1, 1], 0.05), [0.01, 0, 0])
    expected = check_hand_eye(wrong, hands, seen)
    world = from_rt(random_rotations(1, np.random.default_rng(0))[0], [1, 2, 3])
    np.testing.assert_allclose(
        check_hand_eye(wrong, world @ hands[::-1], seen[::-1]), expected, atol=1e-9
    )
    board = hands @ wrong @ seen
    pairs = [(i, j) for i in range(5) for j in range(i)]
    angles = [
        np.arccos((np.trace(board[i, :3, :3].T @ board[j, :3, :3]) - 1) / 2) for i, j in pairs
    ]
    assert expected[1] == pytest.approx(max(angles), rel=1e-6) and max(angles) > 0.01
    assert expected[0] == pytest.approx(
        max(np.linalg.norm(board[i, :3, 3] - board[j, :3, 3]) for i, j in pairs)
    )


def test_views_that_say_nothing_and_wrong_shapes_are_refused():
    hands, seen = views()
    with pytest.raises(
        ParameterError, match="2 base_T_hand and 2 camera_T_board, expected as many, at least 3"
    ):
        check_hand_eye(MOUNT, hands[:2], seen[:2])
    with pytest.raises(ParameterError, match="6 base_T_hand and 5 camera_T_board"):
        check_hand_eye(MOUNT, hands, seen[:5])
    with pytest.raises(
        ParameterError, match=r"base_T_hand has shape \(4, 4\), expected \(N, 4, 4\)"
    ):
        check_hand_eye(MOUNT, hands[0], seen)
    with pytest.raises(ParameterError, match="camera_T_board is not a rigid transform"):
        check_hand_eye(MOUNT, hands, 2 * seen)
    with pytest.raises(ParameterError, match="hand_T_camera has entries that are not finite"):
        check_hand_eye(MOUNT * np.nan, hands, seen)
    still = from_rt(hands[0, :3, :3], hands[:, :3, 3])
    with pytest.raises(
        ParameterError,
        match="the hand turns by .* expected at least 5: any hand_T_camera would pass",
    ):
        check_hand_eye(MOUNT, still, inverse(still @ MOUNT) @ BOARD)
