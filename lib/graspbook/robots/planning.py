"""From scored grasps to the first that the arm can carry out: inverse kinematics, straight lines,
and a way there.

Section 4.2 of Mousavian et al. 2019: "the grasp with the highest score that has a collision-free
path is executed". A grasp is *clear* when the open hand, camera and all, passes table and observed
points on its straight way in; *reachable* when the arm can follow that way and lift without
touching anything; the way to it is searched by RRTConnect (Kuffner & LaValle 2000) of OMPL.
"""

from dataclasses import dataclass

import numpy as np
from ompl import base as ob
from ompl import geometric as og
from ompl import util as ou

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.hands.franka import points_in_hand
from graspbook.robots import fr3
from graspbook.robots.paths import Path, checked, line
from graspbook.robots.scene import hand_clears_table

ou.setLogLevel(ou.LOG_ERROR)
ou.RNG.setSeed(1)  # once a process: what is searched depends on what was searched before
TURNED = pose.from_rt(
    np.diag([-1.0, -1.0, 1.0]), np.zeros(3)
)  # the same grasp with the fingers exchanged
_SPACING = 0.02  # metres between the waypoints of a line


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

    Lifting is planned from where the hand stands when it has closed, by `straight`.
    """

    base_T_hand: np.ndarray
    rank: int
    there: Path
    approach: Path


@dataclass(frozen=True)
class Feasibility:
    """Of K grasps, in their order: clear and reachable (K,) bool; `joints` (K, 7) at the grasp, NaN
    where unreachable; `base_T_hand` (K, 4, 4): as given, or turned by half a turn about z where
    only that can be reached.
    """

    clear: np.ndarray
    reachable: np.ndarray
    joints: np.ndarray
    base_T_hand: np.ndarray


def feasibility(scene, base_T_hand, settings):
    """The Feasibility of grasps (K, 4, 4) in a `Scene`."""
    given = np.asarray(base_T_hand, float).reshape(-1, 4, 4)
    found, joints = given.copy(), np.full((len(given), 7), np.nan)
    both = np.stack([given, given @ TURNED], axis=1)
    clear = _clear(scene, both.reshape(-1, 4, 4), settings).reshape(-1, 2)
    for i in np.flatnonzero(clear.any(axis=1)):
        for j in np.flatnonzero(clear[i]):
            q = _reach(scene, both[i, j], settings)
            if q is not None:
                found[i], joints[i] = both[i, j], q
                break
    return Feasibility(clear.any(axis=1), np.isfinite(joints).all(axis=1), joints, found)


def plan_first(scene, way, q, feasible, settings):
    """The GraspPlan of the first reachable grasp, in order, to which a way from joint angles q (7,)
    is found, and how many were tried; None, and how many, if there is no such grasp.

    scene: the `Scene` of the grasp itself; way: that of the way there, in which hidden space counts
    as occupied too.
    """
    tried = 0
    for rank in np.flatnonzero(feasible.reachable)[: settings.tries]:
        tried += 1
        grasp, joints = feasible.base_T_hand[rank], feasible.joints[rank]
        before, waypoints = _line_in(grasp, joints, settings)
        try:
            there = find_way(way, q, before, settings)
            approach = checked(scene, "approach", before, waypoints, settings.speed, grasping=True)
        except RobotError:
            continue
        return GraspPlan(grasp, int(rank), there, approach), tried
    return None, tried


def find_way(scene, start, goal, settings, what="way"):
    """A checked Path from start to goal (7,) at rest: straight in the joints if that is free, else
    by RRTConnect, shortened.

    Raises RobotError when an end is not free or no way is found within `settings.time_limit`.
    """
    for name, q in (("start", start), ("goal", goal)):
        reason = scene.refusal(q)
        if reason:
            raise RobotError(f"{what}: refused: at its {name} {reason}")
    try:
        return checked(scene, what, start, [goal], settings.speed)
    except RobotError:
        pass
    nodes = _search(scene, start, goal, settings, what)
    for _ in range(4):
        try:
            return checked(scene, what, start, nodes[1:], settings.speed)
        except RobotError as error:
            failure = error
            # The joints do not arrive together on a long stretch, so the arm leaves the straight
            # line; less so on short ones.
            halves = [(a + b) / 2 for a, b in zip(nodes[:-1], nodes[1:], strict=True)]
            nodes = [*(q for pair in zip(nodes, halves, strict=False) for q in pair), nodes[-1]]
    raise failure


def straight(scene, what, q, offset, settings, touching=False):
    """A checked Path that moves the hand from joint angles q (7,) by `offset` (3,) metres in the
    base frame, without turning it.

    touching: at `touch_speed` or slower. Raises RobotError when the arm cannot follow or would
    touch something.
    """
    offset = np.asarray(offset, float)
    waypoints = _line_by(q, offset, settings, touching)
    if waypoints is None:
        raise RobotError(
            f"{what}: refused: the arm cannot follow a straight line by"
            f" {offset.round(3).tolist()} m"
        )
    return checked(scene, what, q, waypoints, settings.speed, grasping=True)


def _line_by(q, offset, settings, touching=False):
    """Waypoints that move the hand from joint angles q (7,) by `offset` (3,) metres in the base
    frame; None.
    """
    count = max(1, int(np.ceil(np.linalg.norm(offset) / _SPACING)))
    poses = np.repeat(fr3.forward(q)[None], count, axis=0)
    poses[:, :3, 3] += np.linspace(0, 1, count + 1)[1:, None] * offset
    return line(poses, q, np.linalg.norm(offset) / count, _pace(settings, touching), settings.speed)


def _pace(settings, touching):
    """Speed of the hand on a straight line, m/s."""
    pace = settings.speed * settings.line_speed
    return min(pace, settings.touch_speed) if touching else pace


def _clear(scene, grasps, settings):
    """Which grasps (N, 4, 4) keep hand and camera over the table, and the hand out of the object's
    points all the way in.
    """
    before = grasps @ pose.from_rt(np.eye(3), [0, 0, -settings.retreat])
    table, camera = scene.limits.table, scene.hand_T_camera
    clear = hand_clears_table(grasps, table, camera) & hand_clears_table(before, table, camera)
    shifts = np.arange(0, settings.retreat, 0.01)
    for i in np.flatnonzero(clear):
        local = pose.transform(pose.inverse(grasps[i]), scene.near)
        swept = local + np.array([[[0, 0, shift]] for shift in shifts])
        clear[i] = not points_in_hand(swept).any()
    return clear


def _reach(scene, grasp, settings):
    """Joint angles (7,) of a grasp that can be approached and lifted from; None."""
    around = np.arctan2(grasp[1, 3], grasp[0, 3])
    for turn in (0.0, -1.4, 1.4):
        q = fr3.inverse(grasp, fr3.READY + [around, 0, 0, 0, 0, 0, turn])
        if q is None or scene.refusal(q, grasping=True):
            continue
        before, waypoints = _line_in(grasp, q, settings)
        if before is None or any(
            scene.refusal(angles, grasping=True)
            for angles in (before, waypoints[len(waypoints) // 2].q)
        ):
            continue
        lift = _line_by(waypoints[-1].q, np.array([0, 0, settings.lift]), settings)
        if lift and not any(scene.refusal(waypoint.q, grasping=True) for waypoint in lift):
            return q
    return None


def _line_in(grasp, q, settings):
    """Joint angles (7,) of the pre-grasp, and waypoints from there to the grasp, at joint angles q
    (7,); (None, None).
    """
    count = int(np.ceil(settings.retreat / _SPACING))
    out = [
        grasp @ pose.from_rt(np.eye(3), [0, 0, -settings.retreat * i / count])
        for i in range(1, count + 1)
    ]
    pace = (settings.retreat / count, _pace(settings, touching=True), settings.speed)
    away = line(out, q, *pace)
    if away is None:
        return None, None
    before = away[-1].q
    back = line([*out[-2::-1], grasp], before, *pace)
    return (before, back) if back else (None, None)


def _search(scene, start, goal, settings, what):
    """Joint angles (K, 7) of a collision-free way from start to goal, shortened."""
    space = ob.RealVectorStateSpace(7)
    bounds = ob.RealVectorBounds(7)
    for i, (low, high) in enumerate(zip(fr3.LOW + fr3.MARGIN, fr3.HIGH - fr3.MARGIN, strict=True)):
        bounds.setLow(i, float(low))
        bounds.setHigh(i, float(high))
    space.setBounds(bounds)
    setup = og.SimpleSetup(space)
    setup.setStateValidityChecker(
        lambda state: scene.refusal(np.array([state[i] for i in range(7)])) is None
    )
    ends = []
    for angles in (start, goal):
        state = space.allocState()
        for i in range(7):
            state[i] = float(angles[i])
        ends.append(state)
    setup.setStartAndGoalStates(*ends)
    setup.getSpaceInformation().setStateValidityCheckingResolution(0.005)
    setup.setPlanner(og.RRTConnect(setup.getSpaceInformation()))
    if not setup.solve(settings.time_limit) or not setup.haveExactSolutionPath():
        raise RobotError(
            f"{what}: refused: no way to {np.round(goal, 2).tolist()} rad was found within"
            f" {settings.time_limit} s"
        )
    setup.simplifySolution(settings.time_limit / 4)
    nodes = [
        np.array([state[i] for i in range(7)]) for state in setup.getSolutionPath().getStates()
    ]
    return nodes if len(nodes) > 1 else [np.asarray(start, float), np.asarray(goal, float)]
