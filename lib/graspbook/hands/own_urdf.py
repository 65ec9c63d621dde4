"""Hands in URDF files.

URDF is read here, not by MuJoCo: files of hands have meshes without inertia, `package://` paths,
mimic joints and links without a shape.
"""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from graspbook import pose
from graspbook.errors import HandError
from graspbook.hands import own_shapes
from graspbook.hands.own_tree import Body, Joint, Read, some
from graspbook.hands.parts import Part

_NOTHING = np.eye(4)


def read_urdf(path: Path, root: Element, *, skip_missing: bool = False) -> Read:
    """What a URDF says about a hand.

    path: of the file; meshes are looked for from its folder upwards.
    root: its element `robot`.
    skip_missing: go on without meshes that are not there.

    Raises HandError that names what is missing or impossible.
    """
    read = Read(root.get("name") or path.parent.name, {})
    links = _by_name(path, root, "link")
    joints = _by_name(path, root, "joint")
    above: dict[str, tuple[str, np.ndarray, Joint | None]] = {}
    for name, element in joints.items():
        parent, child = (_end(path, element, end, links) for end in ("parent", "child"))
        if child in above:
            raise HandError(f"{path}: link {child!r} has two parents, expected one")
        above[child] = (parent, _origin(path, element), _joint(path, name, element))
        if (mimic := element.find("mimic")) is not None and above[child][2]:
            factor, offset = (
                _numbers(path, mimic, key, default, 1)[0]
                for key, default in (("multiplier", "1"), ("offset", "0"))
            )
            read.coupling[name] = (mimic.get("joint") or "", factor, offset)
    kind = "collision"
    if not root.findall("link/collision/geometry") and root.findall("link/visual/geometry"):
        kind = "visual"
        read.notes.append("no collision shapes: the visual ones are used")
    if kind == "collision" and (bare := [n for n, e in links.items() if _only_looks(e)]):
        read.notes.append(
            f"these links have visual shapes only, and are used without a shape: {some(bare)}"
        )
    for name, element in links.items():
        parent, parent_T_link, joint = above.get(name, (None, _NOTHING, None))
        parts = [
            part
            for shape in element.findall(kind)
            for part in _parts(path, name, shape, notes=read.notes, skip_missing=skip_missing)
        ]
        read.bodies[name] = Body(name, parent, parent_T_link, joint, tuple(parts))
    return read


def _only_looks(link):
    return link.find("visual") is not None and link.find("collision") is None


def _by_name(path, root, tag):
    found: dict[str, Element] = {}
    for element in root.findall(tag):
        name = element.get("name")
        if not name:
            raise HandError(f"{path}: a {tag} has no name")
        if name in found:
            raise HandError(f"{path}: two {tag}s are named {name!r}")
        found[name] = element
    return found


def _end(path, joint, end, links):
    """The parent or child of a joint."""
    element = joint.find(end)
    link = None if element is None else element.get("link")
    if link not in links:
        raise HandError(
            f"{path}: joint {joint.get('name')!r} has the {end} {link!r}, but the file has no link"
            " of that name"
        )
    return link


def _joint(path, name, element) -> Joint | None:
    kind = element.get("type")
    if kind == "fixed":
        return None
    if kind not in ("revolute", "prismatic"):
        raise HandError(
            f"{path}: joint {name!r} is {kind}, expected revolute, prismatic or fixed: a hand's"
            " joints have limits"
        )
    limit = element.find("limit")
    keys: Any = {} if limit is None else limit.keys()
    if limit is None or not {"lower", "upper"} <= set(keys):
        raise HandError(f"{path}: joint {name!r} has no limits, expected <limit lower upper>")
    low, high = (_numbers(path, limit, key, "", 1)[0] for key in ("lower", "upper"))
    if low >= high:
        raise HandError(
            f"{path}: joint {name!r} has limits {low:g} to {high:g}, expected the lower limit first"
        )
    axis = element.find("axis")
    x, y, z = (1.0, 0.0, 0.0) if axis is None else _numbers(path, axis, "xyz", "1 0 0", 3)
    if not np.linalg.norm([x, y, z]) > 1e-6:
        raise HandError(f"{path}: joint {name!r} has axis 0 0 0, expected a direction")
    effort = _numbers(path, limit, "effort", "0", 1)[0]
    return Joint(name, (x, y, z), (low, high), effort, kind == "prismatic")


def _parts(path, link, element, *, notes, skip_missing) -> list[Part]:
    """The convex parts of one shape of a link."""
    geometry = element.find("geometry")
    if geometry is None or not len(geometry):
        raise HandError(f"{path}: a shape of link {link!r} has no geometry")
    shape, link_T_shape = geometry[0], _origin(path, element)

    def size(key, count=1):
        values = _numbers(path, shape, key, "", count)
        if not min(values) > 0:
            raise HandError(
                f"{path}: link {link!r} has {key} {shape.get(key)}, expected more than 0"
            )
        return values

    if shape.tag == "box":
        return [own_shapes.box(np.array(size("size", 3)), link_T_shape)]
    if shape.tag == "sphere":
        return [own_shapes.capsule(size("radius")[0], 0.0, link_T_shape)]
    if shape.tag in ("cylinder", "capsule"):
        make = getattr(own_shapes, shape.tag)
        return [make(size("radius")[0], size("length")[0], link_T_shape)]
    if shape.tag != "mesh":
        raise HandError(
            f"{path}: link {link!r} has the shape {shape.tag!r}, expected box, sphere, cylinder,"
            " capsule or mesh"
        )
    scale = np.array(_numbers(path, shape, "scale", "1 1 1", 3))
    if not np.abs(scale).min() > 0:
        raise HandError(
            f"{path}: link {link!r} has a mesh with scale {shape.get('scale')}, expected three"
            " factors that are not 0"
        )
    name = shape.get("filename") or ""
    file = _find(path, name)
    if file is None and skip_missing:
        notes.append(f"the mesh {name!r} of link {link} is missing, and was left out")
        return []
    if file is None:
        raise HandError(
            f"{path}: the mesh {name!r} of link {link!r} is not in {path.parent} or a folder above"
            " it; to leave the mesh out, write `skip_missing: true` in hand.yaml"
        )
    return own_shapes.mesh_parts(file, scale, link_T_shape, notes)


def _origin(path, element):
    origin = element.find("origin")
    if origin is None:
        return _NOTHING
    shift, (roll, pitch, yaw) = (_numbers(path, origin, key, "0 0 0", 3) for key in ("xyz", "rpy"))
    about_z, about_y, about_x = (
        pose.rotation_about(axis, angle)
        for axis, angle in (((0, 0, 1.0), yaw), ((0, 1.0, 0), pitch), ((1.0, 0, 0), roll))
    )
    return pose.from_rt(about_z @ about_y @ about_x, shift)


def _numbers(path, element, key, default, count) -> list[float]:
    text = element.get(key, default)
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all() or np.abs(values).max() > 1e6:
        raise HandError(
            f"{path}: {key}={text!r} in <{element.tag}>, expected {count} finite"
            f" number{'s' * (count > 1)}"
        )
    return values


def _find(path, name):
    """The file of a mesh, None where there is none.

    `package://` and `file://` are tried from the URDF's folder upwards.
    """
    bare = Path(name.partition("://")[2] or name)
    tried = [bare, Path(*bare.parts[1:])] if name.startswith("package://") else [bare]
    for folder in path.absolute().parents:
        for relative in tried if name else []:
            if "\0" not in name and (folder / relative).is_file():
                return folder / relative
    return None
