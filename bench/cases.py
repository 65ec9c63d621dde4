"""What is measured. A case is one function: `tiny` shrinks it for the tests; it returns what
`measure`, one of two here, found.

Baseline and ours run in turns in one process, on what the other ran on, and their medians are
compared. Building what is built once an object (convex parts, the compiled world, the ray-casting
scene) is not timed on either side.
"""

import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from baselines import MujocoDepth, plain_shake_test, tiled_evaluator, tiled_sampler

from graspbook.grasp_set import Grasps
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.batches import evaluator_batch, sampler_batch
from graspbook.graspnet.candidates import closing_region_filled, propose
from graspbook.graspnet.dataset import DataSettings, prepare
from graspbook.graspnet.evaluator import Evaluator, evaluator_loss
from graspbook.graspnet.experiments import network_settings
from graspbook.graspnet.predict import PredictSettings, predict
from graspbook.graspnet.sampler import make_sampler, sampler_loss
from graspbook.objects.families import make_shape
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.parts import convex_parts
from graspbook.perception.camera import DepthRenderer, default_camera, random_view
from graspbook.pose import inverse
from graspbook.simulation.shake import Shaker
from graspbook.training import TrainSettings, train
from graspbook.workbook.params_graspnet import GraspnetTraining

# Of the simulation, of predictions and of training the paper's networks; the smoke profile's train
# on one.
THREADS = 2
TINY = {
    "width": 0.1,
    "points": 128,
    "neighbours": [4, 4],
    "sampler_clouds": 1,
    "evaluator_clouds": 1,
}


def compare(
    ours, baseline, *, unit, work, baseline_work=None, repeats=1, same=lambda ours, baseline: "-"
):
    """Rates of two functions in units per second, medians over `repeats` calls in turns.

    The peak memory is that of the process after its first call of `ours`, before any of `baseline`.

    ours, baseline: called without arguments.
    work: units that a call of `ours` does, or a function that counts them in a result of either
        side, ours first, after all calls.
    baseline_work: those of `baseline`, None for as many, or for the same function.
    same: says in words how far the results of both agree.
    """
    ours()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times, results = np.zeros((2, repeats)), [None, None]
    for repeat in range(repeats):
        for side, function in enumerate((ours, baseline)):
            started = time.perf_counter()
            results[side] = function()
            times[side, repeat] = time.perf_counter() - started
    each = zip((work, baseline_work or work), results, strict=True)
    done = [count(result) if callable(count) else count for count, result in each]
    own, other = done / np.median(times, axis=1)
    return {
        "ours": own,
        "baseline": other,
        "unit": unit,
        "ratio": own / other,
        "same": same(*results),
        "peak_memory_mb": peak,
        "seconds": times.tolist(),
    }


def profile(ours, *_, **__):
    """Where the time of `ours` goes, operation by operation: a text."""
    ours()
    with torch.profiler.profile() as found:
        ours()
    return found.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=40
    )


def shake_mug(tiny, measure):
    """Labelled grasps of a parametric mug."""
    return _shake(make_shape("mug", np.random.default_rng(0)), tiny, measure)


def shake_vase(tiny, measure):
    """Labelled grasps of a hollow, bent vase in convex parts by CoACD."""
    return _shake(_vase(tiny), tiny, measure)


def _shake(obj, tiny, measure):
    shaker, rng = Shaker(obj, threads=THREADS), np.random.default_rng(0)
    surface = trimesh.sample.sample_surface(obj.mesh, 8192, seed=0)[0]
    grasps = propose(obj.mesh, 512 if tiny else 6144, rng)
    grasps = grasps[~shaker.collides(grasps)]
    grasps = grasps[closing_region_filled(surface, grasps)][: 10 if tiny else 300]
    return measure(
        lambda: shaker.test(grasps, grade=False).success,
        lambda: plain_shake_test(shaker, grasps),
        unit="grasps/s",
        work=len(grasps),
        repeats=1 if tiny else 5,
        same=_same_labels,
    )


def _same_labels(ours, baseline):
    return f"{np.mean(ours == baseline):.1%} of labels"


def _vase(tiny):
    """A vessel with waves in its wall, a bent axis and a hollow: closed, and nothing like a
    parametric shape.
    """
    sides, rings, height = (8, 3, 0.14) if tiny else (48, 16, 0.14)
    angle = np.arange(sides) * 2 * np.pi / sides

    def wall(z, inset):
        radius = (
            0.034
            + 0.008 * np.sin(2 * np.pi * z / height + 0.5)
            + 0.0025 * np.cos(5 * angle + 30 * z)
            - inset
        )
        bend = 0.012 * np.sin(np.pi * z / height)
        return np.stack(
            [radius * np.cos(angle) + bend, radius * np.sin(angle), z + 0 * angle], axis=-1
        )

    up, down = np.linspace(0, height, rings)[:, None], np.linspace(height, 0.006, rings)[:, None]
    grid = np.concatenate([wall(up, 0.0), wall(down, 0.0045)])
    base, column = np.meshgrid(np.arange(len(grid) - 1) * sides, np.arange(sides), indexing="ij")
    here, there = base + column, base + (column + 1) % sides
    faces = [
        np.stack([here, there, there + sides], axis=-1),
        np.stack([here, there + sides, here + sides], axis=-1),
    ]
    for ring, centre, turn in (
        (0, 0, -1),
        (len(grid) - 1, 1, 1),
    ):  # the bottom, and the floor inside
        edge = ring * sides + np.arange(sides)
        fan = np.stack(
            [edge, np.roll(edge, -1), np.full(sides, len(grid) * sides + centre)], axis=-1
        )
        faces.append(fan[:, ::turn])
    vertices = np.concatenate([grid.reshape(-1, 3), grid[[0, -1]].mean(axis=1)])
    mesh = trimesh.Trimesh(
        vertices, np.concatenate([f.reshape(-1, 3) for f in faces]), process=False
    )
    return GraspObject("vase", "vase", mesh, convex_parts(mesh))


