"""The surface of one rigid object that a URDF describes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import trimesh

from graspbook.errors import MeshError


def read_urdf(path: Path, read: Callable[[Path], trimesh.Trimesh]) -> tuple[trimesh.Trimesh, str]:
    """The visual surface of all links of a .urdf, else the collision one, and which it is.

    path: of the file; meshes are looked for from its folder upwards.
    read: reads one mesh file.

    Raises MeshError for a joint that moves, a mesh that is not there, and no geometry.
    """
    root = ElementTree.fromstring(path.read_bytes())
    poses = _link_poses(path, root)
    for kind in ("visual", "collision"):
        bodies = [
            (element.find("geometry"), poses[link.get("name")] @ _origin(element))
            for link in root.findall("link")
            for element in link.findall(kind)
        ]
        surfaces = [
            _surface(path, geometry, read).apply_transform(pose) for geometry, pose in bodies
        ]
        if surfaces:
            whole: Any = trimesh.util.concatenate(surfaces)
            return whole, kind
    raise MeshError(f"{path}: no link has a visual or a collision geometry")


def _link_poses(path, root):
    """Poses of the links in the frame of the root link."""
    parents = {}
    for joint in root.findall("joint"):
        if joint.get("type") != "fixed":
            raise MeshError(
                f"{path}: joint {joint.get('name')!r} is {joint.get('type')}, expected"
                " only fixed joints, since an object is rigid. If this is a hand, use `graspbook"
                " plan --hand FOLDER`"
            )
        parents[joint.find("child").get("link")] = joint.find("parent").get("link"), _origin(joint)
    poses = {}
    for link in root.findall("link"):
        name, pose = link.get("name"), np.eye(4)
        for _ in range(len(parents)):  # no more, where links are in a circle
            if name not in parents:
                break
            name, joint = parents[name]
            pose = joint @ pose
        poses[link.get("name")] = pose
    return poses


def _origin(element):
    origin = element.find("origin")
    if origin is None:
        return np.eye(4)
    angles, shift = (np.array(origin.get(key, "0 0 0").split(), float) for key in ("rpy", "xyz"))
    pose = trimesh.transformations.euler_matrix(*angles, axes="sxyz")
    pose[:3, 3] = shift
    return pose


def _surface(path, geometry, read):
    """The surface of a geometry in its own frame."""
    shape = geometry[0]
    numbers = {
        key: np.array(value.split(), float) for key, value in shape.items() if key != "filename"
    }
    if shape.tag == "box":
        return trimesh.creation.box(numbers["size"])
    if shape.tag == "sphere":
        return trimesh.creation.icosphere(radius=numbers["radius"][0])
    if shape.tag == "cylinder":
        return trimesh.creation.cylinder(numbers["radius"][0], numbers["length"][0])
    if shape.tag != "mesh":
        raise MeshError(
            f"{path}: it has the geometry {shape.tag!r}, expected mesh, box, sphere or cylinder"
        )
    name = shape.get("filename", "")
    mesh = read(_find(path, name))
    scale = np.broadcast_to(numbers.get("scale", 1.0), 3)
    faces = mesh.faces if np.prod(scale) > 0 else mesh.faces[:, ::-1]
    return trimesh.Trimesh(mesh.vertices * scale, faces, process=False)


def _find(path, name):
    """The file of a mesh: `package://` and `file://` are tried from the URDF's folder upwards."""
    bare = Path(name.partition("://")[2] or name)
    tried = [bare, Path(*bare.parts[1:])] if name.startswith("package://") else [bare]
    for folder in path.absolute().parents:
        for relative in tried:
            if (folder / relative).is_file() and (folder / relative).suffix.lower() != ".urdf":
                return folder / relative
    raise MeshError(f"{path}: its mesh {name!r} is not in {path.parent} or a folder above it")
