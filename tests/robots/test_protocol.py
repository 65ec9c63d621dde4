"""The trial protocol: where objects stand, what is recorded, and how a run goes on."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import OutputError, RobotError
from graspbook.graspnet.predict import PredictSettings
from graspbook.objects.trial_objects import make_trial_object
from graspbook.robots import protocol
from graspbook.robots.planning import MotionSettings
from graspbook.robots.protocol import PLACE, SCATTER, RealSetup, Subject, run_trials, setup_hash, simulate, trial_poses
from graspbook.robots.records import GRASPS, read_records
from graspbook.robots.trial import TrialSettings
from graspbook.storage import SHIPPED

BOX = make_trial_object("jello_strawberry")
SUBJECT = Subject(BOX, 0.097, "box")
FOUND = {"outcome": "grasp failed", "reason": "slipped", "fault": None, "score": 0.5, "rank": 0, "scores": [0.5], "lifted": 0.0,
         "grasps": dict.fromkeys(GRASPS, 1), "times": {"total": 1.0}, "base_T_hand": None, "view": None, "commands": 3,
         "base_T_object": None}


@pytest.fixture
def quick(monkeypatch):
    """Trials without a controller: what was simulated, in order."""
    done = []

    def simulated(subject, base_T_object, networks, settings, rng):
        done.append((subject.obj.name, settings.predict.method, rng.random()))
        return dict(FOUND)

    monkeypatch.setattr(protocol, "simulate", simulated)
    monkeypatch.setattr(protocol, "trial_poses", lambda obj, count, seed: np.repeat(np.eye(4)[None], count, axis=0))
    return done


def run(path, weights, settings=None, poses=2, device=None, seeds=(0,)):
    return run_trials([SUBJECT], ["graspnet", "geometric"], poses, seeds, path, weights, settings or TrialSettings(), "abc",
                      device, progress=False)


def test_each_method_gets_each_pose_with_the_same_randomness_and_one_record(quick, weights, tmp_path):
    records = run(tmp_path / "trials.jsonl", weights, seeds=(0, 1))
    assert [(record["seed"], record["pose"], record["method"]) for record in records] == [
        (seed, index, method) for seed in (0, 1) for index in (0, 1) for method in ("graspnet", "geometric")]
    assert {(record["object"], record["category"]) for record in records} == {("jello_strawberry", "box")}
    numbers = [number for _, _, number in quick]
    assert numbers[0::2] == numbers[1::2] and len(set(numbers)) == 4
    assert read_records(tmp_path / "trials.jsonl") == records


def test_a_run_killed_after_a_trial_goes_on_with_the_next(quick, weights, tmp_path, monkeypatch):
    path = tmp_path / "trials.jsonl"
    whole = run(tmp_path / "whole.jsonl", weights)
    quick.clear()
    simulated = protocol.simulate

    def killed(*arguments):
        if len(quick) == 1:
            raise KeyboardInterrupt
        return simulated(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(protocol, "simulate", killed)
        run(path, weights)
    assert len(read_records(path)) == 1
    assert run(path, weights) == whole and len(quick) == 4
    run(path, weights)
    assert len(quick) == 4  # nothing is left to do


def test_records_of_another_setup_are_refused(quick, weights, tmp_path):
    path = tmp_path / "trials.jsonl"
    run(path, weights)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="line 1: a trial of setup .*, expected .*parameters, weights or code differ"):
        run(path, weights, TrialSettings(force=21.0))
    assert path.read_bytes() == before and len(quick) == 4


def test_the_setup_is_known_by_its_settings_and_weights(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    known = setup_hash(TrialSettings(), files)
    assert known == setup_hash(TrialSettings(), files)
    others = [setup_hash(TrialSettings(hold=1.0), files), setup_hash(TrialSettings(motion=MotionSettings(speed=0.4)), files),
              setup_hash(TrialSettings(hand_T_camera=np.eye(4)), files), setup_hash(TrialSettings(), files[:1])]
    files[1].write_text("c")
    assert len({known, setup_hash(TrialSettings(), files), *others}) == 6


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_ends_the_run_with_the_record_in_the_message(quick, weights, tmp_path, monkeypatch, call):
    path = tmp_path / "trials.jsonl"

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OutputError, match='No space left on device; .*"reason": "slipped"'):
        patched.setattr(os, call, full)
        run(path, weights)
    assert read_records(path) == [] and len(quick) == 1
    assert len(run(path, weights)) == 4  # once there is room


def test_a_fault_on_a_real_arm_is_recorded_and_ends_the_run(quick, weights, tmp_path):
    device = SimpleNamespace(attempt=lambda *_: FOUND | {"outcome": "fault", "reason": "no frames", "fault": "no frames"})
    with pytest.raises(RobotError, match="jello_strawberry, pose 0, graspnet: no frames; recorded"):
        run(tmp_path / "trials.jsonl", weights, device=device)
    assert [record["outcome"] for record in read_records(tmp_path / "trials.jsonl")] == ["fault"] and quick == []


def test_a_controller_that_is_gone_before_a_trial_is_recorded(quick, weights, tmp_path, monkeypatch):
    def gone(*_):
        raise RobotError("the simulated controller did not start (exit status 1)")

    monkeypatch.setattr(protocol, "simulate", gone)
    records = run(tmp_path / "trials.jsonl", weights, poses=1)
    assert [(record["outcome"], record["fault"]) for record in records] == [
        ("fault", "the simulated controller did not start (exit status 1)")] * 2
    assert read_records(tmp_path / "trials.jsonl") == records


def test_without_a_controller_a_real_arm_is_told_of_at_once():
    setup = RealSetup("127.9.9.9", None, True, ask=lambda text: "")
    with pytest.raises(RobotError, match="127.9.9.9: no controller answers"):
        setup.attempt(SUBJECT, 0, (None, None), TrialSettings(), np.random.default_rng(0))


def test_poses_are_on_the_table_near_the_place_and_can_be_grasped(monkeypatch):
    monkeypatch.setattr(protocol, "_CANDIDATES", 60)
    accept = protocol._graspable(BOX)
    monkeypatch.setattr(protocol, "_graspable", lambda obj: accept)
    poses = trial_poses(BOX, 2, seed=3)
    np.testing.assert_array_equal(poses, trial_poses(BOX, 2, seed=3))
    assert len(poses) == 2 and np.abs(poses - trial_poses(BOX, 2, seed=4)).max() > 1e-3
    for base_T_object in poses:
        placed = pose.transform(base_T_object, BOX.mesh.vertices)
        assert abs(placed[:, 2].min()) < 1e-3
        assert np.abs(placed.mean(axis=0)[:2] - PLACE).max() <= SCATTER + 1e-3
    assert all(accept(base_T_object) for base_T_object in poses)
    assert not accept(pose.from_rt(np.eye(3), [0, 0, -0.5]))  # where the hand would be in the table


@pytest.mark.parametrize(("held", "height", "outcome"), [(True, 0.021, True), (True, 0.019, False), (False, 0.1, False)])
def test_success_needs_two_fingers_and_two_centimetres(monkeypatch, held, height, outcome):
    """The judge that a simulated trial is given."""
    told = []
    lifted = pose.from_rt(np.eye(3), [0.5, 0, height - BOX.mesh.vertices[:, 2].min()])

    class Controller:
        hostname = "nowhere"

        def __init__(self, *_, **__):
            pass

        def truth(self):
            return SimpleNamespace(base_T_objects=lifted[None], held=np.array([held]), q=np.zeros(7))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Standing(Controller):
        commands = 0

    monkeypatch.setattr(protocol, "SimulatedController", Controller)
    monkeypatch.setattr(protocol, "Arm", Standing)
    monkeypatch.setattr(protocol, "attempt", lambda arm, camera, networks, settings, rng, judge: told.append(judge()) or {})
    simulate(SUBJECT, np.eye(4), None, TrialSettings(), np.random.default_rng(0))
    assert told[0][0] is outcome and told[0][1] == pytest.approx(height)


@pytest.mark.skipif(not Path(SHIPPED, "sampler.safetensors").is_file(), reason="no shipped weights")
def test_the_shipped_networks_lift_a_box_from_camera_to_record(tmp_path, monkeypatch):
    settings = TrialSettings(predict=PredictSettings(samples=24, steps=3), motion=MotionSettings(line_speed=0.3), hold=0.05)
    monkeypatch.setattr(protocol, "trial_poses", lambda obj, count, seed: pose.from_rt(np.eye(3), [0.5, 0, 0])[None])
    monkeypatch.setattr(protocol, "simulate", lambda *arguments: simulate(*arguments, realtime=False))
    record, = run_trials([SUBJECT], ["graspnet"], 1, [0], tmp_path / "trials.jsonl", SHIPPED, settings, None, progress=False)
    assert record["outcome"] == "success", record["reason"]
    assert record["lifted"] > 0.05 and record["fault"] is None
    assert record["grasps"]["predicted"] == 24 and record["commands"] >= 10
