"""Your own object: from a capture or a camera to a grasp that the arm can carry out and, with leave
to execute, to the object lifted.

Without an arm, the camera's pose is computed from the table. The table is level, at z = 0 of the
base frame. The camera looks away from the arm, and its axis meets the table where objects are
expected.
"""

import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import CaptureError, ParameterError
from graspbook.graspnet.predict import load_networks
from graspbook.perception.camera import backproject
from graspbook.perception.capture import Capture
from graspbook.perception.extraction import dominant_plane, size_note
from graspbook.perception.hand_eye import read_hand_eye_noted
from graspbook.perception.inputs import read_view
from graspbook.perception.masks import is_alone
from graspbook.perception.table import TableView, find_object
from graspbook.pose import from_rt, transform
from graspbook.robots import paths
from graspbook.robots.arm import REAL_SPEED, SIMULATED_SPEED, Arm
from graspbook.robots.camera import is_camera, open_camera
from graspbook.robots.command_log import command_log
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import Choice, TrialSettings, choose
from graspbook.robots.options import check_real
from graspbook.robots.refusals import refusals
from graspbook.robots.simulated_world import World
from graspbook.robots.trial import CLOSED, attempt
from graspbook.robots.trial_subjects import PLACE
from graspbook.simulation.tabletop import tabletop

STRAIGHT_DOWN = 0.05  # sine of the camera's tilt, about three degrees


@dataclass(frozen=True)
class Picked:
    """What became of it, in plain numbers; what was seen, None for nothing; and, where nothing
    real was moved, the Choice.
    """

    found: dict[str, Any]
    view: TableView | None
    choice: Choice | None = None


def pick(
    source: Path | str,
    weights: Path | str,
    *,
    log: Path | str,
    method: str = "graspnet",
    robot: str | None = None,
    execute: bool = False,
    hand_eye: Path | str | None = None,
    recover: bool = False,
    seed: int = 0,
    scale: float = 1.0,
    reading: Mapping[str, Any] | None = None,
) -> Picked:
    """Choose a grasp for the object before a camera and, with leave, pick the object up.

    source: for `robots.camera.open_camera`, or a capture or cloud for `read_view`.
    weights: folder with the networks' .safetensors files.
    log: where commands to a real arm are written.
    method: one of `graspnet.predict.METHODS`.
    robot: the address of a real arm, which gives the camera's pose. Without one, the simulated arm
        rehearses the path to the grasp over an empty table.
    execute: let the real arm look, pick the object up and put it back; without this nothing moves.
    hand_eye: the file of `hand_T_camera`, needed to execute.
    recover: recover the real arm from an error that it is in.
    seed: of all random numbers.
    scale: factor from a capture's units to metres.
    reading: options of `load_capture` for a capture. What a mask marks is the object.

    Raises CaptureError, ParameterError, WeightsError, and RobotError for what goes wrong with arm
    or camera. What goes wrong while the arm picks is in `found["fault"]` instead.
    """
    check_real(robot, source, execute=execute, hand_eye=hand_eye, recover=recover)
    settings = TrialSettings()
    settings = replace(
        settings,
        predict=replace(settings.predict, method=method),
        motion=replace(settings.motion, speed=REAL_SPEED if robot else SIMULATED_SPEED),
    )
    if hand_eye:
        hand_T_camera, notes = read_hand_eye_noted(hand_eye)
        for note in notes:  # before the arm moves
            print(f"note: {hand_eye}: {note}", file=sys.stderr, flush=True)
        settings = replace(settings, arm=replace(FR3, hand_T_camera=hand_T_camera))
    capture = _capture(source, scale, reading or {})
    networks = cache(partial(load_networks, weights, method=method))
    if robot:  # before it is reached
        networks()
    rng = np.random.default_rng(seed)
    how = {"networks": networks, "settings": settings, "rng": rng}
    with (
        _opened(source, capture) as camera,
        command_log(log) if robot else nullcontext(),
    ):
        if not robot:
            return _plan(capture or _look(camera), source, FR3.look, None, **how)
        with Arm(robot, execute=execute, speed=REAL_SPEED, recover=recover) as arm:
            if not execute:
                base_T_camera = settings.arm.base_T_camera(arm.pose)
                return _plan(capture or _look(camera), source, arm.q, base_T_camera, **how)

            def judge():
                return arm.width > CLOSED, None

            found = attempt(arm, camera, networks(), settings, rng=rng, judge=judge)
    view = found.pop("view")
    return Picked({"source": str(source), "method": method, "seed": seed} | found, view)


