"""Simulated and real trials."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.objects.trial_objects import make_trial_object
from graspbook.robots import trial_setups
from graspbook.robots.arm import REAL_SPEED
from graspbook.robots.controller import SimulatedController
from graspbook.robots.frames import Frame
from graspbook.robots.grasp_choice import TrialSettings
from graspbook.robots.planning import MotionSettings
from graspbook.robots.simulated_world import World
from graspbook.robots.trial_setups import RealSetup, simulate
from graspbook.robots.trial_subjects import Subject
from graspbook.simulation.tabletop import tabletop

BOX = make_trial_object("jello_strawberry")
SUBJECT = Subject(BOX, 0.097, "box")


def a_setup(ask=None, hostname="127.9.9.9", camera=None):
    return RealSetup(
        hostname=hostname,
        camera=camera,
        execute=True,
        show=lambda subject, index, base_T_object: f"{subject.obj.name}_{index}.png",
        ask=ask,
    )


def test_without_a_controller_a_real_arm_is_told_of_at_once():
    with pytest.raises(RobotError, match="127.9.9.9: no controller answers"):
        a_setup().attempt((None, None), TrialSettings(), np.random.default_rng(0))


def test_who_places_an_object_is_shown_how_and_where():
    told = []
    a_setup(told.append).place(SUBJECT, 2, pose.from_rt(np.eye(3), [0.5, -0.02, 0]))
    assert told == [
        "Place jello_strawberry as in jello_strawberry_2.png, about 0.50 m in front of the arm's"
        " base and 0.02 m to its right, step back, press Enter: "
    ]


@pytest.mark.timing
def test_a_real_setup_does_a_trial():
    """By the simulated controller; a camera that sees nothing ends it early."""
    camera = SimpleNamespace(frame=lambda: Frame(np.full((48, 64), np.nan, np.float32), np.eye(3)))
    world = World(tabletop([], np.zeros((0, 4, 4)), []).to_xml(), 0)
    with SimulatedController(world, realtime=False) as controller:
        setup = a_setup(hostname=controller.hostname, camera=camera)
        settings = replace(TrialSettings(), motion=MotionSettings(speed=REAL_SPEED))
        found = setup.attempt((None, None), settings, np.random.default_rng(0))
        assert (
            found["outcome"] == "no feasible grasp"
            and "0 measured points" in found["reason"]
            and found["fault"] is None
        )
        assert found["base_T_object"] is None and found["commands"] == 3  # connect, open, look
        assert controller.commands()["kMove"] == 1


@pytest.mark.parametrize(
    ("held", "height", "outcome"), [(True, 0.021, True), (True, 0.019, False), (False, 0.1, False)]
)
def test_success_needs_two_fingers_and_two_centimetres(monkeypatch, held, height, outcome):
    """The judge that a simulated trial is given."""
    told = []
    looks = []
    lifted = pose.from_rt(np.eye(3), [0.5, 0, height - BOX.mesh.vertices[:, 2].min()])

    class Controller:
        hostname = "nowhere"

        def __init__(self, *_, **__):
            pass

        def truth(self):
            looks.append(held and len(looks) % 5 == 4)  # pads lose touch for moments
            return SimpleNamespace(
                base_T_objects=lifted[None], held=np.array([looks[-1]]), q=np.zeros(7)
            )

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Standing(Controller):
        commands = 0

    monkeypatch.setattr(trial_setups, "SimulatedController", Controller)
    monkeypatch.setattr(trial_setups, "Arm", Standing)
    monkeypatch.setattr(
        trial_setups,
        "attempt",
        lambda *_, rng, judge: told.append(judge()) or {},
    )
    simulate(SUBJECT, np.eye(4), None, TrialSettings(), np.random.default_rng(0))
    assert told[0][0] is outcome and told[0][1] == pytest.approx(height)
