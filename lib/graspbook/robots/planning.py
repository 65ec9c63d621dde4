"""Find the first of scored grasps that the arm can carry out: inverse kinematics, straight lines,
and a path there.

Section 4.2 of Mousavian et al. 2019: "the grasp with the highest score that has a collision-free
path is executed". A grasp is *clear* when the open hand, camera and all, passes table and observed
points on its straight line in; *reachable* when the arm can follow that line and lift without
touching anything; a path to it is searched by RRTConnect (Kuffner & LaValle 2000) of OMPL.
"""

from dataclasses import dataclass

import numpy as np
from ompl import base as ob
from ompl import geometric as og
from ompl import util as ou

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.robots.paths import Path, checked, line
from graspbook.robots.scene import Scene, hand_clears_table

ou.setLogLevel(ou.LOG_ERROR)
ou.RNG.setSeed(1)  # once a process: what is searched depends on what was searched before
# The same grasp with the fingers exchanged.
TURNED = pose.from_rt(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
_SPACING = 0.02  # metres between the waypoints of a line
_RESOLUTION = 0.0025  # of checked states, relative to the diagonal of the joints' ranges: 0.03 rad
_SEARCHES = 5  # for a path that is still free as the arm moves along it


@dataclass(frozen=True)
class MotionSettings:
    """How the arm moves to a grasp.

    retreat, lift (m): from pre-grasp to grasp, and up. speed: share of the arm's limits, 0.1 on a
    real arm. line_speed (m/s): of the hand on straight lines at full speed; touch_speed (m/s): at
    most, where something may be touched: a hard contact at 0.03 ends in a stop at 30 N, one at 0.05
    in a reflex at 60 N. time_limit (s): of one search for a way; tries: grasps for which one is
    searched.
    """

    retreat: float = 0.10
    lift: float = 0.10
    speed: float = 0.5
    line_speed: float = 0.15
    touch_speed: float = 0.03
    time_limit: float = 1.0
    tries: int = 20


@dataclass(frozen=True)
class GraspPlan:
    """A grasp `base_T_hand` (4, 4), its rank among those asked for, and the checked paths to it:
    there, then the approach.

    Lifting is planned from where the hand is when it has closed, by `straight`.
    """

    base_T_hand: np.ndarray
    rank: int
    there: Path
    approach: Path


@dataclass(frozen=True)
class Feasibility:
    """Of K grasps, in their order: clear and reachable (K,) bool; `joints` (K, N) at the grasp, NaN
    where unreachable; `base_T_hand` (K, 4, 4): as given, or turned by half a turn about z where
    only that can be reached.
    """

    clear: np.ndarray
    reachable: np.ndarray
    joints: np.ndarray
    base_T_hand: np.ndarray


def feasibility(scene: Scene, base_T_hand: np.ndarray, settings: MotionSettings) -> Feasibility:
    """Which grasps are clear in a scene, and which its arm can reach.

    scene: with the object as `near`.
    base_T_hand: grasps (K, 4, 4).
    settings: distances (m), speeds and time limits of the arm's motion.
    """
    given = np.asarray(base_T_hand, float).reshape(-1, 4, 4)
    found, joints = given.copy(), np.full((len(given), len(scene.arm.joints)), np.nan)
    both = np.stack([given, given @ TURNED], axis=1)
    clear = _clear(scene, both.reshape(-1, 4, 4), settings).reshape(-1, 2)
    for i in np.flatnonzero(clear.any(axis=1)):
        for j in np.flatnonzero(clear[i]):
            q = _reach(scene, both[i, j], settings)
            if q is not None:
                found[i], joints[i] = both[i, j], q
                break
    return Feasibility(clear.any(axis=1), np.isfinite(joints).all(axis=1), joints, found)


def plan_first(
    scene: Scene, way: Scene, q: np.ndarray, feasible: Feasibility, settings: MotionSettings
) -> tuple[GraspPlan | None, int]:
    """The plan of the first reachable grasp, in order, to which a path is found, None if there is
    no such grasp; and how many were tried.

    scene: what the arm must not touch while it grasps.
    way: of the way there, in which hidden space counts as occupied too.
    q: joint angles (N,) from which the way starts, rad.
    feasible: all grasps, and which of them can be reached.
    settings: distances (m), speeds and time limits of the arm's motion.
    """
    tried = 0
    for rank in np.flatnonzero(feasible.reachable)[: settings.tries]:
        tried += 1
        grasp, joints = feasible.base_T_hand[rank], feasible.joints[rank]
        before, waypoints = _line_in(scene.arm, grasp, joints, settings)
        try:
            there = find_way(way, q, before, settings)
            approach = checked(scene, "approach", before, waypoints, settings.speed, grasping=True)
        except RobotError:
            continue
        return GraspPlan(grasp, int(rank), there, approach), tried
    return None, tried


def find_way(
    scene: Scene, start: np.ndarray, goal: np.ndarray, settings: MotionSettings, what: str = "way"
) -> Path:
    """A checked Path from rest to rest: straight in the joints if that is free, else by RRTConnect,
    shortened.

    Raises RobotError when an end is not free or no path is found within `settings.time_limit`.

    scene: what the arm must not touch, and the arm itself.
    start, goal: joint angles (N,), rad.
    settings: distances (m), speeds and time limits of the arm's motion.
    what: the motion's name in messages.
    """
    for name, q in (("start", start), ("goal", goal)):
        reason = scene.refusal(q)
        if reason:
            raise RobotError(f"{what}: refused: at its {name} {reason}")
    try:
        return checked(scene, what, start, [goal], settings.speed)
    except RobotError:
        pass
    # A search is random, and its path may still touch something between the states it checks.
    for _ in range(_SEARCHES):
        nodes = _search(scene, start, goal, settings, what)
        for _ in range(4):
            try:
                return checked(scene, what, start, nodes[1:], settings.speed)
            except RobotError as error:
                failure = error
                # The joints do not arrive together on a long stretch, so the arm leaves the
                # straight line; less so on short ones.
                halves = [(a + b) / 2 for a, b in zip(nodes[:-1], nodes[1:], strict=True)]
                nodes = [*(q for pair in zip(nodes, halves, strict=False) for q in pair), nodes[-1]]
    raise failure


def straight(
    scene: Scene,
    what: str,
    q: np.ndarray,
    offset: np.ndarray,
    settings: MotionSettings,
    *,
    touching: bool = False,
) -> Path:
    """A checked Path that moves the hand along a straight line, without turning it.

    Raises RobotError when the arm cannot follow or would touch something.

    scene: what the arm must not touch, and the arm itself.
    what: the motion's name in messages.
    q: joint angles (N,) from which it starts, rad.
    offset: (3,) from there, base frame, metres.
    settings: distances (m), speeds and time limits of the arm's motion.
    touching: at `touch_speed` or slower.
    """
    offset = np.asarray(offset, float)
    waypoints = _line_by(scene.arm, q, offset, settings, touching)
    if waypoints is None:
        by = f"{offset.round(3).tolist()} m"
        raise RobotError(f"{what}: refused: the arm cannot move along a straight line by {by}")
    return checked(scene, what, q, waypoints, settings.speed, grasping=True)


def _line_by(arm, q, offset, settings, touching=False):
    """Waypoints that move the hand from joint angles q (N,) by `offset` (3,) metres in the base
    frame; None.
    """
    far = np.linalg.norm(offset)
    count = max(1, int(np.ceil(far / _SPACING)))
    poses = np.repeat(arm.forward(q)[None], count, axis=0)
    poses[:, :3, 3] += np.linspace(0, 1, count + 1)[1:, None] * offset
    return line(poses, q, far / count, _pace(settings, touching), settings.speed, arm=arm)


def _pace(settings, touching):
    """Speed of the hand on a straight line, m/s."""
    pace = settings.speed * settings.line_speed
    return min(pace, settings.touch_speed) if touching else pace


def _clear(scene, grasps, settings):
    """Which grasps (N, 4, 4) keep hand and camera over the table, and the hand out of the object's
    points all the way in.
    """
    before = grasps @ pose.from_rt(np.eye(3), [0, 0, -settings.retreat])
    table, arm = scene.limits.table, scene.arm
    clear = hand_clears_table(grasps, table, arm=arm) & hand_clears_table(before, table, arm=arm)
    shifts = np.arange(0, settings.retreat, 0.01)
    for i in np.flatnonzero(clear):
        local = pose.transform(pose.inverse(grasps[i]), scene.near)
        swept = local + np.array([[[0, 0, shift]] for shift in shifts])
        clear[i] = not arm.jaw.points_in_hand(swept).any()
    return clear


def _reach(scene, grasp, settings):
    """Joint angles (N,) of a grasp that can be approached and lifted from; None."""
    arm, around = scene.arm, np.arctan2(grasp[1, 3], grasp[0, 3])
    for turn in (0.0, -1.4, 1.4):
        near = arm.ready.copy()
        near[0] += around
        near[-1] += turn
        q = arm.inverse(grasp, near)
        if q is None or scene.refusal(q, grasping=True):
            continue
        before, waypoints = _line_in(arm, grasp, q, settings)
        if before is None:
            continue
        ways = (before, waypoints[len(waypoints) // 2].q)
        if any(scene.refusal(angles, grasping=True) for angles in ways):
            continue
        lift = _line_by(arm, waypoints[-1].q, np.array([0, 0, settings.lift]), settings)
        if lift and not any(scene.refusal(waypoint.q, grasping=True) for waypoint in lift):
            return q
    return None


def _line_in(arm, grasp, q, settings):
    """Joint angles (N,) of the pre-grasp, and waypoints from there to the grasp, at joint angles q
    (N,); (None, None).
    """
    count = int(np.ceil(settings.retreat / _SPACING))
    out = [
        grasp @ pose.from_rt(np.eye(3), [0, 0, -settings.retreat * i / count])
        for i in range(1, count + 1)
    ]
    pace = (settings.retreat / count, _pace(settings, touching=True), settings.speed)
    away = line(out, q, *pace, arm=arm)
    if away is None:
        return None, None
    before = away[-1].q
    back = line([*out[-2::-1], grasp], before, *pace, arm=arm)
    return (before, back) if back else (None, None)


def _search(scene, start, goal, settings, what):
    """Joint angles (K, N) of a collision-free path from start to goal, shortened."""
    count = len(scene.arm.joints)
    space, bounds = ob.RealVectorStateSpace(count), ob.RealVectorBounds(count)
    for i, (low, high) in enumerate(zip(*scene.arm.bounds, strict=True)):
        bounds.setLow(i, float(low))
        bounds.setHigh(i, float(high))
    space.setBounds(bounds)

    def angles_of(state):
        return np.array([state[i] for i in range(count)])

    setup = og.SimpleSetup(space)
    setup.setStateValidityChecker(lambda state: scene.refusal(angles_of(state)) is None)
    ends = []
    for angles in (start, goal):
        state = space.allocState()
        for i in range(count):
            state[i] = float(angles[i])
        ends.append(state)
    setup.setStartAndGoalStates(*ends)
    setup.getSpaceInformation().setStateValidityCheckingResolution(_RESOLUTION)
    setup.setPlanner(og.RRTConnect(setup.getSpaceInformation()))
    if not setup.solve(settings.time_limit) or not setup.haveExactSolutionPath():
        way = f"no path to {np.round(goal, 2).tolist()} rad was found"
        raise RobotError(f"{what}: refused: {way} within {settings.time_limit} s")
    setup.simplifySolution(settings.time_limit / 4)
    nodes = [angles_of(state) for state in setup.getSolutionPath().getStates()]
    return nodes if len(nodes) > 1 else [np.asarray(start, float), np.asarray(goal, float)]
