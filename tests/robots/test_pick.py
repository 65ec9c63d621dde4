"""A grasp for one object before a camera, with and without an arm."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook import pose
from graspbook.cli import main
from graspbook.commands.trials import trials
from graspbook.errors import CaptureError, ParameterError
from graspbook.graspnet.predict import PredictSettings
from graspbook.objects.trial_objects import make_trial_object
from graspbook.perception.depth_sensor import d415
from graspbook.pose import rotation_about
from graspbook.robots import grasp_choice, pick, refusals
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.simulated_camera import SimulatedCamera
from graspbook.robots.simulated_world import World
from graspbook.robots.trial_setups import simulated_view, table_mesh
from graspbook.robots.trial_subjects import PLACE, trial_poses
from graspbook.simulation.tabletop import tabletop

AT_LOOK = FR3.base_T_camera(FR3.forward(FR3.look))
K = np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]])


def empty_table(q=FR3.ready):
    return SimulatedController(
        World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0), q, realtime=False
    )


def picked(source, out, *more):
    """What `graspbook pick` writes of an object."""
    arguments = ["pick", source, "--out", out, "--html", out.with_suffix(".html"), *more]
    status = main([str(argument) for argument in arguments])
    found = json.loads(out.read_text())
    assert status == (found["outcome"] == "no feasible grasp")
    return found


def level_table(height, tilt):
    """Points of an empty table, seen from `height` m at `tilt` rad from straight down, by pixel."""
    v, u = np.mgrid[:480, :640]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    normal = np.array(
        [0, -np.sin(tilt), -np.cos(tilt)]
    )  # up, in the camera's frame: its top looks away from the arm
    return rays * (height / -(rays @ normal))[..., None]


@pytest.mark.parametrize("tilt", [0.0, 0.01, 0.3, 0.9])
def test_the_assumed_pose_puts_the_table_at_zero_and_its_middle_where_objects_stand(tilt):
    points = level_table(0.5, tilt)
    base_T_camera = pick.assumed_pose(points.reshape(-1, 3))
    assert np.allclose(base_T_camera[:3, :3] @ base_T_camera[:3, :3].T, np.eye(3))
    assert np.isclose(base_T_camera[2, 3], 0.5, atol=1e-4)
    middle = base_T_camera @ [*points[240, 320], 1]
    assert np.allclose(middle[:3], [*PLACE, 0], atol=2e-3)
    assert base_T_camera[0, 2] > -1e-6  # it looks away from the arm
    assert np.isclose(base_T_camera[1, 2], 0, atol=1e-6)
    np.testing.assert_allclose(base_T_camera[:3, 0], [0, -1, 0], atol=1e-6)


def test_straight_down_the_tilt_of_noise_does_not_turn_the_camera():
    """A tilt of half a degree to one side would turn it by 90 degrees about the vertical."""
    points = level_table(0.5, 0.0).reshape(-1, 3) @ rotation_about(np.array([0, 1.0, 0]), 0.008)
    np.testing.assert_allclose(pick.assumed_pose(points)[:2, 0], [0, -1], atol=1e-3)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.9])
def test_a_camera_upside_down_sees_the_same_table(tilt):
    """A turn about the optical axis moves neither the table nor the pixels' points in the base."""
    points = level_table(0.5, tilt).reshape(-1, 3)
    upright, turned = pick.assumed_pose(points), pick.assumed_pose(points * [-1, -1, 1])
    np.testing.assert_allclose(turned[:3, 3], upright[:3, 3], atol=2e-3)
    np.testing.assert_allclose(abs(turned[:3, :3]), abs(upright[:3, :3]), atol=5e-3)
    assert turned[0, 2] > -1e-6 and np.isclose(np.linalg.det(turned[:3, :3]), 1)
    if tilt:  # else the image's top is away from the arm
        there = np.array(
            [pose.transform(upright, points), pose.transform(turned, points * [-1, -1, 1])]
        )
        np.testing.assert_allclose(*there, atol=5e-3)


def test_no_pose_is_assumed_without_a_table():
    with pytest.raises(CaptureError, match="empty view: 0 measured points"):
        pick.assumed_pose(np.zeros((0, 3)))
    with pytest.raises(CaptureError, match="no table"):
        pick.assumed_pose(level_table(0.5, np.pi / 2 - 0.05).reshape(-1, 3))


def test_a_side_of_an_object_alone_is_no_table(tmp_path):
    """A box seen at 45 degrees: its top holds more than a fifth of all points."""
    along, across = (0.001 * axis.ravel() for axis in np.mgrid[-40:40, -60:0])
    top = np.stack([along, across, 0.5 - across], axis=1)
    box = np.concatenate([top, top * [1, -1, 1] + [0, -0.001, 0]])
    np.save(tmp_path / "box.npy", box)
    with pytest.raises(CaptureError, match="box.npy: no table: only the object was measured"):
        pick.pick(tmp_path / "box.npy", "none", log="none")


