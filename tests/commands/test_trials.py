import json
import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import franky
import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.cli import main
from graspbook.commands import pick, trials
from graspbook.errors import CaptureError, ParameterError, RobotError
from graspbook.graspnet.predict import PredictSettings
from graspbook.objects.trial_objects import make_trial_object
from graspbook.perception.depth_sensor import d415
from graspbook.robots import fr3, trial_runner
from graspbook.robots.arm import Arm
from graspbook.robots.camera import Frame, SimulatedCamera
from graspbook.robots.command_log import command_log
from graspbook.robots.controller import SimulatedController, World
from graspbook.robots.trial import TrialSettings, attempt, not_begun
from graspbook.robots.trial_records import begun, read_records
from graspbook.robots.trial_runner import PLACE, simulated_view
from graspbook.simulation.tabletop import tabletop
from graspbook.storage import SHIPPED

LOG = logging.getLogger("graspbook.robots.arm")
AT_LOOK = fr3.forward(fr3.LOOK) @ fr3.HAND_T_CAMERA
K = np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]])


full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


def empty_table(q=fr3.READY):
    return SimulatedController(
        World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0), q, realtime=False
    )


def test_subjects_are_trial_objects_by_name_and_meshes_by_path(tmp_path):
    trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / "brick.stl")
    named, own = trials.subjects(["red_bowl", str(tmp_path / "brick.stl")])
    assert (named.obj.name, named.category, named.mass) == ("red_bowl", "bowl", 0.147)
    assert (own.obj.name, own.category, own.mass) == ("brick", "own", 0.3)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["teapot"], "object 'teapot', expected the path of a mesh or one of jello_chocolate"),
        (["red_bowl", "red_bowl"], "objects red_bowl are named twice"),
    ],
)
def test_what_is_no_subject_is_refused(names, words):
    with pytest.raises(ParameterError, match=words):
        trials.subjects(names)


@pytest.mark.parametrize(
    ("methods", "seeds", "words"),
    [
        (["gpd", "gpd"], [0], "methods gpd, gpd: expected every method once"),
        (["gpd"], [0, 1, 0], "seeds 0, 1, 0: expected every seed once"),
    ],
)
def test_a_method_or_seed_given_twice_is_refused(tmp_path, methods, seeds, words):
    with pytest.raises(ParameterError, match=words):
        trials.trials(["red_bowl"], methods, 1, seeds, tmp_path / "out", "none")


def test_a_method_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ParameterError, match="method 'luck', expected of graspnet"):
        trials.trials(["red_bowl"], ["luck"], 1, [0], tmp_path / "out", "none")
    assert not (tmp_path / "out").exists()


def test_the_log_of_commands_is_written_and_the_logger_left_as_it_was(tmp_path):
    before = _logger()
    with command_log(tmp_path / "new" / "commands.log"):
        LOG.info("move %s", "there")
    LOG.info("not this")
    text = (tmp_path / "new" / "commands.log").read_text()
    assert text.endswith("move there\n") and "not this" not in text
    assert _logger() == before


def _logger():
    return LOG.level, LOG.propagate, list(LOG.handlers)


@full_disk
def test_a_command_that_cannot_be_logged_is_not_sent_and_the_arm_stops_all_the_same(capsys):
    before, end = _logger(), np.array(fr3.READY) + [0.8, 0, 0, 0, 0, 0, 0]
    with empty_table() as controller, Arm(controller.hostname, execute=True, speed=0.5) as arm:
        arm._robot.move(franky.JointMotion(end, relative_dynamics_factor=0.1), asynchronous=True)
        with command_log("/dev/full"):
            with pytest.raises(
                RobotError, match="cannot write /dev/full: No space left on device; .* is not sent"
            ):
                arm.open()
            found = attempt(arm, None, None, TrialSettings(), None, None)
            stopped = controller.truth().q
        assert found["outcome"] == "fault" and found["reason"].startswith("cannot write /dev/full")
        commands = controller.commands()
        assert (
            commands["hand.kMove"] == 0 and commands["kMove"] == 1 and commands["hand.kStop"] >= 1
        )
        assert not arm._robot.is_in_control and np.abs(stopped - end).max() > 0.3
    assert _logger() == before and "Traceback" not in capsys.readouterr().err


