"""Grasps for any object with a trained network: turned views, one pose each, adjusted, closed and ranked (section V-C4)."""

from dataclasses import dataclass

import numpy as np
import torch

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.highdof.closing import close, touching
from graspbook.highdof.dataset import frames
from graspbook.highdof.refinement import adjust
from graspbook.objects.distance import centre_of_mass, lookup, signed_distance_grid, stack
from graspbook.objects.occupancy import occupancy_grids
from graspbook.quality import epsilon


@dataclass(frozen=True)
class Candidates:
    """Grasps of one object from R of its rotations, best ε first, in the object frame.

    rotation (R,): which of the rotations. object_T_palm (R, 4, 4); joints (R, J): closed values of `hand.joints`. epsilon (R,).
    adjusted (R,) bool: whether the adjustment ended with nothing inside. penetration (R, 3): depth in metres of the deepest
    point of the whole hand in the object, 0 if none is: as predicted, adjusted, and closed. contacts: for each the points
    (P, 3), normals (P, 3) into the object, and links (P,) by index.
    """

    rotation: np.ndarray
    object_T_palm: np.ndarray
    joints: np.ndarray
    epsilon: np.ndarray
    adjusted: np.ndarray
    penetration: np.ndarray
    contacts: tuple


def predict(hand, network, mesh, com, settings, chosen):
    """Pose vectors (R, 7 + J), torch, in the object frame, of a network for the rotations `chosen` (R,) of an object.

    com (3,): its centre of mass; settings: the DataSettings that the network was trained with. Raises what
    `occupancy_grids` raises.
    """
    turned_T_object = frames(com, settings)[chosen]
    grids = torch.as_tensor(occupancy_grids(mesh, turned_T_object, settings.grid, settings.length)[0])
    with torch.no_grad():
        wrist, joints = pose_vector.split(network(grids).double())
    return torch.as_tensor(pose_vector.join(pose.inverse(turned_T_object) @ wrist.numpy(), joints.numpy()), dtype=torch.float32)


def generate(hand, network, mesh, settings, rotations=5, seed=0):
    """The Candidates of an object, from as many random rotations of the paper's 27.

    Each pose is adjusted until no part of the hand is inside, then the hand is closed and ε measured. Raises what
    `signed_distance_grid`, `centre_of_mass` and `occupancy_grids` raise.
    """
    grid = signed_distance_grid(mesh, settings.nodes)
    fields, com = stack([grid]), centre_of_mass(grid)
    length = np.linalg.norm(mesh.vertices - com, axis=1).max()
    count = len(frames(com, settings))
    chosen = np.random.default_rng(seed).permutation(count)[:rotations]
    which = torch.zeros(len(chosen), dtype=torch.long)
    predicted = predict(hand, network, mesh, com, settings, chosen)
    adjusted, clear = adjust(hand, fields, which, predicted)
    wrist, joints = pose_vector.split(adjusted)
    closed = close(hand, fields, which, wrist, joints)
    depth = [deepest(hand, fields, which, *pose_vector.split(predicted)), deepest(hand, fields, which, wrist, joints),
             deepest(hand, fields, which, wrist, closed)]
    contacts = [touching(hand, fields, 0, *one) for one in zip(wrist, closed, strict=True)]
    quality = np.array([epsilon(points, normals, com, length) for points, normals, _ in contacts])
    order = np.argsort(-quality, kind="stable")
    return Candidates(chosen[order], wrist.double().numpy()[order], closed.double().numpy()[order], quality[order],
                      clear.numpy()[order], np.stack(depth, axis=1)[order], tuple(contacts[i] for i in order))


def deepest(hand, fields, which, wrist, joints):
    """Depth (N,) in metres, numpy, of the deepest of the hand's surface points in the objects which (N,), 0 if none is inside."""
    surface = hand.surface
    return (-lookup(fields, place(hand, wrist, joints, surface.points, surface.links), which)).amax(dim=1).clamp(min=0).numpy()
