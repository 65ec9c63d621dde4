import json

import numpy as np
import pytest
import yaml

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.hand_eye import check_hand_eye, read_hand_eye_noted
from graspbook.pose import from_rt, inverse, random_rotations, rotation_about

MOUNT = from_rt(rotation_about([1, 2, 0.5], 0.3), [0.05, -0.06, 0.03])
BOARD = from_rt(rotation_about([1, 0, 0], np.pi), [0.5, 0.1, 0.0])  # base_T_board


def read_hand_eye(path):
    return read_hand_eye_noted(path)[0]


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
    whole = np.eye(4, dtype=int).tolist()
    whole[1][3] = -0.06
    found = read_hand_eye(written(tmp_path / "whole.json", {"hand_T_camera": whole}))
    np.testing.assert_array_equal(found, whole)


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
        ({"camera_T_hand": MOUNT.tolist()}, "camera_T_hand is the inverse of hand_T_camera"),
        ({"hand_T_camera": MOUNT[:3].tolist()}, r"shape \(3, 4\), expected \(4, 4\)"),
        ({"hand_T_camera": [[1, 2], [3]]}, "not a matrix of numbers"),
        ({"hand_T_camera": {"x": 1}}, "not a matrix of numbers"),
        ({"hand_T_camera": None}, r"shape \(\), expected"),
        ({"hand_T_camera": changed(0, 3, float("nan"))}, "not finite"),
        (
            {"hand_T_camera": changed(0, 0, MOUNT[0, 0] + 0.01)},
            "not a rigid transform. Its rotation differs from .* by 0.0",
        ),
        ({"hand_T_camera": (MOUNT * [[2], [2], [2], [1]]).tolist()}, "not a rigid transform"),
        ({"hand_T_camera": MOUNT.T.tolist()}, "its last row from .* by 0.06"),
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
    with pytest.raises(CaptureError, match="it is a folder"):
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
        ParameterError, match="2 base_T_hand and 2 camera_T_board, expected equal numbers of both"
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
        match="the hand turns by only .* expected at least 5; with smaller turns, even a wrong",
    ):
        check_hand_eye(MOUNT, still, inverse(still @ MOUNT) @ BOARD)


