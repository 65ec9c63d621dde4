"""The tasks of a training run: examples of a set of objects as one file, networks trained on parts
of it, and their residuals.
"""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch

from graspbook.errors import GraspFileError, ParameterError
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.highdof.dataset import (
    examples_header,
    gather,
    prepare,
    read_examples,
    write_examples,
)
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
from graspbook.parallel import run_tasks
from graspbook.storage import code_hash, content_hash

_MEANS = (
    "l2",
    "translation",
    "rotation",
    "joints",
    "mean_l2",
    "consistency",
    "collision",
    "combined",
    "points",
)


def examples_file(path, objects, plans, hand, settings, workers=2):
    """Write the Examples of the objects of a set that have plans {name: file} of a hand to a file,
    unless they are there.
    """
    states = {name: read_plan(file, load_hand(hand)) for name, file in plans.items()}
    made_from = {
        "settings": asdict(settings),
        "code": code_hash("graspbook.highdof.dataset"),
        "states": {
            name: content_hash(plan.states, plan.com, plan.parameters)
            for name, plan in states.items()
        },
    }
    try:
        if examples_header(path)["made_from"] == made_from:
            return
    except GraspFileError:
        pass
    tasks = [(objects, name, plan.com, plan.states, settings) for name, plan in states.items()]
    write_examples(
        path,
        gather(settings, list(states), run_tasks(_prepare, tasks, workers, "grids")),
        made_from,
    )


def _prepare(objects, name, com, states, settings):
    try:
        return prepare(objects.load(name).mesh, com, states, settings)
    except ParameterError as error:  # of a grid: it does not know the object
        raise ParameterError(f"{name}: {error}") from error


@dataclass(frozen=True)
class Variant:
    """One training: what it differs by from others on the same examples.

    grasps: of each object, 0 for all, else drawn by the training's seed. turned: see `shown`. init:
    a weights file to start from.
    """

    network: NetworkSettings
    loss: LossSettings = field(default_factory=LossSettings)
    grasps: int = 0
    turned: bool = True
    init: str = ""


def shown(examples, turned):
    """Examples in all 27 rotations, or as the objects are stored alone."""
    if turned:
        return examples
    return replace(
        examples.turned(slice(STORED, STORED + 1)),
        settings=replace(examples.settings, turned=False),
    )


def train_variant(hand, examples, names, variant, train_settings, weights, device="cpu"):
    """Train a Variant on the objects `names` in a file of examples into the file `weights`, or find
    it there; give its history.

    hand: a name. Raises ParameterError for more grasps than there are.
    """
    hand, chosen = load_hand(hand), shown(read_examples(examples).named(names), variant.turned)
    if variant.grasps:
        chosen = fewer_grasps(chosen, variant.grasps, train_settings.seed)
    return train_network(
        hand,
        chosen.to(device),
        variant.network,
        variant.loss,
        train_settings,
        weights,
        variant.init or None,
    )


def residuals_by_object(hand, examples, names, weights, fixed=0, beta=0.75, turned=True):
    """The `training.Residuals` of a network for objects in a file of examples, as
    `comparison.contrast` takes them.

    Returns {object: [{"x": (R, 7 + J), figure: (R,)}]}, "combined" (equation 2) among the figures.
    hand: a name.
    """
    hand = load_hand(hand)
    network = load_network(weights, hand)[0]
    found = asdict(
        residuals(hand, network, shown(read_examples(examples).named(names), turned), fixed)
    )
    found["combined"] = losses.combined(found["consistency"], found["collision"], beta)
    return {
        name: [{figure: values[index] for figure, values in found.items()}]
        for index, name in enumerate(names)
    }


def residual_figures(items):
    """Means over objects and rotations of residuals by object; "depth", in metres, is that of the
    points inside.

    "l2_metres": as "l2", but with lengths in metres.
    """
    means = {figure: float(np.mean([item[figure] for item in items])) for figure in _MEANS}
    means["l2_metres"] = (
        losses.LENGTH**2 * means["translation"] + means["rotation"] + means["joints"]
    )
    inside = np.concatenate([item["points"] for item in items])
    depth = np.concatenate([np.nan_to_num(item["depth"]) for item in items])
    return means | {
        "depth": float((inside * depth).sum() / inside.sum()) if inside.any() else np.nan
    }


def relative_changes(one, other):
    """‖x - x'‖ / ‖x_j‖ of two networks' residuals by object, x_j the grasp nearest to x: {object:
    (R,)}; section V-C3.

    Lengths in 0.1 m, of q and -q the nearer.
    """
    changes = {}
    for name, (item,) in one.items():
        x, moved = torch.as_tensor(item["x"]), torch.as_tensor(other[name][0]["x"])
        changes[name] = (
            losses.squared_distances(x, moved[:, None])[:, 0].sqrt().numpy() / item["size"]
        )
    return changes


def never_chosen(residuals, grasps):
    """Share of an object's `grasps` planned ones that in none of its rotations are nearest to the
    answer, mean over objects.
    """
    return float(
        np.mean([1 - len(np.unique(item["nearest"])) / grasps for (item,) in residuals.values()])
    )
