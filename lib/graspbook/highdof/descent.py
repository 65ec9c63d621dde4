"""Ours beside annealing: chains that jump, then slide down the energy's gradient, and keep what is
legal and better.
"""

from dataclasses import dataclass

import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import carry, carry_normals
from graspbook.hands.balls import inner_balls
from graspbook.highdof.annealing import Annealed, neighbours
from graspbook.highdof.energies import distance_sum, graspit
from graspbook.highdof.losses import units
from graspbook.objects.distance import lookup, lookup_gradient

_SLACK = 0.008  # metres, of the balls that slides keep out of the object: half as many as decide what is legal


@dataclass(frozen=True)
class DescentSettings:
    """rounds: jumps of a chain. slides: gradient steps after each, the first of `step` (rad, or 0.1
    m), then shorter. hot, cold: temperatures of the first and the last jump, see
    `annealing.neighbours`, and of accepting, in units of energy `heat` to none.
    """

    rounds: int = 60
    slides: int = 15
    step: float = 0.06
    hot: float = 0.5
    cold: float = 0.01
    heat: float = 3.0
    overlap: float = 2.0  # energy a millimetre that a ball of the hand is inside the object

    def __post_init__(self):
        if self.rounds < 1 or self.slides < 0 or not (self.step > 0 and self.hot >= self.cold > 0):
            raise ParameterError(
                f"{self}: expected at least one round, no fewer than 0 slides, a step above 0 and a"
                " temperature that does not rise from hot to cold, above 0"
            )


def descend(states, judge, low, high, jump, settings, generator, looks=50):
    """As `annealing.anneal`, from legal states (N, V), with gradient steps; evaluations count each
    of them.
    """
    chains = torch.arange(len(states), device=states.device)
    energies = judge(states, chains)[0]
    best, best_energies = states.clone(), energies.clone()
    seen, history, evaluations = [0], [best_energies.clone()], len(states)
    marks = set(torch.linspace(1, settings.rounds, looks).long().tolist())
    for number in range(settings.rounds):
        cooled = number / max(1, settings.rounds - 1)
        temperature = torch.full_like(
            energies, settings.hot * (settings.cold / settings.hot) ** cooled
        )
        proposed = pose_vector.normalise(
            neighbours(states, temperature, low, high, jump, generator)
        )
        proposed = slide(judge, proposed, chains, low, high, settings)
        energy, legal = judge(proposed, chains)
        evaluations += len(states) * (settings.slides + 1)
        heat = settings.heat * (1 - cooled) + 1e-9
        drawn = torch.rand(len(states), generator=generator, device=states.device)
        jumps = legal & (((energies - energy) / heat).exp() > drawn)
        states, energies = (
            torch.where(jumps[:, None], proposed, states),
            torch.where(jumps, energy, energies),
        )
        better = energies < best_energies
        best, best_energies = (
            torch.where(better[:, None], states, best),
            torch.where(better, energies, best_energies),
        )
        if number + 1 in marks:
            seen.append(number + 1)
            history.append(best_energies.clone())
    return Annealed(best, best_energies, torch.tensor(seen), torch.stack(history), evaluations)


def slide(judge, states, chains, low, high, settings):
    """States (N, V) after gradient steps of shrinking length on energy and overlap, within their
    limits.
    """
    unit = units(states)
    for number in range(settings.slides):
        moved = (states / unit).requires_grad_()
        gradient = torch.autograd.grad(
            _objective(judge, moved * unit, chains, settings.overlap).sum(), moved
        )[0]
        length = settings.step * (1 - number / settings.slides)
        states = (
            moved.detach() - length * gradient / gradient.norm(dim=1, keepdim=True).clamp(min=1e-9)
        ) * unit
        states = pose_vector.normalise(states.clamp(low, high))
    return states


def _objective(judge, states, chains, overlap):
    wrist, joints = pose_vector.split(states)
    links, which, balls = (
        judge.hand.forward(joints, wrist),
        judge.which[chains],
        inner_balls(judge.hand, _SLACK),
    )
    points = carry(links, judge.contacts.points, judge.contacts.links)
    distances = lookup(
        judge.fields, torch.cat([carry(links, balls.centres, balls.links), points], dim=1), which
    )
    radii = torch.as_tensor(balls.radii, dtype=states.dtype, device=states.device)
    penalty = overlap * 1000 * (radii - distances[:, : len(radii)]).clamp(min=0).sum(dim=1)
    distances = distances[:, len(radii) :]
    if judge.energy == "distance_sum":
        return penalty + distance_sum(distances)
    gradients = lookup_gradient(judge.fields, points.detach(), which)[1]
    return penalty + graspit(
        distances, gradients, carry_normals(links, judge.contacts.normals, judge.contacts.links)
    )
