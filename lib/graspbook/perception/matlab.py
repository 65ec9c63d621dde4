"""Small matrices of MATLAB's .mat files, up to version 7.

SciPy's reader ends the process on some damaged files, so the few tags needed are read here.
"""

import math
import zlib
from pathlib import Path

import numpy as np

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_TYPES |= {13: "u8"}
_OLD = ("f8", "f4", "i4", "i2", "u2", "u1")  # types of version 4, by number
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC = range(6, 16)  # classes of matrices: no cells, structures, text or sparse ones
_COMPLEX = 0x0800
_MOST = 1000  # elements of a file


def read_matrices(path: Path, largest: int = 100_000) -> dict[str, np.ndarray]:
    """Read the real matrices of numbers by name, of the shapes and types that they have there.

    path: of the file.
    largest: bytes of a matrix; larger ones are left out.

    Raises ValueError for files that are damaged or of another kind.
    """
    data = path.read_bytes()
    if data.startswith(b"\x89HDF") or data[512:516] == b"\x89HDF":
        raise ValueError("it is of MATLAB 7.3, expected a file saved with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        return _read_old(data, largest)
    found, place = {}, 128
    for _ in range(_MOST):
        if place >= len(data):
            break
        kind, part, place = _element(data, place, order)
        if kind == _COMPRESSED:
            part = zlib.decompressobj().decompress(part, largest + 1000)
            kind, part, _ = _element(part, 0, order, cut=True)
        if kind == _MATRIX and (entry := _matrix(part, order, largest)):
            found[entry[0]] = entry[1]
    return found


def _element(data, place, order, *, cut=False):
    """Type and bytes of an element, and the place after it. With `cut`, it may end early."""
    if place + 8 > len(data):
        raise ValueError("cut off")
    kind, size = (int(n) for n in np.frombuffer(data, f"{order}u4", 2, place))
    if kind >> 16:  # small ones have both in four bytes
        kind, size, start, end = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        if size > 4:
            raise ValueError(f"a small element has {size} bytes, expected at most 4")
    else:
        start = place + 8
        end = start + size + (-size % 8 if kind != _COMPRESSED else 0)
    if start + size > len(data) and not cut:
        raise ValueError("cut off")
    return kind, data[start : start + size], end


def _matrix(part, order, largest):
    """Name and values of a matrix, None for one that is no small real matrix of numbers."""
    _, flags, place = _element(part, 0, order)
    if len(flags) < 4:
        raise ValueError("a matrix has no flags")
    flags = int(np.frombuffer(flags, f"{order}u4", 1)[0])
    if (flags & 0xFF) not in _NUMERIC or flags & _COMPLEX:
        return None
    _, shape, place = _element(part, place, order)
    _, name, place = _element(part, place, order)
    shape = np.frombuffer(shape, f"{order}i4").tolist()
    kind, values, _ = _element(part, place, order, cut=True)
    if kind not in _TYPES:
        raise ValueError(f"numbers of the unknown type {kind}")
    return _shaped(name, values, order + _TYPES[kind], shape, largest)


def _shaped(name, values, kind, shape, largest):
    if not 1 <= len(shape) <= 32 or min(shape) < 0:
        raise ValueError(f"a matrix has the shape {shape}"[:100])
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size > largest:
        return None
    if size > len(values):
        raise ValueError("cut off")
    array = np.frombuffer(values[:size], kind).reshape(shape, order="F")
    return name.decode("latin-1"), array


def _read_old(data, largest):
    """The matrices of version 4, which has no header of its own."""
    found, place = {}, 0
    for _ in range(_MOST):
        if place >= len(data):
            break
        head = data[place : place + 20]
        if len(head) < 20:
            raise ValueError("cut off")
        order = "<" if head[2:4] == b"\0\0" else ">"
        code, *rest = (int(n) for n in np.frombuffer(head, f"{order}i4"))
        rows, columns, imaginary, length = rest
        machine, digit = divmod(code, 1000)
        kind, form = divmod(digit, 10)
        known = machine == (order == ">") and kind < len(_OLD) and form in (0, 1, 2)
        if not known or min(rest) < 0 or imaginary > 1:
            raise ValueError("no MATLAB header")
        name = data[place + 20 : place + 20 + length].rstrip(b"\0")
        start = place + 20 + length
        size = rows * columns * np.dtype(_OLD[kind]).itemsize
        entry = _shaped(
            name, data[start : start + size], order + _OLD[kind], [rows, columns], largest
        )
        if entry and form == 0 and not imaginary:
            found[entry[0]] = entry[1]
        place = start + size * (1 + imaginary)
    return found
