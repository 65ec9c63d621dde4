"""The surfaces of a COLLADA file (.dae), placed as its scene places them."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import trimesh

from graspbook.errors import MeshError

_FACES = ("triangles", "polylist", "polygons", "trifans", "tristrips")
_DEEPEST = 50  # levels of nodes, so that nodes that hold themselves end


def read_collada(path: Path) -> trimesh.Trimesh:
    """The surface in a .dae file, in metres if it states its unit; axes stay those of the file.

    path: of the file. Raises MeshError for one without faces.
    """
    root = ElementTree.fromstring(path.read_bytes())
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]  # without the namespace
    known = {element.get("id"): element for element in root.iter() if element.get("id")}
    placed = [
        place
        for scene in root.iter("visual_scene")
        for node in scene.findall("node")
        for place in _instances(node, np.eye(4), known, 0)
    ] or [(geometry, np.eye(4)) for geometry in root.iter("geometry")]
    vertices, faces, count = [], [], 0
    for geometry, pose in placed:
        for points, triangles in _surfaces(geometry, known):
            vertices.append(points @ pose[:3, :3].T + pose[:3, 3])
            faces.append(triangles + count)
            count += len(points)
    if not faces:
        raise MeshError(f"{path}: the mesh is empty (no geometry with faces)")
    unit = root.find("asset/unit")
    metre = float(unit.get("meter", 1)) if unit is not None else 1.0
    return trimesh.Trimesh(metre * np.concatenate(vertices), np.concatenate(faces), process=False)


def _instances(node, pose, known, depth):
    """Geometries under a node with their poses."""
    if depth > _DEEPEST:
        return
    for child in node:
        if child.tag in ("matrix", "translate", "rotate", "scale"):
            pose = pose @ _transform(child)
    for child in node:
        if child.tag == "instance_geometry":
            yield known[child.get("url", "").lstrip("#")], pose
        elif child.tag in ("node", "instance_node"):
            inner = child if child.tag == "node" else known[child.get("url", "").lstrip("#")]
            yield from _instances(inner, pose, known, depth + 1)


def _transform(element):
    values = np.array((element.text or "").split(), float)
    if element.tag == "matrix":
        return values.reshape(4, 4)
    if element.tag == "rotate":
        return trimesh.transformations.rotation_matrix(np.radians(values[3]), values[:3])
    pose = np.eye(4)
    if element.tag == "translate":
        pose[:3, 3] = values
    else:
        pose[:3, :3] = np.diag(values)
    return pose


def _surfaces(geometry, known):
    """Vertices and triangles of each block of faces of a geometry."""
    for block in (element for tag in _FACES for element in geometry.iter(tag)):
        inputs = {item.get("semantic"): item for item in block.findall("input")}
        stride = max(int(item.get("offset", 0)) for item in inputs.values()) + 1
        holder = known[inputs["VERTEX"].get("source", "").lstrip("#")]
        position = next(i for i in holder.findall("input") if i.get("semantic") == "POSITION")
        source = known[position.get("source", "").lstrip("#")]
        accessor = source.find("technique_common/accessor")
        width = int(accessor.get("stride", 3)) if accessor is not None else 3
        numbers = np.array((source.findtext("float_array") or "").split(), float)
        points = numbers.reshape(-1, width)[:, :3]
        start = int(inputs["VERTEX"].get("offset", 0))
        lists = [np.array((p.text or "").split(), int)[start::stride] for p in block.findall("p")]
        if block.tag == "polylist" and lists:
            sizes = np.array((block.findtext("vcount") or "").split(), int)
            lists = np.split(lists[0], np.cumsum(sizes)[:-1])
        elif block.tag == "triangles" and lists:
            lists = lists[0].reshape(-1, 3)
        faces = [face for corners in lists for face in _triangles(corners, block.tag)]
        if faces:
            yield points, np.array(faces)


def _triangles(corners, kind):
    """Triangles of a polygon or a fan, around its first corner, or of a strip."""
    for i in range(1, len(corners) - 1):
        if kind == "tristrips":
            a, b, c = corners[i - 1 : i + 2]
            yield (a, b, c) if i % 2 else (b, a, c)
        else:
            yield corners[0], corners[i], corners[i + 1]
