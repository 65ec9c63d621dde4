"""One trial: look at the table, find the object, predict grasps, carry out the first that the arm
can, judge, and put back.

Mousavian et al. 2019, section 4.2. Whatever goes wrong ends in an outcome with its reason, the arm
standing still: a trial never raises for what happens on the table or to the robot, only for a wrong
call and for Ctrl-C, after stopping the arm.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from graspbook import pose
from graspbook.errors import CaptureError, RobotError
from graspbook.graspnet.predict import PredictSettings, predict
from graspbook.perception.camera import backproject
from graspbook.perception.table import TableSettings, find_object
from graspbook.robots import fr3
from graspbook.robots.paths import checked
from graspbook.robots.planning import (
    GraspPlan,
    MotionSettings,
    feasibility,
    find_way,
    plan_first,
    straight,
)
from graspbook.robots.scene import Limits, Scene

HIDDEN = 0.14  # metres behind the object's observed surface that count as occupied on the way there
AROUND = 0.1  # metres beside the object in which the hand works
CLOSED = 0.002  # between the pads: nothing is held
_STILL = 0.1  # seconds
_LISTED = 20  # scores in a record


@dataclass(frozen=True)
class TrialSettings:
    """How a trial is done: prediction, table, motion, the arm's limits, gripper force (N), how long
    (s) an object is held up, where the camera is mounted, `hand_T_camera` (4, 4), and how often
    grasps are predicted while none can be carried out.
    """

    predict: PredictSettings = field(default_factory=PredictSettings)
    table: TableSettings = field(default_factory=TableSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    limits: Limits = field(default_factory=Limits)
    force: float = 20.0
    hold: float = 2.0
    hand_T_camera: np.ndarray = field(default_factory=fr3.HAND_T_CAMERA.copy)
    rounds: int = 3


@dataclass(frozen=True)
class Choice:
    """What was predicted for one view, in the base frame, best first, and what the arm can do about
    it.

    base_T_hand (K, 4, 4), scores (K,); clear and reachable (K,) bool; tried: ways searched for;
    plan: the `GraspPlan`, or None; rank: the place of its grasp among the K. way: the `Scene` of
    the way there; scene: that of the grasp.
    """

    base_T_hand: np.ndarray
    scores: np.ndarray
    clear: np.ndarray
    reachable: np.ndarray
    tried: int
    plan: GraspPlan | None
    rank: int | None
    way: Scene
    scene: Scene

    def counts(self):
        """How many grasps were predicted, clear, reachable, and tried."""
        return {
            "predicted": len(self.scores),
            "clear": int(self.clear.sum()),
            "reachable": int(self.reachable.sum()),
            "tried": self.tried,
        }


def perceive(frame, base_T_camera, settings, seed=0):
    """The `TableView` of a camera's Frame from `base_T_camera` (4, 4). Raises CaptureError as
    `find_object` does.
    """
    return find_object(
        pose.transform(base_T_camera, backproject(frame.depth, frame.K)), settings.table, seed
    )


def choose(view, base_T_camera, q, networks, settings, rng, clock=None):
    """The `Choice` for a `TableView`, the arm at joint angles q (7,). networks: of
    `predict.load_networks`; clock: a `Clock`.

    Grasps are predicted anew, up to `settings.rounds` times in all, while none of them can be
    carried out.
    """
    clock = clock or Clock()
    with clock.stage("plan"):
        limits = replace(settings.limits, table=max(settings.limits.table, highest_table(view)))
        scene = Scene(
            view.object_points, view.other_points, limits, hand_T_camera=settings.hand_T_camera
        )
        hidden = behind(view.object_points, base_T_camera[:3, 3])
        way = Scene(
            (),
            np.concatenate([view.object_points, view.other_points, hidden]),
            limits,
            hand_T_camera=settings.hand_T_camera,
        )
    choice = None
    for _ in range(settings.rounds):
        with clock.stage("predict"):
            grasps, scores, closing = _predict(view, base_T_camera, networks, settings, rng)
        with clock.stage("plan"):
            choice = _choose(grasps, scores, closing, q, scene, way, settings, choice)
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
    found = predict(
        pose.transform(camera_T_base, view.object_points), *networks, settings.predict, rng, around
    )
    return base_T_camera @ found.camera_T_hand, found.scores, found.feasible


def _choose(grasps, scores, closing, q, scene, way, settings, before):
    """The Choice among grasps, those of the choices `before` it counted with them."""
    candidates = np.flatnonzero(closing)
    possible = feasibility(scene, grasps[candidates], settings.motion)
    plan, tried = plan_first(scene, way, q, possible, settings.motion)
    clear, reachable = np.zeros((2, len(grasps)), bool)
    clear[candidates], reachable[candidates] = possible.clear, possible.reachable
    if before:
        grasps, scores = (
            np.concatenate([before.base_T_hand, grasps]),
            np.concatenate([before.scores, scores]),
        )
        clear, reachable = (
            np.concatenate([before.clear, clear]),
            np.concatenate([before.reachable, reachable]),
        )
        tried, candidates = tried + before.tried, candidates + len(before.scores)
    return Choice(
        grasps,
        scores,
        clear,
        reachable,
        tried,
        plan,
        int(candidates[plan.rank]) if plan else None,
        way,
        scene,
    )


def highest_table(view):
    """The height (m) of the highest point of a TableView's plane within `AROUND` metres of its
    object in x and y.
    """
    low, high = (
        view.object_points[:, :2].min(axis=0) - AROUND,
        view.object_points[:, :2].max(axis=0) + AROUND,
    )
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    return float((-(corners @ view.normal[:2] + view.offset) / view.normal[2]).max())


def behind(points, eye):
    """Points (M, 3) that fill the `HIDDEN` metres behind observed ones (N, 3), seen from `eye`
    (3,), down to the table.
    """
    rays = points - eye
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    filled = (points[:, None] + np.arange(0.02, HIDDEN, 0.01)[:, None] * rays[:, None]).reshape(
        -1, 3
    )
    return filled[filled[:, 2] > points[:, 2].min()]


def attempt(arm, camera, networks, settings, rng, judge):
    """Do one trial and return what became of it: fields of a record, and `view`, the TableView.

    judge: a function without arguments, called when the object should hang in the air, of whether
    it does and how high (m) its lowest point is over the table, None if that is not known. Raises
    KeyboardInterrupt, with the arm stopped.
    """
    clock, found = Clock(), _nothing()
    try:
        with clock.stage("total"):
            _attempt(arm, camera, networks, settings, rng, judge, clock, found)
    except RobotError as error:
        # What was reached counts: a lifted object that could not be put back was lifted.
        found["outcome"] = found["outcome"] or "fault"
        found["fault"] = str(error)
        if found["outcome"] != "success":
            found["reason"] = found["reason"] or str(error)
        arm.stop()
    except BaseException:
        arm.stop()
        raise
    return found | {"times": clock.times}


def _nothing():
    return {
        "outcome": None,
        "reason": None,
        "fault": None,
        "score": None,
        "rank": None,
        "scores": [],
        "lifted": None,
        "grasps": dict.fromkeys(("predicted", "clear", "reachable", "tried"), 0),
        "base_T_hand": None,
        "view": None,
    }


def not_begun(fault):
    """What `attempt` would tell of a trial that a fault (text) kept from beginning."""
    return _nothing() | {"outcome": "fault", "reason": fault, "fault": fault, "times": {}}


def _attempt(arm, camera, networks, settings, rng, judge, clock, found):
    with clock.stage("look"):
        arm.open()
        empty = Scene(limits=settings.limits, hand_T_camera=settings.hand_T_camera)
        arm.run(find_way(empty, arm.q, fr3.LOOK, settings.motion, "look"))
        arm.wait(_STILL)  # no frame that was begun before the arm stood still
        base_T_camera = arm.pose @ settings.hand_T_camera
        frame = camera.frame()
    with clock.stage("perceive"):
        try:
            view = found["view"] = perceive(frame, base_T_camera, settings)
        except CaptureError as error:
            found.update(outcome="no feasible grasp", reason=str(error))
            return
    choice = choose(view, base_T_camera, arm.q, networks, settings, rng, clock)
    found["scores"] = choice.scores[:_LISTED].tolist()
    found["grasps"] = choice.counts()
    if choice.plan is None:
        found.update(outcome="no feasible grasp", reason=_why_none(choice))
        return
    found.update(
        score=float(choice.scores[choice.rank]),
        rank=choice.rank,
        base_T_hand=choice.plan.base_T_hand.tolist(),
    )
    carry_out(arm, choice, settings, judge, clock, found)


def carry_out(arm, choice, settings, judge, clock, found):
    """Go to the chosen grasp, close, lift, hold, judge and put back; what becomes of it goes into
    `found`.
    """
    plan = choice.plan
    with clock.stage("approach"):
        arm.run(plan.there)
        stopped = arm.run(plan.approach, contact=True)
    with clock.stage("close"):
        width = arm.grasp(settings.force)
    below = arm.q
    with clock.stage("lift"):
        arm.run(
            straight(choice.scene, "lift", below, [0, 0, settings.motion.lift], settings.motion)
        )
    with clock.stage("hold"):
        arm.wait(settings.hold)
        held, height = judge()
        found["lifted"] = height
    if held:
        found["outcome"] = "success"
    else:
        told = "the hand closed on nothing"
        if width >= CLOSED:
            told = (
                "the object was not lifted clear of the table"
                if arm.width > CLOSED
                else "the object was lost while lifting"
            )
        found.update(
            outcome="grasp failed",
            reason=told + (", after the approach met something" if stopped else ""),
        )
    with clock.stage("put_back"):
        if held:  # slowly: an object that slipped meets the table earlier
            down = straight(
                choice.scene,
                "put down",
                arm.q,
                [0, 0, -settings.motion.lift],
                settings.motion,
                touching=True,
            )
            arm.run(down, contact=True)
        arm.open()
        if held:
            out = -settings.motion.retreat * arm.pose[:3, 2]
            arm.run(straight(choice.scene, "withdraw", arm.q, out, settings.motion))
        arm.run(_way_back(arm, choice, settings))


def _way_back(arm, choice, settings):
    """The way to where one looks from: that by which the arm came if it stands at its end, else a
    new one.
    """
    there = choice.plan.there
    nodes = [waypoint.q for waypoint in there.waypoints[-2::-1]] + [there.start]
    if np.abs(arm.q - there.end).max() < 0.02:
        try:
            return checked(choice.way, "back", arm.q, nodes, settings.motion.speed)
        except RobotError:
            pass
    return find_way(choice.scene, arm.q, fr3.LOOK, settings.motion, "back")


def _why_none(choice):
    if not choice.clear.any():
        return (
            f"none of {len(choice.scores)} grasps keeps the hand clear of the table and of what was"
            " observed"
        )
    if not choice.reachable.any():
        return f"none of {choice.clear.sum()} clear grasps can be reached"
    return f"no way was found to {choice.tried} of {choice.reachable.sum()} reachable grasps"


class Clock:
    """Seconds of each stage that was entered."""

    def __init__(self):
        self.times = {}

    @contextmanager
    def stage(self, name):
        start = time.perf_counter()
        try:
            yield
        finally:
            self.times[name] = self.times.get(name, 0.0) + time.perf_counter() - start
