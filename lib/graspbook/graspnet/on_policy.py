"""Labels for what the networks themselves find: their grasps on training views, tested by the shake
test.

An evaluator knows the grasps it was trained on; refinement leads where its mistakes are. Labelling
these and training on shows it its mistakes (as DAgger does for policies: Ross, Gordon and Bagnell
2011).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from graspbook import pose
from graspbook.graspnet.evaluator import load_evaluator
from graspbook.graspnet.refinement import best_of_iterations, refine_by_log_odds
from graspbook.graspnet.sampler import load_sampler, sample
from graspbook.simulation.shake import Shaker
from graspbook.storage import (
    Grasps,
    code_hash,
    content_hash,
    hash_number,
    object_hash,
    read_grasps,
    write_grasps,
)

_STEPS, _EARLY = 10, 3


def explore(obj, examples, sampler, evaluator, views, samples, seed):
    """`Grasps` `object_T_hand` of a GraspObject, in its frame, labelled by the shake test.

    On each of the first `views` clouds of its `dataset.Examples` so many samples, refined in ten
    steps; a quarter of them as sampled, a quarter after three steps, the others at their best step.
    The networks compute on the device that they are on; latents come from the seed and the object's
    name.
    """
    generator = torch.Generator().manual_seed(hash_number(seed, obj.name))
    device = next(evaluator.parameters()).device
    found, quarter = [], samples // 4
    for cloud, view_T_object in zip(
        examples.clouds[:views], examples.view_T_object[:views], strict=True
    ):
        points = torch.from_numpy(cloud).to(device)
        sampled, _ = sample(sampler, points[: sampler.settings.backbone.points], samples, generator)
        refinement = refine_by_log_odds(
            evaluator, points[: evaluator.settings.points], sampled, _STEPS
        )
        best = best_of_iterations(refinement)[0]
        grasps = torch.cat(
            [
                refinement.grasps[0, :quarter],
                refinement.grasps[_EARLY, quarter : 2 * quarter],
                best[2 * quarter :],
            ]
        )
        found.append(pose.inverse(view_T_object) @ grasps.cpu().numpy().astype(float))
    transforms = np.concatenate(found)
    success = Shaker(obj, threads=1).test(transforms, grade=False).success
    return Grasps(transforms, success, object_file=obj.file, object_scale=obj.scale)


def explore_task(objects, examples, sampler, evaluator, path, views, samples, seed, device="cpu"):
    """`explore` one object of a set with the networks of two weights files into a grasp file, and
    return the examples with these.

    device: "cpu" or "cuda", where the networks compute. A task for `parallel.run_tasks`; a file
    made from the same is read instead. Raises WeightsError for weights that are missing or do not
    fit.
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
        found = explore(obj, examples, *networks, views, samples, seed)
        write_grasps(path, replace(found, parameters=parameters))
    return replace(examples, explored=read_grasps(path))
