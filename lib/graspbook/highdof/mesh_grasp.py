"""The best grasp of a hand's network for one object: its figures, contacts and joints by name."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from graspbook.errors import GraspbookError
from graspbook.hands import shape
from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import deepest_self
from graspbook.highdof.evaluation import expected_best
from graspbook.highdof.object_field import make_target
from graspbook.highdof.plans import check_size, read_plan_of
from graspbook.highdof.predict import generate
from graspbook.highdof.squeeze import stages
from graspbook.highdof.training import load_network
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.parts import convex_parts
from graspbook.perception.inputs import Solid, read_solid
from graspbook.simulation.hold import Holder, hold_settings
from graspbook.storage import code_hash, content_hash


def weights_path(folder: Path | str, hand: str) -> Path:
    """The file of a hand's network.

    folder: of weights.
    hand: its name.
    """
    return Path(folder) / f"highdof_{hand}.safetensors"


def grasp_mesh(
    path: Path | str,
    weights: Path | str,
    hand_name: str = "shadow",
    *,
    rotations: int = 5,
    seed: int = 0,
    scale: float = 1.0,
    against: Path | str | None = None,
    hold: str = "bench",
    solid: Solid | None = None,
    progress: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], trimesh.Trimesh, trimesh.Trimesh]:
    """Find the best grasp of an object: a report, the object's mesh, and the posed hand's.

    path: a mesh, a point cloud or a depth capture; the convex hull is used in place of the last
        two, and the report then says so as "shape", with "notes" of what was assumed.
    weights: the folder of the networks.
    hand_name: one of `hands.library.HANDS`.
    rotations: turned views, of which the best counts.
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
    those that are free, else of all; "clear" says whether it is free.
    "parameters" are all that it depends on. Raises the errors of reading, and PlanError for an
    object that the hand cannot get around.
    """
    hand, test = load_hand(hand_name), hold_settings(hold)
    object_read = read_solid(path, scale, **(reading or {})) if solid is None else solid
    mesh = object_read.mesh
    check_size(hand, Path(path).name, mesh)
    plan = against and read_plan_of(against, hand, path, mesh)
    file = weights_path(weights, hand.name)
    network, settings = load_network(file, hand)
    try:
        found = generate(hand, network, mesh, settings, rotations=rotations, seed=seed)
    except GraspbookError as error:  # of a field or a grid: it does not know the file
        raise type(error)(f"{path}: {error}") from error
    if progress:
        said = f"testing {len(found.joints)} grasps of the {hand.name} hand by the {hold} test"
        print(f"{path}: {said}", file=sys.stderr, flush=True)
    whole = GraspObject(Path(path).stem, "", mesh, convex_parts(mesh))
    before, grasp, squeeze, _ = stages(hand, make_target(mesh), found.object_T_palm, found.joints)
    holder = Holder(hand, whole, test)
    outcome = holder.test(found.object_T_palm, grasp, squeeze=squeeze, pregrasp=before)
    held = outcome.directions
    best = int(np.argmax(held.all(axis=1) & found.clear))
    every = hand.expand(found.joints[best]).tolist()
    links = hand.forward(torch.as_tensor(found.joints[best : best + 1], dtype=torch.float32))
    report = {
        "hand": hand.name,
        "object": Path(path).name,
        "parameters": {
            "scale": scale,
            "rotations": rotations,
            "seed": seed,
            "hold": hold,
            "mesh": content_hash(mesh.vertices, mesh.faces),
            "weights": content_hash(np.frombuffer(file.read_bytes(), np.uint8)),
            "code": code_hash(__name__),
        },
        "joints": hand.named(found.joints[best]),
        "all_joints": dict(zip(hand.all_joints, every, strict=True)),
        "pregrasp": hand.named(before[best]),
        "squeeze": hand.named(squeeze[best]),
        "wrist": found.object_T_palm[best],
        "epsilon": found.epsilon[best],
        "penetration_max": found.penetration[best, 2],
        "self_penetration_max": float(deepest_self(hand, links)[0]),
        "clear": bool(found.clear[best]),
        "held": bool(held[best].all()),
        "held_directions": int(held[best].sum()),
        "contacts": [
            {"point": point, "normal": normal, "link": hand.links[link]}
            for point, normal, link in zip(*found.contacts[best], strict=True)
        ],
        "rotations": [
            {
                "epsilon": epsilon,
                "held": bool(kept.all()),
                "penetration_predicted": depth[0],
                "penetration_adjusted": depth[1],
                "penetration_max": depth[2],
            }
            for epsilon, kept, depth in zip(found.epsilon, held, found.penetration, strict=True)
        ],
    }
    if object_read.capture:
        report |= {"shape": "convex hull", "notes": list(object_read.notes)}
        if object_read.capture.file_T_camera is not None:
            report["file_T_camera"] = object_read.capture.file_T_camera
    if plan:
        report["planner"] = beside_planner(found.epsilon[best], plan.epsilon)
        report["parameters"]["planner"] = plan.parameters
    return report, mesh, shape.mesh(hand, found.object_T_palm[best], found.joints[best])


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
