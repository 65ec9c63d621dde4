"""Planners that notebook 2 of the high-DOF paper compares: their settings, times, energies and held
grasps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import trimesh

from graspbook.errors import ParameterError
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.evaluation import held_plans
from graspbook.highdof.experiments import ByObject
from graspbook.highdof.planner import PlannerSettings, search_settings
from graspbook.highdof.plans import HandGrasps, plan_files
from graspbook.highdof.studies import ALL_LINKS, FINGERTIPS
from graspbook.highdof.surface_starts import PalmSettings
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.storage import read_json, write_json

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
