"""Grasp Pose Detection, the network: it is trained on labelled candidates, and scores those of an
observed cloud (`gpd`).
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from graspbook import pose
from graspbook.errors import GraspFileError, WeightsError
from graspbook.graspnet.baselines.gpd import GpdSettings, draw_candidates
from graspbook.graspnet.baselines.gpd_images import CHANNELS, IMAGE, draw_images
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.sets import FamilySet, FolderSet
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.degrade import degraded_view
from graspbook.perception.normals import checked_cloud, estimate_normals
from graspbook.perception.resample import resample
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_model import ShakeSettings
from graspbook.storage import atomic_path, code_hash, content_hash, hash_number, object_hash
from graspbook.training import TrainSettings, multiplies_bfloat16, train_to_file
from graspbook.weights_files import load_model

BATCH = 64


class GpdNetwork(nn.Module):
    """Two logits (B, 2), failure and success, of the images of `draw_images`.

    LeNet as in the released code: two convolutions, each with a maximum over 2 × 2 pixels, and two
    fully connected layers. In training it multiplies in bfloat16 if the CPU supports it.
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

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, 2).

        images: (B, 15, 60, 60) uint8.
        """
        # On a CPU convolutions are faster with channels last.
        kind = images.device.type
        images = images.contiguous(memory_format=torch.channels_last).float() / 255
        with torch.autocast(kind, torch.bfloat16, self.training and multiplies_bfloat16(kind)):
            return self.layers(images).float()


@torch.no_grad()
def score_images(network: GpdNetwork, images: np.ndarray, *, chunk: int = 64) -> np.ndarray:
    """Probabilities of success (K,) float64.

    network: trained classifier of the images.
    images: (K, 15, 60, 60) uint8.
    chunk: number that is computed at once; it bounds the memory.
    """
    device = next(network.parameters()).device
    parts = [
        network(part.to(device)).softmax(-1)[:, 1].cpu()
        for part in torch.from_numpy(images).split(chunk)
    ]
    return torch.cat(parts).numpy().astype(float)


def detect(
    cloud: np.ndarray,
    network: GpdNetwork,
    settings: GpdSettings,
    n: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Grasps `camera_T_hand` (K, 4, 4) on a cloud, and their falling scores (K,) in 0..1.

    There are none if no placement of the hand is valid.

    cloud: (M, 3), camera frame.
    network: trained classifier that gives the scores.
    settings: the choices.
    n: number of grasps at most.
    rng: generator of the random numbers.

    Raises CaptureError for a cloud that has no normals (`estimate_normals`).
    """
    cloud = np.unique(checked_cloud(cloud), axis=0)  # a point drawn twice gives no normal
    seen, normals = _seen(cloud, settings, rng)
    whole = cloud if len(cloud) > len(seen) else None
    grasps = draw_candidates(seen, normals, n, settings, rng, whole=whole)
    scores = score_images(network, draw_images(seen, normals, grasps, settings))
    order = np.argsort(-scores, kind="stable")
    return grasps[order], scores[order]


def _seen(cloud, settings, rng):
    """At most `settings.points` of a cloud (M, 3), and their normals."""
    seen = resample(cloud, settings.points, rng) if len(cloud) > settings.points else cloud
    return seen, estimate_normals(seen, settings.neighbours)


