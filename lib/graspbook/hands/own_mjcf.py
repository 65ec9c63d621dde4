"""Hands in MJCF files, read by MuJoCo.

Only kinematics and collision shapes are taken. Visual shapes, textures, motors' gains and sensors
do not count, and their files may be missing.
"""

import warnings
from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np

from graspbook import pose
from graspbook.errors import HandError
from graspbook.hands import own_shapes
from graspbook.hands.own_settings import read_bytes
from graspbook.hands.own_tree import Body, Joint, Read
from graspbook.hands.parts import Part

# What can make gigabytes of a short file, or is no rigid hand.
_REFUSED = ("replicate", "composite", "flexcomp", "flex", "hfield", "plugin", "attach", "skin")
_MOST_FILES = 50
_KIND = mujoco.mjtGeom
_WORLD = "world"


def read_mjcf(path: Path, root: ElementTree.Element) -> Read:
    """What an MJCF file says about a hand.

    path: of the file.
    root: its element `mujoco`.

    Raises HandError for what MuJoCo refuses, and for what is no rigid hand.
    """
    _check(path, root, [path])
    read = Read(root.get("model") or path.parent.name, {})
    try:
        model = _compiled(path, read.notes)
    except (ValueError, TypeError, RuntimeError, mujoco.FatalError) as error:
        reason = " ".join(str(error).split())
        raise HandError(f"{path}: MuJoCo does not read it ({reason})") from error
    for values in (
        model.body_pos,
        model.body_quat,
        model.jnt_pos,
        model.jnt_axis,
        model.qpos0,
        model.jnt_range,
        model.geom_pos,
        model.geom_quat,
        model.geom_size,
    ):
        if not np.isfinite(values).all():
            raise HandError(f"{path}: it has a position or a size that is not a finite number")
    bodies = _names(model.nbody, model.body, "body")
    joints = _names(model.njnt, model.joint, "joint")
    for index in range(1, model.nbody):
        _add_body(path, model, index, bodies=bodies, joints=joints, read=read)
    if any(body.parent == _WORLD for body in read.bodies.values()):
        read.bodies[_WORLD] = Body(_WORLD, None, np.eye(4))
    _couple(path, model, joints, read)
    for signature in model.exclude_signature:
        read.may_touch.append((bodies[signature >> 16], bodies[signature & 0xFFFF]))
    return read


def _check(path, root, seen):
    """Refuse what a hand does not need, in the file and in those that it includes."""
    for element in root.iter():
        if element.tag in _REFUSED:
            raise HandError(f"{path}: it has <{element.tag}>, expected a hand of rigid bodies only")
        values = {word for text in element.attrib.values() for word in text.lower().split()}
        if values & {"nan", "-nan"}:  # MuJoCo would write a log
            raise HandError(f"{path}: <{element.tag}> contains nan, expected a number")
        if element.tag == "include":
            file = path.parent / (element.get("file") or "")
            if not file.is_file() or len(seen) >= _MOST_FILES or file in seen:
                raise HandError(
                    f"{path}: includes {element.get('file')!r}; expected a file that exists and is"
                    f" included only once, and at most {_MOST_FILES} files"
                )
            try:
                seen.append(file)
                _check(path, ElementTree.fromstring(read_bytes(file)), seen)
            except ElementTree.ParseError as error:
                raise HandError(f"{file}: not readable as XML ({error})") from error


def _compiled(path, notes):
    """The model without its visual shapes."""
    spec = mujoco.MjSpec.from_file(str(path))
    shown = [geom for geom in spec.geoms if not (geom.contype or geom.conaffinity)]
    if len(shown) < len(spec.geoms):
        for geom in shown:
            spec.delete(geom)
    elif shown:
        notes.append("no collision shapes: the visual ones are used")
    if spec.tendons:
        notes.append("tendons are ignored; to couple joints, write `mimic` in hand.yaml")
    others = [motor for motor in spec.actuators if motor.trntype != mujoco.mjtTrn.mjTRN_JOINT]
    of_tendons = [one for one in spec.equalities if one.type == mujoco.mjtEq.mjEQ_TENDON]
    for element in (*spec.sensors, *spec.keys, *spec.cameras, *others, *of_tendons, *spec.tendons):
        spec.delete(element)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in spec.meshes:
        file = path.parent / spec.meshdir / mesh.file
        if not {mesh.name, file.stem} & used:
            spec.delete(mesh)
            continue
        own_shapes.check_size(file)
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    for geom in spec.geoms:
        geom.material = ""
    for element in (*spec.materials, *spec.textures):
        spec.delete(element)
    # Bodies without a shape need some mass to be compiled.
    spec.compiler.boundmass = spec.compiler.boundinertia = 1e-6
    spec.compiler.balanceinertia = True
    with warnings.catch_warnings():  # of inertia, which does not count here
        warnings.simplefilter("ignore")
        return spec.compile()


def _names(count, element, kind):
    return [element(index).name or f"{kind}_{index}" for index in range(count)]


