"""The best grasp of a hand for one object, of its network's answers and of planned candidates: its
figures, contacts and joints by name.
"""

import sys
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from graspbook.errors import GraspbookError, ParameterError, PlanError
from graspbook.hands import shape
from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import deepest_self
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.evaluation import expected_best
from graspbook.highdof.object_field import make_target
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.planner import plan as search
from graspbook.highdof.plans import check_size, read_plan_of
from graspbook.highdof.predict import Candidates, ask, complete
from graspbook.highdof.squeeze import stages
from graspbook.highdof.surface_starts import PalmSettings
from graspbook.highdof.training import load_network
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.parts import convex_parts
from graspbook.perception.inputs import Solid, read_solid
from graspbook.simulation.hold import Holder, hold_settings
from graspbook.storage import code_hash, content_hash

PLANNED = 48  # candidates
_TESTED = 24  # of the network's answers and the candidates together, those of least imbalance


def weights_path(folder: Path | str, hand: str) -> Path:
    """The file of a hand's network.

    folder: of weights.
    hand: its name.
    """
    return Path(folder) / f"highdof_{hand}.safetensors"


def grasp_mesh(
    path: Path | str,
    weights: Path | str | None,
    hand_name: str = "shadow",
    *,
    rotations: int = 27,
    planned: int = PLANNED,
    seed: int = 0,
    scale: float = 1.0,
    against: Path | str | None = None,
    hold: str = "bench",
    solid: Solid | None = None,
    progress: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], trimesh.Trimesh, trimesh.Trimesh]:
    """Find the best grasp of an object: a report, the object's mesh, and the posed hand's.

    path: a mesh, a point cloud or a depth capture; of the last two a solid is made.
        The report then says how as "shape", with "notes" of what was assumed.
    weights: the folder of the networks; None for planned candidates only.
    hand_name: one of `hands.library.HANDS`, or the path of a folder with a hand.
    rotations: of the object, for which the network is asked.
    planned: candidates that are planned, too, half of them by `balance` and half by `palm`; 0 for
        the network only.
    seed: of all that is drawn.
    scale: factor from the file's units to metres.
    against: a file of `graspbook plan` for the same mesh and hand; the report then has its
        figures, and ε relative to them, as "planner".
    hold: the test that says what is held, one of `hold.HOLD_PRESETS`.
    solid: what `read_solid` returns for the file; read here if None.
    progress: say on stderr what is done.
    reading: options of `load_capture`, for a cloud or a capture.

    Of the report, "joints" are the independent ones, "all_joints" the coupled ones too: rad, or
    metres of slides. "pregrasp" and "squeeze" have the same joints, see `squeeze.Stages`. Best is
    the largest ε of those that hold the object in all six directions and are free of it, else of
    those that are free, else of all; "clear" says whether it is free, and "source" whether it is
    the "network"'s or "planned". Of all grasps that are free of the object, the 24 with the most
    balanced forces are tested. Without planned candidates all of the network's answers are.
    "parameters" are all that it depends on. Raises the errors of reading, and PlanError for an
    object that the hand cannot get around.
    """
    hand, test = load_hand(hand_name), hold_settings(hold)
    object_read = read_solid(path, scale, **(reading or {})) if solid is None else solid
    mesh = object_read.mesh
    check_size(hand, Path(path).name, mesh)
    plan = against and read_plan_of(against, hand, path, mesh)
    file = weights and weights_path(weights, hand.name)
    known = file and load_network(file, hand)
    if not known and not planned:
        raise ParameterError(
            f"{path}: there is neither a network nor a planned candidate, expected one of them"
        )
    refused: list[str] = []
    try:
        target, parts = make_target(mesh), []
        if known:
            asked = ask(known[0], mesh, target, known[1], rotations=rotations, seed=seed)
            parts.append(complete(hand, target, *asked, "polish"))
        if planned:
            try:
                parts.append(_planned(hand, target, planned, seed, refused))
            except PlanError:
                if not parts:
                    raise
    except GraspbookError as error:  # of a field or a grid: it does not know the file
        raise type(error)(f"{path}: {error}") from error
    found = _together(parts)
    before, grasp, squeeze, net = stages(hand, target, found.object_T_palm, found.joints)
    answers = len(parts[0].joints) if known else 0  # the network's, first
    order = np.argsort(net, kind="stable")
    tested = order[found.clear[order]][:_TESTED]
    if not planned:
        tested = np.arange(answers)
    if progress:
        said = f"testing {len(tested)} grasps of the {hand.name} hand by the {hold} test"
        print(f"{path}: {said}", file=sys.stderr, flush=True)
    holder = Holder(hand, GraspObject(Path(path).stem, "", mesh, convex_parts(mesh)), test)
    motors = {"squeeze": squeeze[tested], "pregrasp": before[tested]}
    directions = np.zeros((len(found.joints), 6), bool)
    directions[tested] = holder.test(
        found.object_T_palm[tested], grasp[tested], **motors
    ).directions
    held: np.ndarray = np.asarray(directions.all(axis=1))
    best = int(np.lexsort((-found.epsilon, ~found.clear, ~(held & found.clear)))[0])
    every = hand.expand(found.joints[best]).tolist()
    wrist, joints = (
        torch.as_tensor(array[best : best + 1], dtype=torch.float32)
        for array in (found.object_T_palm, found.joints)
    )
    report: dict[str, Any] = {
        "hand": hand.name,
        "object": Path(path).name,
        "parameters": {
            "scale": scale,
            "rotations": rotations,
            "planned": planned,
            "seed": seed,
            "hold": hold,
            "mesh": content_hash(mesh.vertices, mesh.faces),
            "weights": file and content_hash(np.frombuffer(file.read_bytes(), np.uint8)),
            "code": code_hash(__name__),
        },
        "source": "network" if best < answers else "planned",
        "joints": hand.named(found.joints[best]),
        "all_joints": dict(zip(hand.all_joints, every, strict=True)),
        "pregrasp": hand.named(before[best]),
        "squeeze": hand.named(squeeze[best]),
        "wrist": found.object_T_palm[best],
        "epsilon": found.epsilon[best],
        "penetration_max": found.penetration[best, 2],
        "self_penetration_max": float(deepest_self(hand, hand.forward(joints, wrist))[0]),
        "clear": bool(found.clear[best]),
        "held": bool(held[best]),
        "held_directions": int(directions[best].sum()),
        "contacts": [
            {"point": point, "normal": normal, "link": hand.links[link]}
            for point, normal, link in zip(*found.contacts[best], strict=True)
        ],
        "rotations": [
            {
                "epsilon": found.epsilon[row],
                "tested": bool(row in tested),
                "held": bool(held[row]),
                "penetration_predicted": found.penetration[row, 0],
                "penetration_adjusted": found.penetration[row, 1],
                "penetration_max": found.penetration[row, 2],
            }
            for row in range(answers)
        ],
        "planned": {
            "candidates": len(found.joints) - answers,
            "tested": int((tested >= answers).sum()),
            "held": int(held[answers:].sum()),
        },
    }
    if refused:
        said = "no planned candidates"
        if len(found.joints) > answers:
            said = "only one of two searches found planned candidates"
        report["planned"]["refused"] = f"{said}: {'; '.join(dict.fromkeys(refused))}"
    if object_read.capture:
        report |= {"shape": object_read.shape, "notes": list(object_read.notes)}
        if object_read.capture.file_T_camera is not None:
            report["file_T_camera"] = object_read.capture.file_T_camera
    if plan:
        report["planner"] = beside_planner(found.epsilon[best], plan.epsilon)
        report["parameters"]["planner"] = plan.parameters
    return report, mesh, shape.mesh(hand, found.object_T_palm[best], found.joints[best])


