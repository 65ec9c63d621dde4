"""The trial protocol: where objects stand, what is recorded, and how a run goes on."""

import errno
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import MeshError, OtherTrialsError, OutputError, RobotError
from graspbook.graspnet.predict import PredictSettings, load_networks
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.trial_objects import make_trial_object
from graspbook.robots import trial_runner
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.planning import MotionSettings
from graspbook.robots.trial_records import GraspCounts, read_records
from graspbook.robots.trial_runner import run_trials, setup_hash
from graspbook.robots.trial_setups import RealSetup, simulate
from graspbook.robots.trial_subjects import Subject
from graspbook.storage import SHIPPED

BOX = make_trial_object("jello_strawberry")
SUBJECT = Subject(BOX, 0.097, "box")
FOUND = {
    "outcome": "grasp failed",
    "reason": "slipped",
    "fault": None,
    "score": 0.5,
    "rank": 0,
    "scores": [0.5],
    "lifted": 0.0,
    "grasps": dict.fromkeys(GraspCounts.model_fields, 1),
    "times": {"total": 1.0},
    "base_T_hand": None,
    "view": None,
    "commands": 3,
    "base_T_object": None,
}


@pytest.fixture
def quick(monkeypatch):
    """Trials without a controller: what was simulated, in order."""
    done = []

    def simulated(subject, base_T_object, networks, settings, rng):
        done.append((subject.obj.name, settings.predict.method, rng.random()))
        return dict(FOUND)

    monkeypatch.setattr(trial_runner, "simulate", simulated)
    monkeypatch.setattr(
        trial_runner,
        "trial_poses",
        lambda obj, count, seed, **_: np.repeat(np.eye(4)[None], count, axis=0),
    )
    return done


def run(
    path,
    weights,
    settings=None,
    poses=2,
    robot=None,
    seeds=(0,),
    methods=("graspnet", "geometric"),
    subjects=(SUBJECT,),
    ended=None,
):
    networks = {method: load_networks(weights, method=method) for method in methods}
    return run_trials(
        subjects,
        networks,
        path,
        poses=poses,
        seeds=seeds,
        weights=weights,
        settings=settings or TrialSettings(),
        revision="abc",
        robot=robot,
        ended=ended,
        progress=False,
    )


def test_each_method_gets_each_pose_with_the_same_randomness_and_one_record(
    quick, weights, tmp_path
):
    records = run(tmp_path / "trials.jsonl", weights, seeds=(0, 1))
    assert [(record["seed"], record["pose"], record["method"]) for record in records] == [
        (seed, index, method)
        for seed in (0, 1)
        for index in (0, 1)
        for method in ("graspnet", "geometric")
    ]
    assert {(record["object"], record["category"]) for record in records} == {
        ("jello_strawberry", "box")
    }
    assert {(record["method"], record["network"]) for record in records} == {
        ("graspnet", "shared"),
        ("geometric", None),
    }
    numbers = [number for _, _, number in quick]
    assert numbers[0::2] == numbers[1::2] and len(set(numbers)) == 4
    assert read_records(tmp_path / "trials.jsonl") == records


