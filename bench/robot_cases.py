"""Cases of the robot; see `cases` for what a case is and how two sides are compared."""

import time
from dataclasses import replace
from functools import lru_cache
from unittest import mock

import numpy as np

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.graspnet.contact import contact_check, thinned, within_reach
from graspbook.graspnet.predict import load_networks
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.perception.camera import backproject
from graspbook.perception.extraction import extract_object
from graspbook.robots import planning, scene
from graspbook.robots.fr3 import FR3
from graspbook.robots.grasp_choice import TrialSettings, choose, perceive
from graspbook.robots.paths import checked
from graspbook.robots.planning import MotionSettings, find_way
from graspbook.robots.scene import Scene
from graspbook.robots.trial_setups import simulate, simulated_view
from graspbook.robots.trial_subjects import Subject, trial_poses
from graspbook.storage import SHIPPED

_BOXES = np.array(
    [[0.45, 0.0, 0.1], [0.6, 0.1, 0.06], [0.55, -0.12, 0.05]]
)  # centres on the table, between its two sides
_HALF = np.array([0.04, 0.04, 0.1])


def find_ways(points, tiny, measure):
    """Checked ways from one side of a table to the other, past boxes seen as so many points; the
    baseline makes every point a sphere and starts with the search.
    """
    rng, settings = np.random.default_rng(0), MotionSettings()
    observed = _on_boxes(points, rng)
    with mock.patch.object(scene, "thinned", lambda points: points):
        every = Scene(forbidden=observed)
    thinned = Scene(forbidden=observed)
    ends = [(_over_table(rng, -1), _over_table(rng, 1)) for _ in range(60)]
    ends = [pair for pair in ends if not any(map(every.refusal, pair))][: 2 if tiny else 20]
    seconds = []

    def ours():
        found = [_seconds(find_way, thinned, *pair, settings) for pair in ends]
        seconds[:] = np.abs(found)
        return np.sum(np.array(found) > 0)

    def search(start, goal):
        nodes = planning._search(every, start, goal, settings, "way")
        return checked(every, "way", start, nodes[1:], settings.speed)

    def baseline():
        return np.sum([_seconds(search, *pair) > 0 for pair in ends])

    def same(found, other):
        middle, late = np.percentile(seconds, [50, 95])
        return (
            f"{found}, {other} of {len(ends)} found; ours {1000 * middle:.0f} ms, 95 % within"
            f" {1000 * late:.0f} ms"
        )

    return measure(
        ours, baseline, unit="ways/s", work=len(ends), repeats=1 if tiny else 3, same=same
    )


def _on_boxes(points, rng):
    local = rng.uniform(-1, 1, (points, 3))
    local[np.arange(points), rng.integers(3, size=points)] = rng.choice([-1.0, 1.0], points)
    return _BOXES[rng.integers(3, size=points)] + _HALF * local


def _over_table(rng, side):
    """Joint angles (7,) of a hand that points down over one side of the table."""
    place = rng.uniform([0.35, 0.2, 0.2], [0.65, 0.35, 0.3]) * [1, side, 1]
    turned = pose.rotation_about([0, 0, 1.0], rng.uniform(-1, 1)) @ np.diag([1.0, -1, -1])
    return FR3.inverse(
        pose.from_rt(turned, place), FR3.ready + np.arctan2(place[1], place[0]) * np.eye(7)[0]
    )


def _seconds(function, *arguments):
    """Seconds that a call took, negative where it found nothing."""
    started = time.perf_counter()
    try:
        function(*arguments)
    except RobotError:
        return started - time.perf_counter()
    return time.perf_counter() - started


def _view(tiny):
    """A Frame of a mug on the table, its object and the camera's pose."""
    name = "jello_chocolate" if tiny else "white_mug"
    obj = make_trial_object(name)
    base_T_object, base_T_camera = trial_poses(obj, 1)[0], FR3.base_T_camera(FR3.forward(FR3.look))
    return Subject(obj, TRIAL_OBJECTS[name].mass, ""), base_T_object, base_T_camera


