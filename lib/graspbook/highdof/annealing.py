"""Simulated annealing over many chains at once, by GraspIt!'s schedule and neighbour rule (Ingber's
very fast annealing).

GraspIt! is the planner that the high-DOF paper made its data with (section V-A1); the constants are
those of its sources.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from graspbook.errors import ParameterError

READINGS = ("tries", "candidates")


@dataclass(frozen=True)
class AnnealingSettings:
    """How a chain cools and what an iteration is.

    Temperature at step k: t0 · exp(-c · k^(1/d)), from k = start on. A state of higher energy is
    accepted with probability exp(error · (E_old - E_new) / T). The paper's "10 candidates during
    each iteration" read in two ways: "tries", GraspIt!'s: up to `candidates` neighbours until one
    is legal, which is then judged (none: the chain does not cool); "candidates": so many
    neighbours, of which the legal one of least energy is judged. iterations: the paper's 10000.
    """

    iterations: int = 10000
    reading: str = "tries"
    candidates: int = 10
    t0: float = 1e6
    c: float = 7.0
    d: int = 8
    start: int = 30000
    error: float = 1e-6

    def __post_init__(self):
        if self.reading not in READINGS:
            raise ParameterError(
                f"reading {self.reading!r} of an iteration, expected one of {', '.join(READINGS)}"
            )
        if self.iterations < 1 or self.candidates < 1:
            raise ParameterError(
                f"{self.iterations} iterations of {self.candidates} candidates: expected at least"
                " one of each"
            )


class Annealed(NamedTuple):
    """The best legal state of each chain: states (N, V), energies (N,); and for the curves over
    time the iterations (R,) at which was looked, and the best energies (R, N) until then.
    evaluations: how many states were judged, in all chains.
    """

    states: Any
    energies: Any
    iterations: Any
    history: Any
    evaluations: int


def temperature(step, settings):
    """T(k) of steps (...), a torch tensor of double precision."""
    return settings.t0 * (-settings.c * step.double() ** (1 / settings.d)).exp()


def neighbours(states, temperature, low, high, jump, generator):
    """States (N, V) near `states` (N, V) at temperatures (N,): every variable jumps by y · jump and
    stays in low to high.

    low, high, jump: (V,) or (N, V). y = ±T ((1 + 1/T)^|u| - 1) for u uniform in (-1, 1), drawn anew
    where the variable would leave its limits; here u is drawn at once from the interval that keeps
    it inside, which has the same distribution.
    """
    import torch

    t = temperature[:, None].to(states.dtype)
    scale = torch.log1p(1 / t)

    def reach(bound):
        y = ((bound - states) / jump).clamp(-1, 1)
        return y.sign() * torch.log1p(y.abs() / t) / scale

    first, last = reach(low), reach(high)
    u = first + (last - first) * torch.rand(
        states.shape, generator=generator, dtype=states.dtype, device=states.device
    )
    return states + u.sign() * t * torch.expm1(u.abs() * scale) * jump


def anneal(states, propose, judge, settings, generator, looks=50):
    """Anneal chains from legal states (N, V) and return the `Annealed`.

    propose(states (M, V), temperatures (M,), chains (M,)) -> neighbours (M, V), each of the chain
    with that index, and judge(states (M, V), chains (M,)) -> energies (M,), legal (M,) bool.
    generator: for the accepting. looks: how often the best energies are noted.
    """
    import torch

    def number(value, **kind):
        return torch.full((len(states),), value, device=states.device, **kind)

    states, chains = states.clone(), torch.arange(len(states), device=states.device)
    energies = judge(states, chains)[0]
    best, best_energies = states.clone(), energies.clone()
    steps, left, tries = number(settings.start), number(settings.iterations), number(0)
    abreast = settings.candidates if settings.reading == "candidates" else 1
    marks = torch.linspace(0, settings.iterations, looks + 1).long().tolist()
    history, seen, evaluations = [], [], len(states)
    while True:
        done = settings.iterations - int(left.max())
        if done >= marks[len(seen)]:
            seen.append(done)
            history.append(best_energies.clone())
        moving = chains[left > 0]
        if not len(moving):
            return Annealed(
                best, best_energies, torch.tensor(seen), torch.stack(history), evaluations
            )
        t = temperature(steps[moving], settings)
        copies = moving.repeat_interleave(abreast)
        proposed = propose(states[copies], t.repeat_interleave(abreast), copies)
        energy, legal = judge(proposed, copies)
        evaluations += len(proposed)
        energy = torch.where(legal, energy, torch.inf).reshape(-1, abreast)
        energy, pick = energy.min(dim=1)
        proposed = proposed.reshape(len(moving), abreast, -1)[
            torch.arange(len(moving), device=states.device), pick
        ]
        legal = energy.isfinite()
        rise = settings.error * (energies[moving] - energy).double() / t
        jumps = rise.exp() > torch.rand(
            len(moving), generator=generator, dtype=torch.float64, device=states.device
        )
        to = moving[jumps]
        states[to], energies[to] = proposed[jumps], energy[jumps]
        better = to[energies[to] < best_energies[to]]
        best[better], best_energies[better] = states[better], energies[better]
        tries[moving] += 1
        over = moving[legal | (tries[moving] >= settings.candidates // abreast)]
        steps[moving[legal]] += 1
        left[over] -= 1
        tries[over] = 0
