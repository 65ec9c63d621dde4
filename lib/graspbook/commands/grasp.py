"""Predict grasps for a mesh, a point cloud or a depth capture."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graspbook.commands._arguments import add, count

if TYPE_CHECKING:
    from graspbook.graspnet.predict import Prediction, PredictSettings


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
    """
    text = (
        "mesh (.obj .stl .ply .glb), cloud (.ply .pcd .xyz .txt .npy .npz) or depth capture"
        " (.npz .npy, 16-bit .png)"
    )
    parser.add_argument("input", metavar="INPUT", help=text)
    text = "grasps in the camera frame, best first, with scores"
    parser.add_argument("--out", required=True, metavar="GRASPS.h5", help=text)
    text = "a page with the cloud and the grasps"
    parser.add_argument("--html", required=True, metavar="VIEW.html", help=text)
    text = "keep the K best (default: all 200)"
    parser.add_argument("--top", type=count, metavar="K", help=text)
    add(parser, "--gripper", "--weights", "--seed")
    text = "factor from the file's units to metres (whole numbers of depth are millimetres)"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    text = "camera matrix of a depth image: camera_info .json or .yaml, meta.mat, 3 x 3 numbers"
    parser.add_argument("--camera", metavar="FILE", help=text)
    text = "image of the object's pixels, or of ids"
    parser.add_argument("--mask", metavar="FILE", help=text)
    text = "id of the wanted object in the mask or segmap (default: the one nearest the axis)"
    parser.add_argument("--target", type=count, metavar="N", help=text)
    text = "the camera's pose in the frame of a cloud: 4 x 4 numbers, or its position"
    parser.add_argument("--camera-pose", metavar="FILE", help=text)
    text = "axis of a cloud's frame that points upwards, as z or -y, if its camera is unknown"
    parser.add_argument("--up", metavar="AXIS", help=text)


def run(options: Namespace) -> None:
    """Write the grasps and their page, and print how good they are.

    options: what `arguments` asks for.
    """
    from graspbook.storage import SHIPPED

    found = grasp_input(
        options.input,
        options.weights or SHIPPED,
        options.out,
        options.html,
        top=options.top,
        seed=options.seed,
        scale=options.scale,
        gripper=options.gripper or "panda",
        reading={
            name: getattr(options, name)
            for name in ("camera", "mask", "target", "camera_pose", "up")
        },
    )
    print(
        f"{options.out}, {options.html}: {len(found.scores[: options.top])} grasps, best score"
        f" {found.scores[0]:.2f}; of all {len(found.scores)}, {found.feasible.sum()} keep the hand"
        f" clear and have the object between the fingers, {found.above_threshold.sum()} score above"
        " the threshold"
    )
    if found.note:
        print(f"note: {found.note}")


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
    reading: Mapping[str, Any] | None = None,
) -> Prediction:
    """Predict grasps for a file, write the best of them and a page, and return all.

    path: a mesh, a cloud or a capture.
    weights: the folder of the networks.
    out: the grasp file. It holds `camera_T_hand` as transforms, and as grades the score, whether
        the hand is inside observed points, and how many of the object's lie between the fingers.
    html: the page.
    top: how many are kept, all if None.
    seed: of all that is drawn.
    scale: factor from the file's units to metres.
    settings: of the prediction, the usual ones if None.
    gripper: the name of one of `hands.grippers`.
    reading: options of `load_capture`: camera, mask, target, camera_pose, up.

    Raises the errors of reading, ParameterError for an unknown gripper, and OutputError.
    """
    from dataclasses import asdict

    import numpy as np

    from graspbook.figures import cloud_and_grasps, write_view
    from graspbook.grasp_files import grasp_format, write_grasps
    from graspbook.grasp_set import Grasps
    from graspbook.graspnet.predict import PredictSettings, load_networks, predict
    from graspbook.hands.grippers import load_gripper
    from graspbook.perception.inputs import observe_input
    from graspbook.storage import check_writable

    hand, settings = load_gripper(gripper), settings or PredictSettings()
    check_writable(out, html)
    grasp_format(out)
    rng = np.random.default_rng(seed)
    capture = observe_input(path, rng, scale, **(reading or {}))
    for note in capture.notes:
        print(f"note: {note}")
    networks = load_networks(weights)
    found = predict(capture.points, *networks, settings, rng, scene=capture.scene, gripper=hand)
    poses, scores, collides = (
        values[:top] for values in (found.camera_T_hand, found.scores, found.collides)
    )
    parameters = {"frame": "camera", "seed": seed, "settings": asdict(settings)}
    if capture.notes:
        parameters["notes"] = list(capture.notes)
    if capture.file_T_camera is not None:
        parameters["file_T_camera"] = capture.file_T_camera.tolist()
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
        f" the camera frame. In {collides.sum()} of all grasps the hand would be inside observed"
        " points; such grasps are red."
        f"{''.join(f' Note: {note}.' for note in (*capture.notes, found.note) if note)}"
    )
    points = capture.points[rng.permutation(len(capture.points))[:5000]]
    how: dict[str, Any] = {"camera_frame": True, "marked": collides[few], "gripper": hand}
    figure = cloud_and_grasps(points, poses[few], scores[few], **how)
    write_view(html, figure, f"Grasps for {Path(path).name}", text)
    return found
