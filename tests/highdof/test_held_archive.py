import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.numpy import save_file

from graspbook.errors import GraspFileError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof.held import held_states
from graspbook.highdof.held_archive import read_archive, unpack, write_archive
from graspbook.highdof.plans import HandGrasps, read_plan

PUBLISHED = Path(__file__).parents[2] / "outputs/published/overnight"
HAND = load_hand("barrett")
JOINTS = len(HAND.joints)


def made(seed, held):
    rng, count = np.random.default_rng(seed), len(held)
    numbers = {"energies": (count,), "epsilon": (count,), "imbalance": (count,)}
    states = rng.normal(size=(count, 7 + JOINTS)).astype(np.float32)
    states = pose_vector.normalise(torch.from_numpy(states)).numpy()
    numbers |= dict.fromkeys(("closed", "pregrasp", "squeeze"), (count, JOINTS))
    return HandGrasps(
        HAND.name,
        HAND.joints,
        states,
        **{key: rng.normal(size=shape).astype(np.float32) for key, shape in numbers.items()},
        iterations=np.arange(3),
        history=rng.normal(size=(3, count)),
        com=rng.normal(size=3),
        length=0.1 + seed,
        evaluations=5.0,
        parameters={"seed": seed, "hand_content": HAND.content},
        held=np.array(held),
    )


@pytest.fixture
def plans():
    return {
        "box_2": made(0, [True, True, False]),
        "box_10": made(1, [False] * 2),
        "apple": made(2, [True]),
    }


def test_what_holds_is_read_again(plans, tmp_path):
    write_archive(tmp_path / "held.safetensors", plans)
    found = read_archive(tmp_path / "held.safetensors")
    assert {name: len(grasps.states) for name, grasps in found.items()} == {
        "apple": 1,
        "box_10": 0,
        "box_2": 2,
    }
    for name, grasps in found.items():
        plan = plans[name]
        for key in ("states", "closed", "pregrasp", "squeeze", "epsilon", "imbalance"):
            expected = getattr(plan, key)[plan.held]
            np.testing.assert_allclose(getattr(grasps, key), expected, rtol=1e-3, atol=1e-3)
        lengths = np.linalg.norm(grasps.states[:, 3:7], axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)
        assert grasps.held.all() and grasps.length == plan.length
        np.testing.assert_array_equal(grasps.com, plan.com)
        assert grasps.parameters == plan.parameters


def test_what_is_not_such_a_file_is_refused(plans, tmp_path):
    with pytest.raises(GraspFileError, match="tested plans of one hand"):
        write_archive(tmp_path / "x", plans | {"apple": replace(plans["apple"], held=None)})
    assert not (tmp_path / "x").exists()
    with pytest.raises(GraspFileError, match="no such file"):
        read_archive(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(GraspFileError, match="not a file of held grasps"):
        read_archive(tmp_path / "x")


@pytest.mark.parametrize(
    ("key", "value"), [("length", {}), ("counts", {"apple": 5}), ("joints", ["thumb"])]
)
def test_a_header_that_does_not_fit_is_refused(plans, tmp_path, key, value):
    write_archive(tmp_path / "x", plans)
    with safetensors.safe_open(tmp_path / "x", framework="np") as file:
        header = json.loads(file.metadata()["held_grasps"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    save_file(arrays, tmp_path / "x", {"held_grasps": json.dumps(header | {key: value})})
    with pytest.raises(GraspFileError, match="not a file of held grasps"):
        read_archive(tmp_path / "x")


def test_networks_can_learn_from_the_unpacked_files(plans, tmp_path):
    write_archive(tmp_path / "held.safetensors", plans)
    files = {name: tmp_path / f"{name}.h5" for name in ("box_2", "apple")}
    unpack(tmp_path / "held.safetensors", files)
    found = held_states(read_plan(files["box_2"], HAND), 3)
    expected = np.concatenate([plans["box_2"].states[:2, :7], plans["box_2"].closed[:2]], axis=1)
    np.testing.assert_allclose(found, expected[[0, 1, 0]], rtol=1e-3, atol=1e-3)
    with pytest.raises(GraspFileError, match="it has no grasps of d"):
        unpack(tmp_path / "held.safetensors", {"d": tmp_path / "d.h5"})


@pytest.mark.parametrize("hand", ["shadow", "barrett"])
def test_the_published_grasps_are_of_all_objects(hand):
    grasps = read_archive(PUBLISHED / f"held_{hand}.safetensors")
    assert len(grasps) == 324 and grasps["mug_0000"].hand == hand
    assert sum(len(own.states) for own in grasps.values()) > 20_000
    assert all(own.held.all() for own in grasps.values())
