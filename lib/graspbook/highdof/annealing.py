"""Simulated annealing over many chains at once, by GraspIt!'s schedule and neighbour rule (Ingber's
very fast annealing).

The high-DOF paper made its data with the planner GraspIt! (section V-A1). The constants are those
of its sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from graspbook.errors import ParameterError

READINGS = ("tries", "candidates", "graspit")


@dataclass(frozen=True)
class AnnealingSettings:
    """Settings of a chain's cooling and of an iteration.

    Temperature at step k: t0 · exp(-c · k^(1/d)), from k = start on. A state of higher energy is
    accepted with probability exp(error · (E_old - E_new) / T). The paper's "10 candidates during
    each iteration" has two possible meanings, of which both are ours. GraspIt!'s own rule is a
    third one.

    iterations: the paper's 10000.
    reading: "tries", ours: up to `candidates` neighbours until one is legal, which is then judged.
        If none is legal, the iteration counts, but the chain does not cool. "candidates", ours: as
        many neighbours, of which the legal one of least energy is judged. "graspit", GraspIt!'s: as
        "tries", but an iteration without a legal neighbour does not count. GraspIt! has no bound
        for these. Here a chain has as many of them as `iterations`, and later ones count.
    candidates: neighbours per iteration: 10 in the paper, 11 in GraspIt!'s code.
    """

    iterations: int = 10000
    reading: str = "tries"
    candidates: int = 10
    t0: float = 1e6
    c: float = 7.0
    d: int = 8
    start: int = 30000
    error: float = 1e-6

    def __post_init__(self) -> None:
        if self.reading not in READINGS:
            raise ParameterError(
                f"reading {self.reading!r} of an iteration, expected one of {', '.join(READINGS)}"
            )
        if self.iterations < 1 or self.candidates < 1:
            raise ParameterError(
                f"{self.iterations} iterations with {self.candidates} candidates each, expected at"
                " least one iteration and one candidate"
            )


class Space(NamedTuple):
    """The space of states: least and largest values (V,) or (N, V), and largest jumps (V,)."""

    low: torch.Tensor
    high: torch.Tensor
    jump: torch.Tensor

    def of(self, chains: torch.Tensor) -> "Space":
        """The space of some chains.

        chains: their indices.
        """
        return Space(self.low[chains], self.high[chains], self.jump)


class Annealed(NamedTuple):
    """The best legal state of each chain.

    states, energies: (N, V) and (N,).
    iterations: (R,), the iterations whose best energies were recorded.
    history: (R, N), these energies.
    evaluations: number of judged states, in all chains.
    """

    states: torch.Tensor
    energies: torch.Tensor
    iterations: torch.Tensor
    history: torch.Tensor
    evaluations: int


Propose = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Judging = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def temperature(step: torch.Tensor, settings: AnnealingSettings) -> torch.Tensor:
    """T(k) of steps, in double precision.

    step: (...), a tensor.
    settings: with t0, c and d.
    """
    return settings.t0 * (-settings.c * step.double() ** (1 / settings.d)).exp()


def neighbours(
    states: torch.Tensor, temperature: torch.Tensor, space: Space, generator: torch.Generator
) -> torch.Tensor:
    """States (N, V) near others: every variable jumps by y · jump and stays within its limits.

    y = ±T ((1 + 1/T)^|u| - 1) for u uniform in (-1, 1), drawn again if the variable would leave its
    limits. Here u is drawn from the interval that keeps the variable inside. The distribution is
    the same.

    states: (N, V).
    temperature: (N,).
    space: limits and jumps, (V,) or (N, V).
    generator: of the states' device.
    """
    t = temperature[:, None].to(states.dtype)
    scale = torch.log1p(1 / t)

    def reach(bound):
        y = ((bound - states) / space.jump).clamp(-1, 1)
        return y.sign() * torch.log1p(y.abs() / t) / scale

    first, last = reach(space.low), reach(space.high)
    u = first + (last - first) * torch.rand(
        states.shape, generator=generator, dtype=states.dtype, device=states.device
    )
    return states + u.sign() * t * torch.expm1(u.abs() * scale) * space.jump


def anneal(
    states: torch.Tensor,
    propose: Propose,
    judge: Judging,
    settings: AnnealingSettings,
    generator: torch.Generator,
    *,
    looks: int = 50,
) -> Annealed:
    """Anneal chains from legal states.

    states: (N, V), one of each chain.
    propose: gives neighbours (M, V) of states (M, V), from temperatures (M,) and chain indices
        (M,).
    judge: gives energies (M,) and legal (M,) bool of states (M, V) of the chains (M,).
    settings: of the cooling.
    generator: for acceptance.
    looks: how often the best energies are recorded.
    """

    def number(value, **kind):
        return torch.full((len(states),), value, device=states.device, **kind)

    states, chains = states.clone(), torch.arange(len(states), device=states.device)
    energies = judge(states, chains)[0]
    best, best_energies = states.clone(), energies.clone()
    steps, left, tries = number(settings.start), number(settings.iterations), number(0)
    abreast = settings.candidates if settings.reading == "candidates" else 1
    spared = number(settings.iterations if settings.reading == "graspit" else 0)
    marks = torch.linspace(0, settings.iterations, looks + 1).long().tolist()
    history: list[torch.Tensor] = []
    seen: list[int] = []
    evaluations = len(states)
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
        over = legal | (tries[moving] >= settings.candidates // abreast)
        free = over & ~legal & (spared[moving] > 0)
        steps[moving[legal]] += 1
        left[moving[over & ~free]] -= 1
        spared[moving[free]] -= 1
        tries[moving[over]] = 0
