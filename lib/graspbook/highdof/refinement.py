"""Corrections of predicted grasp poses: the paper's pose refinement (section IV-E), its runtime
adjustment (section V-C3), and ours.

All take pose vectors x (N, 7 + J), torch, in the frames of the objects which (N,) of
`distance.Fields`. They return pose vectors with joints within their limits.
"""

import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, carry, place
from graspbook.hands.balls import inner_balls
from graspbook.hands.self_collision import ALLOWED, self_depths
from graspbook.highdof import losses
from graspbook.highdof.closing import SLACK
from graspbook.highdof.descent import DescentSettings, slide
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import space
from graspbook.objects.distance import Fields, lookup

STEPS, RATE, MARGIN = 400, 0.01, 0.0005
SLIDES = 80


def refine(
    hand: Hand,
    fields: Fields,
    which: torch.Tensor,
    x: torch.Tensor,
    *,
    beta: float = 0.75,
    steps: int = 100,
) -> torch.Tensor:
    """The pose vectors x* near x that minimise β ‖x* - x‖² + (1 - β) L_collision (section IV-E), by
    Adam.

    The penalty is soft, so the minimum has some penetration left.

    hand: of all poses.
    fields: of the objects.
    which: (N,), the object of each pose.
    x: (N, 7 + J).
    beta: 0 to 1.
    steps: of Adam.
    """
    contacts = hand.contacts["default"]
    units = losses.units(x)
    moved = (x / units).requires_grad_()
    optimiser = torch.optim.Adam([moved], lr=RATE)
    for _ in range(steps):
        wrist, joints = pose_vector.split(moved * units)
        placed = place(hand, wrist, joints, contacts.points, contacts.links)
        depths = -lookup(fields, placed, which).clamp(max=0)
        distances = losses.squared_distances(moved * units, x[:, None])[:, 0]
        optimiser.zero_grad()
        losses.combined(distances, losses.collision(depths), beta).sum().backward()
        optimiser.step()
    return _legal(hand, moved.detach() * units)


def adjust(
    hand: Hand,
    fields: Fields,
    which: torch.Tensor,
    x: torch.Tensor,
    *,
    points: str = "whole",
    steps: int = STEPS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Descend L_collision from x until no point is inside, or for `steps` steps; also returns
    whether this succeeded (N,) bool.

    Each step follows the gradient, in units of 0.1 m and rad. Its first length would end the
    penetration if the loss were the square of a linear function (Polyak's step for a least value of
    0). Points should then be half a millimetre clear. Steps grow up to twice this length for poses
    that still penetrate.

    hand: of all poses.
    fields: of the objects.
    which: (N,), the object of each pose.
    x: (N, 7 + J).
    points: "contacts", the paper's, or "whole": balls that fill the whole hand, since parts between
        contact points can also be inside. The whole hand also leaves itself: no part stays more
        than 2 mm inside another.
    steps: largest number.
    """
    if points == "whole":
        balls = inner_balls(hand, SLACK)
        places, links = balls.centres, balls.links
        radii = torch.as_tensor(balls.radii, dtype=x.dtype, device=x.device)
    else:
        places, _, links = hand.contacts["default"]
        radii = x.new_zeros(())
    units, x = losses.units(x), _legal(hand, x)
    clear = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for step in range(steps + 1):
        moved = (x[~clear] / units).requires_grad_()
        wrist, joints = pose_vector.split(moved * units)
        poses = hand.forward(joints, wrist)
        distances = lookup(fields, carry(poses, places, links), which[~clear]) - radii
        if points == "whole":
            distances = torch.cat([distances, ALLOWED - self_depths(hand, poses)], dim=1)
        inside = (distances.detach() < 0).any(dim=1)
        left = torch.nonzero(~clear)[:, 0]
        clear[left[~inside]] = True
        if clear.all() or step == steps:
            break
        loss = losses.collision((distances - MARGIN).clamp(max=0))
        gradient = torch.autograd.grad(loss.sum(), moved)[0]
        slope = gradient.square().sum(dim=1).clamp(min=1e-12)
        length = (1 + step / steps) * 2 * loss.detach() / slope
        moved = (moved.detach() - length[:, None] * gradient) * units
        x[left[inside]] = _legal(hand, moved[inside])
    return x, clear


def polish(
    hand: Hand,
    fields: Fields,
    which: torch.Tensor,
    x: torch.Tensor,
    *,
    slides: int = SLIDES,
    energy: str = "graspit",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ours: the planner's gradient steps on an energy from x, then `adjust`; returns the same as
    `adjust`.

    It moves the hand to the surface, which the paper leaves to the network.

    hand: of all poses.
    fields: of the objects.
    which: (N,), the object of each pose.
    x: (N, 7 + J).
    slides: gradient steps.
    energy: one of `energies.ENERGIES`.
    """
    judge = Judge(hand, fields, which, energy=energy)
    chains, limits = torch.arange(len(x), device=x.device), space(hand, fields).of(which)
    x = slide(judge, x, chains, limits, DescentSettings(slides=slides))
    return adjust(hand, fields, which, x)


def _legal(hand, x):
    low, high = torch.as_tensor(hand.limits.T, dtype=x.dtype, device=x.device)
    x = pose_vector.normalise(x)
    return torch.cat([x[:, :7], x[:, 7:].clamp(low, high)], dim=1)
