"""The bookkeeping of notebooks: the names of trainings, and the places of their files.

A run is the name of a folder of weights, and of evaluations with these weights.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.graspnet.dataset import DataSettings, Examples
from graspbook.graspnet.experiments import prepare_task, train_task
from graspbook.graspnet.sampler import SamplerSettings, load_sampler
from graspbook.graspnet.validation import reconstruction_error
from graspbook.objects.sets import FamilySet
from graspbook.parallel import run_tasks
from graspbook.storage import gather
from graspbook.training import TrainSettings

# Samplers and evaluators that are tested together: the paper's kinds, and ours.
PAIRS = (("per_point", "unified"), ("shared", "probes"))


@dataclass(frozen=True)
class Training:
    """The training of one run's network.

    network: "sampler" or "evaluator"; settings: of the network; clouds: per batch.
    """

    network: str
    settings: Any
    train: TrainSettings
    clouds: int


def prepared_views(
    objects: FamilySet,
    names: Sequence[str],
    settings: DataSettings,
    folder: Path,
    *,
    more: bool,
    workers: int,
) -> dict[str, Examples]:
    """The `dataset.Examples` of objects of a set, by name.

    objects, names: the set, and those of its objects that are prepared.
    settings: of the rendered views and the hard negatives.
    folder: of the grasp files, `<name>.h5`.
    more: whether the additional grasps in `folder/more` are used.
    workers: processes that run at the same time.
    """
    tasks = [{"name": name, "grasp_file": folder / f"{name}.h5"} for name in names]
    if more:
        tasks = [task | {"more_file": folder / "more" / f"{task['name']}.h5"} for task in tasks]
    common = {"objects": objects, "settings": settings}
    return dict(
        zip(names, run_tasks(prepare_task, tasks, workers, "views", common=common), strict=True)
    )


def latent_runs(latents: Iterable[int], seeds: Iterable[int]) -> dict[int, list[str]]:
    """The runs of each number of latent dimensions, one for each seed (Fig. 8).

    latents: numbers of dimensions of z to compare.
    seeds: of the training.
    """
    return {k: [f"latent_{k}_seed_{s}" for s in seeds] for k in latents}


def latent_trainings(
    settings: SamplerSettings,
    latents: Iterable[int],
    seeds: Sequence[int],
    train: TrainSettings,
    clouds: int,
) -> dict[str, Training]:
    """Trainings of the `latent_runs`, which differ in dimensions and seed alone.

    settings: of the sampler; its latent is replaced.
    latents, seeds: as for `latent_runs`.
    train: of the training; its seed is replaced.
    clouds: per batch.
    """
    return {
        run: Training("sampler", replace(settings, latent=k), replace(train, seed=s), clouds)
        for k, runs in latent_runs(latents, seeds).items()
        for s, run in zip(seeds, runs, strict=True)
    }


def train_runs(
    trainings: Mapping[str, Training],
    examples: Sequence[Examples],
    folder: Path,
    workers: int,
    *,
    device: str = "cpu",
) -> dict[str, list[dict[str, float]]]:
    """Histories of the trainings of some runs; each writes `<folder>/<run>/<network>.safetensors`.

    Existing results are reused, and a killed training continues.

    trainings: by the name of the run.
    examples: the training examples of all of them.
    folder: of the runs.
    workers: processes that run at the same time.
    device: where torch computes.
    """
    tasks = [
        {
            "network": training.network,
            "settings": training.settings,
            "train_settings": training.train,
            "clouds": training.clouds,
            "weights": folder / run / f"{training.network}.safetensors",
        }
        for run, training in trainings.items()
    ]
    common = {"data": examples, "device": device}
    found = run_tasks(train_task, tasks, workers, "training", common=common)
    return dict(zip(trainings, found, strict=True))


def mixed_weights(folder: Path, usual: Path, kinds: Mapping[str, Training]) -> dict[str, Path]:
    """Folders of weights: each kind of network with the usual other one, and the kinds of `PAIRS`.

    Named "sampler_per_point", "evaluator_unified" and so on, and "per_point_unified".

    folder: of the runs, to which the folders are added.
    usual: folder of the usual sampler and evaluator.
    kinds: the trainings of these networks, by the names of their runs.
    """
    mixed = {}
    for run, training in kinds.items():
        other = "evaluator" if training.network == "sampler" else "sampler"
        weights = {other: usual / f"{other}.safetensors"}
        mixed[f"{training.network}_{run}"] = gather(folder / run, **weights)
    for one, two in PAIRS:
        mixed[f"{one}_{two}"] = gather(
            folder / f"{one}_{two}",
            sampler=folder / one / "sampler.safetensors",
            evaluator=folder / two / "evaluator.safetensors",
        )
    return mixed


def latent_losses(
    runs: Mapping[int, Sequence[str]],
    history: Mapping[str, Sequence[Mapping[str, float]]],
    examples: Sequence[Examples],
    *,
    folder: Path,
    batches: int,
    seed: int,
) -> dict[str, dict[int, list[float]]]:
    """Losses of samplers with several dimensions of z: {loss: {dimensions: [a number per seed]}}.

    The training loss is the mean of the last tenth of the records. Distances are in millimetres.

    runs: `latent_runs`.
    history: of each run, as `train_runs` returns it.
    examples: of held-out objects.
    folder: of the runs.
    batches: of 64 grasps of each of these objects.
    seed: which batches are drawn.
    """

    def late(run: str, key: str) -> float:
        entries = history[run]
        last = entries[-max(1, len(entries) // 10) :]
        return float(np.mean([1000 * entry[key] for entry in last]))

    def missed(run: str) -> float:
        sampler = load_sampler(folder / run / "sampler.safetensors")
        return 1000 * reconstruction_error(sampler, examples, batches * len(examples), seed)

    def each(measure: Callable[[str], float]) -> dict[int, list[float]]:
        return {k: [measure(run) for run in of_k] for k, of_k in runs.items()}

    return {
        "loss in training": each(partial(late, key="loss")),
        "L(g, ĝ) in training": each(partial(late, key="reconstruction")),
        "L(g, ĝ) held out": each(missed),
    }