# One mount as every program writes it: the camera 5 cm from Franka's hand, its image upright.
POSE = [[0, -1, 0, 0.05], [1, 0, 0, -0.02], [0, 0, 1, 0.03], [0, 0, 0, 1]]
IN_GRASP_FRAME = from_rt(np.eye(3), [-0.02, -0.05, 0.03])
IN_FLANGE = from_rt(rotation_about([0, 0, 1], -np.pi / 4), np.zeros(3)) @ POSE
FRAMES = {"robot_effector_frame": "panda_hand", "tracking_base_frame": "cam_optical_frame"}
QUAT = {"x": 0.0, "y": 0.0, "z": 0.7071, "w": 0.7071}
WHERE = {"x": 0.05, "y": -0.02, "z": 0.03}
FLAT = ", ".join(f"{x}." if isinstance(x, int) else str(x) for row in POSE for x in row)
MATRIX = {"type_id": "opencv-matrix", "rows": 4, "cols": 4, "dt": "d", "data": sum(POSE, [])}
MILLIMETRES = [[0, -1, 0, 50], [1, 0, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]]
XML = "<?xml version='1.0'?><opencv_storage><X type_id='opencv-matrix'><rows>4</rows><cols>4</cols>"
PUBLISHER = (
    "<launch><node pkg='tf2_ros' type='static_transform_publisher' name='b' args='{}'/></launch>"
)
PYTHON = """Node(package="tf2_ros", executable="static_transform_publisher", arguments=[
  "--frame-id", "fr3_hand", "--child-frame-id", "cam_optical_frame", "--x", "0.05", "--y", "-0.02",
  "--z", "0.03", "--qx", "0", "--qy", "0", "--qz", "0.7071", "--qw", "0.7071",  # "--roll",
  # "0",
])"""
EASY_1 = {
    "parameters": {"eye_on_hand": True, **FRAMES},
    "transformation": {**WHERE, **{f"q{k}": v for k, v in QUAT.items()}},
}
EASY_2 = {
    "parameters": {"name": "a", "calibration_type": "eye_in_hand", **FRAMES},
    "transform": {"translation": WHERE, "rotation": QUAT},
}
WRITTEN = {
    "easy_handeye.yaml": yaml.safe_dump(EASY_1),
    "easy_handeye2.calib.yaml": yaml.safe_dump(EASY_2),
    "quaternion.launch": PUBLISHER.format("0.05 -0.02 0.03 0 0 0.7071 0.7071 hand cam_optical"),
    "angles.launch": PUBLISHER.format("0.05 -0.02 0.03 1.5708 0 0 /panda_hand /cam_optical 100"),
    "moveit.launch.py": PYTHON,
    "shell.sh": "rosrun tf static_transform_publisher 0.05 -0.02 0.03 1.5708 0 0 fr3_hand cam\n",
    "visp.yaml": "# eMc\nrows: 6\ncols: 1\ndata:\n"
    + "".join(f"  - [{x}]\n" for x in (0.05, -0.02, 0.03, 0, 0, np.pi / 2)),
    "opencv.yml": "%YAML:1.0\n---\nX: !!opencv-matrix\n   rows: 4\n   cols: 4\n   dt: d\n"
    f"   data: [ {FLAT} ]\n",
    "opencv.json": json.dumps({"hand_T_camera": MATRIX}),
    "opencv.xml": XML + f"<dt>d</dt><data>{FLAT.replace(',', ' ')}</data></X></opencv_storage>",
    "cv2.json": json.dumps(
        {"R_cam2gripper": [r[:3] for r in POSE[:3]], "t_cam2gripper": [[0.05], [-0.02], [0.03]]}
    ),
    "zivid.yaml": yaml.safe_dump(
        {"__version__": {"data": 1}, "FloatMatrix": {"Data": MILLIMETRES}}
    ),
    "zivid.json": json.dumps({"FloatMatrix": {"Data": MILLIMETRES}}),
    "millimetres.json": json.dumps(MILLIMETRES),
    "list.json": json.dumps(
        {"position": [0.05, -0.02, 0.03], "quaternion_xyzw": [0, 0, 0.7071, 0.7071]}
    ),
    "wxyz.json": json.dumps({"translation": WHERE, "quaternion_wxyz": [0.7071, 0, 0, 0.7071]}),
    "mapping.json": json.dumps({"position": WHERE, "orientation": QUAT}),
    "ros.yaml": yaml.safe_dump(
        {
            "header": {"frame_id": "panda_hand"},
            "child_frame_id": "cam_optical",
            "transform": {"translation": WHERE, "rotation": QUAT},
        }
    ),
    "bare.json": "\ufeff" + json.dumps(POSE),
    "bare.txt": "\n".join(" ".join(map(str, row)) for row in POSE),
    "bare.csv": "\n".join(",".join(map(str, row)) for row in POSE[:3]),
    "flange.json": json.dumps(
        {
            "parent": "fr3_link8",
            "transform": [list(map(float, r)) for r in IN_FLANGE],
            "child": "camera",
        }
    ),
    "flange.launch": PUBLISHER.format(
        "0.021213 -0.049497 0.03 0.785398 0 0 panda_link8 cam_optical"
    ),
    "tcp.launch": PUBLISHER.format("0.05 -0.02 -0.0734 1.5708 0 0 panda_hand_tcp cam_optical"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_results_of_other_programs_are_the_same_mount(tmp_path, name):
    (tmp_path / name).write_text(WRITTEN[name], encoding="utf-8")
    found, notes = read_hand_eye_noted(tmp_path / name)
    np.testing.assert_allclose(found, IN_GRASP_FRAME, atol=1e-5)
    np.testing.assert_allclose(found[:3, :3].T @ found[:3, :3], np.eye(3), atol=1e-14)
    assert any("assumed" in note or "converted from" in note for note in notes)


def test_arrays_and_marks_of_byte_order_are_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array(POSE))
    np.testing.assert_allclose(read_hand_eye(tmp_path / "a.npy"), IN_GRASP_FRAME, atol=1e-12)
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.json").write_bytes(json.dumps(POSE).encode(encoding))
        np.testing.assert_allclose(read_hand_eye(tmp_path / "a.json"), IN_GRASP_FRAME, atol=1e-12)


def turned(degrees):
    return from_rt(rotation_about([0, 0, 1], np.radians(degrees)), [0, -0.07, 0.03]).tolist()


BASE = {"eye_on_hand": False, "robot_base_frame": "panda_link0"}
REFUSED = {
    "identity.json": (json.dumps({"hand_T_camera": np.eye(4).tolist()}), "is the identity"),
    "identity2.json": (json.dumps(np.eye(4).tolist()), "is the identity"),
    "inside.json": (
        json.dumps({"hand_T_camera": from_rt(np.eye(3), [0, 0.01, 0.02]).tolist()}),
        "inside the hand",
    ),
    "off.json": (json.dumps({"hand_T_camera": turned(43)}), r"turned by 43 degrees.*link8"),
    "off2.json": (json.dumps({"hand_T_camera": turned(-45)}), r"link8.*odd_mount"),
    "base.yaml": (yaml.safe_dump(EASY_1 | {"parameters": BASE}), "on the robot's base"),
    "base2.yaml": (
        yaml.safe_dump(EASY_2 | {"parameters": {"calibration_type": "eye_on_base"}}),
        "on the robot's base",
    ),
    "body.launch": (
        PUBLISHER.format("0.05 -0.02 0.03 1.57 0 0 panda_hand camera_link"),
        "body of a camera .x forward",
    ),
    "swapped.launch": (
        PUBLISHER.format("0.05 -0.02 0.03 1.57 0 0 cam_optical panda_hand"),
        "expected its inverse",
    ),
    "robot.launch": (
        PUBLISHER.format("0.05 -0.02 0.03 1.57 0 0 panda_link8 flange"),
        "is a frame of the robot",
    ),
    "arm.launch": (
        PUBLISHER.format("0.05 -0.02 0.03 1.57 0 0 panda_link5 cam_optical"),
        "'panda_link5' is not a hand frame",
    ),
    "argument.launch": (PUBLISHER.format("$(arg x) 0 0 0 0 0 panda_hand cam"), "written out"),
    "few.launch": (PUBLISHER.format("1 2 3 panda_hand cam"), "3 numbers before the frames"),
    "none.launch": ("<launch/>", "0 static_transform_publishers"),
    "order.json": (
        json.dumps({"position": [0, 0, 0.1], "quaternion": [0, 0, 0, 1]}),
        "in an unknown order",
    ),
    "long.json": (
        json.dumps({"position": [0, 0, 0.1], "quaternion_xyzw": [0, 0, 0, 2]}),
        "length 2, expected 1",
    ),
    "inverse.json": (
        json.dumps({"R_gripper2cam": POSE[0][:3], "t_gripper2cam": [0, 0, 0]}),
        "expected the pose of the camera in the hand's frame",
    ),
    "two.json": (json.dumps({"a": POSE, "b": POSE}), "several matrices .a, b"),
    "aliases.yaml": (
        "a0: &a0 [0, 0]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)),
        "aliases repeat",
    ),
    "empty.yaml": ("", "no hand_T_camera"),
    "bad.yaml": ("a: [", "not a readable YAML file"),
    "bad.xml": ("<a>", "not a readable XML file"),
    "bomb.xml": ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entities"),
    "words.txt": ("one two", "not a readable text file"),
    "short.txt": ("1 2 3", "3 numbers, expected a 4 x 4 matrix"),
    "deep.json": ("[" * 100_000, "not a readable JSON file"),
    "far.json": (json.dumps(from_rt(np.eye(3), [0, 2, 0]).tolist()), "2 m from the hand"),
    "a.mat": ("x", "unknown kind of hand-eye file '.mat'"),
    "huge.json": (" " * 1_000_001, "1000001 bytes, expected"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mounts_that_cannot_be_are_refused_with_the_reason(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(CaptureError, match=message) as raised:
        read_hand_eye(tmp_path / name)
    assert "\n" not in str(raised.value) and str(raised.value).startswith(str(tmp_path / name))


def test_an_odd_mount_that_is_meant_is_read(tmp_path):
    content = {"hand_T_camera": turned(45), "odd_mount": True}
    found = read_hand_eye(written(tmp_path / "a.json", content))
    np.testing.assert_allclose(found, turned(45), atol=1e-15)


def test_damaged_files_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", np.array(POSE))
    files = {name: text.encode() for name, text in WRITTEN.items()}
    files["a.npy"] = (tmp_path / "a.npy").read_bytes()
    for name, whole in files.items():
        for _ in range(12):
            damaged = bytearray(
                whole[: rng.integers(len(whole) + 1)] if rng.random() < 0.4 else whole
            )
            for i in rng.integers(max(len(damaged), 1), size=rng.integers(4)):
                damaged[i : i + 1] = rng.bytes(1)
            (tmp_path / name).write_bytes(damaged)
            try:
                read_hand_eye(tmp_path / name)
            except CaptureError as error:
                assert "\n" not in str(error)


def test_results_as_people_have_them(real_data):
    files = sorted((real_data / "inputs" / "hand_eye").iterdir())
    assert len(files) >= 5
    for file in files:
        np.testing.assert_allclose(read_hand_eye(file), IN_GRASP_FRAME, atol=1e-4)
