import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import ParameterError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof.annealing import AnnealingSettings
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.eigengrasps import EigengraspSettings
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import PlannerSettings, plan, search_settings, space, starts
from graspbook.highdof.surface_starts import PalmSettings, palm_face
from graspbook.objects.distance import signed_distance_grid, stack

HAND = load_hand("shadow")
MESHES = trimesh.creation.box((0.04, 0.05, 0.16)), trimesh.creation.cylinder(0.03, 0.15)
FIELDS = stack([signed_distance_grid(mesh, 64) for mesh in MESHES])
SETTINGS = PlannerSettings(grasps=6, search=AnnealingSettings(iterations=60))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def planned():
    return plan(HAND, FIELDS, SETTINGS, generator())


def test_searches_by_name():
    assert search_settings("descent", rounds=3) == DescentSettings(3)
    assert search_settings("annealing", iterations=7) == AnnealingSettings(7, "tries")
    assert search_settings("annealing_candidates") == AnnealingSettings(10000, "candidates")
    assert search_settings("graspit", iterations=7) == AnnealingSettings(7, "graspit", 11)
    assert search_settings("eigengrasps", iterations=7) == EigengraspSettings(7, "graspit", 11)
    assert search_settings("balance", steps=9) == BalanceSettings(9)
    same = search_settings("balance_fingertips", steps=9)
    assert same == BalanceSettings(9, choice="fingertips", gap=(0.004, 0.015), rest=0.3)
    assert search_settings("palm", steps=9) == PalmSettings()
    with pytest.raises(ParameterError, match="search 'luck', expected one of descent"):
        search_settings("luck")


def test_graspits_jumps_and_ours():
    ours, graspit = space(HAND, FIELDS), space(HAND, FIELDS, graspit=True)
    extent = torch.as_tensor(HAND.limits[:, 1] - HAND.limits[:, 0], dtype=torch.float32)
    torch.testing.assert_close(ours.jump[:7], torch.tensor([0.05] * 3 + [0.5] * 4))
    torch.testing.assert_close(graspit.jump[:7], torch.tensor([0.1] * 3 + [1.0] * 4))
    torch.testing.assert_close(ours.jump[7:], extent / 4)
    torch.testing.assert_close(graspit.jump[7:], extent / 2)
    assert (graspit.low[:, 3:7] == -5).all() and (graspit.high[:, 3:7] == 5).all()
    assert torch.equal(graspit.low[:, 7:], ours.low[:, 7:])


def test_graspits_plans_are_legal_pose_vectors():
    search = search_settings("graspit", iterations=30)
    found = plan(HAND, FIELDS, PlannerSettings(grasps=4, search=search), generator())
    for index, planned in enumerate(found):
        energies, legal = Judge(HAND, FIELDS, torch.full((4,), index))(
            planned.states, torch.arange(4)
        )
        assert legal.all() and (planned.states[:, 3] >= 0).all()
        torch.testing.assert_close(planned.states[:, 3:7].norm(dim=1), torch.ones(4))
        torch.testing.assert_close(energies, planned.energies, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("search", [BalanceSettings(), PalmSettings()])
@pytest.mark.parametrize("own", [{"energy": "graspit"}, {"layout": "fingertips"}])
def test_some_searches_choose_contacts_on_their_own(search, own):
    with pytest.raises(ParameterError, match="choose contacts on their own"):
        PlannerSettings(search=search, **own)


def test_starts_are_legal_within_the_limits_and_all_around():
    which = torch.zeros(200, dtype=torch.long)
    judge = Judge(HAND, FIELDS, which)
    found = starts(HAND, FIELDS, judge, generator())
    assert judge(found, torch.arange(200))[1].all()
    low, high = torch.as_tensor(HAND.limits.T, dtype=torch.float32)
    assert (found[:, 7:] >= low - 1e-6).all() and (found[:, 7:] <= high + 1e-6).all()
    torch.testing.assert_close(found[:, 3:7].norm(dim=1), torch.ones(200))
    assert (found[:, :3].abs().amax(dim=0) > 0.1).all() and found[:, :3].mean(dim=0).norm() < 0.1


def test_plans_are_legal_better_than_their_starts_and_best_first(planned):
    for index, found in enumerate(planned):
        judge = Judge(HAND, FIELDS, torch.full((6,), index))
        energies, legal = judge(found.states, torch.arange(6))
        assert legal.all() and (energies.diff() >= 0).all()
        torch.testing.assert_close(energies, found.energies, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(found.history[-1], found.energies)
        assert found.energies.mean() < 0.8 * found.history[0].mean()


def test_equal_seeds_plan_alike(planned):
    again = plan(HAND, FIELDS, SETTINGS, generator())
    assert all(torch.equal(a.states, b.states) for a, b in zip(planned, again, strict=True))


def test_an_object_that_leaves_no_room_is_refused(monkeypatch):
    monkeypatch.setattr(
        Judge,
        "__call__",
        lambda self, states, chains: (
            torch.zeros(len(states)),
            torch.zeros(len(states), dtype=torch.bool),
        ),
    )
    with pytest.raises(PlanError, match="168 mm"):
        starts(HAND, FIELDS, Judge(HAND, FIELDS, torch.zeros(2, dtype=torch.long)), generator())


@pytest.mark.parametrize(
    "search",
    [
        AnnealingSettings(iterations=20),
        DescentSettings(rounds=2),
        BalanceSettings(3),
        PalmSettings(),
    ],
)
def test_any_hand_plans(search):
    found = plan(
        load_hand("barrett"), FIELDS, PlannerSettings(grasps=2, search=search), generator()
    )
    assert found[0].states.shape == (2, 11) and np.isfinite(found[0].energies.numpy()).all()


def test_descent_finds_less_energy_with_fewer_evaluations(planned):
    descended = plan(
        HAND, FIELDS, PlannerSettings(grasps=6, search=DescentSettings(rounds=4)), generator()
    )
    assert descended[0].evaluations < planned[0].evaluations
    assert all(
        ours.energies.mean() < theirs.energies.mean()
        for ours, theirs in zip(descended, planned, strict=True)
    )


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_a_palm_touches_the_surface_with_the_hand_open(name):
    hand, ball = load_hand(name), trimesh.creation.icosphere(radius=0.04)
    fields = stack([signed_distance_grid(ball, 64)])
    settings = PlannerSettings(grasps=6, search=search_settings("palm"))
    (found,) = plan(hand, fields, settings, generator())
    opened = torch.as_tensor(hand.open, dtype=torch.float32)
    assert (found.states[:, 7:] == opened).all() and found.evaluations == 6
    wrist = pose_vector.split(found.states)[0]
    middle = torch.as_tensor(palm_face(hand)[0], dtype=torch.float32)
    away = (wrist[:, :3, :3] @ middle + wrist[:, :3, 3]).norm(dim=1) - 0.04
    assert away.min() > -0.001 and away.max() < 0.0055
    assert (found.energies.diff() >= 0).all()


def test_an_impossible_gap_is_refused():
    with pytest.raises(ParameterError, match="from a least to a largest distance"):
        PalmSettings(gap=(0.01, 0.0))
