"""Planning of grasps of a hand of many joints, from random starts: the data of the high-DOF paper
(V-A1).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from graspbook.errors import ParameterError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, place
from graspbook.highdof.annealing import Annealed, AnnealingSettings, Space, anneal, neighbours
from graspbook.highdof.balance import BalanceSettings, balance, choose_contacts
from graspbook.highdof.descent import DescentSettings, descend
from graspbook.highdof.eigengrasps import EigengraspSettings, load_eigengrasps
from graspbook.highdof.energies import DRAWS, ENERGIES, Judge, legal_starts
from graspbook.highdof.surface_starts import PalmSettings, surface_starts
from graspbook.objects.distance import Fields, cubes

# Largest jumps of the wrist in metres, of a quaternion's number, and of a joint as a share of its
# range; and the largest number of a quaternion.
_OURS = 0.05, 0.5, 0.25, 1.0
_GRASPIT = 0.1, 1.0, 0.5, 5.0
_AROUND = 0.05  # metres added to the field's cube on every side, for starts


@dataclass(frozen=True)
class PlannerSettings:
    """Settings of the planner.

    grasps: chains per object, K; 100 in the paper.
    energy, layout: see `energies.Judge`.
    search: of a chain: annealing as in the paper's planner, or ours: gradient descent between
        jumps, or a descent to contacts whose forces cancel.
    """

    grasps: int = 100
    energy: str = "distance_sum"
    layout: str = "default"
    search: AnnealingSettings | DescentSettings | BalanceSettings | PalmSettings = field(
        default_factory=AnnealingSettings
    )

    def __post_init__(self) -> None:
        if self.energy not in ENERGIES or self.grasps < 1:
            raise ParameterError(
                f"{self.grasps} grasps with energy {self.energy!r}, expected at least one grasp,"
                f" and one of the energies {', '.join(ENERGIES)}"
            )
        own = self.energy, self.layout
        ours = isinstance(self.search, BalanceSettings | PalmSettings)
        if ours and own != ("distance_sum", "default"):
            raise ParameterError(
                "the searches for balance and with the palm choose contacts on their own, so they"
                f" take neither an energy ({self.energy!r}) nor a layout ({self.layout!r})"
            )


SEARCHES = (
    "descent",
    "annealing",
    "annealing_candidates",
    "graspit",
    "eigengrasps",
    "balance",
    "balance_fingertips",
    "palm",
)


def search_settings(
    search: str,
    *,
    rounds: int = DescentSettings.rounds,
    iterations: int = AnnealingSettings.iterations,
    steps: int = BalanceSettings.steps,
) -> AnnealingSettings | DescentSettings | BalanceSettings | PalmSettings:
    """The settings of a search by name; ParameterError for a name not in SEARCHES.

    search: "descent", ours; "annealing" with up to ten tries per iteration and our jumps;
        "annealing_candidates", with ten neighbours per iteration, of which the best legal one is
        judged, and our jumps; "graspit", GraspIt!'s rule of 11 tries and GraspIt!'s jumps, see
        `space`; "eigengrasps", the same with a few amplitudes instead of joints, see `eigengrasps`;
        "balance", ours, see `balance.BalanceSettings`; "balance_fingertips", the same with the
        same contact points in each grasp; or "palm", see `surface_starts.PalmSettings`. GraspIt!
        keeps the 20 best states of a run. Here each chain of each search gives its best one.
    rounds: of the descent.
    iterations: of the annealing.
    steps: of the balance.
    """
    if search not in SEARCHES:
        raise ParameterError(f"unknown search {search!r}, expected one of {', '.join(SEARCHES)}")
    if search == "descent":
        return DescentSettings(rounds)
    if search == "balance":
        return BalanceSettings(steps)
    if search == "balance_fingertips":
        return BalanceSettings(steps, choice="fingertips", gap=(0.004, 0.015), rest=0.3)
    if search == "palm":
        return PalmSettings()
    if search == "eigengrasps":
        return EigengraspSettings(iterations)
    if search == "graspit":
        return AnnealingSettings(iterations, "graspit", candidates=11)
    return AnnealingSettings(iterations, "tries" if search == "annealing" else "candidates")


class Planned(NamedTuple):
    """Planned grasps of one object.

    states: (K, 7 + J), pose vectors in the object frame, best first.
    energies: (K,).
    iterations, history: (R,) and (R, K), the best energy of each of these chains over time. Of the
        balance the energies at these steps, which may also rise.
    evaluations: of all objects' chains.
    """

    states: torch.Tensor
    energies: torch.Tensor
    iterations: torch.Tensor
    history: torch.Tensor
    evaluations: int


def plan(
    hand: Hand, fields: Fields, settings: PlannerSettings, generator: torch.Generator
) -> list[Planned]:
    """Plan for all objects at once: one Planned per object.

    Raises PlanError if there is no legal start at an object, or if a hand has no eigengrasps for
    the search named after them.

    hand: the hand.
    fields: of the objects.
    settings: of the planner.
    generator: of the fields' device.
    """
    objects = len(fields.values)
    which = torch.arange(objects, device=fields.values.device).repeat_interleave(settings.grasps)
    energy, layout, search = settings.energy, settings.layout, settings.search
    postures = None
    if isinstance(search, EigengraspSettings):
        postures = load_eigengrasps(hand, search.amplitudes)
    judge = Judge(hand, fields, which, energy=energy, layout=layout, postures=postures)
    if isinstance(search, BalanceSettings):
        found = _balanced(hand, judge, search, generator)
    elif isinstance(search, PalmSettings):
        found = _touching(hand, judge, search, generator)
    elif isinstance(search, AnnealingSettings):
        found = _annealed(hand, judge, search, generator)
    else:
        first, limits = starts(hand, fields, judge, generator), space(hand, fields).of(which)
        found = descend(first, judge, limits, search, generator)
    planned = []
    for index in range(objects):
        chains = torch.nonzero(which == index)[:, 0]
        chains = chains[found.energies[chains].argsort()]
        best, history = (found.states[chains], found.energies[chains]), found.history[:, chains]
        planned.append(Planned(*best, found.iterations, history, found.evaluations))
    return planned


def _annealed(hand, judge, settings, generator):
    """The chains of the annealing. GraspIt! does not give a chain's quaternion unit length."""
    graspit, postures = settings.reading == "graspit", judge.postures
    limits = space(hand, judge.fields, graspit=graspit).of(judge.which)
    limits = postures.space(limits) if postures else limits

    def propose(states, temperatures, chains):
        jumped = neighbours(states, temperatures, limits.of(chains), generator)
        return jumped if graspit else pose_vector.normalise(jumped)

    first = starts(hand, judge.fields, judge, generator)
    found = anneal(first, propose, judge, settings, generator)
    states = pose_vector.normalise(found.states) if graspit else found.states
    return found._replace(states=postures.states(states) if postures else states)