@full_disk
def test_a_log_on_a_full_disk_ends_the_trials_with_a_record_and_one_line(
    tmp_path, weights, monkeypatch, capsys
):
    monkeypatch.setattr(trial_runner, "trial_poses", lambda obj, count, seed: np.eye(4)[None])
    (tmp_path / "commands.log").symlink_to("/dev/full")
    status = main(
        [
            "trials",
            "--objects",
            "spam_can",
            "--poses",
            "1",
            "--out",
            str(tmp_path),
            "--weights",
            str(weights),
        ]
    )
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("graspbook")]
    assert status == 2 and len(told) == 1
    assert (
        "spam_can, pose 0, graspnet: cannot write" in told[0]
        and "commands.log: No space left on device" in told[0]
    )
    (record,) = read_records(tmp_path / "trials.jsonl")
    assert (
        record["outcome"] == "fault"
        and "No space left on device" in record["reason"]
        and not begun(record)
    )


@pytest.fixture
def drawn(monkeypatch):
    """Trials of poses 0, 1, ... without a controller, and the poses whose pictures were drawn;
    `drawn.last` is the last trial.
    """
    done = SimpleNamespace(poses=[], last=9)

    def simulated(subject, base_T_object, networks, settings, rng):
        if base_T_object[0, 3] > done.last:
            raise KeyboardInterrupt
        return not_begun("reflex") | {
            "times": {"look": 1.0},
            "commands": 3,
            "base_T_object": base_T_object.tolist(),
        }

    def picture(record, mesh, path):
        done.poses.append(record["pose"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("drawn")
        return path

    monkeypatch.setattr(
        trial_runner,
        "trial_poses",
        lambda obj, count, seed: np.array(
            [pose.from_rt(np.eye(3), [i, 0, 0]) for i in range(count)]
        ),
    )
    monkeypatch.setattr(trial_runner, "simulate", simulated)
    monkeypatch.setattr(trials, "picture_of_trial", picture)
    return done


def test_every_new_trial_is_drawn_as_it_ends_and_every_missing_picture(tmp_path, weights, drawn):
    def run():
        return trials.trials(["spam_can"], ["geometric"], 3, [0], tmp_path, weights)

    pictures = [tmp_path / "pictures" / f"spam_can_{i}_geometric_0.png" for i in range(3)]
    pictures[0].parent.mkdir()
    for stale in (pictures[0], pictures[0].with_suffix(".html")):
        stale.write_text("of an earlier run")
    drawn.last = 1
    with pytest.raises(KeyboardInterrupt):
        run()
    assert drawn.poses == [0, 1] and [path.is_file() for path in pictures] == [True, True, False]
    assert pictures[0].read_text() == "drawn" and not pictures[0].with_suffix(".html").exists()
    drawn.last = 9
    pictures[1].unlink()
    assert len(run()) == 3
    assert drawn.poses == [0, 1, 2, 1] and all(path.is_file() for path in pictures)
    run()
    assert len(drawn.poses) == 4


def test_a_real_run_shows_the_pose_before_it_asks_and_closes_its_camera(
    tmp_path, weights, drawn, monkeypatch
):
    told, hand_eye = [], tmp_path / "hand_eye.json"
    hand_eye.write_text(json.dumps({"hand_T_camera": fr3.HAND_T_CAMERA.tolist()}))

    class Camera(SimulatedCamera):
        def close(self):
            told.append("closed")

    def nobody(text):
        told.append(text)
        raise EOFError

    monkeypatch.setattr(
        trials, "open_camera", lambda source: told.append(source) or Camera(None, None, None, None)
    )
    monkeypatch.setattr(trials, "RealSetup", partial(trial_runner.RealSetup, ask=nobody))
    with pytest.raises(RobotError, match="somebody must place the objects"):
        trials.trials(
            ["spam_can"],
            ["geometric"],
            1,
            [0],
            tmp_path / "out",
            weights,
            "127.9.9.9",
            "",
            True,
            hand_eye,
        )
    picture = tmp_path / "out" / "pictures" / "place_spam_can_0.png"
    assert [told[0], told[2]] == [
        "realsense",
        "closed",
    ] and f"Place spam_can as in {picture} (" in told[1]
    assert picture.is_file() and [path.name for path in (tmp_path / "out").iterdir()] == [
        "pictures"
    ]


def level_table(height, tilt):
    """A Frame of an empty table, seen from `height` m at `tilt` rad from straight down."""
    v, u = np.mgrid[:480, :640]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    normal = np.array(
        [0, -np.sin(tilt), -np.cos(tilt)]
    )  # up, in the camera's frame: its top looks away from the arm
    return Frame((height / -(rays @ normal)).astype(np.float32), K)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.9])
