"""Quality of planned and predicted grasps, by object: tasks for `parallel.run_tasks`, and their
figures.

Measurements of N grasps of one object are a dict of arrays: "epsilon" (N,), -1 without force
closure, "held" (T, 6) bool for T of them, and others by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.hands.library import load_hand
from graspbook.highdof.closing import SLACK
from graspbook.highdof.dataset import read_examples, turn
from graspbook.highdof.energies import Judge
from graspbook.highdof.experiments import ByObject, shown
from graspbook.highdof.losses import squared_distances
from graspbook.highdof.object_field import make_target
from graspbook.highdof.planner import starts
from graspbook.highdof.plans import read_plan
from graspbook.highdof.predict import ask, complete, deepest
from graspbook.highdof.refinement import adjust, polish, refine
from graspbook.highdof.squeeze import stages
from graspbook.highdof.training import load_network, residuals
from graspbook.metrics import average_precision, confusion
from graspbook.objects.distance import lookup
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.simulation.hold import Holder, hold_settings

# Corrections of predictions x (N, 7 + J), by name.
MENDINGS: dict[str, Callable[..., torch.Tensor]] = {
    "predicted": lambda hand, fields, which, x: x,
    "refined": refine,
    "adjusted by contacts": lambda *given: adjust(*given, points="contacts")[0],
    "adjusted": lambda *given: adjust(*given)[0],
    "polished": lambda *given: polish(*given)[0],
}
_KEPT = "rotation", "epsilon", "penetration", "clear", "object_T_palm", "joints"


def held_plans(
    objects: FamilySet | FolderSet,
    name: str,
    *,
    hand: str,
    plan_file: Path | str,
    count: int,
    hold: str = "strict",
) -> np.ndarray:
    """The directions in which planned grasps of least energy hold an object, (count, 6) bool.

    objects, name: a set, and the object in it.
    hand: its name.
    plan_file: of planned grasps for the object.
    count: grasps.
    hold: the test, one of `hold.HOLD_PRESETS`, with a balanced squeeze.
    """
    loaded = load_hand(hand)
    plan = read_plan(plan_file, loaded)
    return _held(objects.load(name), loaded, plan, np.arange(count), hold=hold)


def some_plans(
    objects: FamilySet | FolderSet,
    name: str,
    *,
    hand: str,
    plan_file: Path | str,
    count: int,
    seed: int,
    tested: int,
    hold: str = "strict",
) -> dict[str, np.ndarray]:
    """Measurements of random planned grasps of an object.

    "epsilon" (count,) has the largest first. "held" (T, 6) bool has the directions in which the
    first T = `tested` of these hold.

    objects, name: a set, and the object in it.
    hand: its name.
    plan_file: of planned grasps for the object.
    count: grasps.
    seed: of the choice.
    tested: of these.
    hold: the test, one of `hold.HOLD_PRESETS`, with a balanced squeeze.
    """
    loaded = load_hand(hand)
    plan = read_plan(plan_file, loaded)
    drawn = np.random.default_rng(seed).permutation(len(plan.epsilon))[:count]
    drawn = drawn[np.argsort(-plan.epsilon[drawn], kind="stable")]
    held = _held(objects.load(name), loaded, plan, drawn[:tested], hold=hold)
    return {"epsilon": plan.epsilon[drawn], "held": held}


def _held(obj, hand, plan, chosen, *, hold):
    wrist, _ = pose_vector.split(torch.as_tensor(plan.states[chosen], dtype=torch.float64))
    grasps = stages(hand, make_target(obj.mesh), wrist, plan.closed[chosen])
    return _directions(Holder(hand, obj, hold_settings(hold), threads=1), wrist.numpy(), grasps)


def _directions(holder, wrist, grasps):
    how = {"squeeze": grasps.squeeze, "pregrasp": grasps.pregrasp}
    return holder.test(wrist, grasps.grasp, **how).directions


def grasp_figures(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Figures of grasps of objects, for `comparison.contrast`.

    "force closure": share of the grasps; "epsilon": their mean ε, 0 without force closure; "best
    epsilon": the mean over objects of the largest; "best of 5": of the largest of five; "held":
    share of those tested that hold in all six directions.

    items: measurements of each object.
    """
    epsilon = np.concatenate([item["epsilon"] for item in items])
    held = np.concatenate([item["held"] for item in items])
    return {
        "force closure": np.mean(epsilon > 0),
        "epsilon": np.mean(epsilon.clip(min=0)),
        "best epsilon": np.mean([item["epsilon"].max().clip(min=0) for item in items]),
        "best of 5": np.mean([expected_best(item["epsilon"].clip(min=0), 5) for item in items]),
        "held": held.all(axis=1).mean() if len(held) else np.nan,
    }


