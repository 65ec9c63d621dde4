"""Our alternative to annealing: chains jump, then slide down the energy's gradient, and keep legal
and better states.
"""

from dataclasses import dataclass

import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import carry, carry_normals
from graspbook.hands.balls import inner_balls
from graspbook.hands.self_collision import self_depths
from graspbook.highdof.annealing import Annealed, Space, neighbours
from graspbook.highdof.energies import Judge, distance_sum, graspit
from graspbook.highdof.losses import units
from graspbook.objects.distance import lookup, lookup_gradient

# Metres, of the balls that slides keep out of the object: half as many as decide legality.
_SLACK = 0.008


@dataclass(frozen=True)
class DescentSettings:
    """Settings of jumps and slides.

    rounds: jumps per chain.
    slides: gradient steps after each.
    step: length of the first of these, rad or 0.1 m; later ones are shorter.
    hot, cold: temperatures of the first and the last jump, see `annealing.neighbours`.
    heat: temperature of acceptance at the start, in units of energy; it falls to zero.
    overlap: energy per millimetre that a ball of the hand is inside the object, or a part of the
        hand inside another.
    """

    rounds: int = 60
    slides: int = 15
    step: float = 0.06
    hot: float = 0.5
    cold: float = 0.01
    heat: float = 3.0
    overlap: float = 2.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.slides < 0 or not (self.step > 0 and self.hot >= self.cold > 0):
            raise ParameterError(
                f"{self}: expected rounds >= 1, slides >= 0, step > 0 and temperatures"
                " hot >= cold > 0"
            )


def descend(
    states: torch.Tensor,
    judge: Judge,
    space: Space,
    settings: DescentSettings,
    generator: torch.Generator,
    *,
    looks: int = 50,
) -> Annealed:
    """As `annealing.anneal`, with gradient steps; evaluations count each of them.

    states: (N, V), legal, one of each chain.
    judge: of the chains.
    space: limits (N, V) and jumps of the states.
    settings: of jumps and slides.
    generator: for jumps and acceptance.
    looks: how often the best energies are recorded.
    """
    chains = torch.arange(len(states), device=states.device)
    energies = judge(states, chains)[0]
    best, best_energies = states.clone(), energies.clone()
    seen, history, evaluations = [0], [best_energies.clone()], len(states)
    marks = set(torch.linspace(1, settings.rounds, looks).long().tolist())
    for number in range(settings.rounds):
        cooled = number / max(1, settings.rounds - 1)
        hot = settings.hot * (settings.cold / settings.hot) ** cooled
        proposed = neighbours(states, torch.full_like(energies, hot), space, generator)
        proposed = slide(judge, pose_vector.normalise(proposed), chains, space, settings)
        energy, legal = judge(proposed, chains)
        evaluations += len(states) * (settings.slides + 1)
        heat = settings.heat * (1 - cooled) + 1e-9
        drawn = torch.rand(len(states), generator=generator, device=states.device)
        jumps = legal & (((energies - energy) / heat).exp() > drawn)
        states = torch.where(jumps[:, None], proposed, states)
        energies = torch.where(jumps, energy, energies)
        better = energies < best_energies
        best = torch.where(better[:, None], states, best)
        best_energies = torch.where(better, energies, best_energies)
        if number + 1 in marks:
            seen.append(number + 1)
            history.append(best_energies.clone())
    return Annealed(best, best_energies, torch.tensor(seen), torch.stack(history), evaluations)


def slide(
    judge: Judge,
    states: torch.Tensor,
    chains: torch.Tensor,
    space: Space,
    settings: DescentSettings,
) -> torch.Tensor:
    """States (M, V) after gradient steps of shrinking length on energy and overlap, within their
    limits.

    judge: with the energy.
    states: (M, V), at the start.
    chains: (M,), of the judge's.
    space: limits (M, V) of the states.
    settings: with slides, step and overlap.
    """
    unit = units(states)
    for number in range(settings.slides):
        moved = (states / unit).requires_grad_()
        objective = _objective(judge, moved * unit, chains, settings.overlap)
        gradient = torch.autograd.grad(objective.sum(), moved)[0]
        length = settings.step * (1 - number / settings.slides)
        steps = length * gradient / gradient.norm(dim=1, keepdim=True).clamp(min=1e-9)
        states = (moved.detach() - steps) * unit
        states = pose_vector.normalise(states.clamp(space.low, space.high))
    return states


def _objective(judge, states, chains, overlap):
    wrist, joints = pose_vector.split(states)
    links, which = judge.hand.forward(joints, wrist), judge.which[chains]
    balls, contacts = inner_balls(judge.hand, _SLACK), judge.contacts
    points = carry(links, contacts.points, contacts.links)
    centres = carry(links, balls.centres, balls.links)
    distances = lookup(judge.fields, torch.cat([centres, points], dim=1), which)
    radii = torch.as_tensor(balls.radii, dtype=states.dtype, device=states.device)
    inside = (radii - distances[:, : len(radii)]).clamp(min=0).sum(dim=1)
    crossed = self_depths(judge.hand, links).clamp(min=0).sum(dim=1)
    penalty = overlap * 1000 * (inside + crossed)
    distances = distances[:, len(radii) :]
    if judge.energy == "distance_sum":
        return penalty + distance_sum(distances)
    gradients = lookup_gradient(judge.fields, points.detach(), which)[1]
    normals = carry_normals(links, contacts.normals, contacts.links)
    return penalty + graspit(distances, gradients, normals)