def test_the_assumed_pose_puts_the_table_at_zero_and_its_middle_where_objects_stand(tilt):
    frame = level_table(0.5, tilt)
    base_T_camera = pick.assumed_pose(frame)
    assert np.allclose(base_T_camera[:3, :3] @ base_T_camera[:3, :3].T, np.eye(3))
    assert np.isclose(base_T_camera[2, 3], 0.5, atol=1e-4)
    depth = frame.depth[240, 320]
    middle = base_T_camera @ [*(depth * (np.array([320, 240]) - K[:2, 2]) / 600), depth, 1]
    assert np.allclose(middle[:3], [*PLACE, 0], atol=2e-3)
    assert base_T_camera[0, 2] > -1e-6  # it looks away from the arm
    assert np.isclose(base_T_camera[1, 2], 0, atol=1e-6)


def test_no_pose_is_assumed_without_a_table():
    with pytest.raises(CaptureError, match="empty view: 0 measured points"):
        pick.assumed_pose(Frame(np.full((480, 640), np.nan, np.float32), K))
    with pytest.raises(CaptureError, match="no table"):
        pick.assumed_pose(level_table(0.5, np.pi / 2 - 0.05))


def test_options_of_a_real_arm_are_refused_without_one(tmp_path):
    with pytest.raises(ParameterError, match="expected --robot"):
        pick.pick("none.npz", "none", tmp_path / "a.json", tmp_path / "a.html", execute=True)
    assert not list(tmp_path.iterdir())


def test_a_capture_is_picked_from_in_rehearsal(tmp_path):
    """A box on a table, seen at an angle: a grasp is planned, its way is gone by the simulated arm,
    twice to the same bytes.
    """
    box = make_trial_object("spam_can")
    view = simulated_view(
        box, trial_runner.trial_poses(box, 1)[0], AT_LOOK, np.random.default_rng(0)
    )
    np.savez(tmp_path / "can.npz", depth=view.depth, K=view.K)
    found = pick.pick(tmp_path / "can.npz", SHIPPED, tmp_path / "can.json", tmp_path / "can.html")
    assert (
        found["outcome"] == "planned"
        and found["rehearsed"] is True
        and found["camera_pose_assumed"]
    )
    written = json.loads((tmp_path / "can.json").read_text())
    hand = fr3.forward(list(written["joints"].values()))
    assert np.allclose(hand, written["base_T_hand"], atol=1e-3) and list(written["joints"]) == list(
        fr3.JOINTS
    )
    page = (tmp_path / "can.html").read_text()
    assert "chosen" in page and "read off the table" in page


@pytest.fixture
def quick(monkeypatch):
    """Fewer grasps, faster motions."""
    monkeypatch.setattr(
        pick, "TrialSettings", partial(TrialSettings, PredictSettings(samples=24, steps=3))
    )
    monkeypatch.setattr(pick, "REAL_SPEED", 0.5)


def test_a_real_arm_without_leave_to_execute_gets_no_motion(tmp_path, quick):
    """A recording will do there: nothing moves by it."""
    view = simulated_view(
        make_trial_object("jello_strawberry"),
        pose.from_rt(np.eye(3), [*PLACE, 0]),
        AT_LOOK,
        np.random.default_rng(0),
    )
    np.savez(tmp_path / "box.npz", depth=view.depth, K=view.K)
    with empty_table(fr3.LOOK) as controller:
        found = pick.pick(
            tmp_path / "box.npz",
            SHIPPED,
            tmp_path / "box.json",
            tmp_path / "box.html",
            robot=controller.hostname,
        )
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


def test_a_real_arm_with_leave_to_execute_looks_and_tells_what_became_of_it(
    tmp_path, quick, weights, monkeypatch
):
    (tmp_path / "hand_eye.json").write_text(
        json.dumps({"hand_T_camera": fr3.HAND_T_CAMERA.tolist()})
    )
    with empty_table() as controller:
        camera = SimulatedCamera(
            lambda: [(trial_runner._table(), np.eye(4))],
            lambda: fr3.forward(controller.truth().q) @ fr3.HAND_T_CAMERA,
            d415(),
            np.random.default_rng(0),
        )
        monkeypatch.setattr(pick, "open_camera", {"realsense": camera}.get)
        found = pick.pick(
            "realsense",
            weights,
            tmp_path / "none.json",
            tmp_path / "none.html",
            robot=controller.hostname,
            execute=True,
            hand_eye=tmp_path / "hand_eye.json",
        )
        commands = controller.commands()
    assert (found["outcome"], found["fault"]) == (
        "no feasible grasp",
        None,
    ) and "nothing on the table" in found["reason"]
    assert json.loads((tmp_path / "none.json").read_text())["reason"] == found["reason"]
    assert found["reason"] in (tmp_path / "none.html").read_text()
    assert commands["kMove"] == commands["hand.kMove"] == 1 and commands["hand.kGrasp"] == 0
    assert "'what': 'look'" in (tmp_path / "none.log").read_text()