def agreement_figures(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """How well ε predicts which grasps hold in all six directions.

    The "balanced accuracy" of force closure, the "average precision" of ε, and the shares that hold
    with and without force closure.

    items: of each object, "epsilon" and "held" of as many grasps.
    """
    epsilon = np.concatenate([item["epsilon"] for item in items])
    held = np.concatenate([item["held"].all(axis=1) for item in items])
    closure = epsilon > 0
    return {
        "balanced accuracy": confusion(held, closure)["balanced_accuracy"],
        "average precision": average_precision(held, epsilon),
        "held with force closure": held[closure].mean() if closure.any() else np.nan,
        "held without": held[~closure].mean() if (~closure).any() else np.nan,
    }


def grasp_object(
    objects: FamilySet | FolderSet,
    name: str,
    *,
    hand: str,
    weights: Mapping[str, Path | str | None],
    ways: Sequence[str],
    rotations: int,
    seed: int,
    tested: int,
    hold: str = "strict",
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Grasps of one object by networks, with corrections (see `predict.complete`).

    Returns {label: {way: {"rotation", "epsilon", "penetration", "clear", "object_T_palm", "joints",
    "held"}}}: arrays as in `predict.Candidates`, and for the T = `tested` grasps of largest ε the
    directions in which they hold, (T, 6) bool.

    objects, name: a set, and the object in it.
    hand: its name.
    weights: of a network by label; None means random starts of the planner instead of predictions.
    ways: the corrections.
    rotations: of the object.
    seed: of their choice.
    tested: grasps.
    hold: the test, one of `hold.HOLD_PRESETS`, with a balanced squeeze.
    """
    loaded, obj = load_hand(hand), objects.load(name)
    holder = Holder(loaded, obj, hold_settings(hold), threads=1)
    target = make_target(obj.mesh)
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for label, file in weights.items():
        if file:
            network, settings = load_network(file, loaded)
            asked = ask(network, obj.mesh, target, settings, rotations=rotations, seed=seed)
        else:
            judge = Judge(loaded, target.fields, torch.zeros(rotations, dtype=torch.long))
            generator = torch.Generator().manual_seed(seed)
            asked = np.arange(rotations), starts(loaded, target.fields, judge, generator)
        found[label] = {}
        for way in ways:
            grasps = complete(loaded, target, *asked, way)
            found[label][way] = {key: getattr(grasps, key) for key in _KEPT}
            wrist, joints = grasps.object_T_palm[:tested], grasps.joints[:tested]
            squeezed = stages(loaded, target, wrist, joints)
            found[label][way]["held"] = _directions(holder, wrist, squeezed)
    return found


def expected_best(values: np.ndarray, count: int) -> float:
    """Expected largest of `count` values, over all choices; NaN if there are fewer values.

    values: (N,).
    count: how many are chosen.
    """
    ranked = np.sort(np.asarray(values, float))
    if len(ranked) < count:
        return np.nan
    weights = np.array([comb(i, count - 1) for i in range(len(ranked))], float)
    return float(weights @ ranked / weights.sum())


def mend_predictions(
    hand: str,
    examples: Path | str,
    names: Sequence[str],
    weights: Path | str,
    *,
    ways: Iterable[str] = tuple(MENDINGS),
) -> dict[str, ByObject]:
    """Predictions for objects in all rotations: raw and corrected, see MENDINGS.

    Returns {way: {object: [{"x" (R, 7 + J) in the object's frame, "points": how many contact points
    are inside, "deepest": depth of the deepest point of the whole hand, "surface": mean distance of
    the contact points from the surface, metres, "moved": ‖x - x'‖ from the prediction, each
    (R,)}]}}.

    hand: its name.
    examples: a file of them.
    names: of some objects in it.
    weights: of the network.
    ways: corrections, by name.
    """
    loaded, chosen = load_hand(hand), shown(read_examples(examples).named(names), turned=True)
    answers = residuals(loaded, load_network(weights, loaded)[0], chosen).x
    found: dict[str, ByObject] = {}
    for index, name in enumerate(names):
        back = np.linalg.inv(chosen.turned_T_object[index].double().numpy())
        x = torch.as_tensor(turn(answers[index], back), dtype=torch.float32)
        given = loaded, chosen.fields, torch.full((len(x),), index)
        for way in ways:
            moved = MENDINGS[way](*given, x)
            found.setdefault(way, {})[name] = [_state_of(*given, moved, x)]
    return found


def _state_of(hand, fields, which, x, predicted):
    contacts = hand.contacts["default"]
    wrist, joints = pose_vector.split(x)
    placed = place(hand, wrist, joints, contacts.points, contacts.links)
    distances = lookup(fields, placed, which)
    return {
        "x": x.numpy(),
        "points": (distances < 0).sum(dim=1).numpy(),
        "surface": distances.abs().mean(dim=1).numpy(),
        "deepest": deepest(hand, fields, which, wrist, joints),
        "moved": squared_distances(x, predicted[:, None])[:, 0].sqrt().numpy(),
    }


def mended_figures(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Means over objects and rotations of `mend_predictions`, with "free": the share with no
    contact point inside, and "clear": that with no point of the hand deeper than 2 mm.

    items: of each object, {figure: (R,)}.
    """
    means = {
        figure: float(np.mean([item[figure] for item in items]))
        for figure in ("points", "surface", "deepest", "moved")
    }
    return means | {
        "free": float(np.mean([item["points"] == 0 for item in items])),
        "clear": float(np.mean([item["deepest"] <= SLACK for item in items])),
    }