def test_a_run_killed_after_a_trial_goes_on_with_the_next(quick, weights, tmp_path, monkeypatch):
    path = tmp_path / "trials.jsonl"
    whole = run(tmp_path / "whole.jsonl", weights)
    quick.clear()
    simulated = trial_runner.simulate

    def killed(*arguments):
        if len(quick) == 1:
            raise KeyboardInterrupt
        return simulated(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(trial_runner, "simulate", killed)
        run(path, weights)
    assert len(read_records(path)) == 1
    assert run(path, weights) == whole and len(quick) == 4
    run(path, weights)
    assert len(quick) == 4  # nothing is left to do


def test_a_run_is_told_of_its_own_trials_in_order_and_goes_on_with_more_methods_poses_and_seeds(
    quick, weights, tmp_path
):
    path = tmp_path / "trials.jsonl"
    run(path, weights, methods=["geometric"], seeds=[1])
    assert len(quick) == 2
    records = run(path, weights, poses=3, methods=["graspnet", "geometric"], seeds=[0, 1])
    assert len(quick) == 12 and len(read_records(path)) == 12
    assert [(record["seed"], record["pose"], record["method"]) for record in records] == [
        (seed, index, method)
        for seed in (0, 1)
        for index in (0, 1, 2)
        for method in ("graspnet", "geometric")
    ]
    assert [record["pose"] for record in run(path, weights, poses=1, methods=["geometric"])] == [0]
    assert len(quick) == 12 and len(read_records(path)) == 12


def test_each_new_record_is_told_of_as_it_ends(quick, weights, tmp_path):
    told = []
    records = run(
        tmp_path / "trials.jsonl",
        weights,
        poses=1,
        ended=lambda record: told.append(
            (record["method"], len(read_records(tmp_path / "trials.jsonl")))
        ),
    )
    assert told == [("graspnet", 1), ("geometric", 2)]
    assert (
        run(tmp_path / "trials.jsonl", weights, poses=1, ended=told.append) == records
        and len(told) == 2
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {
                "subjects": [
                    Subject(
                        GraspObject(
                            BOX.name, BOX.family, BOX.mesh.copy().apply_scale(1.01), BOX.parts
                        ),
                        0.097,
                        "box",
                    )
                ]
            },
            "line 1: a trial of another jello_strawberry",
        ),
        ({"subjects": [Subject(BOX, 0.098, "box")]}, "line 1: a trial of another jello_strawberry"),
        (
            {"settings": TrialSettings(force=21.0)},
            "line 1: a trial of setup .*, expected .*parameters, weights or code differ",
        ),
    ],
)
def test_trials_of_another_setup_or_object_are_never_mixed_with_this_run_s(
    quick, weights, tmp_path, capsys, changes, told
):
    path = tmp_path / "trials.jsonl"
    run(path, weights)
    before = path.read_bytes()
    with pytest.raises(OtherTrialsError, match="line 1: a trial of .*; write to another folder"):
        run(path, weights, robot=RealSetup(hostname="192.0.2.1", camera=None, show=None), **changes)
    assert path.read_bytes() == before and len(quick) == 4
    for _again in (1, 2):
        run(path, weights, **changes)
        assert len(quick) == 8 and len(read_records(path)) == 4
        assert (tmp_path / "trials_1.jsonl").read_bytes() == before
    assert re.search(
        f"{told}.*kept as .*trials_1.jsonl; a new file is started", capsys.readouterr().out
    )
    run(path, weights)
    assert len(quick) == 12 and len(read_records(tmp_path / "trials_2.jsonl")) == 4


def test_an_object_that_cannot_be_held_is_told_of_before_any_trial(
    quick, weights, tmp_path, monkeypatch
):
    def posed(obj, count, seed, **_):
        if obj.name == "slab":
            raise MeshError("'slab': none of its 3 poses")
        return np.eye(4)[None]

    monkeypatch.setattr(trial_runner, "trial_poses", posed)
    slab = Subject(GraspObject("slab", "own", BOX.mesh, BOX.parts), 0.3, "own")
    with pytest.raises(MeshError, match="slab"):
        run(tmp_path / "trials.jsonl", weights, subjects=[SUBJECT, slab])
    assert quick == [] and not (tmp_path / "trials.jsonl").exists()


def test_the_setup_is_known_by_its_settings_weights_code_and_arm(tmp_path, monkeypatch):
    for name in ("sampler", "evaluator", "gpd"):
        (tmp_path / f"{name}.safetensors").write_text(name)
    known, gpd = TrialSettings(), TrialSettings(predict=PredictSettings(method="gpd"))
    hashes = [
        setup_hash(settings, tmp_path)
        for settings in (
            known,
            gpd,
            TrialSettings(hold=1.0),
            TrialSettings(motion=MotionSettings(speed=0.4)),
            TrialSettings(arm=replace(FR3, hand_T_camera=np.eye(4))),
        )
    ] + [setup_hash(known, tmp_path, real=True)]
    assert hashes[:2] == [setup_hash(known, tmp_path), setup_hash(gpd, tmp_path)]
    (tmp_path / "sampler.safetensors").write_text("another")
    assert setup_hash(gpd, tmp_path) == hashes[1]  # which does not use it
    hashes.append(setup_hash(known, tmp_path))
    monkeypatch.setattr(
        trial_runner,
        "code_hash",
        lambda *modules: f"changed code of {modules}",
    )
    hashes.append(setup_hash(known, tmp_path))
    assert len(set(hashes)) == 8


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_ends_the_run_with_the_record_in_the_message(
    quick, weights, tmp_path, monkeypatch, call
):
    path = tmp_path / "trials.jsonl"

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        monkeypatch.context() as patched,
        pytest.raises(OutputError, match='No space left on device; .*"reason": "slipped"'),
    ):
        patched.setattr(os, call, full)
        run(path, weights)
    assert read_records(path) == [] and len(quick) == 1
    assert len(run(path, weights)) == 4  # once there is room


