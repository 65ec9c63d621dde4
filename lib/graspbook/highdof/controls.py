"""Controls of a hand's network: what answers that do not look at the object would score.

A network has learned only if its own answers are better than each of these, by more than the
interval: the best constant pose, its answer to another object, its answer to the object in another
rotation, and the grasp of the most similar object of the training set.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graspbook.comparison import contrast
from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, place
from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import deepest_self
from graspbook.highdof.dataset import Examples, read_examples, turn
from graspbook.highdof.experiments import ByObject
from graspbook.highdof.losses import consistency, squared_distances, units
from graspbook.highdof.network import GraspNetwork
from graspbook.highdof.object_field import make_target
from graspbook.highdof.predict import complete
from graspbook.highdof.squeeze import stages
from graspbook.highdof.training import load_network
from graspbook.objects.distance import lookup
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.simulation.hold import Holder, hold_settings

CONTROLS = ("own", "other_object", "constant", "other_rotation", "nearest_plan")
_FIRST, _STEPS, _RATE = 64, 300, 0.02  # of the best constant
_BATCH = 512  # turned objects in each of its steps
_RAW = "surface", "inside"


def best_constant(examples: Examples, seed: int = 0) -> torch.Tensor:
    """The pose vector (7 + J,) of least mean L_consistency, the same for all objects and rotations.

    The best of 64 random grasps is the start of 300 steps of Adam on random batches.

    examples: the training set.
    seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    grasps = examples.grasps.flatten(0, 1)  # (N R, K, 7 + J)
    rows = rng.integers(len(grasps), size=_FIRST)
    columns = rng.integers(grasps.shape[1], size=_FIRST)
    first = grasps[torch.as_tensor(rows), torch.as_tensor(columns)]
    some = grasps[torch.as_tensor(rng.permutation(len(grasps))[:_BATCH])]
    scores = torch.stack([consistency(x.expand(len(some), -1), some).mean() for x in first])
    unit = units(first)
    moved = (first[scores.argmin()] / unit).requires_grad_()
    optimiser = torch.optim.Adam([moved], _RATE)
    for step in range(_STEPS):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
        batch = grasps[torch.as_tensor(rng.integers(len(grasps), size=min(_BATCH, len(grasps))))]
        optimiser.zero_grad()
        x = pose_vector.normalise(moved * unit)
        consistency(x.expand(len(batch), -1), batch).mean().backward()
        optimiser.step()
    return pose_vector.normalise((moved * unit).detach())


def constant_residual(training: Examples, tested: Examples) -> float:
    """Mean L_consistency on tested objects of the best constant pose of the training set.

    training, tested: of objects.
    """
    x, grasps = best_constant(training), tested.grasps.flatten(0, 1)
    return float(consistency(x.expand(len(grasps), -1), grasps).mean())