def _planned(hand, target, count, seed, refused):
    """Candidates from two searches, half from each; their rotation is -1.

    One seeks contacts whose forces cancel. The other puts the palm against the object, which holds
    bowls and pans, and most objects in the Barrett Hand. `refused` gets what a search cannot do.
    """
    generator, found = torch.Generator().manual_seed(seed), []
    for grasps, by in ((count - count // 2, BalanceSettings()), (count // 2, PalmSettings())):
        if grasps:
            settings = PlannerSettings(grasps=grasps, search=by)
            try:
                found.append(search(hand, target.fields, settings, generator)[0].states)
            except PlanError as error:
                refused.append(str(error))
    if not found:
        raise PlanError("; ".join(refused))
    states = torch.cat(found)
    return complete(hand, target, np.full(len(states), -1), states, "adjust")


def _together(parts):
    """Several Candidates as one."""
    columns = zip(*([getattr(one, f.name) for f in fields(one)] for one in parts), strict=True)
    *arrays, contacts = columns
    return Candidates(*map(np.concatenate, arrays), tuple(chain.from_iterable(contacts)))


def beside_planner(epsilon: float, planned: np.ndarray) -> dict[str, Any]:
    """Compare a grasp with planned ones: their figures, and its ε relative to theirs.

    epsilon: of the grasp; without force closure it counts as 0, here and below.
    planned: (K,) of planned grasps. The best of five is expected over all choices of five.

    A figure is None where there are fewer than five, or nothing to divide by.
    """
    planned, epsilon = np.clip(planned, 0, None), max(float(epsilon), 0.0)
    best, best_of_5 = float(planned.max()), expected_best(planned, 5) if len(planned) >= 5 else None
    return {
        "grasps": len(planned),
        "force_closure": float(np.mean(planned > 0)),
        "best_epsilon": best,
        "best_of_5": best_of_5,
        "relative_epsilon": epsilon / best_of_5 if best_of_5 else None,
        "relative_to_best": epsilon / best if best else None,
    }
