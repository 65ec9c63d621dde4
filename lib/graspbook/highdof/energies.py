"""The planner's energy and its legal states: the hand's contact points in an object's distance
field.
"""

from collections.abc import Callable

import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, carry, carry_normals
from graspbook.hands.balls import inner_balls
from graspbook.hands.self_collision import ALLOWED, deepest_self
from graspbook.highdof.eigengrasps import Eigengrasps
from graspbook.objects.distance import Fields, lookup, lookup_gradient

DRAWS = 200  # of a start, until it is legal
ENERGIES = ("distance_sum", "graspit")
_MILLIMETRES, _TURN = 1000.0, 50.0


def distance_sum(distances: torch.Tensor) -> torch.Tensor:
    """Sum of |o_s| over the contact points, in millimetres and divided by P: the high-DOF paper's
    cost (V-A1).

    The paper names no unit. As a mean in millimetres it has the scale that GraspIt!'s temperatures
    assume.

    distances: (..., P), metres.
    """
    return distances.abs().mean(dim=-1) * _MILLIMETRES


def graspit(
    distances: torch.Tensor, gradients: torch.Tensor, normals: torch.Tensor
) -> torch.Tensor:
    """GraspIt!'s contact energy: mean of |o_s| in millimetres + 50 (1 - n·p), n the contact's
    normal, p the direction to the surface.

    p is -gradient, so for a point inside the object it still points inwards.

    distances: (..., P), metres.
    gradients, normals: (..., P, 3), of the distance field, and the hand's outward ones.
    """
    facing = -(normals * gradients).sum(dim=-1) / gradients.norm(dim=-1).clamp(min=1e-6)
    return (distances.abs() * _MILLIMETRES + _TURN * (1 - facing)).mean(dim=-1)


class Judge:
    """Energy and legality of pose vectors (M, 7 + J) of a hand at objects, in the objects' frames.

    A state is legal if no ball inside the hand overlaps the object by more than `overlap` metres,
    and no two parts of the hand are more than 2 mm inside each other. Up to 4 mm of the hand are
    outside the balls, see `hands.balls`. A legal hand may therefore reach up to 5 mm into the
    object. Raises ParameterError for an unknown energy or layout.

    hand: with balls and contact points.
    fields: of the objects.
    which: (N,), the object of each chain.
    energy: one of ENERGIES.
    layout: of the hand's contact points.
    overlap: metres.
    postures: if given, states are (M, 7 + A), with amplitudes of these instead of joints.
    """

    def __init__(
        self,
        hand: Hand,
        fields: Fields,
        which: torch.Tensor,
        *,
        energy: str = "distance_sum",
        layout: str = "default",
        overlap: float = 0.001,
        postures: Eigengrasps | None = None,
    ) -> None:
        if energy not in ENERGIES:
            raise ParameterError(
                f"unknown energy {energy!r}, expected one of {', '.join(ENERGIES)}"
            )
        if layout not in hand.contacts:
            raise ParameterError(
                f"unknown contact layout {layout!r}, the {hand.name} hand has"
                f" {', '.join(hand.contacts)}"
            )
        self.hand, self.fields, self.which = hand, fields, which
        self.energy, self.overlap, self.postures = energy, overlap, postures
        self.contacts, self.balls = hand.contacts[layout], inner_balls(hand)
        values = fields.values
        self.radii = torch.as_tensor(self.balls.radii, dtype=values.dtype, device=values.device)

    def __call__(
        self, states: torch.Tensor, chains: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (M,), infinite where not legal, and legal (M,) bool of states (M, 7 + J) of
        chains (M,).
        """
        if self.postures:
            states = self.postures.states(states)
        wrist, joints = pose_vector.split(states)
        links, which = self.hand.forward(joints, wrist), self.which[chains]
        centres = carry(links, self.balls.centres, self.balls.links)
        depth = lookup(self.fields, centres, which) - self.radii
        legal = depth.amin(dim=1) > -self.overlap
        if legal.any():
            legal[legal.clone()] = deepest_self(self.hand, links[legal]) <= ALLOWED
        energies = torch.full((len(states),), torch.inf, dtype=states.dtype, device=states.device)
        if legal.any():
            energies[legal] = self._energies(links[legal], which[legal])
        return energies, legal

    def _energies(self, links, which):
        points = carry(links, self.contacts.points, self.contacts.links)
        if self.energy == "distance_sum":
            return distance_sum(lookup(self.fields, points, which))
        distances, gradients = lookup_gradient(self.fields, points, which)
        normals = carry_normals(links, self.contacts.normals, self.contacts.links)
        return graspit(distances, gradients, normals)


def legal_starts(
    judge: Judge, draw: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Legal states (N, V) of the judge's chains, and the chains (M,) without one.

    Each is drawn up to DRAWS times.

    judge: of legality.
    draw: gives states (M, V) of chains (M,).
    """
    left = torch.arange(len(judge.which), device=judge.which.device)
    numbers = len(judge.postures.basis) if judge.postures else len(judge.hand.joints)
    states = judge.fields.values.new_zeros(len(left), 7 + numbers)
    for _ in range(DRAWS):
        drawn = draw(left)
        legal = judge(drawn, left)[1]
        states[left[legal]] = drawn[legal]
        left = left[~legal]
        if not len(left):
            break
    return states, left