def answers(model: GraspNetwork, training: Examples, tested: Examples) -> dict[str, torch.Tensor]:
    """Answers (N, R, 7 + J) for tested objects, in their turned frames, by name of CONTROLS.

    "other_object" is the answer to the object that comes half of the list later. In a list by
    family it is of another family. "other_rotation" is the answer to the object as it is turned in
    the rotation that comes half of the list later. Raises ParameterError for a single object or
    rotation.

    model: the network.
    training: the objects that it was trained on.
    tested: N other objects in R rotations.
    """
    count, turns = tested.grids.shape[:2]
    if count < 2 or turns < 2:
        raise ParameterError(
            f"controls for {count} objects in {turns} rotations, expected at least two objects and"
            " two rotations"
        )
    model.eval()
    with torch.no_grad():
        own = torch.stack([model(grids) for grids in tested.grids])
    return {
        "own": own,
        "other_object": own.roll(count // 2, 0),
        "constant": best_constant(training).expand_as(own),
        "other_rotation": own.roll(turns // 2, 1),
        "nearest_plan": nearest_plans(training, tested),
    }


def nearest_plans(training: Examples, tested: Examples) -> torch.Tensor:
    """A grasp (N, R, 7 + J) of the training object whose grid overlaps the most, in each rotation.

    Overlap is intersection over union of the occupied voxels. Of the object's grasps, the one with
    the least mean distance to its others is taken.

    training: objects with grasps.
    tested: N objects in R rotations.
    """
    found = []
    for turn_index in range(tested.grids.shape[1]):
        known = training.grids[:, turn_index].flatten(1).float()
        asked = tested.grids[:, turn_index].flatten(1).float()
        both = asked @ known.T
        either = asked.sum(dim=1)[:, None] + known.sum(dim=1) - both
        nearest = (both / either.clamp(min=1)).argmax(dim=1)
        found.append(torch.stack([_middle(training.grasps[i, turn_index]) for i in nearest]))
    return torch.stack(found, dim=1)


def _middle(grasps):
    """The grasp (7 + J,) of (K, 7 + J) with the least mean distance to the others."""
    apart = squared_distances(grasps, grasps[None].expand(len(grasps), -1, -1))
    return grasps[apart.mean(dim=1).argmin()]


def control_residuals(
    hand: str,
    examples: Path | str,
    names: Mapping[str, Sequence[str]],
    weights: Path | str,
) -> dict[str, ByObject]:
    """L_consistency of each control on held-out objects: {control: {object: [{"consistency" (R,),
    "x" (R, 7 + J) in the object's frame}]}}.

    hand: its name.
    examples: a file of them.
    names: of objects in it, "train" and "test".
    weights: of the network.
    """
    every, loaded = read_examples(examples), load_hand(hand)
    training, tested = (every.named(names[split]) for split in ("train", "test"))
    given = answers(load_network(weights, loaded)[0], training, tested)
    found: dict[str, ByObject] = {}
    for control, x in given.items():
        found[control] = {}
        for index, name in enumerate(tested.names):
            back = np.linalg.inv(tested.turned_T_object[index].double().numpy())
            residual = consistency(x[index], tested.grasps[index]).numpy()
            item = {"consistency": residual, "x": turn(x[index], back)}
            found[control][name] = [item]
    return found


def judge_answers(
    objects: FamilySet | FolderSet,
    name: str,
    *,
    hand: str,
    given: Mapping[str, np.ndarray],
    rotations: int,
    seed: int,
    hold: str = "bench",
    way: str = "polish",
) -> dict[str, dict[str, np.ndarray]]:
    """What answers for one object are worth after the same mending, closing and squeeze.

    Returns {control: {"epsilon" (T,), "held" (T, 6) bool, "self_penetration" (T,), metres}} for
    T = `rotations` of the answers. "surface" and "inside" (T,), metres, are of raw answers: the
    mean distance of contact points from the surface, and the depth of the hand's deepest point.

    objects, name: a set, and the object in it.
    hand: its name.
    given: answers (R, 7 + J) by control, in the object's frame.
    rotations: answers that are judged, drawn at random, the same ones for each control.
    seed: of the choice.
    hold: one of `hold.HOLD_PRESETS`.
    way: how the hand is moved out, one of `predict.WAYS`.
    """
    loaded, obj = load_hand(hand), objects.load(name)
    holder, target = Holder(loaded, obj, hold_settings(hold), threads=1), make_target(obj.mesh)
    count = len(next(iter(given.values())))
    chosen = np.random.default_rng(seed).permutation(count)[:rotations]
    predicted = torch.as_tensor(np.concatenate([x[chosen] for x in given.values()]))
    rows, contacts = np.arange(len(predicted)), loaded.contacts["default"]  # of all controls
    grasps = complete(loaded, target, rows, predicted.float(), way)
    before, _, squeeze, _ = stages(loaded, target, grasps.object_T_palm, grasps.joints)
    held = holder.test(grasps.object_T_palm, grasps.joints, squeeze=squeeze, pregrasp=before)
    points = place(loaded, *pose_vector.split(predicted.float()), contacts.points, contacts.links)
    which = torch.zeros(len(points), dtype=torch.long)
    surface = lookup(target.fields, points, which).abs().mean(dim=1).numpy()
    figures = {
        "surface": surface[grasps.rotation],
        "inside": grasps.penetration[:, 0],
        "epsilon": grasps.epsilon,
        "held": held.directions & grasps.clear[:, None],
        "self_penetration": _self_depth(loaded, grasps.object_T_palm, grasps.joints),
    }
    whose = grasps.rotation // len(chosen)
    return {
        control: {figure: values[whose == index] for figure, values in figures.items()}
        for index, control in enumerate(given)
    }


def compared_controls(residuals: Mapping[str, ByObject], *, seed: int = 0) -> dict[str, Any]:
    """The `comparison.contrast` of judged controls, by `control_figures`.

    residuals: of `judged_controls`.
    seed: of the bootstrap.
    """
    runs = {control: [by_object] for control, by_object in residuals.items()}
    return contrast(runs, control_figures, seed=seed)


def judged_controls(
    objects: FamilySet | FolderSet,
    residuals: Mapping[str, ByObject],
    *,
    hand: str,
    rotations: int,
    seed: int = 0,
    hold: str = "bench",
    workers: int = 2,
) -> dict[str, ByObject]:
    """`control_residuals` with the figures of `judge_answers` in each item.

    objects: the set.
    residuals: of the controls.
    hand: its name.
    rotations: answers per object and control that are judged.
    seed: of their choice.
    hold: one of `hold.HOLD_PRESETS`.
    workers: processes.
    """
    names = list(residuals["own"])
    tasks: list[dict[str, Any]] = [
        {"name": name, "given": {key: residuals[key][name][0]["x"] for key in residuals}}
        for name in names
    ]
    common = {"objects": objects, "hand": hand, "rotations": rotations, "seed": seed, "hold": hold}
    judged = run_tasks(judge_answers, tasks, workers, "controls", common=common)
    return {
        key: {
            name: [residuals[key][name][0] | own[key]]
            for name, own in zip(names, judged, strict=True)
        }
        for key in residuals
    }


def control_figures(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Figures of answers, for `comparison.contrast`.

    "consistency": mean L_consistency; "force_closure": share in force closure after mending and
    closing; "held_bench": share that holds in all six directions; "surface" and "inside": of raw
    answers, see `judge_answers`.

    items: of each object, see `judged_controls`.
    """
    return {
        "consistency": float(np.mean([item["consistency"].mean() for item in items])),
        "force_closure": float(np.mean([(item["epsilon"] > 0).mean() for item in items])),
        "held_bench": float(np.mean([item["held"].all(axis=1).mean() for item in items])),
        **{figure: float(np.mean([item[figure] for item in items])) for figure in _RAW},
    }


def _self_depth(hand: Hand, wrist: np.ndarray, joints: np.ndarray) -> np.ndarray:
    tensors = (torch.as_tensor(array, dtype=torch.float32) for array in (joints, wrist))
    return deepest_self(hand, hand.forward(*tensors)).numpy()
