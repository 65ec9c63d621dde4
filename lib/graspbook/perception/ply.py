"""Vertices of .ply files, as PCL, RealSense Viewer, Open3D and MeshLab write them."""

from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import CaptureError

_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2"},
    **{"ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}


def read_ply_points(path: Path) -> dict[str, np.ndarray]:
    """Read `points` (M, 3) of the vertices, whatever else the file has.

    Text may break lines anywhere between values, as RealSense Viewer's does.

    path: of the file.

    Raises CaptureError where there are no vertices, and what the parsing of numbers raises.
    """
    raw = path.read_bytes()
    head, mark, _ = raw.partition(b"end_header")
    if not raw.startswith(b"ply") or not mark:
        raise ValueError("no PLY header")
    start = raw.index(b"\n", len(head)) + 1
    form = ""
    elements: list[Any] = []
    for line in head.decode("latin-1").splitlines():
        match line.split():
            case ["format", form, *_]:
                pass
            case ["element", name, number]:
                elements.append((name, int(number), []))
            case ["property", "list", *_, _]:
                elements[-1][2].append(("", ""))
            case ["property", kind, name]:
                elements[-1][2].append((name, _TYPES[kind]))
    before = 0  # bytes, or values of text, before the vertices
    for name, number, properties in elements:
        if name == "vertex":
            break
        if any(not kind for _, kind in properties):
            raise CaptureError(f"{path}: lists before the vertices of a PLY are not supported")
        before += number * (
            len(properties) if form == "ascii" else sum(int(kind[1]) for _, kind in properties)
        )
    else:
        raise CaptureError(f"{path}: no vertices in this PLY file")
    names = [name for name, _ in properties]
    if not {"x", "y", "z"} <= set(names) or number < 0:
        raise CaptureError(f"{path}: PLY vertices have {', '.join(names)}, expected x, y and z")
    if any(not kind for _, kind in properties):
        raise CaptureError(f"{path}: lists at the vertices of a PLY are not supported")
    if form == "ascii":
        values = raw[start:].split(maxsplit=before + number * len(names))
        table = np.array(values[before : before + number * len(names)], dtype=float)
        table = table.reshape(number, len(names))
        # Through the file's own type, as other readers do.
        return {"points": _column(table, names, properties)}
    order = {"binary_little_endian": "<", "binary_big_endian": ">"}[form]
    layout = np.dtype([(f"{i}", order + kind) for i, (_, kind) in enumerate(properties)])
    rows = np.frombuffer(raw, layout, number, start + before)
    columns = [rows[f"{names.index(axis)}"] for axis in "xyz"]
    return {"points": np.stack(columns, axis=1).astype(float)}


def _column(table, names, properties):
    columns = [(table[:, names.index(a)], dict(properties)[a]) for a in "xyz"]
    return np.stack([values.astype(kind) for values, kind in columns], axis=1).astype(float)
