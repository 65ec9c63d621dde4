from dataclasses import fields, replace

import numpy as np
import pytest

from graspbook.errors import GraspFileError
from graspbook.hands.library import load_hand
from graspbook.highdof.held import held_states
from graspbook.highdof.held_archive import read_archive, unpack, write_archive
from graspbook.highdof.plans import HandGrasps, read_plan

HAND = load_hand("barrett")
JOINTS = len(HAND.joints)


def made(seed, held):
    rng, count = np.random.default_rng(seed), len(held)
    numbers = {"energies": (count,), "epsilon": (count,), "imbalance": (count,)}
    numbers |= dict.fromkeys(("closed", "pregrasp", "squeeze"), (count, JOINTS))
    return HandGrasps(
        HAND.name,
        HAND.joints,
        rng.normal(size=(count, 7 + JOINTS)).astype(np.float32),
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
        "a": made(0, [True, True, False]),
        "b": made(1, [False] * 2),
        "c": made(2, [True]),
    }


def test_what_holds_is_read_again(plans, tmp_path):
    write_archive(tmp_path / "held.safetensors", plans)
    found = read_archive(tmp_path / "held.safetensors", HAND)
    assert {name: len(grasps.states) for name, grasps in found.items()} == {"a": 2, "b": 0, "c": 1}
    for name, grasps in found.items():
        plan = plans[name]
        for key in ("states", "closed", "pregrasp", "squeeze", "epsilon", "imbalance"):
            expected = getattr(plan, key)[plan.held]
            np.testing.assert_allclose(getattr(grasps, key), expected, rtol=1e-3, atol=1e-3)
        assert grasps.held.all() and grasps.length == plan.length
        np.testing.assert_array_equal(grasps.com, plan.com)
        assert grasps.parameters == plan.parameters


def test_joints_come_in_the_order_of_the_hand(plans, tmp_path):
    turned = {
        name: replace(
            plan,
            joints=plan.joints[::-1],
            states=np.concatenate([plan.states[:, :7], plan.states[:, :6:-1]], axis=1),
            **{key: getattr(plan, key)[:, ::-1] for key in ("closed", "pregrasp", "squeeze")},
        )
        for name, plan in plans.items()
    }
    for file, given in (("one", plans), ("other", turned)):
        write_archive(tmp_path / file, given)
    one, other = (read_archive(tmp_path / file, HAND)["a"] for file in ("one", "other"))
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_what_is_not_such_a_file_is_refused(plans, tmp_path):
    with pytest.raises(GraspFileError, match="tested plans of one hand"):
        write_archive(tmp_path / "x", plans | {"b": replace(plans["b"], held=None)})
    assert not (tmp_path / "x").exists()
    with pytest.raises(GraspFileError, match="no such file"):
        read_archive(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(GraspFileError, match="not a file of held grasps"):
        read_archive(tmp_path / "x")
    write_archive(tmp_path / "x", plans)
    with pytest.raises(GraspFileError, match="are for the barrett hand"):
        read_archive(tmp_path / "x", load_hand("shadow"))


def test_networks_can_learn_from_the_unpacked_files(plans, tmp_path):
    write_archive(tmp_path / "held.safetensors", plans)
    files = {name: tmp_path / f"{name}.h5" for name in ("a", "c")}
    unpack(tmp_path / "held.safetensors", files)
    found = held_states(read_plan(files["a"], HAND), 3)
    expected = np.concatenate([plans["a"].states[:2, :7], plans["a"].closed[:2]], axis=1)
    np.testing.assert_allclose(found, expected[[0, 1, 0]], rtol=1e-3, atol=1e-3)
    with pytest.raises(GraspFileError, match="it has no grasps of d"):
        unpack(tmp_path / "held.safetensors", {"d": tmp_path / "d.h5"})