def _balanced(hand, judge, settings, generator):
    """The chains of the search for contacts whose forces cancel, as `anneal` returns them."""
    fields, which = judge.fields, judge.which
    first = surface_starts(hand, fields, judge, generator, gap=settings.gap)
    seed = int(torch.randint(2**31, (1,), generator=generator, device=which.device))
    chosen = choose_contacts(hand, len(which), settings, np.random.default_rng(seed))
    states, history = balance(hand, fields, which, first, chosen=chosen, settings=settings)
    seen = torch.arange(len(history))
    return Annealed(states, history[-1], seen, history, len(which) * len(history))


def _touching(hand, judge, settings, generator):
    """One state per chain, with the palm at the surface, as `anneal` returns chains."""
    states = surface_starts(hand, judge.fields, judge, generator, gap=settings.gap)
    energies, _ = judge(states, torch.arange(len(states), device=states.device))
    return Annealed(states, energies, torch.arange(1), energies[None], len(states))


def starts(hand: Hand, fields: Fields, judge: Judge, generator: torch.Generator) -> torch.Tensor:
    """Legal random states (N, V) of the judge, one for each of its chains.

    The wrist's orientation is uniform. Closing joints are up to half closed, and others anywhere.
    The middle of the contact points is uniform in the field's cube, enlarged by 5 cm. Raises
    PlanError if every draw overlaps the object.

    hand: the hand.
    fields: of the objects.
    judge: of legality.
    generator: of the fields' device.
    """
    which = judge.which
    centres, halves = cubes(fields)

    def draw(chains):
        around = halves[which[chains], None] + _AROUND
        drawn = _draw(hand, judge.contacts, centres[which[chains]], around, generator)
        return judge.postures.short(drawn) if judge.postures else drawn

    states, left = legal_starts(judge, draw)
    if not len(left):
        return states
    raise PlanError(
        f"no legal start of the {hand.name} hand was found in {DRAWS} draws, around an object that"
        f" is {2000 * float(halves[which[left[0]]]):.0f} mm long"
    )


