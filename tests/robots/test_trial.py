"""One trial: what goes well, and every fault ends in an outcome, with the arm standing still."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.objects.trial_objects import make_trial_object
from graspbook.perception.depth_sensor import d415
from graspbook.robots import grasp_choice, trial
from graspbook.robots.arm import Arm
from graspbook.robots.controller import SimulatedController
from graspbook.robots.fr3 import FR3
from graspbook.robots.frames import Frame
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.planning import MotionSettings
from graspbook.robots.simulated_camera import SimulatedCamera
from graspbook.robots.simulated_world import World
from graspbook.robots.trial import attempt
from graspbook.robots.trial_records import STAGES
from graspbook.simulation.tabletop import tabletop

pytestmark = pytest.mark.timing  # the client has a clock of its own

BOX = make_trial_object("jello_strawberry")
GRASP = pose.from_rt(
    np.diag([1.0, -1.0, -1.0]), [0.5, 0.0, 0.045 + 0.1034]
)  # from above, across its 28 mm
SETTINGS = TrialSettings(motion=MotionSettings(speed=0.5, line_speed=0.3), hold=0.05)
TABLE = trimesh.creation.box((0.9, 1.2, 0.05), pose.from_rt(np.eye(3), [0.5, 0, -0.025]))
NO_NETWORKS = (None, None)


def started():
    world = tabletop([BOX], [pose.from_rt(np.eye(3), [0.5, 0, 0])], [0.1]).to_xml()
    return SimulatedController(World(world, 1), FR3.look, realtime=False)


@pytest.fixture(scope="module")
def controller():
    with started() as running:
        yield running


@pytest.fixture(autouse=True)
def good_grasps(monkeypatch):
    """In place of the networks: one grasp out of reach, then the good one."""

    def predicted(cloud, sampler, scorer, settings, rng, scene):
        base_T_camera = FR3.base_T_camera(FR3.forward(FR3.look))
        far = GRASP + np.array([[0, 0, 0, 0.6], [0] * 4, [0] * 4, [0] * 4])
        return SimpleNamespace(
            camera_T_hand=pose.inverse(base_T_camera) @ np.array([far, GRASP]),
            scores=np.array([0.9, 0.8]),
            feasible=np.array([True, True]),
        )

    monkeypatch.setattr(grasp_choice, "predict", predicted)


def camera_of(controller):
    def scene():
        return [(TABLE, np.eye(4)), (BOX.mesh, controller.truth().base_T_objects[0])]

    return SimulatedCamera(
        scene,
        lambda: FR3.base_T_camera(FR3.forward(controller.truth().q)),
        d415(),
        np.random.default_rng(0),
    )


def tried(controller, camera=None, settings=SETTINGS):
    """What became of a trial, and the arm's commands."""

    def judge():
        truth = controller.truth()
        height = pose.transform(truth.base_T_objects[0], BOX.mesh.vertices)[:, 2].min()
        return bool(truth.held[0]) and height >= 0.02, float(height)

    with Arm(controller.hostname, execute=True, speed=0.5, recover=True) as arm:
        return attempt(
            arm,
            camera or camera_of(controller),
            NO_NETWORKS,
            settings,
            rng=np.random.default_rng(0),
            judge=judge,
        )


def stands_still(controller):
    def rest(seconds):
        end = controller.truth().time + seconds
        while (truth := controller.truth()).time < end:
            time.sleep(0.002)
        return truth.q, controller.commands()

    q, commands = rest(0.4)
    later, more = rest(0.3)
    np.testing.assert_allclose(later, q, atol=1e-4)
    return commands == more


def test_a_box_is_lifted_and_put_back_and_the_arm_looks_again(controller):
    found = tried(controller)
    assert (found["outcome"], found["reason"], found["fault"]) == ("success", None, None)
    assert found["lifted"] == pytest.approx(0.1, abs=0.01)
    assert (found["rank"], found["score"], found["scores"]) == (1, 0.8, [0.9, 0.8])
    assert found["grasps"] == {"predicted": 2, "clear": 2, "reachable": 1, "tried": 1}
    np.testing.assert_allclose(
        np.abs(found["base_T_hand"]), np.abs(GRASP), atol=1e-3
    )  # or turned about its approach
    assert (
        set(found["times"]) == set(STAGES)
        and sum(found["times"].values()) < 2.1 * found["times"]["total"]
    )
    truth = controller.truth()
    np.testing.assert_allclose(
        truth.base_T_objects[0], pose.from_rt(np.eye(3), [0.5, 0, 0]), atol=0.01
    )
    np.testing.assert_allclose(truth.q, FR3.look, atol=5e-3)
    assert stands_still(controller)