class Preset(NamedTuple):
    """Settings of (sampler, evaluator), those of their baselines, clouds a batch of either, how
    grasps are refined, threads.
    """

    own: tuple
    plain: tuple
    clouds: tuple
    refinement: str
    threads: int


def _preset(name, tiny):
    """ "smoke": the networks of the smoke profile, against the paper's at the same width, points
    and neighbours. "paper": the paper's at full size, with gripper points as centroids, against the
    same.
    """
    numbers = GraspnetTraining(**(TINY if tiny else {}))
    names = "width", "points", "neighbours", "latent", "kl_weight"
    sizes = {name: getattr(numbers, name) for name in names}
    if name == "smoke":
        return Preset(
            network_settings(numbers.network, **sizes),
            network_settings("paper", **sizes),
            (numbers.sampler_clouds, numbers.evaluator_clouds),
            PredictSettings().refinement,
            1,
        )
    backbone = BackboneSettings()
    full = {name: getattr(backbone, name) for name in names[:3]} | {"latent": 2, "kl_weight": 0.01}
    sampler, evaluator = network_settings("paper", **(sizes if tiny else full))
    own = sampler, replace(evaluator, centroids="object_and_gripper")
    return Preset(own, own, (1, 1), "gradient", THREADS)


def _examples(points):
    """Three objects with candidates whose labels are drawn: what is in a batch does not change the
    work.
    """
    examples = []
    for number, family in enumerate(("box", "bowl", "mug")):
        rng = np.random.default_rng(number)
        shape = make_shape(family, rng)
        grasps = Grasps(propose(shape.mesh, 400, rng), rng.random(400) < 0.3)
        examples.append(prepare(shape, grasps, DataSettings(views=3, points=points)))
    return examples


def train_network(network, preset, tiny, measure):
    """Training steps, 64 grasps a cloud, of the "sampler" or "evaluator" of a preset."""
    preset, place = _preset(preset, tiny), ("sampler", "evaluator").index(network)
    own, plain, clouds = preset.own[place], preset.plain[place], preset.clouds[place]
    examples = _examples(preset.own[1].points)
    if network == "sampler":
        batch, loss, make, tiled = sampler_batch, sampler_loss, make_sampler, tiled_sampler
    else:
        batch, loss, make, tiled = evaluator_batch, evaluator_loss, Evaluator, tiled_evaluator
    prepare = own.grouper()

    def run(make_model, settings, prepare, steps):
        with tempfile.TemporaryDirectory() as folder:
            return train(
                make_model,
                lambda step: batch(
                    examples, prepare, 0, step, points=settings.points, clouds=clouds
                ),
                loss,
                TrainSettings(steps=steps, threads=preset.threads),
                Path(folder) / "checkpoint",
                parameters={},
            )[1][0]["loss"]

    def same(ours, baseline):
        return f"first loss within {abs(ours / baseline - 1):.0e}" if own == plain else "-"

    steps, baseline_steps, repeats = (
        (1, 1, 1) if tiny else (5, 1, 2) if own == plain else (20, 2, 3)
    )
    return measure(
        lambda: run(lambda: make(own), own, prepare, steps),
        lambda: run(lambda: tiled(plain), plain, lambda points: None, baseline_steps),
        unit="steps/s",
        work=steps,
        baseline_work=baseline_steps,
        repeats=repeats,
        same=same,
    )


def predict_grasps(preset, tiny, measure):
    """Clouds a second, each with 200 grasps sampled, scored and refined in 10 steps by the networks
    of a preset.

    The baseline takes too long for that: its rate is measured on 12 grasps, whose work is that of
    0.06 clouds.
    """
    preset = _preset(preset, tiny)
    torch.set_num_threads(THREADS)
    mesh = make_shape("mug", np.random.default_rng(0)).mesh
    cloud = DepthRenderer(mesh).observe(np.random.default_rng(0), 2000)[0]
    samples, few, steps = (16, 8, 2) if tiny else (200, 12, 10)

    def run(networks, count, refinement):
        settings = PredictSettings(samples=count, steps=steps, refinement=refinement)
        return predict(cloud, *networks, settings, np.random.default_rng(0))

    ours = make_sampler(preset.own[0]).eval(), Evaluator(preset.own[1]).eval()
    plain = tiled_sampler(preset.plain[0]).eval(), tiled_evaluator(preset.plain[1]).eval()
    return measure(
        lambda: run(ours, samples, preset.refinement),
        lambda: run(plain, few, "gradient"),
        unit="clouds/s",
        work=1,
        baseline_work=few / samples,
        repeats=1 if tiny else 3,
    )


def render(tiny, measure):
    """Depth images of 640 × 480 of the vase."""
    mesh, camera, rng = _vase(tiny).mesh, default_camera(), np.random.default_rng(0)
    views = [random_view(mesh, rng) for _ in range(2 if tiny else 10)]
    renderer, plain = DepthRenderer(mesh), MujocoDepth(mesh, camera)

    def same(ours, baseline):
        ours, baseline = np.array(ours), np.array(baseline)
        equal = (np.isnan(ours) & np.isnan(baseline)) | (np.abs(ours - baseline) < 1e-4)
        seen = ~(np.isnan(ours) & np.isnan(baseline))
        return f"{equal[seen].mean():.2%} of pixels"

    return measure(
        lambda: [renderer.depth(camera, view) for view in views],
        lambda: [plain.depth(inverse(view)) for view in views],
        unit="images/s",
        work=len(views),
        repeats=1 if tiny else 5,
        same=same,
    )