def test_options_of_a_real_arm_are_refused_without_one(tmp_path):
    with pytest.raises(ParameterError, match="expected --robot"):
        pick.pick("none.npz", "none", log=tmp_path / "a.log", execute=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", ["realsense", "two.db3"])
def test_options_of_captures_are_refused_for_cameras(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("two.db3").write_bytes(b"SQLite format 3, /device_0/sensor_0/Depth_0")  # librealsense's
    for scale, reading, words in ((1.0, {"target": 2}, "--target"), (0.001, {}, "--scale")):
        with pytest.raises(ParameterError, match=f"{source}: {words} is for captures in files"):
            pick.pick(source, "none", log="none", scale=scale, reading=reading)


def test_a_mesh_or_an_unknown_camera_is_refused_before_networks_are_loaded(tmp_path):
    make_trial_object("spam_can").mesh.export(tmp_path / "can.stl")
    with pytest.raises(CaptureError, match="can.stl: this is a mesh, expected a depth capture"):
        pick.pick(tmp_path / "can.stl", "none", log="none")
    flat = np.full((48, 64), 0.6)
    np.savez(tmp_path / "empty.npz", depth=flat, K=[[60, 0, 32], [0, 60, 24], [0, 0, 1]])
    with pytest.raises(CaptureError, match="empty.npz: "):
        pick.pick(tmp_path / "empty.npz", "none", log="none")


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(4), "is the identity"),
        (
            pose.from_rt(rotation_about(np.array([0, 0, 1.0]), np.pi / 4), [0.05, 0.07, 0.04]),
            "link8",
        ),
        (pose.from_rt(np.eye(3), [0, 0, 0.03]), "inside the hand"),
    ],
)
def test_a_camera_that_cannot_be_there_is_refused_before_anything_moves(tmp_path, matrix, words):
    """Before networks are loaded, and before an arm or a camera is opened."""
    path = tmp_path / "he.json"
    path.write_text(json.dumps({"hand_T_camera": matrix.tolist()}))
    real = {"robot": "127.9.9.9", "execute": True, "hand_eye": path}
    with pytest.raises(CaptureError, match=f"he.json: .*{words}"):
        pick.pick("realsense", "none", log=tmp_path / "a.log", **real)
    with pytest.raises(CaptureError, match=f"he.json: .*{words}"):
        trials(["spam_can"], ["geometric"], tmp_path / "out", "none", **real)


@pytest.fixture
def chosen(monkeypatch):
    """The view and the settings that `choose` gets from `pick`, which then stops."""
    told = []

    def choose(view, *_, **how):
        told.append(view)
        raise ParameterError("enough")

    monkeypatch.setattr(pick, "choose", choose)
    monkeypatch.setattr(pick, "load_networks", lambda *_, **__: ())
    return told


def test_captures_are_read_as_grasp_reads_them(tmp_path, chosen, capsys):
    """Millimetres, other names, a mask: the object is what is marked, and the rest is around it."""
    points = level_table(0.6, 0.0)
    depth = points[..., 2].copy()
    depth[200:280, 240:320] -= 0.05  # the object that is marked is lower than the other
    depth[200:280, 380:460] -= 0.09
    labels = np.zeros(depth.shape, np.uint8)
    labels[200:280, 240:320], labels[200:280, 380:460] = 4, 7
    millimetres = (1000 * depth).round().astype(np.uint16)
    np.savez(tmp_path / "two.npz", depth_image=millimetres, cam_K=K.ravel(), segmap=labels)
    for target, height in ((4, 0.05), (7, 0.09)):
        with pytest.raises(ParameterError, match="enough"):
            pick.pick(tmp_path / "two.npz", "none", log="none", reading={"target": target})
        (view,) = chosen
        assert view.object_points[:, 2] == pytest.approx(height, abs=2e-3)
        assert len(view.object_points) == 6400 and len(view.other_points) == pytest.approx(
            6400, rel=0.1
        )
        chosen.clear()
    said = capsys.readouterr().err
    assert "read as millimetres (0.60 m)" in said and "the object is id 7 of" in said


