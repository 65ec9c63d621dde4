"""Grasps of a hand of many joints for objects, searched from random starts: the data of the
high-DOF paper (V-A1).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graspbook.errors import ParameterError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.highdof.annealing import AnnealingSettings, anneal, neighbours
from graspbook.highdof.descent import DescentSettings, descend
from graspbook.highdof.energies import ENERGIES, Judge

_JUMP = 0.05  # metres, of the wrist; joints and the quaternion's numbers jump by a quarter of their range
_AROUND = 0.05  # metres by which the cube of the starts is wider than the field's on every side
_DRAWS = 200  # of a start, until it is legal


@dataclass(frozen=True)
class PlannerSettings:
    """How grasps are planned. grasps: chains an object, K; the paper's 100. energy, layout: see
    `energies.Judge`.

    search: how a chain goes on from its start, by annealing as the paper's planner or, ours, by
    gradient descent between jumps.
    """

    grasps: int = 100
    energy: str = "distance_sum"
    layout: str = "default"
    search: AnnealingSettings | DescentSettings = field(default_factory=AnnealingSettings)

    def __post_init__(self):
        if self.energy not in ENERGIES or self.grasps < 1:
            raise ParameterError(
                f"{self.grasps} grasps of energy {self.energy!r}, expected at least one, and one of"
                f" {', '.join(ENERGIES)}"
            )


SEARCHES = ("descent", "annealing", "annealing_candidates")


def search_settings(search, rounds=DescentSettings.rounds, iterations=AnnealingSettings.iterations):
    """The settings of a search by name: "descent", ours; "annealing" with up to ten tries an
    iteration, as in GraspIt!'s code; or "annealing_candidates", with ten neighbours an iteration of
    which the best legal one is judged. ParameterError for others.
    """
    if search not in SEARCHES:
        raise ParameterError(f"unknown search {search!r}, expected one of {', '.join(SEARCHES)}")
    if search == "descent":
        return DescentSettings(rounds)
    return AnnealingSettings(iterations, "tries" if search == "annealing" else "candidates")


class Planned(NamedTuple):
    """Grasps of one object: pose vectors (K, 7 + J), torch, in the object frame, best first, with
    energies (K,).

    iterations (R,), history (R, K): the best energy of each of these chains over time. evaluations:
    of all objects' chains.
    """

    states: Any
    energies: Any
    iterations: Any
    history: Any
    evaluations: int


def plan(hand, fields, settings, generator):
    """Plan for all objects of `fields` (distance.Fields) at once: a list of Planned, one an object.

    generator: torch, of the fields' device. Raises PlanError where an object leaves no legal start.
    """
    import torch

    objects = len(fields.values)
    which = torch.arange(objects, device=fields.values.device).repeat_interleave(settings.grasps)
    judge = Judge(hand, fields, which, settings.energy, settings.layout)
    low, high, jump = space(hand, fields)
    low, high = low[which], high[which]
    first = starts(hand, fields, judge, generator)

    def propose(states, temperatures, chains):
        return pose_vector.normalise(
            neighbours(states, temperatures, low[chains], high[chains], jump, generator)
        )

    if isinstance(settings.search, AnnealingSettings):
        found = anneal(first, propose, judge, settings.search, generator)
    else:
        found = descend(first, judge, low, high, jump, settings.search, generator)
    planned = []
    for index in range(objects):
        chains = torch.nonzero(which == index)[:, 0]
        chains = chains[found.energies[chains].argsort()]
        planned.append(
            Planned(
                found.states[chains],
                found.energies[chains],
                found.iterations,
                found.history[:, chains],
                found.evaluations,
            )
        )
    return planned


def starts(hand, fields, judge, generator):
    """Legal random pose vectors (N, 7 + J), one for each of the judge's chains.

    The wrist's orientation is uniform, joints that close are up to half closed, others anywhere;
    the middle of the contact points is uniform in the field's cube, wider by 5 cm. Raises PlanError
    for an object that no draw keeps clear of.
    """
    import torch

    which = judge.which
    centres, halves = _cubes(fields)
    states = fields.values.new_zeros(len(which), 7 + len(hand.joints))
    left = torch.arange(len(which), device=which.device)
    for _ in range(_DRAWS):
        objects = which[left]
        drawn = _draw(
            hand, judge.contacts, centres[objects], halves[objects, None] + _AROUND, generator
        )
        legal = judge(drawn, left)[1]
        states[left[legal]] = drawn[legal]
        left = left[~legal]
        if not len(left):
            return states
    raise PlanError(
        f"no legal start of the {hand.name} hand in {_DRAWS} draws at an object that is "
        f"{2000 * float(halves[which[left[0]]]):.0f} mm long"
    )


def reach(hand):
    """An upper bound of what the open hand can get around, metres: the largest distance between two
    of its contact points.

    A hand whose fingers open beside the palm, flat, as the Barrett Hand's do, gets around less.
    """
    import torch

    contacts = hand.contacts["default"]
    points = place(
        hand,
        torch.eye(4),
        torch.as_tensor(hand.open, dtype=torch.float32),
        contacts.points,
        contacts.links,
    )
    return float(torch.pdist(points).max())


def _draw(hand, contacts, centres, halves, generator):
    import torch

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, dtype=centres.dtype, device=centres.device)

    low, high, opened, closing = _joints(hand, centres)
    aim = torch.where(
        closing != 0, opened + (torch.where(closing > 0, high, low) - opened) / 2, high
    )
    base = torch.where(closing != 0, opened, low)
    joints = base + uniform(len(centres), len(hand.joints)) * (aim - base)
    share, first, second = uniform(3, len(centres), 1)
    first, second = 2 * torch.pi * first, 2 * torch.pi * second
    quat = torch.cat(
        [
            (1 - share).sqrt() * first.sin(),
            (1 - share).sqrt() * first.cos(),
            share.sqrt() * second.sin(),
            share.sqrt() * second.cos(),
        ],
        dim=1,
    )
    turned = pose_vector.split(torch.cat([torch.zeros_like(centres), quat, joints], dim=1))[0]
    middle = place(hand, turned, joints, contacts.points, contacts.links).mean(dim=1)
    translation = centres + (2 * uniform(len(centres), 3) - 1) * halves - middle
    return pose_vector.normalise(torch.cat([translation, quat, joints], dim=1))


def space(hand, fields):
    """Least and largest values (B, 7 + J) of pose vectors at each object, and their largest jumps
    (7 + J,).
    """
    import torch

    centres, halves = _cubes(fields)
    low, high, opened, _ = _joints(hand, centres)
    contacts = hand.contacts["default"]
    points = place(
        hand,
        torch.eye(4, dtype=opened.dtype, device=opened.device),
        opened,
        contacts.points,
        contacts.links,
    )
    span = (halves * 3**0.5 + points.norm(dim=-1).max())[:, None]
    one = torch.ones(len(centres), 4, dtype=low.dtype, device=low.device)
    jump = torch.cat(
        [
            torch.full((3,), _JUMP, dtype=low.dtype),
            torch.full((4,), 0.5, dtype=low.dtype),
            (high - low).cpu() / 4,
        ]
    )
    return (
        torch.cat([centres - span, -one, low.expand(len(centres), -1)], dim=1),
        torch.cat([centres + span, one, high.expand(len(centres), -1)], dim=1),
        jump.to(low.device),
    )


def _cubes(fields):
    """Centres (B, 3) and half sides (B,) of the cubes of distance fields."""
    halves = fields.spacings * (fields.values.shape[-1] - 1) / 2
    return fields.origins + halves[:, None], halves


def _joints(hand, like):
    """Low and high limits, open values and closing signs (J,) of a hand's joints as tensors of the
    kind of `like`.
    """
    import torch

    arrays = (*hand.limits.T, hand.open, hand.closing)
    return tuple(torch.as_tensor(array, dtype=like.dtype, device=like.device) for array in arrays)
