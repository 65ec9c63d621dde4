"""Records of trials."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graspbook.errors import OtherTrialsError, OutputError
from graspbook.robots.trial_records import TrialRecords, read_records

PUBLISHED = Path(__file__).parents[2] / "outputs" / "published" / "results"


def trial(pose=0, **changes):
    """A record of a success."""
    return {
        "object": "red_mug",
        "category": "mug",
        "pose": pose,
        "method": "graspnet",
        "network": "shared",
        "seed": 0,
        "outcome": "success",
        "reason": "",
        "fault": None,
        "score": 0.9,
        "rank": 0,
        "scores": [0.9, 0.5],
        "commands": 12,
        "grasps": {"predicted": 200, "clear": 150, "reachable": 60, "tried": 1},
        "times": {"look": 1.0, "total": 20.5, "lift": None},
        "lifted": 0.1,
        "base_T_hand": np.eye(4).tolist(),
        "base_T_object": None,
        "object_hash": "mug",
        "setup": "abc",
        "revision": "1a2b3c4",
        **changes,
    }


def opened(path, setup="abc", content="mug"):
    """The records in a file of a run of graspnet on one mug."""
    return TrialRecords(path, {"graspnet": setup}, {"red_mug": content})


def written(path, *records):
    """The file of records by its path."""
    file = opened(path)
    for record in records:
        file.append(record)
    return path


def test_what_is_appended_is_read_and_done(tmp_path):
    path = written(
        tmp_path / "new" / "trials.jsonl",
        trial(0),
        trial(1, outcome="fault", reason="no frames", fault="camera"),
    )
    again = opened(path)
    assert (
        again.records
        == read_records(path)
        == [trial(0), trial(1, outcome="fault", reason="no frames", fault="camera")]
    )
    assert again.done("red_mug", 0, "graspnet", 0) and again.done("red_mug", 1, "graspnet", 0)
    others = [
        ("blue_mug", 0, "graspnet", 0),
        ("red_mug", 2, "graspnet", 0),
        ("red_mug", 0, "gpd", 0),
        ("red_mug", 0, "graspnet", 1),
    ]
    assert not any(again.done(*other) for other in others)
    assert len(path.read_text().splitlines()) == 2
    again.append(trial(2))
    assert [record["pose"] for record in read_records(path)] == [0, 1, 2]


def test_no_file_is_no_trials_and_is_not_made(tmp_path):
    assert (
        opened(tmp_path / "trials.jsonl").records == read_records(tmp_path / "trials.jsonl") == []
    )
    assert list(tmp_path.iterdir()) == []


def test_numpy_goes_in_and_plain_data_comes_out_in_one_order_of_keys(tmp_path):
    arrays = trial(
        np.int64(0), score=np.float64(0.9), scores=np.array([0.9, 0.5]), base_T_hand=np.eye(4)
    )
    file = opened(tmp_path / "a.jsonl")
    file.append(dict(reversed(arrays.items())))
    assert file.records == [trial(0)] and type(file.records[0]["score"]) is float
    assert (tmp_path / "a.jsonl").read_bytes() == written(
        tmp_path / "b.jsonl", trial(0)
    ).read_bytes()


def test_a_line_that_a_kill_cut_off_goes_and_the_run_goes_on(tmp_path):
    path = written(tmp_path / "trials.jsonl", trial(0), trial(1))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for kept in (first + 1, first + 40, len(whole) - 1):
        path.write_bytes(whole[:kept])
        assert (
            read_records(path) == [trial(0)] and len(path.read_bytes()) == kept
        )  # reading alone changes nothing
        file = opened(path)
        assert path.read_bytes() == whole[:first] and not file.done("red_mug", 1, "graspnet", 0)
        file.append(trial(1))
        assert path.read_bytes() == whole
    path.write_bytes(whole[:50])
    assert opened(path).records == [] and path.read_bytes() == b""


@pytest.mark.parametrize(
    "line, message",
    [
        ("{broken", "not JSON"),
        ("", "not JSON"),
        ("\xff", "not JSON"),
        ("[1]", "it is '.1.': Input should be a valid dictionary"),
        (
            json.dumps(trial(5, outcome="won")),
            "outcome is 'won': Input should be 'success', 'grasp failed'",
        ),
        (json.dumps(trial(5, score="0.5")), "score is '0.5': Input should be a valid number"),
        (json.dumps(trial(5, colour="red")), "colour: Extra inputs are not permitted"),
        (json.dumps(trial(0)), "the same trial as in line 1"),
    ],
)
def test_any_other_bad_line_is_refused_by_its_number_and_the_file_kept(tmp_path, line, message):
    path = written(tmp_path / "trials.jsonl", trial(0), trial(1))
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line.encode("latin1"), lines[1], b'{"cut']))
    before = path.read_bytes()
    for read in (lambda: opened(path), lambda: read_records(path)):
        with pytest.raises(OutputError, match="trials.jsonl, line 2: .*" + message):
            read()
    assert path.read_bytes() == before


def test_trials_of_another_setup_are_refused_and_kept(tmp_path):
    path = written(tmp_path / "trials.jsonl", trial(0))
    path.write_bytes(path.read_bytes() + b'{"cut')
    before = path.read_bytes()
    with pytest.raises(OtherTrialsError, match="line 1: a trial of setup abc, expected xyz"):
        opened(path, "xyz")
    with pytest.raises(
        OtherTrialsError,
        match="line 1: a trial of another red_mug .mug., expected cup: its shape or its mass",
    ):
        opened(path, content="cup")
    assert path.read_bytes() == before
    assert len(read_records(path)) == 1


def test_trials_of_other_methods_and_objects_stay_beside(tmp_path):
    path = written(tmp_path / "trials.jsonl", trial(0))
    file = TrialRecords(path, {"gpd": "xyz"}, {"blue_mug": "cup"})
    file.append(
        trial(0, object="blue_mug", method="gpd", network=None, setup="xyz", object_hash="cup")
    )
    assert [record["object"] for record in read_records(path)] == ["red_mug", "blue_mug"]
    assert opened(path).done("red_mug", 0, "graspnet", 0) and opened(path).get(
        "red_mug", 0, "graspnet", 0
    ) == trial(0)
    assert opened(path).get("red_mug", 1, "graspnet", 0) is None


@pytest.mark.parametrize("times", [{}, {"look": None}])
def test_a_trial_that_never_began_is_not_done_and_the_next_record_of_it_supersedes_it(
    tmp_path, times
):
    gone = trial(0, outcome="fault", reason="no controller", fault="no controller", times=times)
    path = written(tmp_path / "trials.jsonl", gone, trial(1))
    file = opened(path)
    assert file.records == [gone, trial(1)] and not file.done("red_mug", 0, "graspnet", 0)
    file.append(gone)
    assert file.records == read_records(path) == [trial(1), gone]
    file.append(trial(0))
    assert file.records == read_records(path) == opened(path).records == [trial(1), trial(0)]
    assert len(path.read_text().splitlines()) == 4
    with pytest.raises(ValueError, match="recorded already"):
        file.append(gone)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"outcome": "won"}, "outcome is 'won': Input should be 'success', 'grasp failed'"),
        ({"outcome": "grasp failed"}, "outcome 'grasp failed' has no reason"),
        ({"pose": -1}, "pose is '-1': Input should be greater than or equal to 0"),
        ({"pose": True}, "pose is 'True': Input should be a valid integer"),
        ({"pose": 1.0}, "pose is '1.0': Input should be a valid integer"),
        ({"object": ""}, "object is '': String should have at least 1"),
        ({"score": "high"}, "score is 'high': Input should be a valid number"),
        ({"score": True}, "score is 'True'"),
        ({"scores": None}, "scores is 'None': Input should be a valid list"),
        ({"grasps": {"predicted": 3}}, "grasps.clear: Field required; grasps.reachable: Field"),
        ({"times": {"nap": 1.0}}, "times.nap.* is 'nap': Input should be 'look', 'perceive'"),
        ({"times": {"look": -1.0}}, "times.look is '-1.0': Input should be greater than or"),
        ({"base_T_hand": [[1, 0, 0]] * 4}, "base_T_hand.0 is '.1, 0, 0.': List should have at"),
        ({"setup": "xyz"}, "a trial of setup xyz, expected abc"),
        ({"object_hash": "cup"}, "a trial of another red_mug .cup., expected mug"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"lifted": float("nan")}, "JSON compliant"),
    ],
)
def test_what_is_not_a_record_is_not_appended(tmp_path, changes, message):
    path = written(tmp_path / "trials.jsonl", trial(0))
    before, file = path.read_bytes(), opened(path)
    with pytest.raises(ValueError, match=message):
        file.append(trial(1) | changes)
    assert path.read_bytes() == before and file.records == [trial(0)]


def test_a_record_that_lacks_a_key_or_is_there_already_is_not_appended(tmp_path):
    file = opened(tmp_path / "trials.jsonl")
    without = trial()
    del without["seed"], without["times"]
    with pytest.raises(ValueError, match="seed: Field required; times: Field required"):
        file.append(without)
    file.append(trial())
    with pytest.raises(ValueError, match="recorded already"):
        file.append(trial(outcome="grasp failed", reason="slipped"))
    assert len(file.records) == 1


@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_leaves_whole_lines_and_the_record_in_the_message(tmp_path, room):
    path = written(tmp_path / "trials.jsonl", trial(0))
    before, file = path.read_bytes(), opened(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Past the limit a write is cut short (room for 100 bytes) or refused, as on a full disk.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            file.append(trial(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    message = str(caught.value)
    assert str(path) in message and json.loads(message[message.index("{") :]) == trial(1)
    assert path.read_bytes() == before and file.records == [trial(0)]
    file.append(trial(1))  # once there is room
    assert read_records(path) == [trial(0), trial(1)]


def test_an_interrupt_in_the_write_leaves_whole_lines(tmp_path, monkeypatch):
    path = written(tmp_path / "trials.jsonl", trial(0))
    before, file = path.read_bytes(), opened(path)

    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "fsync", interrupted)
        file.append(trial(1))
    assert path.read_bytes() == before
    file.append(trial(1))
    assert len(read_records(path)) == 2


def test_a_second_run_at_once_is_noticed(tmp_path):
    first, second = (opened(tmp_path / "trials.jsonl") for _ in range(2))
    first.append(trial(0))
    with pytest.raises(OutputError, match='another program has written.*"pose": 1'):
        second.append(trial(1))
    assert read_records(first.path) == [trial(0)]


def test_places_that_cannot_be_written_are_refused_before_the_first_trial(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*trials.jsonl"):
        opened(tmp_path / "file" / "trials.jsonl")
    with pytest.raises(OutputError, match="it is a folder"):
        opened(tmp_path)
    with pytest.raises(OutputError, match="cannot read"):
        read_records(tmp_path)


def test_a_killed_run_leaves_every_trial_it_reported(tmp_path):
    script = (
        "import json, sys\nfrom graspbook.robots.trial_records import TrialRecords\nfile ="
        " TrialRecords(sys.argv[1], {}, {})\ntrial = json.loads(sys.argv[2])\nfor pose in"
        " range(10**6):\n    file.append({**trial, 'pose': pose})\n    print(pose, flush=True)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "trials.jsonl", json.dumps(trial())],
        stdout=subprocess.PIPE,
    )
    for _ in range(20):
        run.stdout.readline()
    run.kill()
    reported = 20 + len(run.communicate()[0].splitlines())
    records = opened(tmp_path / "trials.jsonl").records
    assert reported <= len(records) <= reported + 1
    assert [record["pose"] for record in records] == list(range(len(records)))


@pytest.mark.parametrize(
    "path", sorted(PUBLISHED.glob("robot_trials_*.jsonl")), ids=lambda p: p.stem
)
def test_published_records_are_read_and_written_anew_to_the_same_bytes(tmp_path, path):
    records = read_records(path)
    again = TrialRecords(tmp_path / "again.jsonl", {}, {})
    for record in records:
        again.append(dict(reversed(record.items())))
    assert records and again.path.read_bytes() == path.read_bytes()
