"""What a trained pair of networks is worth on an object nobody trained on: predicted grasps, labelled by the shake test."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from graspbook import pose
from graspbook.graspnet.coverage import ViewResult
from graspbook.graspnet.predict import load_networks, predict
from graspbook.perception.camera import DepthRenderer
from graspbook.simulation.shake import Shaker, ShakeSettings
from graspbook.storage import atomic_path, code_hash, content_hash

CLOUD_POINTS = 4096
_CODE = ("pose", "hands", "objects", "simulation", "perception", "graspnet")


@dataclass(frozen=True)
class ViewEvaluation:
    """One view of one object and the labelled grasps predicted for it, in the object frame.

    cloud (M, 3). steps: the refinement steps that were simulated, and at each of them grasps (S, K, 4, 4) `object_T_hand`,
    scores (S, K), success and collides (S, K) bool: the open hand in the whole object, seen or not. final (K, 4, 4): each
    sample's best step, feasible ones first and then by falling score, with final_scores, final_success, final_collides (hand
    inside observed points), gravity_held and max_acceleration in m/s², all (K,).
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
    gravity_held: np.ndarray
    max_acceleration: np.ndarray

    def at_step(self, step, positives):
        """The `coverage.ViewResult` of one simulated refinement step, against ground-truth `positives` (P, 4, 4)."""
        row = int(np.flatnonzero(self.steps == step)[0])
        return ViewResult(self.grasps[row], self.scores[row], self.success[row], positives)


def evaluate_view(objects, name, view, weights, settings, steps, seed, path, device="cpu"):
    """Predict grasps for random view number `view` of an object of a set, simulate them, write `path`, return the ViewEvaluation.

    A task for `parallel.run_tasks`: a pure function of the object, the numbers, the settings and the weights. What `path`
    already holds for the same ones is read instead.
    """
    path = Path(path)
    parameters = {"object": name, "view": view, "seed": seed, "settings": asdict(settings), "steps": list(steps),
                  "shake": asdict(ShakeSettings()), "code": code_hash(*_CODE), "weights": _weights_hash(weights)}
    if path.is_file():
        with np.load(path) as stored:
            if json.loads(str(stored["parameters"])) == parameters:
                return ViewEvaluation(**{key: stored[key] for key in ViewEvaluation.__dataclass_fields__})
    evaluation = _evaluate(objects.load(name), np.random.default_rng([seed, view]), weights, settings, np.array(steps), device)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, parameters=json.dumps(parameters), **asdict(evaluation))
    return evaluation


def _evaluate(obj, rng, weights, settings, steps, device):
    cloud, camera_T_object = DepthRenderer(obj.mesh).observe(rng, CLOUD_POINTS)
    found = predict(cloud, *load_networks(weights, device), settings, rng)
    object_T_camera = pose.inverse(camera_T_object)
    grasps, final = object_T_camera @ found.iterations[steps], object_T_camera @ found.camera_T_hand
    shaker = Shaker(obj, threads=1)
    tested = shaker.test(grasps.reshape(-1, 4, 4), grade=False)
    labels, collides = tested.success.reshape(grasps.shape[:2]), tested.collides.reshape(grasps.shape[:2])
    outcome = shaker.test(final)
    return ViewEvaluation(pose.transform(object_T_camera, cloud), steps, grasps, found.iteration_scores[steps], labels, collides,
                          final, found.scores, outcome.success, found.collides, outcome.gravity_held, outcome.max_acceleration)


def _weights_hash(folder):
    return [content_hash(np.frombuffer(path.read_bytes(), np.uint8)) for path in sorted(Path(folder).glob("*.safetensors"))]
