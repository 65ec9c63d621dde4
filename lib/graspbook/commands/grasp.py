"""Grasps for anything: a mesh, a point cloud or a depth capture in; a grasp file and a page that
turns out.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from graspbook.errors import ParameterError
from graspbook.figures import cloud_and_grasps, write_view
from graspbook.graspnet.predict import PredictSettings, load_networks, predict
from graspbook.objects.mesh import SUFFIXES as MESHES
from graspbook.objects.mesh import has_faces, load_mesh
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import Capture, load_capture
from graspbook.storage import Grasps, check_writable, write_grasps


def observe_input(path, rng, scale=1.0):
    """The Capture of a file: of a mesh, one random view of it; of a cloud or a capture, what it
    holds.

    A .ply with faces is a mesh. Raises MeshError or CaptureError for what cannot be used,
    ParameterError for a scale that only a mesh can have.
    """
    path = Path(path)
    if path.suffix.lower() not in MESHES or (path.suffix.lower() in CLOUDS and not has_faces(path)):
        if scale != 1.0:
            raise ParameterError(
                f"{path}: --scale {scale:g} is for meshes; depth captures and point clouds are read"
                " in metres"
            )
        return load_capture(path)
    mesh, camera = load_mesh(path, scale), default_camera()
    points = backproject(render_depth(mesh, camera, random_view(mesh, rng)), camera.K)
    return Capture(points, points)


def grasp_input(path, weights, out, html, top=None, seed=0, scale=1.0, settings=None):
    """Predict grasps for a file, write the best `top` (all if None) to `out` and a page to `html`,
    and return the Prediction.

    The grasp file holds `camera_T_hand` as transforms, and as grades the score, whether the hand is
    inside observed points, and how many of the object's lie between the fingers. Raises the errors
    of reading, and OutputError.
    """
    settings = settings or PredictSettings()
    check_writable(out, html)
    networks = load_networks(weights)
    rng = np.random.default_rng(seed)
    capture = observe_input(path, rng, scale)
    prediction = predict(capture.points, *networks, settings, rng, scene=capture.scene)
    kept = slice(top)
    poses, scores, collides = (
        prediction.camera_T_hand[kept],
        prediction.scores[kept],
        prediction.collides[kept],
    )
    write_grasps(
        out,
        Grasps(
            transforms=poses,
            grades={
                "score": scores,
                "collides": collides,
                "points_between": prediction.points_between[kept],
            },
            object_file=Path(path).name,
            object_scale=scale,
            parameters={"frame": "camera", "seed": seed, "settings": asdict(settings)},
        ),
    )
    text = (
        f"{len(poses)} grasps, coloured by the evaluator's score, in the camera frame. "
        f"Red: the hand would be inside observed points ({collides.sum()})."
    )
    points = capture.points[rng.permutation(len(capture.points))[:5000]]
    figure = cloud_and_grasps(points, poses, scores, camera_frame=True, marked=collides)
    write_view(html, figure, f"Grasps for {Path(path).name}", text)
    return prediction
