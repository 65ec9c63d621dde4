"""Sections of the notebooks of high-DOF grasping, by the path of each below `notebooks/`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from graspbook.hands.library import HANDS
from graspbook.workbook.params_types import Count, Family, Positive, Section, Share


def _known(hand):
    if hand not in HANDS:
        raise ValueError(f"unknown hand {hand!r}, expected one of {', '.join(HANDS)}")
    return hand


# By name; the first is the one that is studied in depth.
Hands = Annotated[list[Annotated[str, AfterValidator(_known)]], Field(min_length=1)]


Search = Literal[
    "descent",
    "annealing",
    "annealing_candidates",
    "graspit",
    "eigengrasps",
    "balance",
    "balance_fingertips",
    "palm",
]


class HighdofObjects(Section):
    """Hands and their objects: a folder of meshes in metres, or families. Section V: 324 objects,
    80 % to train on.
    """

    hands: Hands = ["shadow", "barrett", "franka"]
    palm: Annotated[list[float], Field(min_length=3, max_length=3)] = [0.01, -0.011, 0.085]
    posture: dict[str, float] = {"THJ4": 1.0}
    counts: Annotated[dict[Family, Count], Field(min_length=1)] = {
        "box": 3,
        "cylinder": 3,
        "bottle": 3,
        "mug": 3,
    }
    held_out_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.34
    folder: str = ""


class HighdofGraspData(Section):
    """Planned grasps, and a comparison of planners. Section V-A; 10000 iterations and 100 grasps
    per object in the paper.
    """

    hands: Hands = ["shadow", "barrett"]
    grasps: Count = 32
    search: Search = "balance_fingertips"
    hand_searches: dict[Annotated[str, AfterValidator(_known)], Search] = {"barrett": "palm"}
    energy: Literal["distance_sum", "graspit"] = "distance_sum"
    rounds: Count = 25
    iterations: Count = 300
    tested: Annotated[int, Field(ge=0)] = 12
    kept: Count = 8
    fewest: Count = 2
    layout_grasps: Count = 4
    compared_objects: Count = 2
    compared_grasps: Count = 6
    held_objects: Count = 4
    held_grasps: Count = 6


class HighdofTraining(Section):
    """Networks and losses. Sections IV and V-C: a 64³ grid, 64 kernels, Adam at 1e-3, K = 100, β =
    0.75.
    """

    hands: Hands = ["shadow", "barrett"]
    grid: Annotated[int, Field(ge=15)] = 16
    length: Positive = 0.32
    nodes: Annotated[int, Field(ge=16)] = 32
    width: Count = 8
    hidden: Annotated[list[Count], Field(min_length=1)] = [256, 128]
    steps: Count = 100
    rate: Positive = 0.001
    seeds: Count = 1
    beta: Share = 0.75
    betas: list[Share] = [0.5]
    fewer: list[Count] = [1, 4]
    datasets: Count = 2
    final_steps: Count = 400
    heads: Annotated[int, Field(ge=2)] = 4
    judged: Annotated[int, Field(ge=1, le=27)] = 2


class HighdofPenetration(Section):
    """Corrections of predicted grasps, and their quality. Sections IV-E and V-C3 to V-C5; the paper
    turns an object 3 to 5 times.
    """

    hands: Hands = ["shadow", "barrett"]
    rotations: Annotated[int, Field(ge=1, le=27)] = 6
    tested: Count = 2
    compared: Annotated[int, Field(ge=1, le=27)] = 5


NOTEBOOKS: dict[str, type[Section]] = {
    "highdof/1_hands_and_objects": HighdofObjects,
    "highdof/2_grasp_data": HighdofGraspData,
    "highdof/3_training": HighdofTraining,
    "highdof/4_penetration": HighdofPenetration,
}
