"""The training of both networks: batches of random views, and validation batches for early
stopping.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from graspbook.graspnet.batches import check_points, examples_hash, held_out_figures
from graspbook.graspnet.dataset import Examples
from graspbook.training import TrainSettings, train_to_file

History = list[dict[str, Any]]


class Learner(NamedTuple):
    """A network to train: its name, and functions for the network, a step's batch, and a batch's
    loss.
    """

    name: str
    make: Callable[[Any], nn.Module]
    batch_of: Callable[..., Any]
    loss_of: Callable[..., Any]


def fit(
    learner: Learner,
    examples: Sequence[Examples],
    settings: Any,
    train_settings: TrainSettings,
    weights: Path | str,
    *,
    clouds: int = 1,
    device: str = "cpu",
    held_out: Sequence[Examples] = (),
    init: Path | str | None = None,
) -> History:
    """Train a network, write its weights, and return the history.

    Existing weights of the same settings and examples are kept. Their checkpoint in the same folder
    is resumed.

    learner: network that is trained.
    examples: to train on.
    settings: of the network.
    train_settings: of the training.
    weights: the file to write.
    clouds: views per batch, with 64 grasps each.
    device: where torch computes, "cpu" or "cuda".
    held_out: examples for early stopping, see `training.train`.
    init: weights file to start from.

    Raises ParameterError for examples whose clouds have fewer points than the network takes.
    """
    check_points([*examples, *held_out], settings.points)
    grouper = settings.grouper()
    shape = {"points": settings.points, "clouds": clouds, "device": device}

    def batch_of(step):
        return learner.batch_of(examples, grouper, train_settings.seed, step, **shape)

    def watched(step):
        return learner.batch_of(held_out, grouper, 0, step, **shape)

    def validate(model):
        return held_out_figures(model, watched, learner.loss_of)

    return train_to_file(
        weights,
        Path(weights).with_suffix(".checkpoint"),
        lambda: learner.make(settings).to(device),
        batch_of,
        learner.loss_of,
        settings=train_settings,
        parameters={
            "network": learner.name,
            learner.name: asdict(settings),
            "clouds": clouds,
            "examples": examples_hash(examples),
            "held_out": examples_hash(held_out),
        },
        label=learner.name,
        validate=validate if held_out else None,
        init=init,
    )
