import pytest
import torch
import trimesh

from graspbook.errors import ParameterError
from graspbook.hands.library import load_hand
from graspbook.highdof.descent import DescentSettings, descend, slide
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import space, starts
from graspbook.objects.distance import signed_distance_grid, stack

HAND = load_hand("barrett")
FIELDS = stack([signed_distance_grid(trimesh.creation.box((0.05, 0.06, 0.12)), 48)])
WHICH = torch.zeros(8, dtype=torch.long)


def begin(generator, energy="graspit"):
    judge = Judge(HAND, FIELDS, WHICH, energy=energy)
    return judge, starts(HAND, FIELDS, judge, generator), space(HAND, FIELDS).of(WHICH)


def test_impossible_settings_are_refused():
    for wrong in ({"rounds": 0}, {"slides": -1}, {"step": 0.0}, {"hot": 0.1, "cold": 0.2}):
        with pytest.raises(ParameterError, match="expected rounds >= 1"):
            DescentSettings(**wrong)


def test_sliding_lowers_the_energy_and_keeps_to_the_limits(generator):
    for energy in ("graspit", "distance_sum"):
        judge, first, limits = begin(generator, energy)
        chains = torch.arange(8)
        moved = slide(judge, first, chains, limits, DescentSettings(slides=30))
        assert judge(moved, chains)[1].sum() >= 4
        both = judge(first, chains)[1] & judge(moved, chains)[1]
        assert (judge(moved, chains)[0] < judge(first, chains)[0])[both].all()
        assert (moved >= limits.low - 1e-6).all() and (moved <= limits.high + 1e-6).all()


def test_chains_end_legal_and_better(generator):
    judge, first, limits = begin(generator)
    found = descend(first, judge, limits, DescentSettings(rounds=6, slides=8), generator, looks=3)
    energies, legal = judge(found.states, torch.arange(8))
    assert legal.all()
    torch.testing.assert_close(energies, found.energies, rtol=1e-4, atol=1e-3)
    assert (found.history.diff(dim=0) <= 0).all() and torch.equal(found.history[-1], found.energies)
    assert found.energies.mean() < 0.8 * found.history[0].mean()
    assert found.evaluations == 8 + 6 * 8 * 9
