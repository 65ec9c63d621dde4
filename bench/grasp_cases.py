"""Cases of whole grasps of the Shadow Hand; see `cases` for what a case is and how two sides are
compared.
"""

import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import mujoco
import numpy as np
import torch
from hand_cases import in_mujoco

from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import deepest_self
from graspbook.highdof import mesh_grasp, plans
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.held import tell_held
from graspbook.highdof.planner import PlannerSettings, search_settings
from graspbook.objects.families import make_shape
from graspbook.objects.parts import convex_parts
from graspbook.perception.inputs import read_solid
from graspbook.simulation.hold import HOLD_PRESETS
from graspbook.storage import SHIPPED


def hold_planned(tiny, measure):
    """Grasps that hold by `bench`, planned for three objects at once by the search for balance,
    moved out of the object, closed and squeezed; the baseline plans by descent.

    The third with the least imbalance is tested; near-duplicates of a grasp do not count. The test
    is not timed. A side of which no grasp holds counts as one grasp.
    """
    torch.set_num_threads(1)
    hand, count = load_hand("shadow"), 3 if tiny else 48
    names = ["box"] if tiny else ["bottle", "box", "mug"]
    objects = {name: make_shape(name, np.random.default_rng(0)) for name in names}
    meshes, counted = {name: obj.mesh for name, obj in objects.items()}, []

    def planner(search):
        short = {"steps": 2, "rounds": 1} if tiny else {}
        settings = PlannerSettings(count, search=search_settings(search, **short))

        def planned():
            with (
                tempfile.TemporaryDirectory() as folder,
                mock.patch.object(plans, "closed_epsilon", lambda *_: -np.ones(count)),
            ):
                paths = {name: Path(folder, name) for name in names}
                plans.plan_group(meshes, paths, {}, hand="shadow", settings=settings)
                return {name: plans.read_plan(path) for name, path in paths.items()}

        return planned

    def held(found):
        tested = [tell_held(hand, objects[name], found[name], most=count // 3) for name in names]
        counted.append(sum(int(plan.held.sum()) for plan in tested))
        return max(1, counted[-1])

    return measure(
        planner("balance_fingertips"),
        planner("descent"),
        unit="held/s",
        work=held,
        repeats=1 if tiny else 2,
        same=lambda *_: f"{counted[0]}, {counted[1]} of {len(names) * count} hold",
    )


def meet_itself(tiny, measure):
    """How deep parts of the hand are inside each other, in random postures; the baseline is
    MuJoCo's collision detection, one posture at a time.
    """
    torch.set_num_threads(1)
    hand, count = load_hand("shadow"), 10 if tiny else 1000
    joints = np.random.default_rng(0).uniform(*hand.limits.T, (count, len(hand.joints)))
    given = torch.as_tensor(joints, dtype=torch.float32)
    model, data, address = in_mujoco(hand)

    def baseline():
        found = np.empty(count)
        for row, values in enumerate(hand.expand(joints)):
            data.qpos[address] = values
            mujoco.mj_kinematics(model, data)
            mujoco.mj_collision(model, data)
            found[row] = -data.contact.dist.min(initial=0)
        return found

    return measure(
        lambda: deepest_self(hand, hand.forward(given)).numpy(),
        baseline,
        unit="poses/s",
        work=count,
        repeats=1 if tiny else 5,
        same=lambda ours, theirs: f"{1000 * np.abs(ours - theirs).max():.2f} mm apart at most",
    )


def grasp_file(tiny, measure):
    """The best grasp of a bottle in a mesh file, by the shipped network and planned candidates; the
    baseline tests all of them that are free of the object.

    Its convex parts are made before. Its distance field is made in each call.
    """
    torch.set_num_threads(1 if tiny else 2)
    obj, preset = make_shape("bottle", np.random.default_rng(0)), HOLD_PRESETS["bench"]
    sizes = {"weights": None, "planned": 2} if tiny else {"weights": SHIPPED}
    steps = {"steps": 2} if tiny else {}
    preset = replace(preset, time=0.1) if tiny else preset
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name, "bottle.stl")
    obj.mesh.export(file)
    parts = obj.parts if tiny else convex_parts(read_solid(file, 1.0).mesh)

    def grasper(tested):
        def grasp():
            with (
                tempfile.TemporaryDirectory() as empty,
                mock.patch.dict(os.environ, GRASPBOOK_CACHE=empty),
                mock.patch.dict(HOLD_PRESETS, bench=preset),
                mock.patch.object(mesh_grasp, "BalanceSettings", partial(BalanceSettings, **steps)),
                mock.patch.object(mesh_grasp, "convex_parts", lambda _: parts),
                mock.patch.object(mesh_grasp, "_TESTED", tested),
            ):
                return mesh_grasp.grasp_mesh(file, **sizes)[0]

        return grasp

    def same(*reports):
        return ", ".join(
            f"ε {report['epsilon']:.2f} {'held' if report['held'] else 'lost'}"
            for report in reports
        )

    with folder:
        return measure(
            grasper(1 if tiny else mesh_grasp._TESTED),
            grasper(None),
            unit="objects/s",
            work=1,
            repeats=1 if tiny else 3,
            same=same,
        )
