"""Grasp Pose Detection, the network: trained on labelled candidates, it scores those of an observed
cloud (`gpd`).
"""

import json
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from graspbook import pose
from graspbook.errors import GraspFileError, WeightsError
from graspbook.graspnet.baselines.gpd import (
    CHANNELS,
    IMAGE,
    GpdSettings,
    draw_candidates,
    draw_images,
)
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.degrade import degraded_view
from graspbook.perception.normals import checked_cloud, estimate_normals
from graspbook.perception.resample import resample
from graspbook.simulation.shake import Shaker, ShakeSettings
from graspbook.storage import atomic_path, code_hash, content_hash, hash_number, object_hash
from graspbook.training import load_model, multiplies_bfloat16, train_to_file

BATCH = 64


class GpdNetwork(nn.Module):
    """Two logits (B, 2), failure and success, of images (B, 15, 60, 60) uint8 that `draw_images`
    made with `settings`.

    LeNet as in the released code: two convolutions, each with a maximum over 2 × 2 pixels, and two
    fully connected layers. In training it multiplies in bfloat16 where the processor does.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        size = ((IMAGE - 4) // 2 - 4) // 2
        self.layers = nn.Sequential(
            nn.Conv2d(CHANNELS, 20, 5),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(50 * size * size, 500),
            nn.ReLU(),
            nn.Linear(500, 2),
        )

    def forward(self, images):
        # On the processor convolutions are faster with channels last.
        images, kind = (
            images.contiguous(memory_format=torch.channels_last).float() / 255,
            images.device.type,
        )
        with torch.autocast(kind, torch.bfloat16, self.training and multiplies_bfloat16(kind)):
            return self.layers(images).float()


@torch.no_grad()
def score_images(network, images, chunk=64):
    """Probabilities of success (K,) float64 of images (K, 15, 60, 60) uint8."""
    device = next(network.parameters()).device
    parts = [
        network(part.to(device)).softmax(-1)[:, 1].cpu()
        for part in torch.from_numpy(images).split(chunk)
    ]
    return torch.cat(parts).numpy().astype(float)


def detect(cloud, network, settings, n, rng):
    """At most n grasps `camera_T_hand` (K, 4, 4) on a cloud (M, 3), camera frame, by falling score
    (K,) in 0..1.

    Raises CaptureError for a cloud that has no normals (`estimate_normals`). Where the hand finds
    no place there are no grasps.
    """
    cloud = np.unique(checked_cloud(cloud), axis=0)  # a point drawn twice tells no normal
    seen, normals = _seen(cloud, settings, rng)
    grasps = draw_candidates(
        seen, normals, n, settings, rng, cloud if len(cloud) > len(seen) else None
    )
    scores = score_images(network, draw_images(seen, normals, grasps, settings))
    order = np.argsort(-scores, kind="stable")
    return grasps[order], scores[order]


def _seen(cloud, settings, rng):
    """At most `settings.points` of a cloud (M, 3), and their normals."""
    seen = resample(cloud, settings.points, rng) if len(cloud) > settings.points else cloud
    return seen, estimate_normals(seen, settings.neighbours)


def label_candidates(objects, name, path, settings, views, per_view, noise, holes, seed):
    """Images of the candidates of random views of an object of a set, labelled by the shake test,
    into `path` (.npz).

    views, per_view: how many, and candidates in each at most; noise (m) and holes: of the views,
    see `dataset.DataSettings`. A task for `parallel.run_tasks`: a pure function of the object and
    the numbers; a file that is there and was made from the same ones stays. It holds images (K, 15,
    60, 60) uint8, success (K,) bool, and the parameters as JSON. Returns the counts of candidates
    and successes.
    """
    obj = objects.load(name)
    parameters = {
        "object": [name, object_hash(obj)],
        "settings": asdict(settings),
        "views": views,
        "per_view": per_view,
        "noise": noise,
        "holes": holes,
        "seed": seed,
        "shake": asdict(ShakeSettings()),
        "code": code_hash(__name__),
    }
    if Path(path).is_file():
        known, _, success = read_candidates(path)
        if known == parameters:
            return {"candidates": len(success), "successes": int(success.sum())}
    renderer, shaker, rng = (
        DepthRenderer(obj.mesh),
        Shaker(obj, threads=1),
        candidate_rng(name, seed),
    )
    images, success = [], []
    for _ in range(views):
        if holes:
            observed, camera_T_object = degraded_view(renderer, settings.points, rng, noise, holes)
        else:
            observed, camera_T_object = renderer.observe(rng, None, noise)
        cloud, normals = _seen(np.unique(observed, axis=0), settings, rng)
        grasps = draw_candidates(cloud, normals, per_view, settings, rng)
        images.append(draw_images(cloud, normals, grasps, settings))
        success.append(shaker.test(pose.inverse(camera_T_object) @ grasps, grade=False).success)
    images, success = np.concatenate(images), np.concatenate(success)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, images=images, success=success, parameters=json.dumps(parameters))
    return {"candidates": len(success), "successes": int(success.sum())}


def candidate_rng(name, seed):
    """The generator of the views and candidates of an object of a set: of a seed each object has
    its own, and none is that of a view that is evaluated.
    """
    return np.random.default_rng([seed, 3, hash_number(name)])


def read_candidates(path):
    """Parameters, images (K, 15, 60, 60) uint8 and success (K,) bool that `label_candidates` wrote.

    Raises GraspFileError for a file that is missing or of another kind.
    """
    try:
        with np.load(path) as stored:
            return json.loads(str(stored["parameters"])), stored["images"], stored["success"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise GraspFileError(
            f"{path}: not a file of labelled GPD candidates ({str(error).splitlines()[0]})"
        ) from error


def train_gpd(files, settings, train_settings, weights_path, checkpoint_path, device="cpu"):
    """Train a GpdNetwork on files of `label_candidates`, half of each batch of 64 successes, write
    its weights, and return the history.

    Weights already there that were made from the same settings and files are kept; a checkpoint of
    theirs is resumed. Raises GraspFileError for files drawn with other settings, and where all
    candidates succeed or all fail.
    """
    parameters, images, success = (
        zip(*map(read_candidates, files), strict=True) if files else ((), (), ())
    )
    for file, found in zip(files, parameters, strict=True):
        if found["settings"] != asdict(settings):
            raise GraspFileError(
                f"{file}: drawn with {found['settings']}, expected {asdict(settings)}"
            )
    rows = [(f, row) for f, labels in enumerate(success) for row in range(len(labels))]
    labels = np.concatenate([np.zeros(0, bool), *success])
    classes = [np.flatnonzero(~labels), np.flatnonzero(labels)]
    if not all(map(len, classes)):
        raise GraspFileError(
            f"{len(labels)} GPD candidates in {len(files)} files, {labels.sum()} of them successes;"
            " training needs both successes and failures"
        )
    target = torch.arange(BATCH, device=device) // (BATCH // 2)

    def batch_of(step):
        rng = np.random.default_rng([train_settings.seed, step])
        chosen = np.concatenate([rng.choice(kind, BATCH // 2) for kind in classes])
        return torch.from_numpy(
            np.stack([images[f][row] for f, row in (rows[i] for i in chosen)])
        ).to(device)

    def loss_of(network, batch, generator):
        logits = network(batch)
        return nn.functional.cross_entropy(logits, target), {
            "accuracy": float((logits.argmax(-1) == target).float().mean())
        }

    described = {
        "network": "gpd",
        "gpd": asdict(settings),
        "code": code_hash(__name__),
        "examples": content_hash(*parameters, *success),
    }
    return train_to_file(
        weights_path,
        checkpoint_path,
        lambda: GpdNetwork(settings).to(device),
        batch_of,
        loss_of,
        train_settings,
        described,
        "gpd",
    )


def load_gpd(path):
    """The GpdNetwork in a weights file. Raises WeightsError if it is missing, of another network,
    or does not fit.
    """

    def make(parameters):
        if parameters.get("network") != "gpd":
            raise WeightsError(
                f"{path}: weights of {parameters.get('network', 'something else')!r}, expected"
                " 'gpd'"
            )
        return GpdNetwork(GpdSettings(**parameters["gpd"]))

    return load_model(path, make)[0]
