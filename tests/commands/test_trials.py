"""Trials from the command line: what is refused, records, pictures."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.cli import main
from graspbook.commands.trials import trials
from graspbook.errors import ParameterError, RobotError
from graspbook.figures import trial_pictures
from graspbook.robots import camera, trial_runner, trial_setups
from graspbook.robots.fr3 import FR3
from graspbook.robots.simulated_camera import SimulatedCamera
from graspbook.robots.trial import not_begun
from graspbook.robots.trial_records import begun, read_records

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@pytest.mark.parametrize(
    ("methods", "seeds", "words"),
    [
        (["gpd", "gpd"], [0], "methods gpd, gpd: expected each method only once"),
        (["gpd"], [0, 1, 0], "seeds 0, 1, 0: expected each seed only once"),
    ],
)
def test_a_method_or_seed_given_twice_is_refused(tmp_path, methods, seeds, words):
    with pytest.raises(ParameterError, match=words):
        trials(["red_bowl"], methods, tmp_path / "out", "none", seeds=seeds)


def test_a_method_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ParameterError, match="method 'luck', expected one of graspnet"):
        trials(["red_bowl"], ["luck"], tmp_path / "out", "none")
    assert not (tmp_path / "out").exists()


def test_bad_options_and_meshes_are_refused_before_torch_is_imported(tmp_path):
    trimesh.creation.box([40, 50, 60]).export(tmp_path / "mm.stl")
    program = (
        "import sys; from graspbook.cli import main; mesh, out = sys.argv[1:]; "
        "codes = [main(['trials', '--out', out, '--objects', *words])"
        " for words in (['red_bowl', '--seed', '0', '0'], [mesh])];"
        " print(codes, {'torch', 'plotly'} & set(sys.modules))"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", program, tmp_path / "mm.stl", out]
    said = subprocess.run(command, capture_output=True, text=True)
    assert "seeds 0, 0" in said.stderr and "mm.stl: the longest side" in said.stderr
    assert said.stdout == "[2, 2] set()\n"
    assert not out.exists()


@full_disk
def test_a_log_on_a_full_disk_ends_the_trials_with_a_record_and_one_line(
    tmp_path, weights, monkeypatch, capsys
):
    monkeypatch.setattr(trial_runner, "trial_poses", lambda obj, count, seed, **_: np.eye(4)[None])
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
        lambda obj, count, seed, **_: np.array(
            [pose.from_rt(np.eye(3), [i, 0, 0]) for i in range(count)]
        ),
    )
    monkeypatch.setattr(trial_runner, "simulate", simulated)
    monkeypatch.setattr(trial_pictures, "picture_of_trial", picture)
    return done


def test_every_new_trial_is_drawn_as_it_ends_and_every_missing_picture(tmp_path, weights, drawn):
    def run():
        return trials(["spam_can"], ["geometric"], tmp_path, weights)

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
    hand_eye.write_text(json.dumps({"hand_T_camera": FR3.hand_T_camera.tolist()}))

    class Camera(SimulatedCamera):
        def close(self):
            told.append("closed")

    def nobody(text):
        told.append(text)
        raise EOFError

    monkeypatch.setattr(
        camera, "open_camera", lambda source: told.append(source) or Camera(None, None, None, None)
    )
    monkeypatch.setattr(trial_setups, "RealSetup", partial(trial_setups.RealSetup, ask=nobody))
    with pytest.raises(RobotError, match="a person must place the objects"):
        trials(
            ["spam_can"],
            ["geometric"],
            tmp_path / "out",
            weights,
            poses=1,
            robot="127.9.9.9",
            execute=True,
            hand_eye=hand_eye,
        )
    picture = tmp_path / "out" / "pictures" / "place_spam_can_0.png"
    assert [told[0], told[2]] == [
        "realsense",
        "closed",
    ] and f"Place spam_can as in {picture} (" in told[1]
    assert picture.is_file() and [path.name for path in (tmp_path / "out").iterdir()] == [
        "pictures"
    ]
