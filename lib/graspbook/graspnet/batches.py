"""Batches for training. Batch k depends only on the examples, the seed and k, so a training run can
continue from any step.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from graspbook.errors import GraspFileError, ParameterError
from graspbook.graspnet.dataset import Examples
from graspbook.storage import code_hash, content_hash

_EXPLORED = 0.4


class SamplerBatch(NamedTuple):
    """Training data of the sampler, in the graspnet object frame.

    points: (C, N, 3).
    groups: of these, by `pointnet2.group`.
    grasps: (C, G, 4, 4) positive ones, G per cloud, in its frame.
    """

    points: torch.Tensor
    groups: Any
    grasps: torch.Tensor


class EvaluatorBatch(NamedTuple):
    """Training data of the evaluator, in the graspnet object frame.

    points: (C, N, 3).
    groups: of the points, by `EvaluatorSettings.grouper`.
    grasps: (C, G, 4, 4) poses of the hand, G per cloud, in its frame.
    success: their labels (C, G).
    """

    points: torch.Tensor
    groups: Any
    grasps: torch.Tensor
    success: torch.Tensor


def examples_hash(examples: Sequence[Examples]) -> str:
    """One hash of everything that training reads: the examples, and the code of networks and loop.

    examples: of `dataset.prepare`.
    """
    # A checkpoint stores this in its parameters, so a checkpoint of other code is not resumed.
    values: list[Any] = [code_hash("graspbook.graspnet.sampler", "graspbook.graspnet.evaluator")]
    for e in examples:
        values += [e.name, e.family, e.clouds, e.view_T_object]
        values += [
            part
            for strata in (e.positives, e.negatives, e.hard_negatives)
            for part in (strata.grasps, strata.starts)
        ]
        if e.explored:
            values += [e.explored.transforms, e.explored.success]
    return content_hash(*values)


@torch.no_grad()
def held_out_figures(
    model: Any,
    batch_of: Callable[[int], Any],
    loss_of: Callable[..., tuple[Any, dict[str, float]]],
    *,
    batches: int = 16,
) -> dict[str, float]:
    """Mean loss and figures of a model over the first batches.

    Batches and noise are the same in every call.

    model: a network.
    batch_of: step -> batch.
    loss_of: (model, batch, generator) -> loss and figures by name.
    batches: number of batches.
    """
    figures = []
    for step in range(batches):
        batch = batch_of(step)
        loss, others = loss_of(model, batch, torch.Generator(batch.points.device).manual_seed(step))
        figures.append({"loss": float(loss), **others})
    return {name: float(np.mean([entry[name] for entry in figures])) for name in figures[0]}


def check_points(examples: Sequence[Examples], points: int) -> None:
    """Raise ParameterError if the clouds have fewer points than a network takes.

    examples: objects with clouds.
    points: how many it takes.
    """
    for example in examples:
        found = example.clouds.shape[1]
        if found < points:
            raise ParameterError(
                f"{example.name}: its clouds were prepared with {found} points, expected at least"
                f" {points} for the network"
            )


def sampler_batch(
    examples: Sequence[Examples],
    group: Callable[[torch.Tensor], Any],
    seed: int,
    step: int,
    *,
    points: int | None = None,
    clouds: int = 1,
    grasps: int = 64,
    device: str = "cpu",
) -> SamplerBatch:
    """A batch for the sampler: positives of random views, stratified.

    examples: objects whose views and grasps are drawn.
    group: function from points to the groups of PointNet++.
    seed, step: the batch depends on these two alone.
    points: how many of each view are used, from the first on; all if None.
    clouds: number C of views in the batch.
    grasps: number G of grasps per view.
    device: where the tensors are, "cpu" or "cuda".

    Raises GraspFileError if no object has a positive grasp.
    """
    rng = np.random.default_rng([seed, step])
    chosen, seen = _draw_views(
        [e for e in examples if len(e.positives.grasps)], clouds, rng, "a positive grasp"
    )
    poses = [frame @ example.positives.draw(grasps, rng) for example, frame in chosen]
    seen = torch.from_numpy(seen[:, :points]).to(device)
    return SamplerBatch(seen, group(seen), torch.from_numpy(np.array(poses, np.float32)).to(device))


def evaluator_batch(
    examples: Sequence[Examples],
    group: Callable[[torch.Tensor], Any],
    seed: int,
    step: int,
    *,
    points: int | None = None,
    clouds: int = 1,
    grasps: int = 64,
    device: str = "cpu",
) -> EvaluatorBatch:
    """A batch for the evaluator: 30 % positive, 30 % negative, 40 % hard negative grasps.

    With 64 grasps these are 19, 20 and 25, as in the released code. If no grasp holds an object,
    all of its grasps are negative. The network thus also learns which objects are too wide. If all
    examples have explored grasps, these are 40 % of the batch, and the other kinds share the rest.
    If any example has none, explored grasps are left out.

    examples: objects whose views and grasps are drawn.
    group: function from points to the groups of PointNet++.
    seed, step: the batch depends on these two alone.
    points: how many of each view are used, from the first on; all if None.
    clouds: number C of views in the batch.
    grasps: number G of grasps per view.
    device: where the tensors are, "cpu" or "cuda".

    Raises GraspFileError if no object has negative and hard negative grasps.
    """
    rng = np.random.default_rng([seed, step])
    usable = [e for e in examples if len(e.negatives.grasps) and len(e.hard_negatives.grasps)]
    chosen, seen = _draw_views(usable, clouds, rng, "negative and hard negative grasps")
    explored = int(_EXPLORED * grasps) if all(e.explored for e in examples) else 0
    labelled = grasps - explored
    positive, hard = int(0.3 * labelled), int(0.4 * labelled)
    poses, success = [], np.arange(grasps) < np.full((clouds, 1), positive)
    for i, (e, frame) in enumerate(chosen):
        held = len(e.positives.grasps) > 0
        success[i] &= held
        easy = e.negatives, labelled - positive - hard
        kinds = (e.positives if held else e.negatives, positive), easy, (e.hard_negatives, hard)
        drawn = [strata.draw(count, rng) for strata, count in kinds]
        if explored:
            which = rng.integers(len(e.explored.success), size=explored)
            drawn.append(e.explored.transforms[which])
            success[i, labelled:] = e.explored.success[which]
        poses.append(frame @ np.concatenate(drawn))
    seen = torch.from_numpy(seen[:, :points]).to(device)
    drawn_grasps = torch.from_numpy(np.array(poses, np.float32)).to(device)
    return EvaluatorBatch(seen, group(seen), drawn_grasps, torch.from_numpy(success).to(device))


def _draw_views(usable, clouds, rng, need):
    """Random (examples, view_T_object) pairs and their points (clouds, N, 3). The draw is a family,
    then one of its objects, then one of its views.
    """
    if not usable:
        raise GraspFileError(f"no object has {need} to train on")
    families = {}
    for e in usable:
        families.setdefault(e.family, []).append(e)
    families, chosen = list(families.values()), []
    for _ in range(clouds):
        family = families[rng.integers(len(families))]
        chosen.append((family[rng.integers(len(family))], rng.integers(len(usable[0].clouds))))
    return [(e, e.view_T_object[v]) for e, v in chosen], np.stack([e.clouds[v] for e, v in chosen])


def random_roll(count: int, generator: torch.Generator) -> torch.Tensor:
    """Rotations (count, 3, 3) about the camera's axis by uniform angles.

    Every rotation gives an equally likely view.

    count: number of rotations.
    generator: of torch's random numbers.
    """
    angle = 2 * np.pi * torch.rand(count, generator=generator, device=generator.device)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [
        torch.stack(row, dim=-1)
        for row in ([cosine, -sine, zero], [sine, cosine, zero], [zero, zero, zero + 1])
    ]
    return torch.stack(rows, dim=-2)