def a_robot(fault, times):
    """A real arm whose trials end in a fault after some stages, and what was placed for it."""
    placed = []
    found = FOUND | {"outcome": "fault", "reason": fault, "fault": fault, "times": times}
    return (
        SimpleNamespace(
            place=lambda subject, index, base_T_object: placed.append((index, base_T_object.shape)),
            attempt=lambda networks, settings, rng: dict(found),
        ),
        placed,
    )


def test_a_fault_on_a_real_arm_is_recorded_and_ends_the_run(quick, weights, tmp_path):
    robot, placed = a_robot("no frames", {"look": 1.0})
    with pytest.raises(
        RobotError,
        match="jello_strawberry, pose 0, graspnet: no frames; this was recorded, .* Check the arm",
    ):
        run(tmp_path / "trials.jsonl", weights, robot=robot)
    assert [record["outcome"] for record in read_records(tmp_path / "trials.jsonl")] == [
        "fault"
    ] and quick == []
    with pytest.raises(
        RobotError, match="jello_strawberry, pose 0, geometric: no frames"
    ):  # a rerun goes on with the next
        run(tmp_path / "trials.jsonl", weights, robot=robot)
    assert placed == [(0, (4, 4))] * 2


def test_a_fault_during_a_simulated_trial_is_an_outcome_and_the_run_goes_on(
    quick, weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        trial_runner,
        "simulate",
        lambda *_: FOUND | {"outcome": "fault", "reason": "reflex", "fault": "reflex"},
    )
    assert [record["fault"] for record in run(tmp_path / "trials.jsonl", weights)] == ["reflex"] * 4


def test_a_controller_that_is_gone_before_a_trial_is_recorded_and_ends_the_run_until_it_is_there(
    quick, weights, tmp_path, monkeypatch
):
    path, told = tmp_path / "trials.jsonl", []

    def gone(*_):
        raise RobotError("the simulated controller did not start (exit status 1)")

    with monkeypatch.context() as patched:
        patched.setattr(trial_runner, "simulate", gone)
        for _ in range(2):
            with pytest.raises(
                RobotError,
                match=(
                    "pose 0, graspnet: the simulated controller did not start .exit status 1.; "
                    "this was recorded, .* did not begin. Check that"
                ),
            ):
                run(path, weights, poses=1, ended=told.append)
            assert [
                (record["outcome"], record["fault"], record["times"])
                for record in read_records(path)
            ] == [("fault", "the simulated controller did not start (exit status 1)", {})]
    assert len(told) == 2
    records = run(path, weights, poses=1)
    assert [record["reason"] for record in records] == ["slipped"] * 2 and read_records(
        path
    ) == records
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "error",
    [
        EOFError(),
        NotImplementedError("raw_input was called, but this frontend does not support it"),
        RuntimeError("input(): lost sys.stdin"),
    ],
)
def test_without_anybody_to_place_objects_no_trial_begins(quick, weights, tmp_path, error):
    def nobody(text):
        raise error

    with pytest.raises(
        RobotError, match="a person must place the objects: run this in JupyterLab or a terminal"
    ):
        somebody = RealSetup(hostname="127.9.9.9", camera=None, show=lambda *_: "it", ask=nobody)
        run(tmp_path / "trials.jsonl", weights, robot=somebody)
    assert not (tmp_path / "trials.jsonl").exists()


@pytest.mark.skipif(not Path(SHIPPED, "sampler.safetensors").is_file(), reason="no shipped weights")
@pytest.mark.timing
def test_the_shipped_networks_lift_a_box_from_camera_to_record(tmp_path, monkeypatch):
    settings = TrialSettings(
        predict=PredictSettings(samples=24, steps=3),
        motion=MotionSettings(line_speed=0.3),
        hold=0.05,
    )
    monkeypatch.setattr(
        trial_runner,
        "trial_poses",
        lambda obj, count, seed, **_: pose.from_rt(np.eye(3), [0.5, 0, 0])[None],
    )
    monkeypatch.setattr(
        trial_runner, "simulate", lambda *arguments: simulate(*arguments, realtime=False)
    )
    networks = {"graspnet": load_networks(SHIPPED)}
    (record,) = run_trials(
        [SUBJECT],
        networks,
        tmp_path / "trials.jsonl",
        poses=1,
        seeds=[0],
        weights=SHIPPED,
        settings=settings,
        revision=None,
        progress=False,
    )
    assert record["outcome"] == "success", record["reason"]
    assert record["lifted"] > 0.05 and record["fault"] is None
    assert record["grasps"]["predicted"] == 24 and record["commands"] >= 10
