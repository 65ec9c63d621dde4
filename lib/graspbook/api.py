"""What `import graspbook` offers, with defaults that suit most: points in, ranked grasps out.

What it returns shows itself in JupyterLab as a figure that turns (`api_values`). The library's own
modules take more options; this one only puts their functions together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graspbook import grasp_files, pose
from graspbook.api_values import GraspSet, HandGrasp
from graspbook.errors import CaptureError, ParameterError
from graspbook.hands.grippers import load_gripper
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.mesh import LARGEST, notes_of
from graspbook.perception.camera import backproject, default_camera, random_view, render_depth
from graspbook.perception.capture import SMALLEST, Capture
from graspbook.perception.normals import checked_cloud
from graspbook.storage import SHIPPED


@cache
def load_networks(
    folder: Path | str = SHIPPED, *, device: str = "cpu", method: str = "graspnet"
) -> tuple[Any, Any]:
    """Load the networks of a method, once: one that samples grasps, and one that scores them.

    folder: of weights; those that come with the package by default.
    device: "cpu" or "cuda".
    method: "graspnet", "geometric" or "gpd".

    Raises WeightsError if one is missing or does not fit.
    """
    from graspbook.graspnet import predict as module

    return module.load_networks(folder, device=device, method=method)


def predict(
    seen: Capture | np.ndarray | GraspObject,
    *,
    samples: int = 200,
    seed: int = 0,
    method: str = "graspnet",
    networks: tuple[Any, Any] | None = None,
    gripper: str = "panda",
    frame: str | None = None,
) -> GraspSet:
    """Predict grasps of an object: feasible ones first, then by falling score.

    seen: what `load_capture` returns, or points (M, 3) of the object alone in the camera frame,
        metres. An object of `load_object` is seen from one random side.
    samples: grasps to start from.
    seed: of all that is drawn.
    method: "graspnet", "geometric" or "gpd".
    networks: what `load_networks` returns for the method; the package's own if None.
    gripper: the name of one of `hands.grippers`.
    frame: of the poses: "object", only for an object of `load_object`, or "camera". By default,
        "object" for an object.

    Grades of each grasp: "score", "collides" (the open hand is inside observed points),
    "points_between" (the fingers) and "feasible". For an object, the result has the pose of the
    camera as `object_T_camera`.

    Raises CaptureError for points that cannot be used, and for an object that is not 0.005 … 1 m
    long. Raises ParameterError for an unknown name, no samples, and for the object frame of points.
    """
    from graspbook.graspnet import predict as module

    _check_whole(1, samples=samples)
    _check_whole(0, seed=seed)
    hand, rng = load_gripper(gripper), np.random.default_rng(seed)
    points, scene, about, object_T_camera = _observe(seen, rng)
    frame = frame or ("camera" if object_T_camera is None else "object")
    if frame not in ("camera", *(() if object_T_camera is None else ("object",))):
        raise ParameterError(
            f"frame {frame!r}: expected 'camera', or 'object' for what load_object returned"
        )
    settings = module.PredictSettings(samples=samples, method=method)
    found = module.predict(
        points,
        *(networks or load_networks(method=method)),
        settings,
        rng,
        scene=scene,
        gripper=hand,
    )
    poses = found.camera_T_hand
    if object_T_camera is not None and frame == "object":
        poses, points = object_T_camera @ poses, pose.transform(object_T_camera, points)
    names = ("collides", "points_between", "feasible")
    grades = {"score": found.scores, **{name: getattr(found, name) for name in names}}
    told = {"frame": frame, "seed": seed, "samples": samples, "method": method}
    if object_T_camera is not None:
        told["object_T_camera"] = object_T_camera.tolist()
    elif isinstance(seen, Capture) and seen.file_T_camera is not None:
        told["file_T_camera"] = seen.file_T_camera.tolist()
    notes = notes_of(seen.mesh) if isinstance(seen, GraspObject) else getattr(seen, "notes", ())
    told |= {"notes": list(notes)} if notes else {}
    grasps = grasp_files.Grasps(
        poses,
        grades=grades,
        parameters=told,
        gripper=hand.name,
        configuration=hand.configuration,
        **about,
    )
    return GraspSet(grasps, points, "; ".join(filter(None, (*notes, found.note))))


def shake_test(obj: GraspObject, grasps: GraspSet | np.ndarray, *, threads: int = 2) -> GraspSet:
    """Test grasps in simulation: `success` says which of them hold the object while it is shaken.

    obj: what `load_object` returns.
    grasps: a GraspSet in the object's frame, or poses (N, 4, 4) of the Franka Hand.
    threads: of the simulation.

    Raises ParameterError for grasps in another frame.
    """
    from dataclasses import asdict

    from graspbook.simulation import shake
    from graspbook.simulation.shake_grades import GRADES

    _check_whole(1, threads=threads)
    if not isinstance(grasps, GraspSet):
        poses = np.asarray(grasps, float)
        if poses.ndim != 3 or poses.shape[1:] != (4, 4):
            raise ParameterError(f"grasps have shape {poses.shape}, expected poses (N, 4, 4)")
        about: dict[str, Any] = {"object_file": obj.file, "object_scale": obj.scale}
        grasps = GraspSet(grasp_files.Grasps(poses, **about))
    if grasps.frame != "object":
        raise ParameterError(
            f"the grasps are in the {grasps.frame} frame, expected the object's frame: call predict"
            " with what load_object returned"
        )
    hand = load_gripper(grasps.grasps.gripper)
    outcome = shake.shake_test(obj, grasps.poses, threads=threads, gripper=hand)
    grades = grasps.grasps.grades | {name: getattr(outcome, name) for name in GRADES}
    parameters = grasps.grasps.parameters | {"shake": asdict(shake.ShakeSettings())}
    tested = replace(grasps.grasps, success=outcome.success, grades=grades, parameters=parameters)
    return replace(grasps, grasps=tested)


def hand_grasp(
    path: Path | str,
    hand: str = "shadow",
    *,
    rotations: int = 27,
    planned: int = 48,
    seed: int = 0,
    scale: float = 1.0,
    weights: Path | str | None = SHIPPED,
    hold: str = "bench",
    **reading: Any,
) -> HandGrasp:
    """Find a grasp of a hand of many joints for a mesh, a point cloud or a depth capture.

    path: of the file.
    hand: "shadow" or "barrett", or the path of a folder with a hand of your own.
    rotations: of the object, for which the network is asked.
    planned: candidates that are planned, too; 0 for the network only.
    seed: of all that is drawn.
    scale: factor from the file's units to metres.
    weights: the folder of the networks; None for planned candidates only.
    hold: the test of what is held: "bench", as DexGraspBench's, or "strict", ours.
    reading: options of `load_capture`, for a cloud or a capture.

    Raises the errors of reading, and PlanError for an object that the hand cannot get around.
    """
    from graspbook.hands.library import is_folder
    from graspbook.highdof.mesh_grasp import grasp_mesh

    _check_whole(1, rotations=rotations)
    _check_whole(0, seed=seed)
    _check_whole(0, planned=planned)
    settings: dict[str, Any] = {"rotations": rotations, "seed": seed, "scale": scale}
    settings |= {"planned": planned}
    if is_folder(hand):  # no network knows it
        weights = None
    return HandGrasp(*grasp_mesh(path, weights, hand, **settings, hold=hold, reading=reading))


def read_grasps(path: Path | str) -> GraspSet:
    """Read a grasp file: ACRONYM's HDF5, GraspGen's JSON or Isaac's YAML.

    path: of the file.

    Raises GraspFileError for one that cannot be used.
    """
    grasps = grasp_files.read_grasps(path)
    return GraspSet(grasps, note="; ".join(grasps.notes))


def write_grasps(path: Path | str, grasps: GraspSet | grasp_files.Grasps) -> None:
    """Write a grasp file, in the format of its suffix.

    path: of the file.
    grasps: a GraspSet, or `grasp_files.Grasps`.
    """
    grasp_files.write_grasps(path, grasps.grasps if isinstance(grasps, GraspSet) else grasps)


def _observe(seen, rng):
    """Points (M, 3), the scene or None, what a grasp file says of the object, and the pose
    `object_T_camera` where the object's own frame is known.
    """
    if isinstance(seen, Capture):
        return _checked(seen.points), seen.scene, {}, None
    if isinstance(seen, GraspObject):
        camera, camera_T_object = default_camera(), random_view(seen.mesh, rng)
        points = backproject(render_depth(seen.mesh, camera, camera_T_object), camera.K)
        about = {"object_file": seen.file, "object_scale": seen.scale}
        return points, None, about, pose.inverse(camera_T_object)
    expected = "expected points (M, 3), a result of load_capture, or one of load_object"
    if not isinstance(seen, np.ndarray | Sequence) or isinstance(seen, str):
        raise ParameterError(f"{seen!r}: {expected}")
    try:
        points = np.asarray(seen, float)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the values are not numbers ({error}): {expected}") from error
    return _checked(points), None, {}, None


def _checked(points):
    """The points of an object. Raises CaptureError for those that no object in metres has."""
    points = checked_cloud(points)
    length = float(np.ptp(points, axis=0).max())
    if length == 0 or SMALLEST <= length <= LARGEST:
        return points
    advice = (
        "are these millimetres? Then multiply them by 0.001, or pass scale=0.001 to load_capture."
        " If this is a whole scene, pass the points of the object alone"
        if length > LARGEST
        else "are these metres? If not, convert them, or pass scale to load_capture"
    )
    raise CaptureError(
        f"the points are {length:.4g} m long, expected {SMALLEST:g} to {LARGEST:g} m: {advice}"
    )


def _check_whole(least, **values):
    """Raise ParameterError for a value, by name, that is no whole number or less than `least`."""
    for name, value in values.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ParameterError(
                f"{name}={value!r}: expected a whole number that is at least {least}"
            )
