import numpy as np
import pytest
import torch
from scipy.stats import kstest

from graspbook.errors import ParameterError
from graspbook.highdof.annealing import AnnealingSettings, Space, anneal, neighbours, temperature

SPACE = Space(torch.full((2,), -1.0), torch.full((2,), 1.0), torch.full((2,), 0.5))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_temperature_at_the_first_step():
    # 30000^(1/8) = 3.62773, 1e6 exp(-7 · 3.62773) = 9.36e-6
    first = float(temperature(torch.tensor([30000]), AnnealingSettings()))
    assert (
        first
        == pytest.approx(1e6 * np.exp(-7 * 30000**0.125), rel=1e-12)
        == pytest.approx(9.36e-6, rel=1e-2)
    )


def test_jumps_have_ingbers_distribution():
    t, count = 1e-3, 20000
    states = torch.zeros(count, 1, dtype=torch.float64)
    wide = torch.full((1,), 100.0, dtype=torch.float64)
    space = Space(-wide, wide, torch.ones(1, dtype=torch.float64))
    moved = neighbours(states, torch.full((count,), t), space, generator())

    def distribution(y):
        return 0.5 + 0.5 * np.sign(y) * np.log1p(np.abs(y) / t) / np.log1p(1 / t)

    assert kstest(moved[:, 0].numpy(), distribution).pvalue > 0.01


def test_jumps_beyond_a_limit_are_drawn_anew():
    """Against the loop that GraspIt! has: draw until inside."""
    t, count, limit = 1e-2, 20000, 0.05
    states, rng = torch.zeros(count, 1, dtype=torch.float64), np.random.default_rng(0)
    space = Space(*torch.tensor([[-limit], [100.0], [1.0]], dtype=torch.float64))
    moved = neighbours(states, torch.full((count,), t), space, generator())[:, 0].numpy()
    drawn = rng.uniform(-1, 1, 4 * count)
    drawn = np.sign(drawn) * t * ((1 + 1 / t) ** np.abs(drawn) - 1)
    assert moved.min() >= -limit
    assert kstest(moved, drawn[drawn >= -limit]).pvalue > 0.01


def well(states, chains):
    """Energy of a bowl around (0.3, -0.2), in the size of GraspIt!'s; the half plane x < -0.5 is
    forbidden.
    """
    energy = 100 * (states - torch.tensor([0.3, -0.2])).norm(dim=1)
    return energy, states[:, 0] >= -0.5


def run(settings, seed=0, chains=30):
    draws = generator(seed)
    first = torch.rand(chains, 2, generator=draws) * 1.4 - 0.4

    def propose(states, temperatures, chains):
        return neighbours(states, temperatures, SPACE, draws)

    return first, anneal(first, propose, well, settings, draws)


@pytest.mark.parametrize("reading", ["tries", "candidates"])
def test_chains_go_to_the_bottom_and_stay_legal(reading):
    first, found = run(AnnealingSettings(iterations=400, reading=reading))
    assert (found.states[:, 0] >= -0.5).all()
    assert found.energies.max() < 6 and well(first, None)[0].mean() > 30
    torch.testing.assert_close(found.energies, well(found.states, None)[0])
    assert (found.history.diff(dim=0) <= 0).all() and found.iterations[-1] == 400


def test_an_iteration_judges_ten_candidates_or_tries_until_one_is_legal():
    assert (
        run(AnnealingSettings(iterations=50, reading="candidates"))[1].evaluations
        == 30 + 30 * 50 * 10
    )
    assert 30 + 30 * 50 <= run(AnnealingSettings(iterations=50))[1].evaluations < 30 + 30 * 50 * 1.5


def test_where_nothing_is_legal_an_iteration_ends_after_ten_tries():
    first = torch.zeros(3, 2)

    def nowhere(states, chains):
        return torch.zeros(len(states)), torch.zeros(len(states), dtype=torch.bool)

    found = anneal(
        first,
        lambda states, t, chains: states,
        nowhere,
        AnnealingSettings(iterations=5),
        generator(),
    )
    torch.testing.assert_close(found.states, first)
    assert found.evaluations == 3 + 3 * 5 * 10


@pytest.mark.parametrize(("fails", "judged"), [(3, 3 * 11 + 5), (10**6, 2 * 5 * 11)])
def test_failures_of_graspit_do_not_count_up_to_a_bound(fails, judged):
    """A chain makes three failed iterations of 11 tries and five of one try. If all fail, it makes
    five that do not count and five that do.
    """
    calls = []

    def late(states, chains):
        calls.append(len(states))
        legal = len(calls) > 1 + fails * 11
        return torch.zeros(len(states)), torch.full((len(states),), legal)

    first = torch.zeros(2, 2)
    settings = AnnealingSettings(5, "graspit", candidates=11)
    found = anneal(first, lambda states, t, chains: states, late, settings, generator())
    assert found.evaluations == 2 * (1 + judged) and found.iterations[-1] == 5


def test_equal_seeds_anneal_alike():
    one, two, other = (run(AnnealingSettings(iterations=60), seed)[1].states for seed in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)


@pytest.mark.parametrize("bad", [{"reading": "all"}, {"iterations": 0}, {"candidates": 0}])
def test_settings_that_cannot_be_are_refused(bad):
    with pytest.raises(ParameterError):
        AnnealingSettings(**bad)
