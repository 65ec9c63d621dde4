from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import GraspFileError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import ALLOWED, deepest_self
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.held import (
    closed_states,
    density_floor,
    enough,
    held_figures,
    held_files,
    held_states,
    tell_held,
)
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.plans import plan_group, read_plan, write_plan
from graspbook.objects.grasp_object import GraspObject
from graspbook.simulation.hold import Holder, hold_settings

HAND = load_hand("barrett")
MESH = trimesh.creation.box((0.04, 0.05, 0.12))
BOX = GraspObject("box", "", MESH, (MESH,))


class Boxes:
    def load(self, _name):
        return BOX


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "box.h5"
    settings = PlannerSettings(grasps=24, search=BalanceSettings(steps=60))
    plan_group({"box": MESH}, {"box": path}, {"seed": 0}, hand="barrett", settings=settings)
    return path


@pytest.fixture(scope="module")
def told(path):
    return tell_held(HAND, BOX, read_plan(path, HAND))


def test_those_that_hold_are_first_and_hold_when_tested_again(told):
    held = told.held
    assert 3 <= held.sum() < 24 and (np.diff(held.astype(int)) <= 0).all()
    wrist = pose_vector.split(torch.as_tensor(told.states, dtype=torch.float64))[0].numpy()
    again = Holder(HAND, BOX, hold_settings("bench"), threads=1).test(
        wrist[held], told.closed[held], squeeze=told.squeeze[held], pregrasp=told.pregrasp[held]
    )
    assert again.held.all()


def test_planned_hands_are_free_of_themselves_and_arrays_stay_together(path, told):
    plan = read_plan(path, HAND)
    wrist, joints = pose_vector.split(torch.as_tensor(closed_states(told), dtype=torch.float32))
    assert deepest_self(HAND, HAND.forward(joints, wrist)).max() <= ALLOWED + 1e-6
    for before, after in zip(plan.states, plan.closed, strict=True):
        row = np.flatnonzero((told.states == before).all(axis=1))
        assert len(row) == 1 and (told.closed[row[0]] == after).all()
    np.testing.assert_allclose(np.sort(told.history[-1]), np.sort(plan.history[-1]))


def test_only_the_most_balanced_are_tested(path, told):
    plan = read_plan(path, HAND)
    few = tell_held(HAND, BOX, plan, most=6)
    limit = np.sort(plan.imbalance)[5]
    assert 1 <= few.held.sum() <= 6 and few.imbalance[few.held].max() <= limit
    kept = told.imbalance[told.held] <= limit
    np.testing.assert_allclose(few.closed[few.held], told.closed[told.held][kept])


def test_of_a_grasp_that_comes_twice_one_is_kept(told):
    twice = {}
    for name in ("states", "closed", "energies", "epsilon", "pregrasp", "squeeze", "imbalance"):
        twice[name] = np.repeat(getattr(told, name)[:2], 2, axis=0)
    twice["history"] = told.history[:, [0, 0, 1, 1]]
    found = tell_held(HAND, BOX, replace(told, **twice, held=None))
    assert found.held.sum() <= 2 and found.held[0]


def test_what_a_network_learns_from_holds_and_is_repeated_if_there_is_less(told):
    count = int(told.held.sum())
    states = held_states(told, count + 2)
    np.testing.assert_array_equal(states[:count, 7:], told.closed[:count])
    np.testing.assert_array_equal(states[count:], states[:2])
    with pytest.raises(PlanError, match="none of 24 planned grasps holds"):
        held_states(replace(told, held=np.zeros(24, bool)), 5)


def test_the_floor_by_hand():
    grasps = torch.zeros(3, 11)
    grasps[:, 3] = 1
    grasps[1, 0] = 0.1
    grasps[2, 7:9] = 0.2
    # The first and the third are 0.08 apart. The second is 1 from the first, its nearest.
    for states in (grasps, torch.cat([grasps, grasps])):
        found = density_floor([states])
        np.testing.assert_allclose(found, [1 / 3, 0, 2 * 0.08 / 3], rtol=1e-4, atol=1e-6)
    assert np.isnan(density_floor([grasps[:1]])).all()


def test_objects_with_too_few_grasps_are_left_out(told):
    count = int(told.held.sum())
    none = replace(told, held=np.zeros(len(told.held), bool))
    held = {"shadow": {"box": told, "cup": none}, "other": {"box": none, "cup": told}}
    assert enough(held, ["box", "cup"], {"shadow": count}) == ["box"]
    assert enough(held, ["box", "cup"], {"shadow": count + 1}) == []
    assert enough(held, ["box", "cup"], {"shadow": 1, "other": 1}) == []
    assert enough({}, ["box", "cup"], {"shadow": 1}) == ["box", "cup"]
    found = held_figures(held, {"shadow": 24, "other": 24})["shadow"]
    assert found["tested"] == 48 and found["held"] == pytest.approx(count / 48)
    expected = density_floor([closed_states(told)[told.held]])
    np.testing.assert_allclose(found["floor"], expected)


def test_an_old_plan_is_refused(told):
    with pytest.raises(GraspFileError, match="has no squeeze"):
        tell_held(HAND, BOX, replace(told, squeeze=None))


def test_files_are_written_once_for_a_plan_and_a_test(path, tmp_path):
    short = tmp_path / "short.h5"
    plan = read_plan(path, HAND)
    few = {
        name: getattr(plan, name)[:4]
        for name in ("states", "closed", "energies", "epsilon", "pregrasp", "squeeze", "imbalance")
    }
    write_plan(short, replace(plan, **few, history=plan.history[:, :4]))
    out = {"box": tmp_path / "held.h5"}
    how = {"hand": "barrett", "workers": 1}
    held_files(Boxes(), {"box": short}, out, **how)
    first = out["box"].stat().st_mtime_ns
    assert read_plan(out["box"], HAND).held.shape == (4,)
    held_files(Boxes(), {"box": short}, out, **how)
    assert out["box"].stat().st_mtime_ns == first
    held_files(Boxes(), {"box": short}, out, **how, hold="strict")
    assert out["box"].stat().st_mtime_ns > first
