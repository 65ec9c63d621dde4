"""Labels for the networks' own grasps on training views, by the shake test.

An evaluator is reliable near the grasps that it was trained on, but refinement leads to its
mistakes. Labelling these grasps and training further corrects the mistakes (as DAgger does for
policies: Ross, Gordon and Bagnell 2011).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from graspbook import pose
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import Grasps
from graspbook.graspnet.dataset import Examples
from graspbook.graspnet.evaluator import Evaluator, load_evaluator
from graspbook.graspnet.network_kinds import Sampler
from graspbook.graspnet.refinement import best_of_iterations, refine_by_log_odds
from graspbook.graspnet.sampler import load_sampler, sample
from graspbook.objects.grasp_object import GraspObject, ObjectSet
from graspbook.simulation.shake import Shaker
from graspbook.storage import code_hash, content_hash, hash_number, object_hash

_STEPS, _EARLY = 10, 3


def explore(
    obj: GraspObject,
    examples: Examples,
    sampler: Sampler,
    evaluator: Evaluator,
    *,
    views: int,
    samples: int,
    seed: int,
) -> Grasps:
    """Grasps `object_T_hand` of an object, labelled by the shake test.

    Samples on a view are refined in ten steps. A quarter is used as sampled, a quarter after three
    steps, and the rest at their best step.

    obj: the `GraspObject`, metres.
    examples: of the object.
    sampler, evaluator: the networks; they compute on their own device.
    views: how many clouds of the examples, from the first on.
    samples: number of grasps that are sampled per view.
    seed: of the latents, with the object's name.
    """
    generator = torch.Generator().manual_seed(hash_number(seed, obj.name))
    device = next(evaluator.parameters()).device
    found, quarter = [], samples // 4
    seen = zip(examples.clouds[:views], examples.view_T_object[:views], strict=True)
    for cloud, view_T_object in seen:
        points = torch.from_numpy(cloud).to(device)
        sampled, _ = sample(sampler, points[: sampler.settings.points], samples, generator)
        observed = points[: evaluator.settings.points]
        refinement = refine_by_log_odds(evaluator, observed, sampled, _STEPS)
        best, steps = best_of_iterations(refinement)[0], refinement.grasps
        parts = steps[0, :quarter], steps[_EARLY, quarter : 2 * quarter], best[2 * quarter :]
        grasps = torch.cat(parts)
        found.append(pose.inverse(view_T_object) @ grasps.cpu().numpy().astype(float))
    transforms = np.concatenate(found)
    success = Shaker(obj, threads=1).test(transforms, grade=False).success
    return Grasps(transforms, success, object_file=obj.file, object_scale=obj.scale)


def explore_task(
    objects: ObjectSet,
    examples: Examples,
    *,
    sampler: Path | str,
    evaluator: Path | str,
    path: Path | str,
    views: int,
    samples: int,
    seed: int,
    device: str = "cpu",
) -> Examples:
    """`explore` one object of a set into a grasp file, and return the examples with these grasps.

    A task for `parallel.run_tasks`. An existing file of the same inputs is reused.

    objects: set from which objects are loaded by name.
    examples: of the object.
    sampler, evaluator: weights files.
    path: of the grasp file.
    views, samples, seed: as for `explore`.
    device: "cpu" or "cuda", where the networks compute.

    Raises WeightsError for weights that are missing or do not fit.
    """
    obj = objects.load(examples.name)
    hashes = [
        content_hash(np.frombuffer(Path(file).read_bytes(), np.uint8))
        for file in (sampler, evaluator)
    ]
    parameters = {
        "code": code_hash(__name__),
        "weights": hashes,
        "views": views,
        "samples": samples,
        "seed": seed,
        "device": device,
        "object": object_hash(obj),
        "examples": content_hash(examples.clouds, examples.view_T_object),
    }
    if not Path(path).is_file() or read_grasps(path).parameters != parameters:
        networks = load_sampler(sampler).to(device), load_evaluator(evaluator).to(device)
        found = explore(obj, examples, *networks, views=views, samples=samples, seed=seed)
        write_grasps(path, replace(found, parameters=parameters))
    return replace(examples, explored=read_grasps(path))
