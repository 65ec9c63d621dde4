"""Planned grasps that hold: the hold test of plans, and what a network can learn from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graspbook.errors import GraspFileError, PlanError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand
from graspbook.hands.library import load_hand
from graspbook.highdof.losses import squared_distances, squared_parts
from graspbook.highdof.plans import HandGrasps, read_plan, write_plan
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.simulation.hold import Holder, hold_settings
from graspbook.storage import code_hash

IMBALANCE = 0.3  # of what is tested: of grasps beyond 0.4, less than one in six held by "bench"
_ALIKE = 0.02  # ‖x - x'‖² of near-duplicates: 1 cm and 0.1 rad apart


def tell_held(
    hand: Hand,
    obj: GraspObject,
    plan: HandGrasps,
    *,
    hold: str = "bench",
    most: int | None = None,
) -> HandGrasps:
    """The same grasps, those that hold first, with `held`.

    Of near-duplicates that hold, only the first keeps its `held`. Grasps whose imbalance is over
    0.3 are not tested, and count as not held. Raises GraspFileError for a plan without a squeeze.

    hand: of the plan.
    obj: the object, with convex parts.
    plan: to test.
    hold: one of `hold.HOLD_PRESETS`.
    most: number of grasps to test, those of least imbalance; all if None.
    """
    if plan.squeeze is None or plan.pregrasp is None or plan.imbalance is None:
        raise GraspFileError("the plan has no squeeze, since an older version wrote it: plan again")
    chosen = np.argsort(plan.imbalance, kind="stable")
    chosen = np.sort(chosen[plan.imbalance[chosen] <= IMBALANCE][:most])
    wrist = pose_vector.split(torch.as_tensor(plan.states[chosen], dtype=torch.float64))[0].numpy()
    stages = {"squeeze": plan.squeeze[chosen], "pregrasp": plan.pregrasp[chosen]}
    holder = Holder(hand, obj, hold_settings(hold), threads=1)
    outcome = holder.test(wrist, plan.closed[chosen], **stages, every=False)
    held = np.zeros(len(plan.states), bool)
    held[chosen[outcome.held]] = True
    held[held] = first_of_alike(closed_states(plan)[held])
    return _ordered(replace(plan, held=held), np.lexsort((plan.imbalance, ~held)))


def closed_states(plan: HandGrasps) -> np.ndarray:
    """Pose vectors (K, 7 + J) of closed grasps.

    plan: of K grasps.
    """
    return np.concatenate([plan.states[:, :7], plan.closed], axis=1)


def held_states(plan: HandGrasps, count: int) -> np.ndarray:
    """Closed pose vectors (count, 7 + J) of the first grasps that hold; fewer ones are repeated.

    Raises PlanError if none holds.

    plan: tested.
    count: how many.
    """
    chosen = np.flatnonzero(_held(plan))
    if not len(chosen):
        raise PlanError(f"none of {len(plan.states)} planned grasps holds the object")
    return closed_states(plan)[np.resize(chosen, count)]


def density_floor(grasps: Iterable[torch.Tensor | np.ndarray]) -> np.ndarray:
    """Mean ‖x_i - x_j‖² (3,) of a grasp to the nearest of its object's others, by part:
    translation, rotation, joints.

    An answer to an unseen object cannot be expected to be nearer than that. Equal grasps, which
    `held_states` repeats, count once. Objects with a single grasp are left out.

    grasps: pose vectors (K, 7 + J) of each object.
    """
    found = []
    for states in grasps:
        own = torch.unique(torch.as_tensor(states, dtype=torch.float32), dim=0)
        if len(own) > 1:
            parts = squared_parts(own, own[None].expand(len(own), -1, -1))
            nearest = parts.sum(dim=2).fill_diagonal_(torch.inf).argmin(dim=1)
            found.append(parts[torch.arange(len(own)), nearest].mean(dim=0).numpy())
    return np.mean(found, axis=0) if found else np.full(3, np.nan)


def enough(
    held: Mapping[str, Mapping[str, HandGrasps]], names: Sequence[str], least: Mapping[str, int]
) -> list[str]:
    """Those objects of which enough grasps hold. Plans that are not tested do not count.

    held: tested plans of each kind, by object.
    names: of objects.
    least: number of grasps that must hold, for each kind that counts.
    """
    asked = {kind: count for kind, count in least.items() if kind in held}
    return [
        name
        for name in names
        if all(_count(held[kind][name]) >= count for kind, count in asked.items())
    ]


def held_figures(
    held: Mapping[str, Mapping[str, HandGrasps]], most: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Figures of tested plans, by kind: "tested", the largest number of tests; "held", the share of
    this number that holds; "floor", see `density_floor`.

    Near-duplicates and grasps of large imbalance count as not held, see `tell_held`.

    held: tested plans of each kind, by object.
    most: largest number of tested grasps per object.
    """
    found = {}
    for kind, plans in held.items():
        tested, counts = most[kind] * len(plans), sum(map(_count, plans.values()))
        parts = density_floor([closed_states(plan)[_held(plan)] for plan in plans.values()])
        found[kind] = {"tested": tested, "held": counts / tested, "floor": parts.tolist()}
    return found


