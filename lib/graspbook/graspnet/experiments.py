"""Training runs and evaluations, from the parameters of a notebook.

Functions whose name ends in `_task`, and those of `views`, are tasks for `parallel.run_tasks`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from graspbook.errors import ParameterError
from graspbook.grasp_files import read_grasps
from graspbook.graspnet import evaluator, sampler
from graspbook.graspnet.baselines.gpd_network import train_gpd
from graspbook.graspnet.dataset import DataSettings, Examples, prepare
from graspbook.graspnet.fitting import History, fit
from graspbook.graspnet.predict import PredictSettings
from graspbook.graspnet.views import ViewEvaluation, evaluate_view
from graspbook.objects.grasp_object import ObjectSet
from graspbook.parallel import run_tasks
from graspbook.training import TrainSettings

NETWORKS = tuple(sampler.PRESETS)


@dataclass(frozen=True)
class Variant:
    """A variant that is evaluated.

    weights: folder with the networks' .safetensors files.
    settings: of the prediction.
    steps: refinement steps to simulate.
    views: number of views per object.
    """

    weights: Path
    settings: PredictSettings
    steps: Sequence[int]
    views: int


def network_settings(
    network: str,
    *,
    width: float,
    points: int,
    neighbours: Sequence[int],
    latent: int,
    kl_weight: float,
    probed: int = 2048,
) -> tuple[sampler.SamplerSettings, evaluator.EvaluatorSettings]:
    """Settings of a sampler and an evaluator, from a preset at the given sizes.

    network: the preset. "paper" (section 4), "released" (the authors' code), "paper_shared" (the
        paper's evaluator with the gripper's points and farthest points of the object as centroids),
        or "ours". See the presets of `sampler` and `evaluator`.
    width, points, neighbours: see `backbone.BackboneSettings`.
    latent, kl_weight: see `sampler.SamplerSettings`.
    probed: see `evaluator.EvaluatorSettings`.
    """
    if network not in NETWORKS:
        raise ParameterError(f"network {network!r}, expected one of {', '.join(NETWORKS)}")
    first, second = neighbours
    sampling, scoring = sampler.PRESETS[network], evaluator.PRESETS[network]
    backbone = replace(sampling.backbone, width=width, points=points, neighbours=(first, second))
    return (
        replace(sampling, latent=latent, kl_weight=kl_weight, backbone=backbone),
        replace(scoring, backbone=backbone, probed=probed),
    )


def prepare_task(
    objects: ObjectSet,
    name: str,
    settings: DataSettings,
    *,
    grasp_file: Path | str,
    more_file: Path | str | None = None,
) -> Examples:
    """The examples of one object.

    objects: set from which objects are loaded by name.
    name: of the object, as the set has it.
    settings: what is prepared.
    grasp_file: its labelled candidates.
    more_file: its additional grasps (`extra_grasps`), if there are any.
    """
    more = read_grasps(more_file) if more_file else None
    return prepare(objects.load(name), read_grasps(grasp_file), settings, more)


def train_task(
    network: str,
    data: Sequence[Any],
    settings: Any,
    *,
    train_settings: TrainSettings,
    weights: Path | str,
    device: str = "cpu",
    **options: Any,
) -> History:
    """Train a network into a file, or reuse the file; returns the training's history.

    network: one of `TRAINERS`.
    data: examples, of "gpd" files of labelled candidates.
    settings: of the network.
    train_settings: of the training.
    weights: the file.
    device: where torch computes, "cpu" or "cuda".
    options: clouds, held_out and init of `fitting.fit`; "gpd" has none.
    """
    train = TRAINERS[network]
    return train(data, settings, train_settings, weights, device=device, **options)


def _train_gpd(files, settings, train_settings, weights, *, device):
    checkpoint = Path(weights).with_suffix(".checkpoint")
    return train_gpd(files, settings, train_settings, weights, checkpoint, device=device)


TRAINERS: dict[str, Callable[..., History]] = {
    "sampler": partial(fit, sampler.SAMPLER),
    "evaluator": partial(fit, evaluator.EVALUATOR),
    "gpd": _train_gpd,
}


def evaluate_variants(
    variants: Mapping[str, Variant],
    objects: ObjectSet,
    names: Sequence[str],
    *,
    seed: int,
    folder: Path | str,
    workers: int,
    device: str = "cpu",
) -> dict[str, dict[str, list[ViewEvaluation]]]:
    """Evaluate the views of all variants: {variant: {object: [ViewEvaluation]}}.

    variants: by name.
    objects: set from which objects are loaded by name.
    names: of the objects to load from the set.
    seed: of the views of an object, which are the same for all variants, and of a variant's random
        numbers.
    folder: of the results. Existing results of the same weights and numbers are reused.
    workers: processes that run at the same time.
    device: where torch computes, "cpu" or "cuda".

    Raises the errors of `evaluate_view`.
    """
    keys = [
        (key, name, view)
        for key, variant in variants.items()
        for name in names
        for view in range(variant.views)
    ]
    tasks = [
        {
            "name": name,
            "view": view,
            "weights": variants[key].weights,
            "settings": variants[key].settings,
            "steps": variants[key].steps,
            "path": Path(folder) / key / f"{name}_{view}.npz",
        }
        for key, name, view in keys
    ]
    common = {"objects": objects, "seed": seed, "device": device}
    results = run_tasks(evaluate_view, tasks, workers, "predict and shake", common=common)
    found: dict = {key: {name: [] for name in names} for key in variants}
    for (key, name, _), evaluation in zip(keys, results, strict=True):
        found[key][name].append(evaluation)
    return found


def by_family(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of each family.

    names: of objects, such as mug_0003.
    """
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.rsplit("_", 1)[0], []).append(name)
    return families


def kept_back(names: Iterable[str]) -> list[str]:
    """The validation objects of early stopping: the last of each family of three or more.

    names: of objects, such as mug_0003.
    """
    return [members[-1] for members in by_family(names).values() if len(members) >= 3]


def per_family(names: Sequence[str], counts: int | Mapping[str, int]) -> list[str]:
    """The first objects of each family.

    names: of objects, such as mug_0003.
    counts: how many per family, {family: count}; or the most of every family.

    Raises ParameterError for a family that has fewer than that.
    """
    found = by_family(names)
    if isinstance(counts, int):
        return [name for family in found.values() for name in family[:counts]]
    for family, count in counts.items():
        have = len(found.get(family, ()))
        if have < count:
            raise ParameterError(
                f"{count} objects of family {family!r}, expected at most {have}; the objects are"
                f" {', '.join(names)}"
            )
    return [name for family, count in counts.items() for name in found[family][:count]]
