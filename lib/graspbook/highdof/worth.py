"""What a network is worth: distinct held grasps per second from its answers and from other starts.

Starts are polished, closed and squeezed in the same way, and then tested. Planned grasps are only
adjusted, since their search has already moved them to the surface.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand
from graspbook.hands.library import load_hand
from graspbook.highdof.energies import Judge
from graspbook.highdof.experiments import ByObject
from graspbook.highdof.held import first_of_alike
from graspbook.highdof.object_field import Target, make_target
from graspbook.highdof.planner import PlannerSettings, search_settings, starts
from graspbook.highdof.planner import plan as search
from graspbook.highdof.plans import CHAINS
from graspbook.highdof.predict import ask, complete
from graspbook.highdof.squeeze import stages
from graspbook.highdof.training import load_network
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.simulation.hold import Holder, hold_settings

GIVEN = ("constant", "nearest_plan")  # controls whose answers are starts
SOURCES = ("random", *GIVEN, "network", "planned")


def worth_of(
    objects: FamilySet | FolderSet,
    name: str,
    *,
    hand: str,
    weights: Path | str,
    given: Mapping[str, np.ndarray],
    count: int,
    seed: int,
    hold: str = "bench",
    way: str = "polish",
    planner: str = "balance_fingertips",
) -> dict[str, dict[str, Any]]:
    """Grasps of one object from each of SOURCES.

    Returns {source: {"held" (N,) bool, "distinct": how many held grasps are no near-duplicates,
    "seconds": of the processor, for start, mending and squeeze}}. The hold test does not count,
    because it is the same for all. Poses that are given cost nothing to start from. Planned grasps
    are searched for in a batch of `plans.CHAINS`, and only their share of its time counts.

    objects, name: a set, and the object in it.
    hand: its name.
    weights: of the network.
    given: answers (R, 7 + J) of the controls GIVEN, in the object's frame.
    count: starts of each source, N, at most R.
    seed: of all that is drawn.
    hold: one of `hold.HOLD_PRESETS`.
    way: how hands are moved out, one of `predict.WAYS`. Planned grasps are only adjusted.
    planner: the search for "planned", a name for `planner.search_settings`.
    """
    loaded, obj = load_hand(hand), objects.load(name)
    target = make_target(obj.mesh)
    network, settings = load_network(weights, loaded)
    holder = Holder(loaded, obj, hold_settings(hold), threads=1)
    drawn = np.random.default_rng(seed).permutation(len(given[GIVEN[0]]))[:count]

    def begin(source, count):
        """`count` starts of a source, and the seconds that they take."""
        began = process_time()
        if source in given:
            states = torch.as_tensor(given[source][drawn[:count]], dtype=torch.float32)
        elif source == "network":
            asked = {"rotations": count, "seed": seed}
            states = ask(network, obj.mesh, target, settings, **asked)[1]
        elif source == "random":
            states = _random(loaded, target, count, seed)
        else:
            states = _planned(loaded, target, CHAINS, seed, planner)
            share = np.random.default_rng(seed).permutation(CHAINS)[:count]
            return states[share], (process_time() - began) * count / CHAINS
        return states, process_time() - began

    def mend(source, count):
        states, seconds = begin(source, count)
        began = process_time()
        mending = "adjust" if source == "planned" else way
        grasps = complete(loaded, target, np.arange(count), states, mending)
        squeezed = stages(loaded, target, grasps.object_T_palm, grasps.joints)
        return grasps, squeezed, seconds + process_time() - began

    found = {}
    for source in SOURCES:
        mend(source, 1)  # first calls fill caches
        grasps, squeezed, seconds = mend(source, count)
        motors = {"squeeze": squeezed.squeeze, "pregrasp": squeezed.pregrasp, "every": False}
        outcome = holder.test(grasps.object_T_palm, squeezed.grasp, **motors)
        held = outcome.held & grasps.clear
        closed = pose_vector.join(grasps.object_T_palm, grasps.joints)[held]
        distinct = int(first_of_alike(closed).sum())
        found[source] = {"held": held, "distinct": distinct, "seconds": seconds}
    return found


def worth_all(
    objects: FamilySet | FolderSet,
    answers: Mapping[str, ByObject],
    *,
    workers: int = 2,
    **options: Any,
) -> dict[str, ByObject]:
    """`worth_of` of several objects: {source: {object: [item]}}.

    objects: a set of them.
    answers: of `controls.control_residuals`.
    workers: processes.
    options: of `worth_of`: hand, weights, count, seed, hold, way, planner.
    """
    names = list(answers[GIVEN[0]])
    tasks: list[dict[str, Any]] = [
        {"name": name, "given": {control: answers[control][name][0]["x"] for control in GIVEN}}
        for name in names
    ]
    common = {"objects": objects, **options}
    items = run_tasks(worth_of, tasks, workers, "starts", common=common)
    return {
        source: {name: [item[source]] for name, item in zip(names, items, strict=True)}
        for source in SOURCES
    }


def worth_figures(items: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Figures of one source, for `comparison.contrast`.

    "held": share of the grasps; "distinct": held ones without near-duplicates, per start;
    "per_second": the same per second of the processor.

    items: of each object.
    """
    held = np.concatenate([item["held"] for item in items])
    distinct = sum(item["distinct"] for item in items)
    return {
        "held": float(held.mean()),
        "distinct": distinct / len(held),
        "per_second": distinct / sum(item["seconds"] for item in items),
    }


def _random(hand: Hand, target: Target, count: int, seed: int) -> torch.Tensor:
    """Legal random starts (N, 7 + J) of the planner."""
    judge = Judge(hand, target.fields, torch.zeros(count, dtype=torch.long))
    return starts(hand, target.fields, judge, torch.Generator().manual_seed(seed))


def _planned(hand: Hand, target: Target, count: int, seed: int, name: str) -> torch.Tensor:
    """Grasps (N, 7 + J) of a search without a network."""
    settings = PlannerSettings(grasps=count, search=search_settings(name))
    return search(hand, target.fields, settings, torch.Generator().manual_seed(seed))[0].states
