from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import ParameterError, PlanError
from graspbook.hands.library import load_hand
from graspbook.highdof import eigengrasps
from graspbook.highdof.eigengrasps import (
    WIDEST,
    Eigengrasps,
    EigengraspSettings,
    fit,
    load_eigengrasps,
)
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import PlannerSettings, plan, space, starts
from graspbook.highdof.plans import plan_files
from graspbook.objects.distance import signed_distance_grid, stack

BOX = trimesh.creation.box((0.04, 0.05, 0.16))
FIELDS = stack([signed_distance_grid(BOX, 48)])
SHIPPED = [("shadow", 2), ("shadow", 6), ("barrett", 2), ("barrett", 4)]


def test_components_are_those_of_a_singular_value_decomposition():
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5)
    mean, rows, variances = fit(joints)
    _, singular, right = np.linalg.svd(joints - joints.mean(axis=0))
    np.testing.assert_allclose(mean, joints.mean(axis=0))
    np.testing.assert_allclose(variances, singular**2 / 59)
    np.testing.assert_allclose(np.abs((rows * right).sum(axis=1)), 1)
    assert (rows[np.arange(5), np.abs(rows).argmax(axis=1)] > 0).all()


def test_amplitudes_give_joints_and_joints_amplitudes():
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0][:2] * torch.tensor(
        [[2], [1]]
    )
    postures = Eigengrasps(torch.arange(6.0), basis, torch.full((6,), -9), torch.full((6,), 9))
    drawn = torch.rand(20, 2, generator=generator) * 4 - 2
    joints = postures.joints(drawn)
    torch.testing.assert_close(postures.amplitudes(joints), drawn)
    # what is at a right angle to the basis changes nothing
    other = torch.linalg.svd(basis)[2][-1]
    torch.testing.assert_close(postures.amplitudes(joints + other), drawn)
    states = torch.cat([torch.rand(20, 7, generator=generator), joints], dim=1)
    torch.testing.assert_close(postures.states(postures.short(states)), states)
    far = postures._replace(high=torch.full((6,), 3.0)).joints(drawn)
    torch.testing.assert_close(far, joints.clamp(max=3.0))


@pytest.mark.parametrize(("name", "count"), SHIPPED)
def test_the_postures_that_come_with_the_package(name, count):
    hand = load_hand(name)
    postures = load_eigengrasps(hand, count)
    products = postures.basis @ postures.basis.T
    lengths = products.diag()
    assert (products - lengths.diag()).abs().max() < 1e-3 * lengths.max()
    assert (lengths.diff() <= 0).all() and lengths.min() > 0
    low, high = torch.as_tensor(hand.limits.T, dtype=torch.float32)
    assert (postures.mean > low - 1e-3).all() and (postures.mean < high + 1e-3).all()
    closed = (postures.mean - torch.as_tensor(hand.open)) * torch.as_tensor(hand.closing)
    assert closed.mean() > 0.2  # they are of closed hands


def test_joints_are_found_by_name(monkeypatch):
    hand = load_hand("shadow")
    expected, known = load_eigengrasps(hand, 3), eigengrasps._known()["shadow"]
    order = np.random.default_rng(0).permutation(len(hand.joints))
    turned = {
        "joints": [known["joints"][index] for index in order],
        "mean": np.array(known["mean"])[order],
        "basis": np.array(known["basis"])[:, order],
    }
    monkeypatch.setattr(eigengrasps, "_known", lambda: {"shadow": turned})
    for one, other in zip(load_eigengrasps(hand, 3), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_planned_joints_are_a_posture_up_to_their_limits():
    hand, count = load_hand("shadow"), 3
    search = EigengraspSettings(30, amplitudes=count)
    generator = torch.Generator().manual_seed(1)
    found = plan(hand, FIELDS, PlannerSettings(4, search=search), generator)[0]
    energies, legal = Judge(hand, FIELDS, torch.zeros(4, dtype=torch.long))(
        found.states, torch.arange(4)
    )
    assert legal.all()
    torch.testing.assert_close(energies, found.energies, rtol=1e-4, atol=1e-3)
    assert (found.history[-1] < found.history[0]).all()
    postures, limits = load_eigengrasps(hand, count), torch.as_tensor(hand.limits).float()
    for joints in found.states[:, 7:]:
        free = (joints > limits[:, 0] + 1e-5) & (joints < limits[:, 1] - 1e-5)
        right = (joints - postures.mean)[free, None]
        amplitudes = torch.linalg.lstsq(postures.basis[:, free].T, right).solution[:, 0]
        torch.testing.assert_close(postures.joints(amplitudes), joints, atol=1e-3, rtol=0)
        assert amplitudes.abs().max() < WIDEST + 1e-2


def test_starts_and_jumps_are_of_amplitudes():
    hand, which = load_hand("shadow"), torch.zeros(20, dtype=torch.long)
    postures = load_eigengrasps(hand, 2)
    judge = Judge(hand, FIELDS, which, postures=postures)
    first = starts(hand, FIELDS, judge, torch.Generator().manual_seed(0))
    assert first.shape == (20, 9) and judge(first, torch.arange(20))[1].all()
    limits = postures.space(space(hand, FIELDS, graspit=True))
    assert limits.low.shape == limits.high.shape == (1, 9)
    torch.testing.assert_close(limits.jump[7:], (limits.high - limits.low)[0, 7:] / 2)


def test_a_hand_without_postures_is_refused_before_planning(tmp_path):
    settings = PlannerSettings(2, search=EigengraspSettings(5))
    for refused in (
        lambda: plan(load_hand("franka"), FIELDS, settings, torch.Generator()),
        lambda: plan_files({"box": BOX}, {"box": tmp_path / "a.h5"}, "franka", settings),
    ):
        with pytest.raises(
            PlanError, match=r"for this franka hand, .* barrett or shadow hand: use another"
        ):
            refused()
    own = SimpleNamespace(name="shadow", joints=load_hand("shadow").joints, content="of a folder")
    with pytest.raises(PlanError, match="no eigengrasps for this shadow hand"):
        load_eigengrasps(own, 2)


@pytest.mark.parametrize("count", [0, 7])
def test_a_number_of_amplitudes_that_there_is_not(count):
    with pytest.raises(ParameterError, match=f"{count} amplitudes .* expected 1 to 6"):
        load_eigengrasps(load_hand("shadow"), count)