def _add_body(path, model, index, *, bodies, joints, read):
    """Add a body: one Body per joint, each in the frame of its joint, and one in its own frame."""
    name, parent = bodies[index], bodies[model.body_parentid[index]]
    geoms = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] == index]
    solid = [geom for geom in geoms if model.geom_type[geom] != _KIND.mjGEOM_PLANE]
    if len(solid) < len(geoms):
        read.notes.append(f"a plane of {name} is ignored")
    parts = tuple(_part(path, model, geom) for geom in solid)
    rest = pose.from_rt(pose.quat_wxyz_to_matrix(model.body_quat[index]), model.body_pos[index])
    of_joints = range(model.body_jntadr[index], model.body_jntadr[index] + model.body_jntnum[index])
    if model.body_jntnum[index] == 0:
        read.bodies[name] = Body(name, parent, rest, None, parts)
        return
    if model.jnt_type[of_joints[0]] == mujoco.mjtJoint.mjJNT_FREE:
        if model.body_parentid[index]:
            raise HandError(f"{path}: joint {joints[of_joints[0]]!r} is free, expected a hinge")
        read.bodies[name] = Body(name, None, np.eye(4), None, parts)
        return
    moved = np.eye(4)  # of the body's frame, in that of the last joint
    for number, joint in enumerate(of_joints):
        last = number == len(of_joints) - 1
        found = _joint(path, model, joint, joints)
        axis, zero = np.array(found.axis), model.qpos0[model.jnt_qposadr[joint]]
        at = pose.from_rt(np.eye(3), model.jnt_pos[joint])
        # The joint's value is `zero` where the file draws the body.
        turn = pose.from_rt(np.eye(3), -zero * axis)
        if not found.slides:
            turn = pose.from_rt(pose.rotation_about(axis, -zero), np.zeros(3))
        plain = last and not model.jnt_pos[joint].any()
        own = name if plain else f"{name}:{found.name}"
        read.bodies[own] = Body(own, parent, rest @ moved @ at @ turn, found)
        parent, rest, moved = own, np.eye(4), pose.inverse(at)
        if plain:
            read.bodies[own] = Body(
                own, read.bodies[own].parent, read.bodies[own].parent_T_body, found, parts
            )
        elif last:
            read.bodies[name] = Body(name, own, moved, None, parts)


def _joint(path, model, joint, joints) -> Joint:
    kind, name = model.jnt_type[joint], joints[joint]
    slides = bool(kind == mujoco.mjtJoint.mjJNT_SLIDE)
    if not slides and kind != mujoco.mjtJoint.mjJNT_HINGE:
        raise HandError(f"{path}: joint {name!r} is a ball or free, expected a hinge or a slide")
    low, high = model.jnt_range[joint]
    if not model.jnt_limited[joint] or low >= high:
        raise HandError(f'{path}: joint {name!r} has no limits, expected range="LOW HIGH"')
    forces = [
        max(abs(model.actuator_forcerange[motor])) * abs(model.actuator_gear[motor, 0])
        for motor in range(model.nu)
        if model.actuator_trnid[motor, 0] == joint
        and model.actuator_trntype[motor] == mujoco.mjtTrn.mjTRN_JOINT
        and model.actuator_forcelimited[motor]
    ]
    if model.jnt_actfrclimited[joint]:
        forces.append(max(abs(model.jnt_actfrcrange[joint])))
    effort = float(min(forces)) if forces else 0.0
    return Joint(name, tuple(model.jnt_axis[joint]), (float(low), float(high)), effort, slides)


def _part(path, model, geom) -> Part:
    """The convex part of a geom: MuJoCo itself takes the hull of a mesh."""
    size, kind = model.geom_size[geom], model.geom_type[geom]
    body_T_geom = pose.from_rt(
        pose.quat_wxyz_to_matrix(model.geom_quat[geom]), model.geom_pos[geom]
    )
    if kind == _KIND.mjGEOM_BOX:
        return own_shapes.box(2 * size, body_T_geom)
    if kind == _KIND.mjGEOM_SPHERE:
        return own_shapes.capsule(size[0], 0.0, body_T_geom)
    if kind == _KIND.mjGEOM_CAPSULE:
        return own_shapes.capsule(size[0], 2 * size[1], body_T_geom)
    if kind == _KIND.mjGEOM_CYLINDER:
        return own_shapes.cylinder(size[0], 2 * size[1], body_T_geom)
    if kind == _KIND.mjGEOM_ELLIPSOID:
        return own_shapes.ellipsoid(size, body_T_geom)
    if kind != _KIND.mjGEOM_MESH:
        name = model.geom(geom).name or geom
        raise HandError(
            f"{path}: geom {name} is a height or distance field, expected a solid shape"
        )
    mesh = model.geom_dataid[geom]
    start = model.mesh_vertadr[mesh]
    corners = model.mesh_vert[start : start + model.mesh_vertnum[mesh]]
    source = f"{path}, mesh {model.mesh(mesh).name}"
    return own_shapes.hull(pose.transform(body_T_geom, np.asarray(corners, float)), source)


def _couple(path, model, joints, read):
    """The coupling of joint equalities, and of no other constraint."""
    for equality in range(model.neq):
        if model.eq_type[equality] != mujoco.mjtEq.mjEQ_JOINT:
            read.notes.append("constraints other than joint equalities are ignored")
            continue
        one, other = model.eq_obj1id[equality], model.eq_obj2id[equality]
        shift, factor, *more = model.eq_data[equality, :5]
        if any(more) or other < 0:
            raise HandError(
                f"{path}: joint {joints[one]!r} is not a linear function of one other joint;"
                ' expected polycoef="SHIFT FACTOR 0 0 0"'
            )
        # MuJoCo counts both from where the file draws them.
        zeros = [model.qpos0[model.jnt_qposadr[joint]] for joint in (one, other)]
        offset = zeros[0] + shift - factor * zeros[1]
        read.coupling[joints[one]] = (joints[other], float(factor), float(offset))