def test_where_no_grasp_can_be_carried_out_the_status_is_1_and_the_reasons_are_counted(
    tmp_path, weights, monkeypatch, capsys
):
    """A card of 8 mm: one grasp is from below, one closes on nothing."""
    points = level_table(0.6, 0.0)
    points[200:280, 240:400] *= 1 - 0.008 / 0.6
    np.save(tmp_path / "card.npy", points)

    def predict(seen, *_, **__):
        poses = np.tile(pose.from_rt(np.eye(3), seen.mean(axis=0)), (2, 1, 1))
        poses[0, :3, :3] = np.diag([1.0, -1.0, -1.0])
        return SimpleNamespace(
            camera_T_hand=poses, scores=np.array([0.9, 0.1]), feasible=np.array([True, False])
        )

    monkeypatch.setattr(grasp_choice, "predict", predict)
    out = tmp_path / "p.json"
    files = ["--out", str(out), "--html", str(tmp_path / "p.html"), "--weights", str(weights)]
    assert main(["pick", str(tmp_path / "card.npy"), *files]) == 1
    said, found = capsys.readouterr(), json.loads(out.read_text())
    assert found["refused"] == {"close on nothing or start inside points": 3, refusals.TABLE: 3}
    counted = (
        f"fingers close on nothing or start inside points (3 grasps); {refusals.TABLE} (3 grasps)"
    )
    assert f"no grasp can be carried out: {counted}; the object is only 8 mm high" in said.err
    assert "0 of 6 grasps keep the hand clear" in said.out
    assert counted in (tmp_path / "p.html").read_text()


@pytest.fixture
def quick(monkeypatch):
    """Fewer grasps, faster motions."""
    monkeypatch.setattr(
        pick, "TrialSettings", partial(TrialSettings, PredictSettings(samples=24, steps=3))
    )
    monkeypatch.setattr(pick, "REAL_SPEED", 0.5)


@pytest.mark.timing
def test_a_capture_is_picked_from_in_rehearsal(tmp_path, quick):
    """A box on a table, seen at an angle: a grasp is planned, and the simulated arm goes
    there.
    """
    box = make_trial_object("spam_can")
    view = simulated_view(box, trial_poses(box, 1)[0], AT_LOOK, np.random.default_rng(0))
    np.savez(tmp_path / "can.npz", depth=view.depth, K=view.K)
    found = picked(tmp_path / "can.npz", tmp_path / "can.json")
    assert (
        found["outcome"] == "planned"
        and found["rehearsed"] is True
        and found["camera_pose_assumed"]
    )
    hand = FR3.forward(list(found["joints"].values()))
    assert np.allclose(hand, found["base_T_hand"], atol=1e-3)
    assert list(found["joints"]) == list(FR3.joints)
    page = (tmp_path / "can.html").read_text()
    assert "chosen" in page and "read off the table" in page


@pytest.mark.timing
def test_a_real_arm_without_leave_to_execute_gets_no_motion(tmp_path, quick):
    """A recording will do there: nothing moves by it."""
    view = simulated_view(
        make_trial_object("jello_strawberry"),
        pose.from_rt(np.eye(3), [*PLACE, 0]),
        AT_LOOK,
        np.random.default_rng(0),
    )
    np.savez(tmp_path / "box.npz", depth=view.depth, K=view.K)
    with empty_table(FR3.look) as controller:
        found = picked(tmp_path / "box.npz", tmp_path / "box.json", "--robot", controller.hostname)
        commands = controller.commands()
    assert (
        found["outcome"] == "planned"
        and found["rehearsed"] is None
        and not found["camera_pose_assumed"]
    )
    assert np.allclose(found["base_T_camera"], AT_LOOK, atol=1e-3)
    assert (
        commands["kMove"]
        == commands["hand.kMove"]
        == commands["hand.kGrasp"]
        == commands["stream"]
        == 0
    )


@pytest.mark.timing
def test_a_real_arm_with_leave_to_execute_looks_and_tells_what_became_of_it(
    tmp_path, quick, weights, monkeypatch
):
    (tmp_path / "hand_eye.json").write_text(
        json.dumps({"hand_T_camera": FR3.hand_T_camera.tolist()})
    )
    with empty_table() as controller:
        camera = SimulatedCamera(
            lambda: [(table_mesh(), np.eye(4))],
            lambda: FR3.base_T_camera(FR3.forward(controller.truth().q)),
            d415(),
            np.random.default_rng(0),
        )
        monkeypatch.setattr(pick, "open_camera", {"realsense": camera}.get)
        found = picked(
            "realsense",
            tmp_path / "none.json",
            "--weights",
            weights,
            "--robot",
            controller.hostname,
            "--execute",
            "--hand-eye",
            tmp_path / "hand_eye.json",
        )
        commands = controller.commands()
    assert (found["outcome"], found["fault"]) == (
        "no feasible grasp",
        None,
    ) and "nothing on the table" in found["reason"]
    assert found["reason"] in (tmp_path / "none.html").read_text()
    assert commands["kMove"] == commands["hand.kMove"] == 1 and commands["hand.kGrasp"] == 0
    assert "'what': 'look'" in (tmp_path / "none.log").read_text()