def label_candidates(
    objects: FamilySet | FolderSet,
    name: str,
    path: Path | str,
    settings: GpdSettings,
    *,
    views: int,
    per_view: int,
    noise: float,
    holes: int,
    seed: int,
    gripper: ParallelJaw = FRANKA,
) -> dict[str, int]:
    """Images of the candidates of random views of an object, labelled by the shake test.

    A task for `parallel.run_tasks`: it depends only on the object and the numbers. An existing file
    of the same ones is kept. It has images (K, 15, 60, 60) uint8, success (K,) bool, and the
    parameters as JSON. Returns the counts of candidates and successes.

    objects, name: the set, and which of its objects.
    path: .npz file to write.
    settings: the choices.
    views: number of rendered views.
    per_view: candidates in each at most.
    noise, holes: of the views, metres and how many, see `dataset.DataSettings`.
    seed: of views and candidates.
    gripper: of the shake test.
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
        "gripper": content_hash(asdict(gripper)),
        "code": code_hash(__name__),
    }
    if Path(path).is_file():
        known, _, success = read_candidates(path)
        if known == parameters:
            return {"candidates": len(success), "successes": int(success.sum())}
    renderer, rng = DepthRenderer(obj.mesh), candidate_rng(name, seed)
    shaker = Shaker(obj, threads=1, gripper=gripper)
    drawn, labels = [], []
    for _ in range(views):
        if holes:
            observed, camera_T_object = degraded_view(
                renderer, settings.points, rng, noise=noise, patches=holes
            )
        else:
            observed, camera_T_object = renderer.observe(rng, None, noise=noise)
        cloud, normals = _seen(np.unique(observed, axis=0), settings, rng)
        grasps = draw_candidates(cloud, normals, per_view, settings, rng)
        drawn.append(draw_images(cloud, normals, grasps, settings))
        labels.append(shaker.test(pose.inverse(camera_T_object) @ grasps, grade=False).success)
    images, success = np.concatenate(drawn), np.concatenate(labels)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, images=images, success=success, parameters=json.dumps(parameters))
    return {"candidates": len(success), "successes": int(success.sum())}


def candidate_rng(name: str, seed: int) -> np.random.Generator:
    """The generator of the views and candidates of an object of a set.

    Each object has its own generator. None equals that of an evaluated view.

    name: of the object.
    seed: of all random numbers.
    """
    return np.random.default_rng([seed, 3, hash_number(name)])


def read_candidates(path: Path | str) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Parameters, images (K, 15, 60, 60) uint8 and success (K,) bool that `label_candidates` wrote.

    path: the file.

    Raises GraspFileError for a file that is missing or of another kind.
    """
    try:
        with np.load(path) as stored:
            return json.loads(str(stored["parameters"])), stored["images"], stored["success"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise GraspFileError(f"{path}: not a file of labelled GPD candidates ({reason})") from error


def train_gpd(
    files: Sequence[Path | str],
    settings: GpdSettings,
    train_settings: TrainSettings,
    weights_path: Path | str,
    checkpoint_path: Path | str,
    *,
    device: str = "cpu",
) -> list[dict[str, float]]:
    """Train a GpdNetwork, half of each batch of 64 successes, and return the history.

    Existing weights of the same settings and files are kept; their checkpoint is resumed.

    files: of `label_candidates`.
    settings: of the drawn candidates.
    train_settings: of the loop.
    weights_path, checkpoint_path: files to write.
    device: where it is trained.

    Raises GraspFileError for files drawn with other settings, or if all candidates succeed or all
    fail.
    """
    parameters, images, success = (
        zip(*map(read_candidates, files), strict=True) if files else ((), (), ())
    )
    for file, found in zip(files, parameters, strict=True):
        if found["settings"] != asdict(settings):
            raise GraspFileError(
                f"{file}: its candidates were drawn with {found['settings']},"
                f" expected {asdict(settings)}"
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
        settings=train_settings,
        parameters=described,
        label="gpd",
    )


def load_gpd(path: Path | str) -> GpdNetwork:
    """The GpdNetwork in a weights file.

    path: the file.

    Raises WeightsError if it is missing, of another network, or does not fit.
    """

    def make(parameters):
        if parameters.get("network") != "gpd":
            raise WeightsError(
                f"{path}: these are weights of {parameters.get('network', 'something else')!r},"
                " expected 'gpd'"
            )
        return GpdNetwork(GpdSettings(**parameters["gpd"]))

    return load_model(path, make)[0]
