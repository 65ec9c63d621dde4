"""Networks that differ in one setting: examples of a set of objects in one file, networks trained
on parts of it, and their residuals.

Residuals by object are {object: [{figure: (R,)}]}, as `comparison.contrast` takes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graspbook.errors import GraspFileError, ParameterError
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.highdof.dataset import (
    DataSettings,
    Examples,
    examples_header,
    gather,
    prepare,
    read_examples,
    write_examples,
)
from graspbook.highdof.held import held_states
from graspbook.highdof.network import NetworkSettings
from graspbook.highdof.plans import read_plan
from graspbook.highdof.training import (
    LossSettings,
    fewer_grasps,
    load_network,
    residuals,
    train_network,
)
from graspbook.objects.rotations import STORED
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.parallel import run_tasks
from graspbook.storage import code_hash, content_hash
from graspbook.training import TrainSettings

ByObject = dict[str, list[dict[str, Any]]]
_PARTS = "l2", "translation", "rotation", "joints", "mean_l2"
_MEANS = *_PARTS, "consistency", "collision", "combined", "points", "apart"


def examples_file(
    path: Path | str,
    objects: FamilySet | FolderSet,
    plans: Mapping[str, Path],
    hand: str,
    settings: DataSettings,
    *,
    grasps: int,
    workers: int = 2,
) -> None:
    """Write the Examples of objects to a file, unless it exists.

    path: of the file.
    objects: a set of them.
    plans: the file of planned grasps for each wanted object. Where they are tested, see `held`, the
        examples have those that hold, else those of least energy.
    hand: its name.
    settings: of grids and fields.
    grasps: of each object, K.
    workers: processes.
    """
    plans_read = {name: read_plan(file, load_hand(hand)) for name, file in plans.items()}
    states = {name: _states(plan, grasps) for name, plan in plans_read.items()}
    made_from = {
        "settings": asdict(settings),
        "code": code_hash("graspbook.highdof.dataset"),
        "states": {
            name: content_hash(states[name], plan.com, plan.parameters)
            for name, plan in plans_read.items()
        },
    }
    try:
        if examples_header(path)["made_from"] == made_from:
            return
    except GraspFileError:
        pass
    tasks = [
        {"name": name, "com": plan.com, "states": states[name]} for name, plan in plans_read.items()
    ]
    common = {"objects": objects, "settings": settings}
    parts = run_tasks(_prepare, tasks, workers, "grids", common=common)
    write_examples(path, gather(settings, states, parts), made_from)


def _states(plan, count):
    return plan.states[:count] if plan.held is None else held_states(plan, count)


def _prepare(objects, name, com, states, settings):
    try:
        return prepare(objects.load(name).mesh, com, states, settings)
    except ParameterError as error:  # of a grid: it does not know the object
        raise ParameterError(f"{name}: {error}") from error


@dataclass(frozen=True)
class Variant:
    """One training: its differences to others on the same examples.

    network, loss: sizes and loss.
    grasps: per object, 0 for all, else drawn by the training's seed.
    turned: see `shown`.
    init: a weights file to start from.
    """

    network: NetworkSettings
    loss: LossSettings = field(default_factory=LossSettings)
    grasps: int = 0
    turned: bool = True
    init: str = ""


def shown(examples: Examples, *, turned: bool) -> Examples:
    """Examples in all 27 rotations, or only as the objects are stored.

    examples: in all rotations.
    turned: whether all are kept.
    """
    if turned:
        return examples
    return replace(
        examples.turned(slice(STORED, STORED + 1)),
        settings=replace(examples.settings, turned=False),
    )


def train_variant(
    hand: str,
    examples: Path | str,
    names: Iterable[str],
    variant: Variant,
    *,
    settings: TrainSettings,
    weights: Path | str,
    device: str = "cpu",
) -> list[dict[str, float]]:
    """Train a Variant into a file, or reuse the file, and return its history.

    Raises ParameterError for more grasps than there are.

    hand: its name.
    examples: a file of them.
    names: of the objects to train on.
    variant: the training.
    settings: of the training.
    weights: the file.
    device: of torch's.
    """
    chosen = shown(read_examples(examples).named(names), turned=variant.turned)
    if variant.grasps:
        chosen = fewer_grasps(chosen, variant.grasps, settings.seed)
    return train_network(
        load_hand(hand),
        chosen.to(device),
        variant.network,
        variant.loss,
        settings=settings,
        weights=weights,
        init=variant.init or None,
    )


def residuals_by_object(
    hand: str,
    examples: Path | str,
    names: Iterable[str],
    weights: Path | str,
    *,
    fixed: int = 0,
    beta: float = 0.75,
    turned: bool = True,
) -> ByObject:
    """The `training.Residuals` of a network by object, "x" (R, 7 + J) and "combined" (equation 2)
    among the figures.

    hand: its name.
    examples: a file of them.
    names: of some objects in it.
    weights: of the network.
    fixed: see `training.fixed_grasps`.
    beta: of equation 2.
    turned: see `shown`.
    """
    loaded, names = load_hand(hand), list(names)
    chosen = shown(read_examples(examples).named(names), turned=turned)
    found = asdict(residuals(loaded, load_network(weights, loaded)[0], chosen, fixed=fixed))
    found["combined"] = losses.combined(found["consistency"], found["collision"], beta)
    return {
        name: [{figure: values[index] for figure, values in found.items()}]
        for index, name in enumerate(names)
    }


def residual_figures(items: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Means over objects and rotations of residuals.

    "depth", in metres, is that of the points inside; "l2_metres" is as "l2", but with lengths in
    metres.

    items: of each object, {figure: (R,)}.
    """
    means = {figure: float(np.mean([item[figure] for item in items])) for figure in _MEANS}
    translation = losses.LENGTH**2 * means["translation"]
    means["l2_metres"] = translation + means["rotation"] + means["joints"]
    inside = np.concatenate([item["points"] for item in items])
    depth = np.concatenate([np.nan_to_num(item["depth"]) for item in items])
    means["depth"] = float((inside * depth).sum() / inside.sum()) if inside.any() else np.nan
    return means


def relative_changes(one: ByObject, other: ByObject) -> dict[str, np.ndarray]:
    """‖x - x'‖ / ‖x_j‖ (R,) by object, x_j the grasp nearest to x (section V-C3).

    Lengths are in 0.1 m, and the nearer of q and -q counts.

    one, other: residuals of two networks by object; x is of the first.
    """
    changes = {}
    for name, (item,) in one.items():
        x, moved = torch.as_tensor(item["x"]), torch.as_tensor(other[name][0]["x"])
        distance = losses.squared_distances(x, moved[:, None])[:, 0].sqrt()
        changes[name] = distance.numpy() / item["size"]
    return changes


def never_chosen(residuals: ByObject, grasps: int) -> float:
    """Share of an object's planned grasps that are never the nearest to the answer, in any
    rotation; mean over objects.

    residuals: by object.
    grasps: planned for each.
    """
    shares = [1 - len(np.unique(item["nearest"])) / grasps for (item,) in residuals.values()]
    return float(np.mean(shares))
