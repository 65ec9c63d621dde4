"""Predict grasps for a mesh, a point cloud or a depth capture."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graspbook.commands._arguments import READING, add, check_method, count, reading
from graspbook.commands._files import add_results, check_inputs, results

if TYPE_CHECKING:
    from graspbook.graspnet.predict import Prediction, PredictSettings


EXAMPLES = (
    "graspbook grasp mug.stl",
    "graspbook grasp depth.png --camera camera_info.json --mask mask.png --top 20",
    "graspbook grasp cloud.ply --up z --out grasps.json",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = (
        "mesh (.obj .stl .ply .glb), cloud (.ply .pcd .xyz .txt .npy .npz) or depth capture"
        " (.npz .npy, 16-bit .png), recording (.bag .db3 .mcap)"
    )
    parser.add_argument("input", metavar="INPUT", help=text)
    text, page = "grasps with scores, best first", "a page with the cloud and the grasps"
    add_results(parser, text, "INPUT_grasps.h5 next to the input", html=page)
    text = "frame of the poses: object (default for a mesh) or camera (for clouds and captures)"
    parser.add_argument("--frame", choices=("object", "camera"), help=text)
    text = "keep the K best (default: all 200)"
    parser.add_argument("--top", type=count, metavar="K", help=text)
    add(parser, "--gripper", "--weights", "--seed")
    add(parser, "--scale", *READING)


def run(options: Namespace) -> None:
    """Write the grasps and their page, and print how good they are.

    options: the parsed arguments of `arguments`.
    """
    from graspbook.storage import SHIPPED

    source, weights = options.input, options.weights or SHIPPED
    check_inputs(source, *filter(None, (options.camera, options.mask, options.camera_pose)))
    check_method("graspnet", weights)
    from graspbook.grasp_files import SUFFIXES, read_grasps

    out, html = results(options, [source], "grasps", list(SUFFIXES))
    found = grasp_input(
        source,
        weights,
        out,
        html,
        top=options.top,
        seed=options.seed,
        scale=options.scale,
        frame=options.frame,
        gripper=options.gripper or "panda",
        reading=reading(options),
    )
    frame = read_grasps(out).frame
    print(
        f"{out}, {html}: {len(found.scores[: options.top])} grasps in the {frame} frame, best score"
        f" {found.scores[0]:.2f}; of all {len(found.scores)} grasps, {found.feasible.sum()} keep"
        " the hand clear and have the object between the fingers, and"
        f" {found.above_threshold.sum()} score above the threshold"
    )
    if found.note:
        print(f"note: {found.note}", file=sys.stderr)
    label = ["graspbook", "label", str(out)]
    if Path(source).absolute().parent != out.absolute().parent:
        label += ["--mesh-root", str(Path(source).parent)]
    test = f", or test the grasps: {shlex.join(label)}" if frame == "object" else ""
    print(f"Next: open {html} in a browser{test}")


def grasp_input(
    path: Path | str,
    weights: Path | str,
    out: Path | str,
    html: Path | str,
    *,
    top: int | None = None,
    seed: int = 0,
    scale: float = 1.0,
    settings: PredictSettings | None = None,
    gripper: str = "panda",
    frame: str | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Prediction:
    """Predict grasps for a file, write the best of them and a page, and return all.

    The file holds poses of the hand as transforms. Its grades are the score, whether the hand is
    inside observed points, and how many points of the object are between the fingers. Its
    parameters name the frame. For a mesh they hold the pose of the camera too, `object_T_camera`.

    path: a mesh, a cloud or a capture.
    weights: the folder of the networks.
    out: path of the grasp file to write.
    html: path of the page to write.
    top: number of grasps to keep, all if None.
    seed: of all random numbers.
    scale: factor from the file's units to metres.
    settings: of the prediction, the usual ones if None.
    gripper: the name of one of `hands.grippers`.
    frame: of the poses in the file: "object", only of a mesh, or "camera". By default, "object"
        for a mesh.
    reading: options of `load_capture`: camera, mask, target, camera_pose, up, topic.

    Raises the errors of reading, ParameterError for an unknown gripper and for the object frame of
    a cloud, and OutputError.
    """
    from dataclasses import asdict

    import numpy as np

    from graspbook.errors import ParameterError
    from graspbook.grasp_files import grasp_format, write_grasps
    from graspbook.grasp_set import Grasps
    from graspbook.hands.grippers import load_gripper
    from graspbook.perception.inputs import observe_input
    from graspbook.pose import transform
    from graspbook.storage import check_writable

    hand = load_gripper(gripper)
    check_writable(out, html)
    grasp_format(out)
    rng = np.random.default_rng(seed)
    capture = observe_input(path, rng, scale, **(reading or {}))
    frame = frame or ("object" if capture.is_mesh else "camera")
    if frame == "object" and not capture.is_mesh:
        raise ParameterError(
            f"{path}: --frame object is for meshes; poses for a cloud or a capture are in the"
            " camera's frame"
        )
    for note in capture.notes:
        print(f"note: {note}", file=sys.stderr, flush=True)
    from graspbook.figures import cloud_and_grasps, write_view
    from graspbook.graspnet.predict import PredictSettings, load_networks, predict

    settings, networks = settings or PredictSettings(), load_networks(weights)
    print(f"{path}: predicting {settings.samples} grasps", file=sys.stderr)
    found = predict(capture.points, *networks, settings, rng, scene=capture.scene, gripper=hand)
    poses, scores, collides = (
        values[:top] for values in (found.camera_T_hand, found.scores, found.collides)
    )
    points = capture.points[rng.permutation(len(capture.points))[:5000]]
    parameters = {"frame": frame, "seed": seed, "settings": asdict(settings)}
    if capture.notes:
        parameters["notes"] = list(capture.notes)
    if capture.file_T_camera is not None:
        name = "object_T_camera" if capture.is_mesh else "file_T_camera"
        parameters[name] = capture.file_T_camera.tolist()
        if frame == "object":
            poses = capture.file_T_camera @ poses
            points = transform(capture.file_T_camera, points)
    grades = {"score": scores, "collides": collides, "points_between": found.points_between[:top]}
    write_grasps(
        out,
        Grasps(
            transforms=poses,
            grades=grades,
            object_file=Path(path).name,
            object_scale=scale,
            parameters=parameters,
            gripper=hand.name,
            configuration=hand.configuration,
        ),
    )
    few = slice(25)  # of all 200 forks nobody could see the object
    text = (
        f"The best {len(poses[few])} of {len(poses)} grasps, coloured by the evaluator's score, in"
        f" the {frame} frame. In {collides.sum()} of all grasps the hand would be inside observed"
        " points; such grasps are red."
        f"{''.join(f' Note: {note}.' for note in (*capture.notes, found.note) if note)}"
    )
    how: dict[str, Any] = {
        "camera_frame": frame == "camera",
        "marked": collides[few],
        "gripper": hand,
    }
    figure = cloud_and_grasps(points, poses[few], scores[few], **how)
    write_view(html, figure, f"Grasps for {Path(path).name}", text)
    return found