def _held(plan):
    """Which grasps hold, (K,) bool; none if they are not tested."""
    return np.zeros(len(plan.states), bool) if plan.held is None else plan.held


def _count(plan):
    return int(_held(plan).sum())


def first_of_alike(states: np.ndarray) -> np.ndarray:
    """Whether no earlier grasp is a near-duplicate, (N,) bool.

    states: pose vectors (N, 7 + J).
    """
    found = torch.as_tensor(states, dtype=torch.float32)
    kept: list[int] = []
    for index, state in enumerate(found):
        if not kept or squared_distances(state[None], found[kept][None]).min() > _ALIKE:
            kept.append(index)
    return np.isin(np.arange(len(states)), kept)


def _ordered(plan, order):
    count, changed = len(order), {}
    for field in fields(plan):
        value = getattr(plan, field.name)
        if isinstance(value, np.ndarray) and len(value) == count and field.name != "com":
            changed[field.name] = value[order]
    changed["history"], changed["iterations"] = plan.history[:, order], plan.iterations
    return replace(plan, **changed)


def held_files(
    objects: FamilySet | FolderSet,
    plans: Mapping[str, Path],
    paths: Mapping[str, Path],
    *,
    hand: str,
    hold: str = "bench",
    most: int | None = None,
    workers: int = 2,
) -> None:
    """Test planned grasps of objects and write files of the results, see `tell_held`.

    Files that hold results for the same plan and test are kept.

    objects: a set of them.
    plans: the file of planned grasps for each name.
    paths: the file to write for each name.
    hand: its name, or the path of its folder.
    hold: one of `hold.HOLD_PRESETS`.
    most: see `tell_held`.
    workers: processes.
    """
    tasks, asked = [], {"hold": hold, "most": most, "code": code_hash(__name__)}
    for name, file in plans.items():
        parameters = {"plan": read_plan(file).parameters, **asked}
        if not paths[name].is_file() or read_plan(paths[name]).parameters != parameters:
            task: dict[str, Any] = {"name": name, "plan": file, "path": paths[name]}
            tasks.append(task | {"parameters": parameters})
    common = {"objects": objects, "hand": hand, "hold": hold, "most": most}
    run_tasks(_hold_file, tasks, workers, "hold tests", common=common)


def _hold_file(objects, *, hand, hold, most, name, plan, path, parameters):
    loaded, obj = load_hand(hand), objects.load(name)
    tested = tell_held(loaded, obj, read_plan(plan, loaded), hold=hold, most=most)
    write_plan(path, replace(tested, parameters=parameters))
