"""Grasps that the notebooks of the high-DOF paper compare: from several planners, and from networks
with corrections.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import trimesh

from graspbook.errors import ParameterError
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.evaluation import (
    MENDINGS,
    expected_best,
    grasp_object,
    held_plans,
    mend_predictions,
    some_plans,
)
from graspbook.highdof.experiments import ByObject
from graspbook.highdof.planner import PlannerSettings, search_settings
from graspbook.highdof.plans import HandGrasps, plan_files
from graspbook.highdof.studies import ALL_LINKS, FINGERTIPS
from graspbook.highdof.surface_starts import PalmSettings
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.storage import read_json, write_json

WAYS = {"adjust": "adjusted", "polish": "polished"}
ByHand = dict[str, dict[str, Any]]

# Searches of `planners` that have a name of their own.
_OTHERS = {
    "GraspIt!": "graspit",
    "eigengrasps": "eigengrasps",
    "balance": "balance",
    "balance, fingertips": "balance_fingertips",
    "palm": "palm",
}


@dataclass(frozen=True)
class Clock:
    """Wall times of planning in a file of their own, since results do not depend on them; of whole
    runs only.

    file: JSON.
    """

    file: Path

    def seconds(self, label: str) -> float | None:
        """The seconds of a whole run, None if there was none.

        label: of the run.
        """
        return read_json(self.file).get(label) if self.file.is_file() else None

    def plan(
        self,
        label: str,
        meshes: Mapping[str, trimesh.Trimesh],
        paths: Mapping[str, Path],
        hand: str,
        settings: PlannerSettings,
        **options: int,
    ) -> float | None:
        """Plan as `plan_files` does and return the seconds of a whole run.

        label: of the run.
        meshes, paths, hand, settings: see `plan_files`.
        options: its seed and workers.
        """
        started = monotonic()
        if plan_files(meshes, paths, hand, settings, **options) == len(meshes) * settings.grasps:
            times = read_json(self.file) if self.file.is_file() else {}
            write_json(self.file, times | {label: monotonic() - started})
        return self.seconds(label)


def by_hand(
    settings: PlannerSettings, searches: Mapping[str, str], **counts: int
) -> dict[str, tuple[str, PlannerSettings]]:
    """Each hand with its settings of the planner.

    settings: of all hands, but for the search.
    searches: names for `planner.search_settings`, by hand.
    counts: of its options.
    """
    found = {}
    for hand, name in searches.items():
        found[hand] = hand, replace(settings, search=search_settings(name, **counts))
    return found


def other_layout(settings: PlannerSettings) -> tuple[str, PlannerSettings]:
    """The other layout of contact points, all links or fingertips, and settings that use it.

    Raises ParameterError for the search with the palm, which has no contact points.

    settings: of the planner.
    """
    search = settings.search
    if isinstance(search, PalmSettings):
        raise ParameterError(
            "the search palm has no contact points, so layouts of them cannot be compared; expected"
            " another search for the first hand"
        )
    if not isinstance(search, BalanceSettings):
        return FINGERTIPS, replace(settings, layout=FINGERTIPS)
    if search.choice == "fingertips":
        return ALL_LINKS, replace(settings, search=search_settings("balance"))
    return FINGERTIPS, replace(settings, search=search_settings("balance_fingertips"))


def planners(grasps: int, *, rounds: int, iterations: int) -> dict[str, PlannerSettings]:
    """The planners that are compared, by name; the first four minimise the same energy.

    The annealing of ten candidates has a tenth of the iterations, so that it judges about as many
    poses. One more annealing stops after a tenth, and takes about as long as the descent.

    grasps: of each object.
    rounds: of the descent.
    iterations: of the annealing.
    """
    tenth, descent = max(1, iterations // 10), search_settings("descent", rounds=rounds)
    annealing = search_settings("annealing", iterations=iterations)
    ways = {
        "annealing": annealing,
        "annealing, candidates": search_settings("annealing_candidates", iterations=tenth),
        "annealing, a tenth": search_settings("annealing", iterations=tenth),
        "descent": descent,
    }
    return {way: PlannerSettings(grasps, search=search) for way, search in ways.items()} | {
        "annealing, graspit": PlannerSettings(grasps, "graspit", search=annealing),
        "descent, graspit": PlannerSettings(grasps, "graspit", search=descent),
        "descent, fingertips": PlannerSettings(grasps, layout=FINGERTIPS, search=descent),
        **{
            name: PlannerSettings(grasps, search=search_settings(search, iterations=iterations))
            for name, search in _OTHERS.items()
        },
    }


def energy_by_work(plans: Sequence[HandGrasps]) -> tuple[np.ndarray, np.ndarray]:
    """Number of poses judged per chain (R,), and the mean least energy of all chains at that point
    (R,).

    plans: by one planner.
    """
    histories = np.concatenate([plan.history for plan in plans], axis=1)
    seen = plans[0].iterations
    judged = np.mean([plan.evaluations for plan in plans]) * seen / seen[-1]
    return judged, histories.mean(axis=1)


def try_plans(
    objects: FamilySet | FolderSet,
    hand: str,
    plans: Mapping[str, Mapping[str, HandGrasps]],
    files: Mapping[str, Mapping[str, Path]],
    *,
    count: int,
    workers: int,
) -> dict[str, ByObject]:
    """ "epsilon" and "held" of planned grasps of least energy: {way: {object: [item]}}.

    objects: a set of them.
    hand: its name.
    plans, files: {way: {object: ...}}, contents and paths of the same files.
    count: grasps of each object.
    workers: processes.
    """
    pairs = [(way, name) for way, by_name in plans.items() for name in by_name]
    held = run_tasks(
        held_plans,
        [{"name": name, "plan_file": files[way][name]} for way, name in pairs],
        workers,
        "hold tests",
        common={"objects": objects, "hand": hand, "count": count},
    )
    found: dict[str, ByObject] = {way: {} for way in plans}
    for (way, name), outcome in zip(pairs, held, strict=True):
        found[way][name] = [{"epsilon": plans[way][name].epsilon[:count], "held": outcome}]
    return found


def shares_held(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, list[float]]:
    """Shares of grasps that stay in the hand in 0 to 6 directions, with and without force closure.

    items: of each object, "epsilon" and "held" of as many grasps.
    """
    directions = np.concatenate([item["held"].sum(axis=1) for item in items])
    closure = np.concatenate([item["epsilon"] > 0 for item in items])
    kinds = {"force closure": closure, "no force closure": ~closure}
    return {
        f"{kind}: {which.sum()} grasps": [float(np.mean(directions[which] == n)) for n in range(7)]
        for kind, which in kinds.items()
        if which.any()
    }


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
