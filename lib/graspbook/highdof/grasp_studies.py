"""Grasps that the notebooks of the high-DOF paper compare: planned, and of networks after their
corrections.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.highdof.evaluation import (
    MENDINGS,
    expected_best,
    grasp_object,
    mend_predictions,
    some_plans,
)
from graspbook.highdof.experiments import ByObject
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks

WAYS = {"adjust": "adjusted", "polish": "polished"}
ByHand = dict[str, dict[str, Any]]


def mend_all(
    hand: str,
    examples: Path,
    names: Sequence[str],
    weights: Mapping[str, Path],
    *,
    workers: int,
    parts: int = 1,
    ways: Iterable[str] = tuple(MENDINGS),
) -> dict[str, dict[str, ByObject]]:
    """`evaluation.mend_predictions` of networks: {label: {way: {object: [item]}}}.

    hand: its name.
    examples: a file of them.
    names: of the objects in it.
    weights: of each label.
    workers: processes.
    parts: number of tasks per network.
    ways: corrections, some of `evaluation.MENDINGS`.
    """
    shares = [names[i::parts] for i in range(parts) if names[i::parts]]
    asked = [(label, part) for label in weights for part in shares]
    tasks = [{"names": part, "weights": weights[label]} for label, part in asked]
    common = {"hand": hand, "examples": examples, "ways": tuple(ways)}
    found: dict[str, dict[str, ByObject]] = {label: {} for label in weights}
    several = run_tasks(mend_predictions, tasks, workers, "mending", common=common)
    for (label, _), by_way in zip(asked, several, strict=True):
        for way, items in by_way.items():
            found[label].setdefault(way, {}).update(items)
    return found


def grasp_all(
    objects: FamilySet | FolderSet,
    names: Sequence[str],
    weights: Mapping[str, Mapping[str, Path | None]],
    *,
    workers: int,
    **options: Any,
) -> ByHand:
    """`evaluation.grasp_object` of several hands: {hand: {object: {label: {way: arrays}}}}.

    objects: a set of them.
    names: of the objects in it.
    weights: of each label for each hand.
    workers: processes.
    options: of `grasp_object`: ways, rotations, seed, tested.
    """
    tasks = [
        {"hand": hand, "weights": own, "name": name}
        for hand, own in weights.items()
        for name in names
    ]
    common = {"objects": objects, **options}
    return _by_hand(tasks, run_tasks(grasp_object, tasks, workers, "grasps", common=common))


def plans_of(
    objects: FamilySet | FolderSet,
    names: Sequence[str],
    files: Mapping[str, Mapping[str, Path]],
    *,
    workers: int,
    **options: int,
) -> ByHand:
    """`evaluation.some_plans` of several hands: {hand: {object: [item]}}.

    objects: a set of them.
    names: of the objects in it.
    files: planned grasps of each hand for each object.
    workers: processes.
    options: of `some_plans`: count, seed, tested.
    """
    tasks = [
        {"hand": hand, "name": name, "plan_file": own[name]}
        for hand, own in files.items()
        for name in names
    ]
    common = {"objects": objects, **options}
    found = run_tasks(some_plans, tasks, workers, "planned grasps", common=common)
    return _by_hand(tasks, [[item] for item in found])


def _by_hand(tasks, results):
    found = {}
    for task, result in zip(tasks, results, strict=True):
        found.setdefault(task["hand"], {})[task["name"]] = result
    return found


def by_way(grasped: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, ByObject]:
    """Grasps for `comparison.contrast`: {"<label>, <correction>": {object: [item]}}.

    grasped: {object: {label: {way: arrays}}}, of one hand.
    """
    found: dict[str, ByObject] = {}
    for name, by_label in grasped.items():
        for label, ways in by_label.items():
            for way, item in ways.items():
                found.setdefault(f"{label}, {WAYS[way]}", {})[name] = [item]
    return found


def deepest_of(grasped: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> float:
    """Depth of the deepest point of any closed hand, metres, of the network's grasps.

    grasped: as for `by_way`, with a label "network".
    """
    items = [item for by_label in grasped.values() for item in by_label["network"].values()]
    return float(max(item["penetration"][:, 2].max() for item in items))


def largest_epsilons(runs: Mapping[str, ByObject]) -> tuple[list[str], dict[str, list[float]]]:
    """Objects, and the largest ε of the grasps of each, by run; 0 without force closure.

    The first run gives the order: objects of largest ε come first.

    runs: {object: [item with "epsilon"]}, of the same objects.
    """
    largest = {
        label: {name: max(0.0, float(item["epsilon"].max())) for name, (item,) in run.items()}
        for label, run in runs.items()
    }
    first = next(iter(largest.values()))
    names = sorted(first, key=lambda name: -first[name])
    return names, {label: [found[name] for name in names] for label, found in largest.items()}


def best_of(epsilon: Mapping[str, Sequence[np.ndarray]]) -> dict[str, list[float]]:
    """The mean ε of the best of 1, 2, ... grasps, over all choices of so many and all objects.

    epsilon: ε of each object's grasps, for each way.
    """
    most = min(len(values) for several in epsilon.values() for values in several)
    return {
        way: [
            float(np.mean([expected_best(values.clip(0), n) for values in several]))
            for n in range(1, most + 1)
        ]
        for way, several in epsilon.items()
    }
