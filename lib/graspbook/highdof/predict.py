"""Grasps for any object with a trained network: one pose per turned view, moved out of the object,
closed and ranked (section V-C4).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, carry
from graspbook.hands.balls import inner_balls
from graspbook.highdof.closing import SLACK, close, touching
from graspbook.highdof.dataset import DataSettings, frames
from graspbook.highdof.network import GraspNetwork
from graspbook.highdof.object_field import Target
from graspbook.highdof.refinement import adjust, polish
from graspbook.objects.distance import Fields, lookup
from graspbook.objects.occupancy import occupancy_grids
from graspbook.quality import epsilon

WAYS: dict[str, Callable[..., tuple[torch.Tensor, torch.Tensor]]] = {
    "polish": polish,
    "adjust": adjust,
}


@dataclass(frozen=True)
class Candidates:
    """Grasps of one object from R of its rotations in the object frame: those that are clear first,
    and of these the best ε.

    rotation: (R,), which of the rotations.
    object_T_palm: (R, 4, 4).
    joints: (R, J), closed values of `hand.joints`.
    epsilon: (R,), -1 too where the hand is still inside.
    clear: (R,) bool, whether the hand ended with nothing inside.
    penetration: (R, 3), depth in metres of the deepest part of the whole hand in the object, 0 if
        none is: as predicted, moved out, and closed, see `deepest`.
    contacts: for each the points (P, 3), normals (P, 3) into the object, and links (P,) by index.
    """

    rotation: np.ndarray
    object_T_palm: np.ndarray
    joints: np.ndarray
    epsilon: np.ndarray
    clear: np.ndarray
    penetration: np.ndarray
    contacts: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]


def predict(
    network: GraspNetwork,
    mesh: trimesh.Trimesh,
    com: np.ndarray,
    settings: DataSettings,
    chosen: np.ndarray,
) -> torch.Tensor:
    """Pose vectors (R, 7 + J) of a network for rotations of an object, in the object frame.

    Raises what `occupancy_grids` raises.

    network: trained.
    mesh: of the object.
    com: (3,), its centre of mass.
    settings: that the network was trained with.
    chosen: (R,), the rotations by index.
    """
    turned_T_object = frames(com, settings)[chosen]
    grids, _ = occupancy_grids(mesh, turned_T_object, settings.grid, settings.length)
    with torch.no_grad():
        wrist, joints = pose_vector.split(network(torch.as_tensor(grids)).double())
    answers = pose_vector.join(pose.inverse(turned_T_object) @ wrist.numpy(), joints.numpy())
    return torch.as_tensor(answers, dtype=torch.float32)


def ask(
    network: GraspNetwork,
    mesh: trimesh.Trimesh,
    target: Target,
    settings: DataSettings,
    *,
    rotations: int,
    seed: int,
) -> tuple[np.ndarray, torch.Tensor]:
    """Which of the rotations (R,) are drawn, and the network's pose vectors (R, 7 + J) for them,
    see `predict`.

    Raises ParameterError for more rotations than there are, and what `occupancy_grids` raises.

    network: trained.
    mesh, target: of the object.
    settings: that the network was trained with.
    rotations: R.
    seed: of the choice.
    """
    known = len(frames(target.com, settings))
    if rotations > known:
        raise ParameterError(
            f"{rotations} rotations of an object, expected at most {known}, the number that the"
            " network knows"
        )
    chosen = np.random.default_rng(seed).permutation(known)[:rotations]
    return chosen, predict(network, mesh, target.com, settings, chosen)


def complete(
    hand: Hand, target: Target, rotation: np.ndarray, predicted: torch.Tensor, way: str
) -> Candidates:
    """The Candidates that predictions become.

    Each pose is moved until no part of the hand is inside. Then the hand closes, and ε is measured.
    Raises ParameterError for another way.

    hand: of all of them.
    target: the object.
    rotation: (R,), which of its rotations they are for.
    predicted: (R, 7 + J), pose vectors in the object frame.
    way: how the hand is moved out: "adjust", the paper's, or "polish", ours; see `refinement`.
    """
    if way not in WAYS:
        raise ParameterError(
            f"unknown way {way!r} to move a hand out of an object, expected {' or '.join(WAYS)}"
        )
    which = torch.zeros(len(predicted), dtype=torch.long)
    mended, clear = WAYS[way](hand, target.fields, which, predicted)
    wrist, joints = pose_vector.split(mended)
    closed = close(hand, target.fields, which, wrist, joints)
    depth = [
        deepest(hand, target.fields, which, *pose_vector.split(predicted)),
        deepest(hand, target.fields, which, wrist, joints),
        deepest(hand, target.fields, which, wrist, closed),
    ]
    contacts = [touching(hand, target.fields, 0, *one) for one in zip(wrist, closed, strict=True)]
    quality = np.array(
        [
            epsilon(points, normals, target.com, target.length) if free else -1.0
            for (points, normals, _), free in zip(contacts, clear.tolist(), strict=True)
        ]
    )
    order = np.lexsort((-quality, ~clear.numpy()))
    return Candidates(
        rotation[order],
        wrist.double().numpy()[order],
        closed.double().numpy()[order],
        quality[order],
        clear.numpy()[order],
        np.stack(depth, axis=1)[order],
        tuple(contacts[i] for i in order),
    )


def deepest(
    hand: Hand, fields: Fields, which: torch.Tensor, wrist: torch.Tensor, joints: torch.Tensor
) -> np.ndarray:
    """Depth (N,) in metres of the deepest part of a whole hand in objects, 0 if none is inside.

    The larger of the depth of a surface point and of that to which a ball inside the hand overlaps
    the object: in a wall no point is deeper than half its thickness, however far the hand reaches
    through it.

    hand: whose surface and balls are asked.
    fields: of the objects.
    which: (N,), the object of each.
    wrist, joints: (N, 4, 4) and (N, J).
    """
    surface, balls, links = hand.surface, inner_balls(hand, SLACK), hand.forward(joints, wrist)
    points = -lookup(fields, carry(links, surface.points, surface.links), which)
    centres = carry(links, balls.centres, balls.links)
    overlaps = torch.as_tensor(balls.radii, dtype=points.dtype) - lookup(fields, centres, which)
    return torch.maximum(points.amax(dim=1), overlaps.amax(dim=1)).clamp(min=0).numpy()
