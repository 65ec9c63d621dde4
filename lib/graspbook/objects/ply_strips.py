"""Old .ply files whose faces are triangle strips (those of the Stanford repository)."""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from graspbook.errors import MeshError

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def read_strips(path: Path) -> trimesh.Trimesh:
    """The surface of a .ply file with vertices and triangle strips, -1 between two strips.

    path: of the file. Raises MeshError for an element that is neither.
    """
    header, _, body = path.read_bytes().partition(b"end_header")
    body = body.lstrip(b"\r").removeprefix(b"\n")
    order = ""
    elements: dict[str, Any] = {}
    for line in header.decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = _ORDERS[words[1]]
        elif words[:1] == ["element"]:
            fields = elements.setdefault(words[1], (int(words[2]), []))[1]
        elif words[:1] == ["property"]:
            fields.append(words[1:])
    if list(elements) != ["vertex", "tristrips"]:
        raise MeshError(
            f"{path}: it has elements {', '.join(elements)}; expected only vertex and tristrips"
        )
    (count, fields), (lists, (kind, *_)) = elements["vertex"], elements["tristrips"]
    names = [field[-1] for field in fields]
    columns = [names.index(axis) for axis in "xyz"]
    if order:
        row = np.dtype([(field[-1], order + _TYPES[field[0]]) for field in fields])
        table = np.frombuffer(body, row, count)
        vertices = np.stack([table[axis] for axis in "xyz"], axis=1).astype(float)
        strips = _binary_lists(body[count * row.itemsize :], lists, order, kind)
    else:
        values = np.array(body.split(), float)
        size = count * len(fields)
        vertices = values[:size].reshape(count, -1)[:, columns]
        strips = _text_lists(values[size:].astype(int), lists)
    faces = [face for strip in strips for face in _faces(strip)]
    return trimesh.Trimesh(vertices, np.array(faces, int).reshape(-1, 3), process=False)


def _binary_lists(data, lists, order, kind):
    length, item = np.dtype(order + _TYPES[kind[1]]), np.dtype(order + _TYPES[kind[2]])
    start, found = 0, []
    for _ in range(lists):
        number = int(np.frombuffer(data, length, 1, start)[0])
        start += length.itemsize
        if number < 0:
            raise ValueError(f"a strip has {number} vertices, expected 0 or more")
        found.append(np.frombuffer(data, item, number, start).astype(int))
        start += number * item.itemsize
    return found


def _text_lists(values, lists):
    start, found = 0, []
    for _ in range(lists):
        end = start + 1 + values[start]
        if not start < end <= len(values):
            raise ValueError(f"a strip of {values[start]} vertices")
        found.append(values[start + 1 : end])
        start = end
    return found


def _faces(indices):
    """Triangles of strips with -1 between them; every second one is turned."""
    for strip in np.split(indices, np.flatnonzero(indices < 0)):
        strip = strip[strip >= 0]
        for i in range(len(strip) - 2):
            a, b, c = strip[i : i + 3]
            if a != b != c != a:
                yield (a, b, c) if i % 2 == 0 else (b, a, c)
