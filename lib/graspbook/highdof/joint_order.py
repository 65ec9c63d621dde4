"""Joint values of a plan's file in the order of a hand: by name, whatever their order there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import GraspFileError
from graspbook.hands.articulated import Hand

POSE = 7  # numbers before the joints of a pose vector


def check_columns(arrays: Mapping[str, np.ndarray], joints: Sequence[str]) -> None:
    """Raise ValueError where arrays of a plan do not have one column per joint.

    arrays: with "states" and "closed".
    joints: names.
    """
    for name, columns in (("states", POSE + len(joints)), ("closed", len(joints))):
        if arrays[name].shape != (len(arrays["states"]), columns):
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {columns} columns")


def check_hand(
    path: Path | str, hand: Hand, name: str, joints: Sequence[str], parameters: Mapping[str, Any]
) -> None:
    """Raise GraspFileError where a file is of another hand, or of one whose files were others.

    path: of the file.
    hand: the expected one.
    name, joints, parameters: in the file.
    """
    if name != hand.name or sorted(joints) != sorted(hand.joints):
        raise GraspFileError(
            f"{path}: its grasps are for the {name} hand with joints {', '.join(joints)},"
            f" expected the {hand.name} hand with {', '.join(hand.joints)}"
        )
    if parameters.get("hand_content", "") != hand.content:
        raise GraspFileError(
            f"{path}: these grasps were planned before the files of the {name} hand changed: plan"
            " again"
        )


def in_order_of(
    hand: Hand, joints: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of a plan with joint values in the order of a hand.

    hand: the hand.
    joints: the same names in the order of the file.
    arrays: by name; "states" (K, 7 + J) and "closed" (K, J) are put in order, and "pregrasp" and
        "squeeze" (K, J) where they are there.
    """
    order = np.array([list(joints).index(joint) for joint in hand.joints], int)
    columns = np.concatenate([np.arange(POSE), POSE + order])
    stages = ("closed", "pregrasp", "squeeze")
    ordered = {name: arrays[name][:, order] for name in stages if name in arrays}
    return {**arrays, **ordered, "states": arrays["states"][:, columns]}
