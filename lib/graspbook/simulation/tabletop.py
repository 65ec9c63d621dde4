"""Objects on a table: their poses at rest, and a world of table and objects for an arm.

The world's z is up, and the table's top is at z = 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import mujoco
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from graspbook import pose
from graspbook.errors import MeshError, ParameterError
from graspbook.objects import GraspObject
from graspbook.simulation.shake_model import GRAVITY, SOLIMP, SOLREF, ShakeSettings, mass_properties

TABLE_SIZE, TABLE_CENTRE = (0.9, 1.2, 0.05), (0.5, 0.0)  # m: x, y, z; x, y in front of the arm
# Two sides closer than this are the same pose on the table: facets of a round side.
SAME_SIDE = np.deg2rad(25.0)
_MOVED, _TURNED = 0.005, np.deg2rad(5.0)  # a pose that settling changes by more is not at rest
_MASS, _DROP = 0.5, 0.001  # of the test by simulation
_TILT = pose.rotation_about([1.0, 1.0, 0.0], np.deg2rad(1.0))
_AT_REST = np.array([0.003] * 3 + [0.03] * 3)  # m/s and rad/s
_MAT = [0.02, 1.0]  # MuJoCo's own softness of a contact
_ALIKE = 1e-4  # m, largest difference of sides that look the same
_TRIES = 100


def tabletop(
    objects: Sequence[GraspObject],
    world_T_objects: ArrayLike,
    masses: Sequence[float],
    *,
    table_size: Sequence[float] = TABLE_SIZE,
    table_centre: Sequence[float] = TABLE_CENTRE,
    settings: ShakeSettings | None = None,
    mat: bool = True,
) -> mujoco.MjSpec:
    """A MuJoCo spec of a table and objects on it, with the frozen physics of the shake test.

    Geom "table" is a box with its top at z = 0. Object i is body `object_{i}` on the free joint of
    that name, whose qpos is world_T_object (position, quat_wxyz). Its convex parts are the geoms
    `object_{i}_part_{k}`. `to_xml` of the spec can be merged into another world. Raises
    ParameterError unless there is one pose and one mass per object, and masses and table sides are
    positive.

    objects: the B objects on the table.
    world_T_objects: (B, 4, 4) poses of the objects in the world frame.
    masses: (B,) of the objects, kg.
    table_size: (3,) its full length, width and height, metres.
    table_centre: (2,) x and y of its middle, world frame, metres.
    settings: friction and timestep, by default the frozen ones.
    mat: whether contact with the table is softer than usual.
    """
    settings = settings or ShakeSettings()
    poses = np.asarray(world_T_objects, float).reshape(-1, 4, 4)
    if not len(objects) == len(poses) == len(masses):
        raise ParameterError(
            f"{len(objects)} objects on the table, {len(poses)} poses and {len(masses)} masses,"
            " expected one pose and one mass per object"
        )
    if not all(np.isfinite(mass) and mass > 0 for mass in masses):
        raise ParameterError(
            f"masses {list(masses)} kg of the objects on the table: expected positive numbers"
        )
    if not (np.isfinite(table_size).all() and np.min(table_size) > 0):
        raise ParameterError(f"table_size {tuple(table_size)} m: expected three positive numbers")
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = settings.timestep, [0, 0, -GRAVITY]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    half = np.asarray(table_size, float) / 2
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=half,
        pos=[*table_centre, -half[2]],
        priority=1,
        **_contact(settings) | {"solref": _MAT if mat else SOLREF},
    )
    for i, (obj, world_T_object) in enumerate(zip(objects, poses, strict=True)):
        own = replace(settings, mass=float(masses[i]))
        _add_object(spec, f"object_{i}", obj, world_T_object, own)
    spec.compile()
    return spec


def _add_object(spec, name, obj, world_T_object, settings):
    mass, centre, inertia = mass_properties(obj, settings)
    body = spec.worldbody.add_body(
        name=name,
        pos=world_T_object[:3, 3],
        quat=pose.matrix_to_quat_wxyz(world_T_object[:3, :3]),
        mass=mass,
        ipos=centre,
        explicitinertial=True,
    )
    body.fullinertia = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    body.add_freejoint(name=name)
    for k, part in enumerate(obj.parts):
        vertices = np.asarray(part.vertices, float).ravel()
        mesh = spec.add_mesh(name=f"{name}_part_{k}", uservert=vertices)
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
        kind = mujoco.mjtGeom.mjGEOM_MESH
        body.add_geom(name=mesh.name, type=kind, meshname=mesh.name, **_contact(settings))


def _contact(settings):
    return {
        "condim": 4,
        "friction": [settings.friction, 0.005, 0.0001],
        "solref": SOLREF,
        "solimp": SOLIMP,
        "contype": 1,
        "conaffinity": 1,
    }


def stable_poses(
    obj: GraspObject,
    count: int,
    seed: int = 0,
    accept: Callable[[np.ndarray], bool] | None = None,
) -> np.ndarray:
    """Poses world_T_object (P, 4, 4) in which an object rests on the plane z = 0, most likely
    first.

    Mass is spread evenly. The centre of mass is above the origin, and the yaw about z is random. An
    object dropped in a random orientation lands on the facet of its convex hull below the centre of
    mass. It topples to lower facets until the centre of mass is above the facet. The solid angles
    that lead to a pose give its probability (Goldberg, Mirtich, Zhuang, Craig, Carlisle, Canny,
    Part Pose Statistics, IEEE Trans. Robotics and Automation 15(5), 1999, simplified). Facets of
    one round side are one pose. Sides on which the object looks the same or mirrored, such as
    opposite ones of a box, are also one. Each pose is then simulated with the frozen physics,
    tilted by 1° and dropped by 1 mm. If the object ends up 5 mm or 5° from the pose, its final pose
    is used, if that is new. Raises ParameterError for a count below one. Raises MeshError if no
    pose is left or the object has no hull.

    obj: the `GraspObject`, metres.
    count: of poses. If there are fewer, the most likely one is repeated at other accepted yaws. P
        is then count, unless accept refuses nearly all of these.
    seed: how objects are turned about the vertical.
    accept: of world_T_object (4, 4); poses for which it is false are left out.
    """
    if count < 1:
        raise ParameterError(f"{count} stable poses of {obj.name!r}: expected at least one")
    rng, points = np.random.default_rng(seed), np.concatenate([part.vertices for part in obj.parts])
    centre = mass_properties(obj, ShakeSettings())[1]
    downs, stable, labels = _sides(obj.name, points, centre)
    alone = [obj], np.eye(4)[None], [_MASS]
    spec = tabletop(*alone, table_size=(2.0, 2.0, 0.1), table_centre=(0.0, 0.0), mat=False)
    model = spec.compile()
    found: list[np.ndarray] = []
    for label, down in enumerate(downs):
        if len(found) == count:
            break
        world_T_object = _on_table(points, centre, pose.align_z(-down).T)
        settled = _settle(model, _on_table(points, centre, _TILT @ world_T_object[:3, :3]))
        if settled is None:
            continue
        if _differ(world_T_object, settled, centre):
            down = -settled[2, :3]
            if np.any(labels[stable @ down > np.cos(SAME_SIDE)] != label):
                continue  # that side has its own turn
            stable, labels = np.vstack([stable, down]), np.append(labels, label)
            world_T_object = _on_table(points, centre, settled[:3, :3])
        world_T_object = _turned(world_T_object, rng)
        if accept is None or accept(world_T_object):
            found.append(world_T_object)
    if not found:
        raise MeshError(
            f"{obj.name!r}: none of its {len(downs)} poses on a table is"
            f" stable{' and accepted' if accept else ''}"
        )
    again = (_turned(found[0], rng) for _ in range(_TRIES))
    again = (world_T_object for world_T_object in again if accept is None or accept(world_T_object))
    return np.stack([*found, *islice(again, count - len(found))])


def _sides(name, points, centre):
    """Directions (G, 3) that point down in the object's poses at rest, most likely first.

    Also returns the directions of all stable facets of the convex hull (F, 3), and the index of the
    pose of each (F,). All are in the object frame.
    """
    try:
        hull = ConvexHull(points)
    except QhullError as error:
        message = f"{name!r}: its {len(points)} vertices have no convex hull to rest on"
        raise MeshError(message) from error
    normals = hull.equations[:, :3]
    heights = -(hull.equations[:, 3] + normals @ centre)
    # Distance of the centre of mass's foot on facet i beyond facet j; if positive, j is the lower
    # of the two.
    beyond = heights[:, None] * (normals @ normals.T) - heights
    rests = beyond.max(axis=1) <= 1e-7
    onto = np.where(rests, np.arange(len(normals)), beyond.argmax(axis=1))
    while np.any(onto[onto] != onto):
        onto = onto[onto]
    weights = np.bincount(onto, _solid_angles(points[hull.simplices] - centre), len(normals))[rests]
    stable = normals[rests]
    cosines = stable @ stable.T
    count, groups = connected_components(cosines > np.cos(SAME_SIDE))
    # A flat side may have many triangles. Their summed weight counts for the group.
    flat = (cosines > np.cos(np.deg2rad(2.0))) @ weights
    best = np.array([np.argmax(np.where(groups == group, flat, -1.0)) for group in range(count)])
    looks = np.array([_look(points - centre, down) for down in stable[best]])
    alike = np.abs(looks[:, None] - looks).max(axis=2) < _ALIKE
    _, sides = connected_components(alike)
    best = best[np.unique(sides, return_index=True)[1]]
    groups = sides[groups]
    order = np.argsort(-np.bincount(groups, weights), kind="stable")
    return stable[best[order]], stable, np.argsort(order)[groups]


def _look(points, down):
    """Features of points (N, 3) about the centre of mass that yaw and mirroring do not change.

    Sorted heights, and distances from the vertical through it (2N,).
    """
    heights = points @ down
    distances = np.linalg.norm(points - heights[:, None] * down, axis=1)
    return np.concatenate([np.sort(heights), np.sort(distances)])


def _solid_angles(triangles):
    """Solid angles (T,) of triangles (T, 3, 3) from the origin (van Oosterom, Strackee 1983)."""
    a, b, c = np.swapaxes(triangles, 0, 1)
    la, lb, lc = np.linalg.norm(triangles, axis=2).T
    inner = la * lb * lc + (a * b).sum(1) * lc + (a * c).sum(1) * lb + (b * c).sum(1) * la
    return 2 * np.arctan2(np.abs((a * np.cross(b, c)).sum(1)), inner)


def _on_table(points, centre, rotation):
    """Pose (4, 4) of this rotation: lowest point at z = 0, centre of mass above the origin."""
    x, y, _ = rotation @ centre
    return pose.from_rt(rotation, [-x, -y, -(points @ rotation[2]).min()])


def _turned(world_T_object, rng):
    yaw = pose.rotation_about([0, 0, 1.0], rng.uniform(0, 2 * np.pi))
    return pose.from_rt(yaw, np.zeros(3)) @ world_T_object


def _settle(model, world_T_object):
    """Pose (4, 4) in which the object comes to rest after release 1 mm above `world_T_object`.

    None if this takes over 5 s.
    """
    data = mujoco.MjData(model)
    data.qpos[:3] = world_T_object[:3, 3] + [0, 0, _DROP]
    data.qpos[3:] = pose.matrix_to_quat_wxyz(world_T_object[:3, :3])
    for _ in range(5):
        mujoco.mj_step(model, data, nstep=round(1.0 / model.opt.timestep))
        if np.all(np.abs(data.qvel) < _AT_REST):
            return pose.from_rt(pose.quat_wxyz_to_matrix(data.qpos[3:]), data.qpos[:3])
    return None


def _differ(first, second, centre):
    """Whether the motion between two poses (4, 4) is too large for an object at rest."""
    angle = np.arccos(np.clip((np.trace(first[:3, :3].T @ second[:3, :3]) - 1) / 2, -1, 1))
    way = pose.transform(first, centre[None]) - pose.transform(second, centre[None])
    return angle > _TURNED or np.linalg.norm(way) > _MOVED
