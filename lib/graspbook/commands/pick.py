"""One object of one's own: from a capture or a camera to a grasp that the arm can carry out and,
when told, to the object lifted.

Without an arm, where the camera stood is read off the table: level, at z = 0 of the base frame, the
camera looking away from the arm, its axis meeting the table where objects are expected.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from graspbook import pose
from graspbook.commands.trials import check_real
from graspbook.errors import CaptureError, RobotError
from graspbook.figures import write_view
from graspbook.figures.trials import kinds_of, scene_figure
from graspbook.graspnet.predict import load_networks
from graspbook.perception.camera import backproject
from graspbook.perception.capture import dominant_plane
from graspbook.perception.hand_eye import read_hand_eye
from graspbook.robots import fr3
from graspbook.robots.arm import REAL_SPEED, SIMULATED_SPEED, Arm
from graspbook.robots.camera import open_camera
from graspbook.robots.command_log import command_log
from graspbook.robots.controller import SimulatedController, World
from graspbook.robots.trial import CLOSED, TrialSettings, attempt, choose, perceive
from graspbook.robots.trial_runner import PLACE
from graspbook.simulation.tabletop import tabletop
from graspbook.storage import check_writable, write_json

_DRAWN = 60  # grasps on the page
_POINTS = 5000


def pick(
    source,
    weights,
    out,
    html,
    method="graspnet",
    robot=None,
    execute=False,
    hand_eye=None,
    recover=False,
    seed=0,
):
    """Choose a grasp for the object before a camera, write it to `out` and a page to `html`, and
    return the JSON's content.

    source: for `robots.camera.open_camera`. Without `robot` the way there is rehearsed by the
    simulated arm over an empty table. With the address of one, it tells the camera's pose; nothing
    moves unless `execute`: then the arm looks, picks the object up and puts it back, for which it
    needs a RealSense and `hand_eye`. Raises CaptureError, ParameterError, WeightsError,
    OutputError, and RobotError for what goes wrong with arm or camera.
    """
    check_real(robot, source, execute, hand_eye, recover)
    check_writable(out, html)
    settings = TrialSettings()
    settings = replace(
        settings,
        predict=replace(settings.predict, method=method),
        motion=replace(settings.motion, speed=REAL_SPEED if robot else SIMULATED_SPEED),
    )
    if hand_eye:
        settings = replace(settings, hand_T_camera=read_hand_eye(hand_eye))
    networks, rng = load_networks(weights, method=method), np.random.default_rng(seed)
    with (
        open_camera(source) as camera,
        command_log(Path(out).with_suffix(".log")) if robot else nullcontext(),
    ):
        if not robot:
            return _plan(camera, fr3.LOOK, None, networks, settings, rng, source, out, html)
        with Arm(robot, execute, REAL_SPEED, recover) as arm:
            if not execute:
                return _plan(
                    camera,
                    arm.q,
                    arm.pose @ settings.hand_T_camera,
                    networks,
                    settings,
                    rng,
                    source,
                    out,
                    html,
                )
            found = attempt(
                arm, camera, networks, settings, rng, lambda: (arm.width > CLOSED, None)
            )
    view = found.pop("view")
    write_json(out, {"source": str(source), "method": method, "seed": seed} | found)
    poses = [] if found["base_T_hand"] is None else [found["base_T_hand"]]
    _page(
        html,
        source,
        None if view is None else view.object_points,
        poses,
        ["chosen"] * len(poses),
        found["outcome"] if found["reason"] is None else f"{found['outcome']}: {found['reason']}",
    )
    if found["fault"]:
        raise RobotError(f"{found['fault']} (told in {out} too)")
    return found


def assumed_pose(frame):
    """`base_T_camera` (4, 4) of a Frame without an arm, from the table that it shows. Raises
    CaptureError where it shows none.
    """
    points = backproject(frame.depth, frame.K)
    if len(points) < 3:
        raise CaptureError(f"empty view: {len(points)} measured points, expected a table")
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    if share < 0.2 or abs(normal[2]) < 0.1:
        raise CaptureError(
            f"no table: the largest plane holds {share:.0%} of the points, expected 20 % or more,"
            " and that the camera looks down on it"
        )
    forward = np.array([0, 0, 1.0]) - normal[2] * normal
    if np.linalg.norm(forward) < 1e-6:  # straight down: the image's top is away from the arm
        forward = np.array([0, -1.0, 0])
        forward -= forward @ normal * normal
    x = forward / np.linalg.norm(forward)
    rotation = np.stack([x, np.cross(normal, x), normal])
    met = np.array([0, 0, -offset / normal[2]])
    return pose.from_rt(rotation, np.array([*PLACE, 0.0]) - rotation @ met)


def _plan(camera, q, base_T_camera, networks, settings, rng, source, out, html):
    """Choose and rehearse, moving nothing real."""
    frame = camera.frame()
    assumed = base_T_camera is None
    try:
        if assumed:
            base_T_camera = assumed_pose(frame)
        view = perceive(frame, base_T_camera, settings)
    except CaptureError as error:
        raise CaptureError(f"{source}: {error}") from error
    choice = choose(view, base_T_camera, q, networks, settings, rng)
    found = {
        "source": str(source),
        "method": settings.predict.method,
        "camera_pose_assumed": assumed,
        "base_T_camera": base_T_camera.tolist(),
        "grasps": choice.counts(),
        "score": None,
        "rank": None,
        "base_T_hand": None,
        "outcome": "planned" if choice.plan else "no feasible grasp",
        "joints": None,
        "rehearsed": None,
    }
    if choice.plan:
        plan = choice.plan
        found |= {
            "score": float(choice.scores[choice.rank]),
            "rank": choice.rank,
            "base_T_hand": plan.base_T_hand.tolist(),
            "joints": dict(zip(fr3.JOINTS, plan.approach.end.tolist(), strict=True)),
        }
        if assumed:
            found["rehearsed"] = rehearse(q, [plan.there, plan.approach])
    write_json(out, found)
    poses, kinds = kinds_of(choice)
    drawn = (np.arange(len(kinds)) < _DRAWN) | (kinds == "chosen")
    _page(html, source, view.object_points, poses[drawn], kinds[drawn], _told(found))
    return found


def rehearse(q, paths):
    """Run checked paths by the simulated arm from joint angles q (7,), nothing on its table; True,
    or RobotError.
    """
    with SimulatedController(
        World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0), q
    ) as controller:
        with Arm(controller.hostname, execute=True, speed=SIMULATED_SPEED) as arm:
            arm.open()
            for path in paths:
                arm.run(path)
    return True


def _told(found):
    grasps = found["grasps"]
    return (
        f"{found['outcome']}: of {grasps['predicted']} grasps {grasps['clear']} keep the hand clear"
        f" of what was observed, {grasps['reachable']} of these can be reached. Base frame of the"
        " arm, metres. "
        + (
            "The camera's pose was not measured but read off the table."
            if found["camera_pose_assumed"]
            else ""
        )
    )


def _page(html, source, points, poses, kinds, text):
    points = np.zeros((0, 3)) if points is None else points
    shown = points[np.random.default_rng(0).permutation(len(points))[:_POINTS]]
    write_view(
        html,
        scene_figure(shown, np.array(poses).reshape(-1, 4, 4), kinds),
        f"Pick: {Path(str(source)).name}",
        text,
    )
