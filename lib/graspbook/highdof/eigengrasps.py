"""Eigengrasps: the joints of a hand as a mean posture and a few amplitudes, for the search named
after them.

Ciocarlie and Allen search the wrist and such amplitudes instead of every joint (Hand Posture
Subspaces for Dexterous Robotic Grasping, 2009). The high-DOF paper's planner is probably this one.
Its components came from people's hands. Ours are the principal components of planned grasps that
held, see `bench/eigengrasps.py`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from graspbook.errors import ParameterError, PlanError
from graspbook.hands.articulated import Hand
from graspbook.highdof.annealing import AnnealingSettings, Space

FILE = Path(__file__).parent / "static" / "eigengrasps.json"
WIDEST = 3.0  # standard deviations of the grasps that held, on both sides of the mean


@dataclass(frozen=True)
class EigengraspSettings(AnnealingSettings):
    """Settings of an annealing of wrist and amplitudes, with GraspIt!'s jumps and its rule for
    failed neighbours.

    amplitudes: how many, of the components with the largest variance; two in Ciocarlie's planner.
    """

    reading: str = "graspit"
    candidates: int = 11
    amplitudes: int = 2


class Eigengrasps(NamedTuple):
    """Postures of a hand: joints = mean + amplitudes @ basis, within the joints' limits.

    mean: (J,), rad.
    basis: (A, J), orthogonal rows as long as one standard deviation, largest first.
    low, high: (J,), the joints' limits.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def joints(self, amplitudes: torch.Tensor) -> torch.Tensor:
        """Joint values (..., J) within their limits.

        amplitudes: (..., A), in standard deviations.
        """
        mean, basis, low, high = (part.to(amplitudes) for part in self)
        return (mean + amplitudes @ basis).clamp(low, high)

    def amplitudes(self, joints: torch.Tensor) -> torch.Tensor:
        """Amplitudes (..., A) of the posture nearest to joint values, at most WIDEST.

        joints: (..., J).
        """
        mean, basis = self.mean.to(joints), self.basis.to(joints)
        found = (joints - mean) @ basis.mT / basis.square().sum(dim=1)
        return found.clamp(-WIDEST, WIDEST)

    def short(self, states: torch.Tensor) -> torch.Tensor:
        """The pose vectors (..., 7 + A) that are nearest, with amplitudes instead of joints.

        states: (..., 7 + J).
        """
        return torch.cat([states[..., :7], self.amplitudes(states[..., 7:])], dim=-1)

    def states(self, short: torch.Tensor) -> torch.Tensor:
        """Pose vectors (..., 7 + J).

        short: (..., 7 + A), with amplitudes instead of joints.
        """
        return torch.cat([short[..., :7], self.joints(short[..., 7:])], dim=-1)

    def space(self, limits: Space) -> Space:
        """The space of wrist and amplitudes, which jump by half of their range.

        limits: of pose vectors, (B, 7 + J).
        """
        ends = limits.low.new_full((len(limits.low), len(self.basis)), WIDEST)
        return Space(
            torch.cat([limits.low[:, :7], -ends], dim=1),
            torch.cat([limits.high[:, :7], ends], dim=1),
            torch.cat([limits.jump[:7], ends[0]]),
        )


def fit(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (J,), unit components (J, J) as rows, and variances (J,), largest first.

    The largest number of each component is positive.

    joints: (N, J), of grasps.
    """
    variances, columns = np.linalg.eigh(np.cov(joints.T))
    rows = columns.T[::-1]
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])
    return joints.mean(axis=0), rows * signs[:, None], variances[::-1].clip(0)


def load_eigengrasps(hand: Hand, count: int) -> Eigengrasps:
    """The Eigengrasps that come with the package.

    Raises PlanError for a hand without any, and ParameterError for a number that there is not.

    hand: the hand.
    count: amplitudes.
    """
    known = _known()
    found = known.get(hand.name, {"joints": []})
    if hand.content or sorted(found["joints"]) != sorted(hand.joints):
        raise PlanError(
            f"no eigengrasps for this {hand.name} hand, expected the package's"
            f" {' or '.join(known)} hand: use another search, such as graspit"
        )
    if not 1 <= count <= len(found["basis"]):
        raise ParameterError(
            f"{count} amplitudes of the {hand.name} hand, expected 1 to {len(found['basis'])}"
        )
    order = [found["joints"].index(name) for name in hand.joints]
    parts = np.array(found["mean"]), np.array(found["basis"])[:count], *hand.limits.T
    mean, basis, low, high = (torch.as_tensor(part, dtype=torch.float32) for part in parts)
    return Eigengrasps(mean[order], basis[:, order], low, high)


@cache
def _known() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text(encoding="utf-8"))
