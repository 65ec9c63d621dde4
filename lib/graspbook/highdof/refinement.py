"""Mending a predicted grasp pose: the paper's pose refinement (section IV-E), its runtime
adjustment (section V-C3), and ours.

All take pose vectors x (N, 7 + J), torch, in the frames of the objects which (N,) of
`distance.Fields`, and return such, with joints within their limits.
"""

import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.hands.balls import inner_balls
from graspbook.highdof import losses
from graspbook.highdof.closing import SLACK
from graspbook.highdof.descent import DescentSettings, slide
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import space
from graspbook.objects.distance import lookup

STEPS, RATE, MARGIN = 400, 0.01, 0.0005
SLIDES = 80


def refine(hand, fields, which, x, beta=0.75, steps=100):
    """The pose vectors x* near x that minimise β ‖x* - x‖² + (1 - β) L_collision (section IV-E), by
    Adam.

    A soft penalty: at the minimum some penetration is left.
    """
    contacts = hand.contacts["default"]
    units = losses.units(x)
    moved = (x / units).requires_grad_()
    optimiser = torch.optim.Adam([moved], lr=RATE)
    for _ in range(steps):
        wrist, joints = pose_vector.split(moved * units)
        depths = -lookup(
            fields, place(hand, wrist, joints, contacts.points, contacts.links), which
        ).clamp(max=0)
        distances = losses.squared_distances(moved * units, x[:, None])[:, 0]
        optimiser.zero_grad()
        losses.combined(distances, losses.collision(depths), beta).sum().backward()
        optimiser.step()
    return _legal(hand, moved.detach() * units)


def adjust(hand, fields, which, x, points="whole", steps=STEPS):
    """Descend L_collision from x until nothing is inside, or for `steps` steps; and whether that
    came true (N,) bool.

    points: "contacts", the paper's, or "whole": balls that fill the whole hand, since parts between
    contact points can be inside too. Each step is along the gradient, in units of 0.1 m and rad,
    first as long as would end the penetration if the loss were a linear function squared (Polyak's
    step for a least value of 0), for points half a millimetre clear, and longer and longer, up to
    twice, for poses that this does not free.
    """
    if points == "whole":
        balls = inner_balls(hand, SLACK)
        places, links, radii = (
            balls.centres,
            balls.links,
            torch.as_tensor(balls.radii, dtype=x.dtype, device=x.device),
        )
    else:
        places, _, links = hand.contacts["default"]
        radii = 0.0
    units, x = losses.units(x), _legal(hand, x)
    clear = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for step in range(steps + 1):
        moved = (x[~clear] / units).requires_grad_()
        wrist, joints = pose_vector.split(moved * units)
        distances = lookup(fields, place(hand, wrist, joints, places, links), which[~clear]) - radii
        inside = (distances.detach() < 0).any(dim=1)
        left = torch.nonzero(~clear)[:, 0]
        clear[left[~inside]] = True
        if clear.all() or step == steps:
            return x, clear
        loss = losses.collision((distances - MARGIN).clamp(max=0))
        gradient = torch.autograd.grad(loss.sum(), moved)[0]
        length = (
            (1 + step / steps) * 2 * loss.detach() / gradient.square().sum(dim=1).clamp(min=1e-12)
        )
        moved = (moved.detach() - length[:, None] * gradient) * units
        x[left[inside]] = _legal(hand, moved[inside])


def polish(hand, fields, which, x, slides=SLIDES, energy="graspit"):
    """Ours: gradient steps of the planner's on an energy from x, then `adjust`; x and clear as
    there.

    Brings the hand to the surface, which the paper leaves to the network.
    """
    low, high, _ = space(hand, fields)
    judge, chains = Judge(hand, fields, which, energy), torch.arange(len(x), device=x.device)
    return adjust(
        hand,
        fields,
        which,
        slide(judge, x, chains, low[which], high[which], DescentSettings(slides=slides)),
    )


def _legal(hand, x):
    low, high = torch.as_tensor(hand.limits.T, dtype=x.dtype, device=x.device)
    x = pose_vector.normalise(x)
    return torch.cat([x[:, :7], x[:, 7:].clamp(low, high)], dim=1)
