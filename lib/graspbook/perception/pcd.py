"""Point clouds of PCL's .pcd files: ascii, binary and compressed, versions 0.5 to 0.7."""

from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError
from graspbook.pose import from_rt

_LARGEST = 2_000_000_000  # bytes of one cloud


def read_pcd(path: Path) -> dict[str, np.ndarray]:
    """Read `points` (M, 3), and `viewpoint` (4, 4) where the file has another than the identity.

    Organised clouds have `points` (H, W, 3). The viewpoint is the pose of the camera in the frame
    of the points (PCL's "The PCD file format").

    path: of the file.

    Raises CaptureError for fields and encodings that are not understood, and what the parsing of
    numbers raises.
    """
    header, raw = {}, path.read_bytes()
    start = 0
    while "DATA" not in header:
        end = raw.index(b"\n", start)
        key, *values = raw[start:end].decode("ascii").split() or ["#"]
        header[key] = values
        start = end + 1
    names = header.get("FIELDS") or header.get("COLUMNS") or []
    if not {"x", "y", "z"} <= set(names):
        raise CaptureError(f"{path}: PCD fields are {' '.join(names)}, expected x, y and z")
    counts = [int(c) for c in header.get("COUNT", ["1"] * len(names))]
    kinds = {"F": "f", "I": "i", "U": "u"}
    types = [
        f"<{kinds[t]}{s}"
        for t, s in zip(header.get("TYPE", "F" * len(names)), header["SIZE"], strict=True)
    ]
    width, height = (int(header.get(key, ["1"])[0]) for key in ("WIDTH", "HEIGHT"))
    number = int(header["POINTS"][0]) if "POINTS" in header else width * height
    size = number * sum(np.dtype(t).itemsize * c for t, c in zip(types, counts, strict=True))
    if not 0 <= size <= _LARGEST:
        raise CaptureError(
            f"{path}: its {number} points take {size} bytes, expected at most {_LARGEST} bytes"
        )
    unique = [name if name in "xyz" else f"{i}:{name}" for i, name in enumerate(names)]
    fields = list(zip(unique, types, ((c,) for c in counts), strict=True))
    data = header["DATA"]
    if data == ["ascii"]:
        starts = np.cumsum([0, *counts])
        table = np.array(raw[start:].split(), dtype=float).reshape(number, starts[-1])
        points = table[:, [starts[unique.index(axis)] for axis in "xyz"]]
    elif data == ["binary"]:
        rows = np.frombuffer(raw, np.dtype(fields), number, start)
        points = np.stack([rows[axis][:, 0] for axis in "xyz"], axis=1).astype(float)
    elif data == ["binary_compressed"]:
        points = _compressed(raw, start, fields, number, size)
    else:
        raise CaptureError(
            f"{path}: PCD data is {' '.join(data)}, expected ascii, binary or binary_compressed"
        )
    if height > 1 and width * height == number:
        points = points.reshape(height, width, 3)
    return {"points": points} | _viewpoint(header.get("VIEWPOINT", []))


def lzf_decompress(data: bytes, size: int) -> bytes:
    """Decompress Marc Lehmann's LZF format.

    data: compressed.
    size: of the result in bytes.

    Raises ValueError where the data is damaged or has another size.
    """
    out = bytearray()
    place, end = 0, len(data)
    while place < end and len(out) <= size:
        control = data[place]
        place += 1
        if control < 32:  # a run of bytes as they are
            out += data[place : place + control + 1]
            place += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[place]
            place += 1
        back = len(out) - ((control & 31) << 8) - data[place] - 1
        place += 1
        if back < 0:
            raise ValueError("damaged LZF data")
        length += 2
        piece = out[back : back + length]
        while len(piece) < length:  # the run overlaps itself
            piece += piece[: length - len(piece)]
        out += piece
    if len(out) != size or place != end:
        raise ValueError(f"damaged LZF data: it unpacks to {len(out)} bytes, expected {size}")
    return bytes(out)


def _compressed(raw, start, fields, number, size):
    """Points of compressed data, which has all values of one field before those of the next."""
    packed, unpacked = (int(n) for n in np.frombuffer(raw, "<u4", 2, start))
    if unpacked != size or len(raw) < start + 8 + packed:
        raise ValueError(
            f"the data is cut off, or has {unpacked} bytes after unpacking; expected {size} bytes"
            f" for {number} points"
        )
    data, offset, found = lzf_decompress(raw[start + 8 : start + 8 + packed], size), 0, {}
    for name, kind, (count,) in fields:
        if name in "xyz":
            found[name] = np.frombuffer(data, kind, number * count, offset)[::count]
        offset += np.dtype(kind).itemsize * count * number
    return np.stack([found[axis] for axis in "xyz"], axis=1).astype(float)


def _viewpoint(values):
    if len(values) != 7:
        return {}
    x, y, z, *quat_wxyz = (float(value) for value in values)
    w, i, j, k = quat_wxyz
    length = w * w + i * i + j * j + k * k
    if not np.isfinite([x, y, z, length]).all() or length < 1e-12:
        return {}
    from scipy.spatial.transform import Rotation

    pose = from_rt(Rotation.from_quat([i, j, k, w]).as_matrix(), [x, y, z])
    return {} if np.allclose(pose, np.eye(4), atol=1e-9) else {"viewpoint": pose}
