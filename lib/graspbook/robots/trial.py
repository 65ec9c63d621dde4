"""One trial: look at the table, find the object, predict grasps, carry out the first that the arm
can, judge, and put back.

Mousavian et al. 2019, section 4.2. Whatever goes wrong ends in an outcome with its reason, the arm
standing still: a trial never raises for what happens on the table or to the robot, only for a wrong
call and for Ctrl-C, after stopping the arm.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from graspbook.errors import CaptureError, RobotError
from graspbook.robots.arm import Arm
from graspbook.robots.frames import DepthCamera
from graspbook.robots.grasp_choice import Clock, TrialSettings, choose, perceive
from graspbook.robots.paths import checked
from graspbook.robots.planning import find_way, straight
from graspbook.robots.scene import Scene
from graspbook.robots.trial_records import GraspCounts

CLOSED = 0.002  # between the pads: nothing is held
_STILL = 0.1  # seconds
_LISTED = 20  # scores in a record
Judge = Callable[[], tuple[bool, float | None]]


def attempt(
    arm: Arm,
    camera: DepthCamera,
    networks: tuple,
    settings: TrialSettings,
    *,
    rng: np.random.Generator,
    judge: Judge,
) -> dict[str, Any]:
    """Do one trial and return what became of it: fields of a record, and `view`, the TableView.

    Raises KeyboardInterrupt, with the arm stopped.

    arm: connected one, real or simulated.
    camera: depth camera on the arm's hand.
    networks: what `predict.load_networks` returns for the method.
    settings: prediction, table, motion, limits, gripper force and arm.
    rng: the generator of what is sampled.
    judge: called when the object should hang in the air: whether it does, and how high (m) its
        lowest point is over the table, None if that is not known.
    """
    clock, found = Clock(), _nothing()
    try:
        with clock.stage("total"):
            choice = _look(arm, camera, networks, settings, rng=rng, clock=clock, found=found)
            if choice:
                _carry_out(arm, choice, settings, judge, clock=clock, found=found)
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
        "grasps": dict.fromkeys(GraspCounts.model_fields, 0),
        "base_T_hand": None,
        "view": None,
    }


def not_begun(fault: str) -> dict[str, Any]:
    """What `attempt` would tell of a trial that a fault kept from beginning.

    fault: what went wrong, one sentence.
    """
    return _nothing() | {"outcome": "fault", "reason": fault, "fault": fault, "times": {}}


def _look(arm, camera, networks, settings, *, rng, clock, found):
    """Go where one looks from, look, and choose a grasp; the Choice, None where there is no grasp.
    What becomes of it goes into `found`.
    """
    with clock.stage("look"):
        arm.open()
        empty = Scene(limits=settings.limits, arm=settings.arm)
        arm.run(find_way(empty, arm.q, settings.arm.look, settings.motion, "look"))
        arm.wait(_STILL)  # no frame that was begun before the arm stood still
        base_T_camera = settings.arm.base_T_camera(arm.pose)
        frame = camera.frame()
    with clock.stage("perceive"):
        try:
            view = found["view"] = perceive(frame, base_T_camera, settings)
        except CaptureError as error:
            found.update(outcome="no feasible grasp", reason=str(error))
            return None
    choice = choose(
        view, base_T_camera, arm.q, networks=networks, settings=settings, rng=rng, clock=clock
    )
    found["scores"] = choice.scores[:_LISTED].tolist()
    found["grasps"] = choice.counts()
    if choice.plan is None:
        found.update(outcome="no feasible grasp", reason=_why_none(choice))
        return None
    found["score"], found["rank"] = float(choice.scores[choice.rank]), choice.rank
    found["base_T_hand"] = choice.plan.base_T_hand.tolist()
    return choice


def _carry_out(arm, choice, settings, judge, *, clock, found):
    """Go to the chosen grasp, close, lift, hold, judge and put back; what becomes of it goes into
    `found`.
    """
    plan, motion = choice.plan, settings.motion

    def line(what, offset, **how):
        return straight(choice.scene, what, arm.q, offset, motion, **how)

    with clock.stage("approach"):
        arm.run(plan.there)
        stopped = arm.run(plan.approach, contact=True)
    with clock.stage("close"):
        width = arm.grasp(settings.force)
    with clock.stage("lift"):
        arm.run(line("lift", [0, 0, motion.lift]))
    with clock.stage("hold"):
        arm.wait(settings.hold)
        held, height = judge()
        found["lifted"] = height
    if held:
        found["outcome"] = "success"
    else:
        told = "the hand closed on nothing"
        if width >= CLOSED:
            told = "the object was lost while lifting"
            if arm.width > CLOSED:
                told = "the object was not lifted clear of the table"
        if stopped:
            told += ", after the approach met something"
        found.update(outcome="grasp failed", reason=told)
    with clock.stage("put_back"):
        if held:  # slowly: an object that slipped meets the table earlier
            arm.run(line("put down", [0, 0, -motion.lift], touching=True), contact=True)
        arm.open()
        if held:
            arm.run(line("withdraw", -motion.retreat * arm.pose[:3, 2]))
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
    return find_way(choice.scene, arm.q, settings.arm.look, settings.motion, "back")


def _why_none(choice):
    if not choice.clear.any():
        count = len(choice.scores)
        return f"none of {count} grasps keeps the hand clear of the table and of what was observed"
    if not choice.reachable.any():
        return f"none of {choice.clear.sum()} clear grasps can be reached"
    return (
        f"paths to {choice.tried} of {choice.reachable.sum()} reachable grasps were searched, and"
        " none was found"
    )
