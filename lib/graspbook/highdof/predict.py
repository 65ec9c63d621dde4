"""Grasps for any object with a trained network: turned views, one pose each, mended, closed and
ranked (section V-C4).
"""

from dataclasses import dataclass

import numpy as np
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import carry
from graspbook.hands.balls import inner_balls
from graspbook.highdof.closing import SLACK, close, touching
from graspbook.highdof.dataset import frames
from graspbook.highdof.object_field import make_target
from graspbook.highdof.refinement import adjust, polish
from graspbook.objects.distance import lookup
from graspbook.objects.occupancy import occupancy_grids
from graspbook.quality import epsilon

WAYS = {"polish": polish, "adjust": adjust}


@dataclass(frozen=True)
class Candidates:
    """Grasps of one object from R of its rotations in the object frame: those that are clear first,
    and of these the best ε.

    rotation (R,): which of the rotations. object_T_palm (R, 4, 4); joints (R, J): closed values of
    `hand.joints`. epsilon (R,): -1 too where the hand is still inside. clear (R,) bool: whether the
    mending ended with nothing inside. penetration (R, 3): depth in metres of the deepest part of
    the whole hand in the object, 0 if none is: as predicted, mended, and closed, see `deepest`.
    contacts: for each the points (P, 3), normals (P, 3) into the object, and links (P,) by index.
    """

    rotation: np.ndarray
    object_T_palm: np.ndarray
    joints: np.ndarray
    epsilon: np.ndarray
    clear: np.ndarray
    penetration: np.ndarray
    contacts: tuple


def predict(hand, network, mesh, com, settings, chosen):
    """Pose vectors (R, 7 + J), torch, in the object frame, of a network for the rotations `chosen`
    (R,) of an object.

    com (3,): its centre of mass; settings: the DataSettings that the network was trained with.
    Raises what `occupancy_grids` raises.
    """
    turned_T_object = frames(com, settings)[chosen]
    grids = torch.as_tensor(
        occupancy_grids(mesh, turned_T_object, settings.grid, settings.length)[0]
    )
    with torch.no_grad():
        wrist, joints = pose_vector.split(network(grids).double())
    return torch.as_tensor(
        pose_vector.join(pose.inverse(turned_T_object) @ wrist.numpy(), joints.numpy()),
        dtype=torch.float32,
    )


def generate(hand, network, mesh, settings, rotations=5, seed=0, way="polish"):
    """The Candidates of an object, from as many random rotations of those the network knows.

    Each pose is mended until no part of the hand is inside, by `refinement.adjust`, the paper's
    way, or by `refinement.polish`, ours; then the hand is closed and ε measured. Raises
    ParameterError for another way, and what `make_target` and `ask` raise.
    """
    target = make_target(mesh)
    return complete(hand, target, *ask(hand, network, mesh, target, settings, rotations, seed), way)


def ask(hand, network, mesh, target, settings, rotations, seed):
    """Which of the rotations (R,) are drawn, and the network's pose vectors (R, 7 + J) for them,
    see `predict`.

    Raises ParameterError for more rotations than there are, and what `occupancy_grids` raises.
    """
    known = len(frames(target.com, settings))
    if rotations > known:
        raise ParameterError(
            f"{rotations} rotations of an object, expected at most the {known} that the network"
            " knows"
        )
    chosen = np.random.default_rng(seed).permutation(known)[:rotations]
    return chosen, predict(hand, network, mesh, target.com, settings, chosen)


def complete(hand, target, rotation, predicted, way):
    """The Candidates that pose vectors predicted (R, 7 + J), torch, in the frame of a Target
    become, see `generate`.
    """
    if way not in WAYS:
        raise ParameterError(
            f"unknown way {way!r} to mend a grasp, expected one of {', '.join(WAYS)}"
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


def deepest(hand, fields, which, wrist, joints):
    """Depth (N,) in metres, numpy, of the deepest part of a whole hand in the objects which (N,), 0
    if none is inside.

    The larger of the depth of a surface point and of that to which a ball inside the hand overlaps
    the object: in a wall no point is deeper than half its thickness, however far the hand reaches
    through it.
    """
    surface, balls, links = hand.surface, inner_balls(hand, SLACK), hand.forward(joints, wrist)
    points = -lookup(fields, carry(links, surface.points, surface.links), which)
    overlaps = torch.as_tensor(balls.radii, dtype=points.dtype) - lookup(
        fields, carry(links, balls.centres, balls.links), which
    )
    return torch.maximum(points.amax(dim=1), overlaps.amax(dim=1)).clamp(min=0).numpy()