def test_a_camera_that_stops_sending_is_a_fault(controller):
    def silent():
        raise RobotError("camera 42 sends no frames for 2 s; check its cable and USB port")

    found = tried(controller, SimpleNamespace(frame=silent))
    assert (
        found["outcome"] == "fault"
        and found["reason"] == found["fault"]
        and "camera 42 sends no frames" in found["reason"]
    )
    assert set(found["times"]) == {"look", "total"} and stands_still(controller)


def test_an_empty_view_is_no_feasible_grasp(controller):
    nothing = Frame(np.full((480, 640), np.nan, np.float32), d415().camera.K)
    found = tried(controller, SimpleNamespace(frame=lambda: nothing))
    assert (
        found["outcome"] == "no feasible grasp"
        and found["reason"].startswith("empty view")
        and found["fault"] is None
    )
    assert stands_still(controller)


def test_no_way_to_any_grasp_is_no_feasible_grasp(controller, monkeypatch):
    around = ((0.42, 0.0), (0.58, 0.0), (0.5, 0.09), (0.5, -0.09))
    posts = np.array([[x, y, z] for x, y in around for z in np.arange(0.01, 0.4, 0.01)])
    perceive = trial.perceive

    def crowded(*arguments):
        view = perceive(*arguments)
        return type(view)(view.normal, view.offset, view.object_points, posts, view.table_points)

    monkeypatch.setattr(trial, "perceive", crowded)
    found = tried(controller)
    assert (
        found["outcome"] == "no feasible grasp"
        and found["fault"] is None
        and found["base_T_hand"] is None
    )
    assert "can be reached" in found["reason"] or "none was found" in found["reason"]
    assert stands_still(controller)


def test_a_reflex_in_mid_approach_is_a_fault_and_the_next_trial_recovers(controller):
    controller.inject(
        "reflex", motion=2, after=0.2
    )  # the first is the way there, as the arm looks already
    found = tried(controller)
    assert (
        found["outcome"] == "fault"
        and "reflex" in found["fault"]
        and found["reason"] == found["fault"]
    )
    assert (
        found["lifted"] is None and "approach" in found["times"] and "close" not in found["times"]
    )
    assert stands_still(controller)


def test_ctrl_c_goes_through_a_trial_with_the_arm_stopped(controller):
    def interrupted():
        raise KeyboardInterrupt

    before = controller.commands()["kStopMove"]
    with pytest.raises(KeyboardInterrupt):
        tried(controller, SimpleNamespace(frame=interrupted))
    assert controller.commands()["kStopMove"] > before and stands_still(controller)


def test_a_hand_that_closes_on_nothing_then_a_controller_that_dies_in_a_motion():
    with started() as controller:
        controller.inject("vanish", motion=3, after=0.1)
        found = tried(controller)
        assert (
            found["outcome"] == "grasp failed"
            and found["fault"] is None
            and stands_still(controller)
        )
        assert found["reason"].startswith("the hand closed on nothing")
        controller.inject("die", motion=1, after=0.1)
        camera = camera_of(controller)
        with Arm(controller.hostname, execute=True, speed=0.5) as arm:
            away = FR3.look + [0.3, 0, 0, 0, 0, 0, 0]
            path = trial.find_way(trial.Scene(), arm.q, away, SETTINGS.motion)
            start = time.monotonic()
            leaning, rng = Leaning(arm, path), np.random.default_rng(0)
            found = attempt(leaning, camera, NO_NETWORKS, SETTINGS, rng=rng, judge=None)
        assert (
            found["outcome"] == "fault"
            and "is gone" in found["reason"]
            and time.monotonic() - start < 20
        )


class Leaning:
    """An arm that first goes somewhere else, so that there is a motion to look."""

    def __init__(self, arm, path):
        self._arm, self._path = arm, path

    def open(self):
        self._arm.open()
        self._arm.run(self._path)

    def __getattr__(self, name):
        return getattr(self._arm, name)


def test_an_object_that_slips_while_lifting_is_a_grasp_that_failed():
    with started() as controller:
        controller.inject("slip", motion=3, after=0.2)
        found = tried(controller)
        assert (
            found["outcome"] == "grasp failed"
            and found["fault"] is None
            and stands_still(controller)
        )
        assert "lost while lifting" in found["reason"] or "not lifted clear" in found["reason"]
        assert found["lifted"] < 0.02 and controller.truth().table.tolist() == [True]
