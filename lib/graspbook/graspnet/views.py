"""Evaluation of a method on an object that nobody trained on: predicted grasps with labels of the
shake test, and ground truth.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from graspbook import pose
from graspbook.errors import MeshError
from graspbook.grasp_files import read_grasps
from graspbook.graspnet.candidates import sample_to_file
from graspbook.graspnet.coverage import ViewResult
from graspbook.graspnet.predict import PredictSettings, load_networks, predict, weights_files
from graspbook.objects.grasp_object import ObjectSet
from graspbook.perception.camera import DepthRenderer
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_model import ShakeSettings
from graspbook.storage import (
    atomic_path,
    cache_dir,
    code_hash,
    content_hash,
    hash_number,
    object_hash,
)

CLOUD_POINTS = 4096
GRADED = 10  # number of best final grasps that are graded; grading takes longer than testing


@dataclass(frozen=True)
class ViewEvaluation:
    """One view of one object and the labelled grasps predicted for it, in the object frame.

    cloud: (M, 3), metres.
    steps: (S,), the refinement steps that were simulated.
    grasps: (S, K, 4, 4), `object_T_hand` at each of them.
    scores: (S, K).
    success: (S, K) bool, whether the shake test holds them.
    collides: (S, K) bool, whether the open hand is inside the whole object, seen or not.
    final: (K, 4, 4), each sample's best step, feasible ones first and then by falling score.
    final_scores, final_success, final_collides, final_feasible: (K,), of these. Collisions are with
        observed points here.
    gravity_held, max_acceleration: of the first ten; the second in m/s².
    """

    cloud: np.ndarray
    steps: np.ndarray
    grasps: np.ndarray
    scores: np.ndarray
    success: np.ndarray
    collides: np.ndarray
    final: np.ndarray
    final_scores: np.ndarray
    final_success: np.ndarray
    final_collides: np.ndarray
    final_feasible: np.ndarray
    gravity_held: np.ndarray
    max_acceleration: np.ndarray

    def at_step(self, step: int, positives: np.ndarray) -> ViewResult:
        """The grasps of one simulated refinement step, against the ground truth.

        step: of the refinement.
        positives: (P, 4, 4), `object_T_hand`.
        """
        row = int(np.flatnonzero(self.steps == step)[0])
        return ViewResult(self.grasps[row], self.scores[row], self.success[row], positives)

    def at_best(self, positives: np.ndarray, only: slice | np.ndarray = slice(None)) -> ViewResult:
        """The final grasps, or some of them, against the ground truth.

        positives: (P, 4, 4), `object_T_hand`.
        only: (K,) bool or integers that pick some.
        """
        return ViewResult(
            self.final[only], self.final_scores[only], self.final_success[only], positives
        )


Views = Mapping[str, Sequence[ViewEvaluation]]  # of each object
Positives = Mapping[str, np.ndarray]  # of each object, (P, 4, 4) `object_T_hand`


def evaluate_view(
    objects: ObjectSet,
    name: str,
    view: int,
    *,
    weights: Path | str,
    settings: PredictSettings,
    steps: Sequence[int],
    seed: int,
    path: Path | str | None = None,
    device: str = "cpu",
) -> ViewEvaluation:
    """Predict grasps for a random view of an object, simulate them and keep the result.

    The seed, the name and the view determine the camera's pose. It is the same for all methods and
    weights. This is a task for `parallel.run_tasks`. The result depends only on the object, the
    numbers, the settings, the weights and the device. An existing result for these in `path` is
    reused.

    objects: set from which objects are loaded by name.
    name: of the object, as the set has it.
    view: index of the view, from 0 on.
    weights: folder with the networks' .safetensors files.
    settings: of the prediction, with the method.
    steps: refinement steps to simulate; larger numbers mean the method's last step (gpd has only
        0).
    seed: of the view and the prediction.
    path: of the result; under `cache_dir()` by its parameters if None.
    device: where torch computes, "cpu" or "cuda".

    Raises the errors of meshes and weights, and ParameterError for an unknown method.
    """
    obj = objects.load(name)
    parameters = {
        "object": [name, object_hash(obj)],
        "view": view,
        "seed": seed,
        "settings": asdict(settings),
        "steps": list(steps),
        "shake": asdict(ShakeSettings()),
        "device": device,
        "weights": weights_hashes(weights, settings.method),
        "code": evaluation_code(),
    }
    path = Path(path or cache_dir() / "evaluations" / f"{content_hash(parameters)}.npz")
    if path.is_file():
        with np.load(path) as stored:
            if json.loads(str(stored["parameters"])) == parameters:
                return ViewEvaluation(
                    **{key: stored[key] for key in ViewEvaluation.__dataclass_fields__}
                )
    rng = np.random.default_rng([seed, 2, view, hash_number(name)])
    networks = load_networks(weights, device=device, method=settings.method)
    evaluation = _evaluate(obj, rng, networks, settings, np.array(steps))
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, parameters=json.dumps(parameters), **asdict(evaluation))
    return evaluation


def ground_truth(
    objects: ObjectSet, name: str, *, candidates: int, seed: int = 0
) -> tuple[np.ndarray, str]:
    """Positive grasps (P, 4, 4) `object_T_hand` of an object, and the reason if there are none,
    else "".

    They are the simulated candidates on the mesh that hold in the frozen shake test. The grasp file
    is kept under `cache_dir()` by the object's content. A task for `parallel.run_tasks`.

    objects: set from which objects are loaded by name.
    name: of the object, as the set has it.
    candidates: how many are simulated.
    seed: which candidates are drawn.
    """
    obj = objects.load(name)
    path = cache_dir() / "grasps" / f"{content_hash(object_hash(obj), candidates, seed)}.h5"
    try:
        sample_to_file(obj, path, candidates, seed, threads=1, progress=False)
    except MeshError as error:
        return np.zeros((0, 4, 4)), str(error)
    grasps = read_grasps(path)
    held = grasps.transforms[grasps.success]
    return held, "" if len(held) else f"none of {candidates} simulated candidates holds"


def evaluation_code() -> str:
    """Hash of the code that an evaluation depends on, whatever the method."""
    return code_hash(__name__)


def weights_hashes(folder: Path | str, method: str) -> dict[str, str]:
    """Hashes of the weights files that a method needs, by name.

    folder: with the networks' .safetensors files.
    method: one of `predict.METHODS`.
    """
    return {
        path.stem: content_hash(np.frombuffer(path.read_bytes(), np.uint8))
        for path in weights_files(folder, method)
    }


def _evaluate(obj, rng, networks, settings, steps):
    cloud, camera_T_object = DepthRenderer(obj.mesh).observe(rng, CLOUD_POINTS)
    found = predict(cloud, *networks, settings, rng)
    steps = np.unique(np.minimum(steps, len(found.iterations) - 1))
    object_T_camera = pose.inverse(camera_T_object)
    grasps, final = object_T_camera @ found.iterations[steps], object_T_camera @ found.camera_T_hand
    shaker = Shaker(obj, threads=1)
    graded, others = shaker.test(final[:GRADED]), shaker.test(final[GRADED:], grade=False)
    success = np.concatenate([graded.success, others.success])
    inside = np.concatenate([graded.collides, others.collides])
    # A sample is tested only once if its best step is among the simulated ones.
    known = found.step == steps[:, None]
    labels, collides = np.tile(success, (len(steps), 1)), np.tile(inside, (len(steps), 1))
    tested = shaker.test(grasps[~known], grade=False)
    labels[~known], collides[~known] = tested.success, tested.collides
    return ViewEvaluation(
        pose.transform(object_T_camera, cloud),
        steps,
        grasps,
        found.iteration_scores[steps],
        labels,
        collides,
        final,
        found.scores,
        success,
        found.collides,
        found.feasible,
        graded.gravity_held,
        graded.max_acceleration,
    )
