"""A grasp of a many-jointed hand for a mesh or a point cloud: a JSON file and a page that turns."""

from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import CaptureError, GraspbookError
from graspbook.figures import hand_figure, write_view
from graspbook.hands import shape
from graspbook.hands.library import load_hand
from graspbook.highdof.evaluation import expected_best
from graspbook.highdof.network import fuse
from graspbook.highdof.plans import check_size, read_plan_of
from graspbook.highdof.predict import generate
from graspbook.highdof.training import load_network
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.mesh import SUFFIXES as MESHES
from graspbook.objects.mesh import has_faces, load_mesh, repair
from graspbook.objects.parts import convex_parts
from graspbook.perception.capture import SUFFIXES as CLOUDS
from graspbook.perception.capture import load_capture
from graspbook.simulation.hold import Holder
from graspbook.storage import check_writable, code_hash, content_hash, write_json

STUCK = ": no rotation gave a hand that could be freed of it"


def weights_path(folder, hand):
    """The file of a hand's network in a folder of weights."""
    return Path(folder) / f"highdof_{hand}.safetensors"


def read_solid(path, scale=1.0):
    """The mesh of a file, in metres; of a point cloud, or a depth capture, the convex hull of the
    object's points.

    Raises MeshError or CaptureError for what cannot be used.
    """
    path = Path(path)
    if path.suffix.lower() in MESHES and (path.suffix.lower() not in CLOUDS or has_faces(path)):
        return load_mesh(path, scale)
    if not (np.isfinite(scale) and scale > 0):
        raise CaptureError(f"{path}: scale {scale} is not a positive number")
    points = load_capture(path, scale).points
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if len(sizes) < 3 or sizes[2] <= 1e-6 * sizes[0]:
        raise CaptureError(
            f"{path}: its {len(points)} points are in one plane, their hull has no volume"
        )
    return repair(trimesh.convex.convex_hull(points), str(path), scale)


def hand_grasp(
    path, weights, out, html, hand="shadow", rotations=5, seed=0, scale=1.0, against=None
):
    """Write the best grasp of `rotations` turned views to `out` (JSON) and `html`, and return what
    was written.

    "joints" are the independent ones, "all_joints" the coupled ones too: rad, or metres of slides.
    Best: of those that hold the object in all six directions and are free of it, else of those that
    are free, else of all, the largest ε; "clear" says whether it is free. "parameters" are all that
    it depends on. against: a file of `graspbook plan` for the same mesh and hand; the report then
    has its figures, and ε relative to them, as "planner". Raises the errors of reading, PlanError
    for an object that the hand cannot get around, and OutputError.
    """
    check_writable(out, html)
    hand = load_hand(hand)
    file = weights_path(weights, hand.name)
    network, settings = load_network(file, hand)
    mesh = read_solid(path, scale)
    check_size(hand, Path(path).name, mesh)
    plan = against and read_plan_of(against, hand, path, mesh)
    try:
        found = generate(hand, fuse(network), mesh, settings, rotations, seed)
    except GraspbookError as error:  # of a field or a grid: it does not know the file
        raise type(error)(f"{path}: {error}") from error
    solid = GraspObject(Path(path).stem, "", mesh, convex_parts(mesh))
    held = Holder(hand, solid).test(found.object_T_palm, found.joints)
    best = int(np.argmax(held.all(axis=1) & found.clear))
    every = hand.expand(found.joints[best]).tolist()
    report = {
        "hand": hand.name,
        "object": Path(path).name,
        "parameters": {
            "scale": scale,
            "rotations": rotations,
            "seed": seed,
            "mesh": content_hash(mesh.vertices, mesh.faces),
            "weights": content_hash(np.frombuffer(file.read_bytes(), np.uint8)),
            "code": code_hash(__name__),
        },
        "joints": hand.named(found.joints[best]),
        "all_joints": dict(zip(hand.all_joints, every, strict=True)),
        "wrist": found.object_T_palm[best],
        "epsilon": found.epsilon[best],
        "penetration_max": found.penetration[best, 2],
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
    if plan:
        report["planner"] = beside_planner(found.epsilon[best], plan.epsilon)
        report["parameters"]["planner"] = plan.parameters
    figure = hand_figure(
        mesh,
        [shape.mesh(hand, found.object_T_palm[best], found.joints[best])],
        found.contacts[best][0],
    )
    text = (
        f"The {hand.name} hand, closed: ε = {found.epsilon[best]:.3f}, held against gravity in"
        f" {held[best].sum()} of 6 directions, deepest point"
        f" {1000 * found.penetration[best, 2]:.1f} mm inside the"
        f" object{'' if found.clear[best] else STUCK}."
    )
    write_view(html, figure, f"A grasp for {Path(path).name}", text)
    write_json(out, report)
    return report


def beside_planner(epsilon, planned):
    """Figures of planned grasps' ε (K,), and an ε relative to their best and to the best of five,
    expected over all choices.

    Without force closure ε counts as 0. None where there are fewer than five, or nothing to divide
    by.
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