def perceive_frames(tiny, measure):
    """Depth images to the object on the table; the baseline clusters in space, as for captures
    without a robot.
    """
    subject, base_T_object, base_T_camera = _view(tiny)
    frame = simulated_view(subject.obj, base_T_object, base_T_camera, np.random.default_rng(0))

    def same(view, points):
        return f"{len(view.object_points)}, {len(points)} points"

    return measure(
        lambda: perceive(frame, base_T_camera, TrialSettings()),
        lambda: extract_object(backproject(frame.depth, frame.K)),
        unit="frames/s",
        work=1,
        repeats=1 if tiny else 20,
        same=same,
    )


def frame_to_path(tiny, measure):
    """From a view to a path to the best of 200 grasps; the baseline asks inverse kinematics about
    every grasp, clear or not.
    """
    subject, base_T_object, base_T_camera = _view(tiny)
    rng, networks, settings = np.random.default_rng(0), load_networks(SHIPPED), TrialSettings()
    settings = replace(settings, predict=replace(settings.predict, samples=40 if tiny else 200))
    view = perceive(
        simulated_view(subject.obj, base_T_object, base_T_camera, rng), base_T_camera, settings
    )

    def chosen():
        how = {"networks": networks, "settings": settings, "rng": np.random.default_rng(0)}
        return choose(view, base_T_camera, FR3.look, **how)

    def without_clearance():
        with mock.patch.object(
            planning, "_clear", lambda _scene, grasps, *_: np.ones(len(grasps), bool)
        ):
            return chosen()

    def same(ours, baseline):
        return f"{ours.reachable.sum()}, {baseline.reachable.sum()} reachable"

    return measure(
        chosen, without_clearance, unit="views/s", work=1, repeats=1 if tiny else 5, same=same
    )


def do_trials(tiny, measure):
    """Simulated trials as fast as both sides of the protocol go; the baseline in real time, tiny
    ones excepted.
    """
    subject, base_T_object, _ = _view(tiny)
    networks, settings = load_networks(SHIPPED), TrialSettings(hold=0.1 if tiny else 2.0)
    settings = replace(settings, predict=replace(settings.predict, samples=40 if tiny else 200))
    if tiny:
        settings = replace(settings, motion=MotionSettings(retreat=0.05, lift=0.04, line_speed=0.3))

    @lru_cache(maxsize=None if tiny else 0)  # a tiny trial is done once per side
    def trial(side):
        rng, realtime = np.random.default_rng(0), side == "baseline" and not tiny
        return simulate(subject, base_T_object, networks, settings, rng, realtime=realtime)

    def same(ours, baseline):
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in baseline["times"].items())
        return f"{ours['outcome']}, {baseline['outcome']}; in real time, s: {stages}"

    return measure(
        lambda: trial("ours"),
        lambda: trial("baseline"),
        unit="trials/s",
        work=1,
        same=same,
    )


def check_contact(tiny, measure):
    """Which of 200 hands around a point hold points of a scene inside them."""
    rng = np.random.default_rng(0)
    rows, columns = (60, 80) if tiny else (720, 1280)
    y, x = np.meshgrid(np.linspace(-0.55, 0.55, rows), np.linspace(-0.65, 0.65, columns))
    scene = np.stack([x, y, 0.6 + 0.02 * np.sin(9 * x) * np.cos(9 * y)], axis=-1).reshape(-1, 3)
    places = [0, 0, 0.5] + rng.uniform(-0.08, 0.08, (20 if tiny else 200, 3))
    hands = pose.from_rt(pose.random_rotations(len(places), rng), places)

    def whole():
        parts = [pose.transform(pose.inverse(hands[i : i + 1]), scene) for i in range(len(hands))]
        return np.concatenate([FRANKA.points_in_hand(part).any(axis=1) for part in parts])

    return measure(
        lambda: contact_check(hands, thinned(within_reach(hands, scene)))[0],
        whole,
        unit="scenes/s",
        work=1,
        repeats=1 if tiny else 3,
        same=lambda ours, baseline: f"{np.mean(ours == baseline):.1%} of hands",
    )
