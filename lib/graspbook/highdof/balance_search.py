"""The search for grasps whose forces cancel: a palm against the surface, then the descent of
`balance`.
"""

import numpy as np
import torch

from graspbook.hands.articulated import Hand
from graspbook.highdof.annealing import Annealed
from graspbook.highdof.balance import BalanceSettings, balance, choose_contacts, energy
from graspbook.highdof.energies import Judge
from graspbook.highdof.surface_starts import surface_starts

_TOUCHING = 0.0, 0.004  # metres between palm and surface, where they touch


def search_balance(
    hand: Hand, judge: Judge, settings: BalanceSettings, generator: torch.Generator
) -> Annealed:
    """The chains of the search, as `annealing.anneal` returns them.

    The first chains of each object, `settings.touching` of them, are not moved from their starts.

    hand: the hand.
    judge: of legality of starts; has the same number of chains for each object, one object after
        another.
    settings: of the search.
    generator: of the fields' device.
    """
    fields, which = judge.fields, judge.which
    states = surface_starts(hand, fields, judge, generator, gap=settings.gap)
    seed = int(torch.randint(2**31, (1,), generator=generator, device=which.device))
    chosen = choose_contacts(hand, len(which), settings, np.random.default_rng(seed))
    history = states.new_zeros(settings.steps, len(which))
    per_object = int((which == which[0]).sum())
    rank = torch.arange(len(which), device=which.device) % per_object
    still = rank < round(settings.touching * per_object)
    if still.any():
        near = Judge(hand, fields, which[still])
        states[still] = surface_starts(hand, fields, near, generator, gap=_TOUCHING)
        given = hand, fields, which[still], states[still]
        contacts = chosen[still.cpu().numpy()]
        history[:, still] = energy(*given, chosen=contacts, settings=settings)
    if not still.all():
        given = hand, fields, which[~still], states[~still]
        contacts = chosen[~still.cpu().numpy()]
        states[~still], history[:, ~still] = balance(*given, chosen=contacts, settings=settings)
    seen = torch.arange(len(history))
    return Annealed(states, history[-1], seen, history, int((~still).sum()) * len(history))
