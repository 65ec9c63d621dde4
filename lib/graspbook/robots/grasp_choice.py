"""The decisions of a trial: which object is on the table, which grasps are predicted, and which of
them the arm can carry out.

Mousavian et al. 2019, section 4.2.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graspbook import pose
from graspbook.graspnet.predict import PredictSettings, predict
from graspbook.perception.camera import backproject
from graspbook.perception.table import TableSettings, TableView, find_object
from graspbook.robots.arm_model import ArmModel
from graspbook.robots.fr3 import FR3
from graspbook.robots.frames import Frame
from graspbook.robots.planning import GraspPlan, MotionSettings, feasibility, plan_first
from graspbook.robots.scene import Limits, Scene

HIDDEN = 0.14  # metres behind the object's observed surface that count as occupied on the way there
AROUND = 0.1  # metres beside the object in which the hand works


@dataclass(frozen=True)
class TrialSettings:
    """How a trial is done: prediction, table, motion, the arm's limits, gripper force (N), how long
    (s) an object is held up, how often grasps are predicted while none can be carried out, and the
    arm, with where its camera is mounted.
    """

    predict: PredictSettings = field(default_factory=PredictSettings)
    table: TableSettings = field(default_factory=TableSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    limits: Limits = field(default_factory=Limits)
    force: float = 20.0
    hold: float = 2.0
    rounds: int = 3
    arm: ArmModel = FR3


class Clock:
    """Seconds of each stage that was entered."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Within `with`, the time counts for a stage.

        name: of `trial_records.STAGES`.
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            self.times[name] = self.times.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Choice:
    """What was predicted for one view, in the base frame, best first, and what the arm can do about
    it.

    base_T_hand (K, 4, 4), scores (K,); closing: on observed points, with a hand free of them, clear
    and reachable, each (K,) bool; tried: ways searched for; plan: the `GraspPlan`, or None; rank:
    the place of its grasp among the K. way: the `Scene` of the way there; scene: that of the grasp.
    """

    base_T_hand: np.ndarray
    scores: np.ndarray
    closing: np.ndarray
    clear: np.ndarray
    reachable: np.ndarray
    tried: int
    plan: GraspPlan | None
    rank: int | None
    way: Scene
    scene: Scene

    def counts(self) -> dict[str, int]:
        """How many grasps were predicted, clear, reachable, and tried."""
        return {
            "predicted": len(self.scores),
            "clear": int(self.clear.sum()),
            "reachable": int(self.reachable.sum()),
            "tried": self.tried,
        }


def perceive(
    frame: Frame, base_T_camera: np.ndarray, settings: TrialSettings, *, seed: int = 0
) -> TableView:
    """What is on the table. Raises CaptureError as `find_object` does.

    frame: depth and colours that the camera took.
    base_T_camera: (4, 4) pose of the camera in the arm's base frame.
    settings: prediction, table, motion, limits, gripper force and arm.
    seed: of the search for the table's plane.
    """
    points = pose.transform(base_T_camera, backproject(frame.depth, frame.K))
    return find_object(points, settings.table, seed)


def choose(
    view: TableView,
    base_T_camera: np.ndarray,
    q: np.ndarray,
    *,
    networks: tuple,
    settings: TrialSettings,
    rng: np.random.Generator,
    clock: Clock | None = None,
) -> Choice:
    """What can be grasped in a view, and how.

    Grasps are predicted again, up to `settings.rounds` times in all, while none of them can be
    carried out.

    view: what the camera sees: the object, the table, and all else.
    base_T_camera: (4, 4) pose of the camera in the arm's base frame.
    q: joint angles (N,) of the arm, rad.
    networks: what `predict.load_networks` returns for the method.
    settings: prediction, table, motion, limits, gripper force and arm.
    rng: the generator of what is sampled.
    clock: takes the time of each stage.
    """
    clock = clock or Clock()
    with clock.stage("plan"):
        limits = replace(settings.limits, table=max(settings.limits.table, highest_table(view)))
        scene = Scene(view.object_points, view.other_points, limits, arm=settings.arm)
        hidden = behind(view.object_points, base_T_camera[:3, 3])
        everything = np.concatenate([view.object_points, view.other_points, hidden])
        way = Scene((), everything, limits, arm=settings.arm)
    choice: Any = None
    for _ in range(settings.rounds):
        with clock.stage("predict"):
            grasps, scores, closing = _predict(view, base_T_camera, networks, settings, rng)
        with clock.stage("plan"):
            where = {"q": q, "scene": scene, "way": way, "settings": settings}
            choice = _choose(grasps, scores, closing, choice, **where)
        if choice.plan:
            break
    return choice


def _predict(view, base_T_camera, networks, settings, rng):
    """Grasps (K, 4, 4) in the base frame, their scores (K,), and which of them close on the object
    with the hand free (K,).
    """
    camera_T_base = pose.inverse(base_T_camera)
    # Without the hundred thousand points of the table, which `feasibility` keeps clear of as a
    # plane.
    around = pose.transform(camera_T_base, view.other_points) if len(view.other_points) else None
    points = pose.transform(camera_T_base, view.object_points)
    found = predict(points, *networks, settings.predict, rng, scene=around)
    return base_T_camera @ found.camera_T_hand, found.scores, found.feasible


def _choose(grasps, scores, closing, before, *, q, scene, way, settings):
    """The Choice among grasps, those of the choices `before` it counted with them."""
    candidates = np.flatnonzero(closing)
    possible = feasibility(scene, grasps[candidates], settings.motion)
    plan, tried = plan_first(scene, way, q, possible, settings.motion)
    clear, reachable = np.zeros((2, len(grasps)), bool)
    clear[candidates], reachable[candidates] = possible.clear, possible.reachable
    if before:
        earlier = before.base_T_hand, before.scores, before.closing, before.clear, before.reachable
        both = zip(earlier, (grasps, scores, closing, clear, reachable), strict=True)
        grasps, scores, closing, clear, reachable = map(np.concatenate, both)
        tried, candidates = tried + before.tried, candidates + len(before.scores)
    rank = int(candidates[plan.rank]) if plan else None
    return Choice(grasps, scores, closing, clear, reachable, tried, plan, rank, way, scene)


def highest_table(view: TableView) -> float:
    """The height (m) of the highest point of the table's plane within `AROUND` metres of the object
    in x and y.

    view: what the camera sees: the object, the table, and all else.
    """
    beside = view.object_points[:, :2]
    low, high = beside.min(axis=0) - AROUND, beside.max(axis=0) + AROUND
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    return float((-(corners @ view.normal[:2] + view.offset) / view.normal[2]).max())


def behind(points: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Points (M, 3) that fill the `HIDDEN` metres behind observed ones, down to the table.

    points: (N, 3) observed ones, in the base frame, metres.
    eye: (3,) position of the camera, in the base frame, metres.
    """
    rays = points - eye
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    filled = points[:, None] + np.arange(0.02, HIDDEN, 0.01)[:, None] * rays[:, None]
    filled = filled.reshape(-1, 3)
    return filled[filled[:, 2] > points[:, 2].min()]