def reach(hand: Hand) -> float:
    """The open hand's largest span, metres: the largest distance between two of its contact points.

    This is an upper bound of the width that it can grasp. A hand whose fingers open flat next to
    the palm, as the Barrett Hand's do, can grasp less.

    hand: with a layout "default" of contact points.
    """
    contacts, opened = hand.contacts["default"], torch.as_tensor(hand.open, dtype=torch.float32)
    points = place(hand, torch.eye(4), opened, contacts.points, contacts.links)
    return float(torch.pdist(points).max())


def _draw(hand, contacts, centres, halves, generator):
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
    one, other = (1 - share).sqrt(), share.sqrt()
    quat = torch.cat(
        [one * first.sin(), one * first.cos(), other * second.sin(), other * second.cos()], dim=1
    )
    turned = pose_vector.split(torch.cat([torch.zeros_like(centres), quat, joints], dim=1))[0]
    middle = place(hand, turned, joints, contacts.points, contacts.links).mean(dim=1)
    translation = centres + (2 * uniform(len(centres), 3) - 1) * halves - middle
    return pose_vector.normalise(torch.cat([translation, quat, joints], dim=1))


def space(hand: Hand, fields: Fields, *, graspit: bool = False) -> Space:
    """Limits (B, 7 + J) of pose vectors at each object, and their largest jumps (7 + J,).

    Our jumps: 50 mm, 0.5 of a quaternion's number within ±1, and a quarter of a joint's range.
    GraspIt!'s: 100 mm, 1 within ±5, and half of the range. The wrist's limits are always ours.

    hand: the hand.
    fields: of B objects.
    graspit: whether GraspIt!'s jumps, and limits of the quaternion, are meant.
    """
    shift, turn, share, most = _GRASPIT if graspit else _OURS
    centres, halves = cubes(fields)
    low, high, opened, _ = _joints(hand, centres)
    contacts = hand.contacts["default"]
    still = torch.eye(4, dtype=opened.dtype, device=opened.device)
    points = place(hand, still, opened, contacts.points, contacts.links)
    span = (halves * 3**0.5 + points.norm(dim=-1).max())[:, None]
    quat = torch.full((len(centres), 4), most, dtype=low.dtype, device=low.device)
    wrist = torch.tensor([shift] * 3 + [turn] * 4, dtype=low.dtype)
    jump = torch.cat([wrist, (high - low).cpu() * share])
    return Space(
        torch.cat([centres - span, -quat, low.expand(len(centres), -1)], dim=1),
        torch.cat([centres + span, quat, high.expand(len(centres), -1)], dim=1),
        jump.to(low.device),
    )


def _joints(hand, like):
    """Low and high limits, open values and closing signs (J,) of a hand's joints, as tensors like
    `like`.
    """
    arrays = (*hand.limits.T, hand.open, hand.closing)
    return tuple(torch.as_tensor(array, dtype=like.dtype, device=like.device) for array in arrays)