def _capture(source, scale, reading):
    """The Capture of a file, None where the source is a camera or a recording of one."""
    if not is_camera(source) and (Path(source).suffix or Path(source).exists()):
        capture = read_view(source, scale, find=False, **reading)
        for note in capture.notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
        return capture
    given = [f"--{name.replace('_', '-')}" for name in reading if reading[name] is not None]
    if scale != 1.0 or given:
        raise ParameterError(
            f"{source}: {', '.join(given or ['--scale'])} is for captures in files; this is a"
            " camera or its recording"
        )
    return None


def _opened(source, capture):
    return nullcontext() if capture else open_camera(source)


def _look(camera):
    frame = camera.frame()
    points = backproject(frame.depth, frame.K)
    return Capture(points, points)


def assumed_pose(points: np.ndarray) -> np.ndarray:
    """`base_T_camera` (4, 4) without an arm, from the table that is seen.

    points: (N, 3) that the camera measured, in its frame.

    Raises CaptureError where they show no table. A side of an object alone is none.
    """
    if len(points) < 3:
        raise CaptureError(
            f"empty view: {len(points)} measured points, expected a view of the object's table"
        )
    if is_alone(points):
        raise CaptureError(
            "no table: only the object was measured. The arm needs the table, to know where the"
            " object is and what the hand must not touch. Take a capture with the table around the"
            " object, and mark the object with --mask FILE. `graspbook grasp` needs no table"
        )
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    if share < 0.2 or abs(normal[2]) < 0.1:
        raise CaptureError(
            f"no table: the largest plane holds {share:.0%} of the points, expected 20 % or more;"
            " the camera must look down on the table"
        )
    forward = np.array([0, 0, 1.0]) - normal[2] * normal
    # Nearly straight down, noise alone would choose a direction: the image's top is away from the
    # arm.
    if np.linalg.norm(forward) < STRAIGHT_DOWN:
        forward = np.array([0, -1.0, 0])
        forward -= forward @ normal * normal
    x = forward / np.linalg.norm(forward)
    rotation = np.stack([x, np.cross(normal, x), normal])
    met = np.array([0, 0, -offset / normal[2]])
    return from_rt(rotation, np.array([*PLACE, 0.0]) - rotation @ met)


def _plan(seen, source, q, base_T_camera, *, networks, settings, rng):
    """Choose and rehearse, moving nothing real. seen: a Capture; its object is marked if it is not
    the scene itself. networks: loads them, once the table is found.
    """
    assumed = base_T_camera is None
    try:
        if assumed:
            base_T_camera = assumed_pose(seen.scene)
        marked = None if seen.points is seen.scene else transform(base_T_camera, seen.points)
        view = find_object(transform(base_T_camera, seen.scene), settings.table, marked=marked)
    except CaptureError as error:
        raise CaptureError(f"{source}: {error}") from error
    choice = choose(view, base_T_camera, q, networks=networks(), settings=settings, rng=rng)
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
    notes = list(seen.notes)
    if marked is None:
        notes.append(size_note(view.object_points))
        print(f"note: {notes[-1]}", file=sys.stderr, flush=True)
    if notes:
        found["notes"] = notes
    if refused := refusals(choice, settings.motion):
        found["refused"] = refused
    if choice.plan:
        plan = choice.plan
        found |= {
            "score": float(choice.scores[choice.rank]),
            "rank": choice.rank,
            "base_T_hand": plan.base_T_hand.tolist(),
            "joints": dict(zip(FR3.joints, plan.approach.end.tolist(), strict=True)),
        }
        if assumed:
            found["rehearsed"] = rehearse(q, [plan.there, plan.approach])
    return Picked(found, view, choice)


def rehearse(q: np.ndarray, ways: Iterable[paths.Path]) -> bool:
    """Run checked paths by the simulated arm, nothing on its table; True, or RobotError.

    q: joint angles (7,) to begin from, rad.
    ways: checked paths, done one after the other.
    """
    with SimulatedController(
        World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0), q
    ) as controller:
        with Arm(controller.hostname, execute=True, speed=SIMULATED_SPEED) as arm:
            arm.open()
            for way in ways:
                arm.run(way)
    return True
