"""Camera matrices from the files that cameras and benchmarks put beside their images."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from graspbook.errors import CaptureError
from graspbook.perception.arrays import ROLES, as_matrix, depth_factor
from graspbook.perception.matlab import read_matrices
from graspbook.perception.readable import readable
from graspbook.storage import refuse_deep

SUFFIXES = (".json", ".yaml", ".yml", ".mat", ".txt", ".npy", ".npz")
_LARGEST_FILE = 20_000_000  # bytes
_LARGEST_ARRAY = 100_000  # bytes of one in an archive; larger ones are no camera
_MOST_VALUES = 100_000  # looked through in one file
_PAIRS = (("fx", "fy", "cx", "cy"), ("fx", "fy", "ppx", "ppy"), ("f_x", "f_y", "c_x", "c_y"))


@dataclass(frozen=True)
class CameraInfo:
    """What a camera file says.

    K: (3, 3) in pixels.
    size: (width, height) in pixels of the image that K is for, or None.
    factor: metres per unit of depth, or None.
    notes: what was assumed.
    """

    K: np.ndarray
    size: tuple[int, int] | None = None
    factor: float | None = None
    notes: tuple[str, ...] = ()


def read_camera(path: Path | str, frame: str = "") -> CameraInfo:
    """Read the camera matrix of a file.

    ROS's camera_info and calibration files, OpenCV's YAML, Open3D's and BOP's JSON, YCB-Video's
    meta.mat, fx, fy, cx, cy by name, and plain 3 × 3 numbers are understood.

    path: of one of SUFFIXES.
    frame: name of the image without suffix, which chooses among the cameras of several images.

    Raises CaptureError when the file is missing, unreadable, or has no or more than one camera.
    """
    path = Path(path)
    with readable(path, "camera file", suffixes=SUFFIXES, most=_LARGEST_FILE):
        content = _parse(path)
    return _camera_of(path, content, frame)


def _parse(path):
    suffix = path.suffix.lower()
    if suffix == ".mat":
        return read_matrices(path, _LARGEST_ARRAY)
    if suffix == ".txt":
        try:
            return {"K": np.loadtxt(path, delimiter="," if b"," in path.read_bytes() else None)}
        except ValueError:
            pass
    if suffix == ".npy":
        return {"K": np.load(path, mmap_mode="r")}
    if suffix == ".npz":
        with zipfile.ZipFile(path) as archive, np.load(path) as stored:
            small = [e.filename for e in archive.infolist() if e.file_size <= _LARGEST_ARRAY]
            return {name: stored[name] for name in stored.files if f"{name}.npy" in small}
    text = path.read_text(encoding="utf-8")
    if suffix == ".json":
        return json.loads(text)
    if text.startswith("%YAML"):
        text = text.partition("\n")[2]
    refuse_deep(text)
    documents = yaml.safe_load_all(text.replace("!!opencv-matrix", ""))
    return next(documents)  # `rostopic echo` ends with the start of another


def _camera_of(path, content, frame):
    found = _cameras(content)
    own = [entry for key, *entry in found if _same_frame(key, frame)]
    entries = own or [entry for _, *entry in found]
    if not entries:
        raise CaptureError(
            f"{path}: no camera matrix in this file; expected K (nine numbers), camera_matrix,"
            " intrinsic_matrix, cam_K, or fx, fy, cx, cy"
        )
    notes = []
    matrices = [as_matrix(str(path), "K", entry[0], notes) for entry in entries]
    if any(not np.allclose(K, matrices[0], atol=1e-3) for K in matrices):
        raise CaptureError(
            f"{path}: {len(matrices)} camera matrices that differ; expected a single matrix, or a"
            f" matrix named after the image{f' {frame}' if frame else ''}"
        )
    around = entries[0][1]
    if np.abs(_numbers(around.get("d", around.get("distortion_coefficients")))).max() > 1e-6:
        notes.append(f"the lens distortion in {path.name} is not corrected")
    width = around.get("width", around.get("image_width"))
    height = around.get("height", around.get("image_height"))
    size = (int(width), int(height)) if _whole(width) and _whole(height) else None
    factor = next((around[name] for name in ROLES["factor"] if name in around), None)
    if factor is not None:
        factor = depth_factor(str(path), np.asarray(factor))
    return CameraInfo(matrices[0], size, factor, tuple(dict.fromkeys(notes)))


def _cameras(content) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Of every camera in nested dicts: key of the dict that it is in, matrix, that dict."""
    found, stack, seen = [], [("", content)], 0
    while stack and seen < _MOST_VALUES:
        key, value = stack.pop()
        seen += 1
        if isinstance(value, list) and len(value) <= 1000:
            stack += [(key, item) for item in value if isinstance(item, dict)]
        if not isinstance(value, dict):
            continue
        lower = {str(name).lower(): item for name, item in value.items()}
        matrix = next(
            (m for name in ROLES["K"] if (m := _matrix(lower.get(name))) is not None), None
        )
        if matrix is None:
            names = next((p for p in _PAIRS if all(_real(lower.get(n)) for n in p)), None)
            if names:
                fx, fy, cx, cy = (float(lower[name]) for name in names)
                matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        if matrix is None and len(_numbers(lower.get("p"))) == 12:
            matrix = _numbers(lower["p"]).reshape(3, 4)[:, :3]
        if matrix is not None:
            found.append((key, matrix, lower))
        else:
            stack += [(str(name), item) for name, item in value.items()]
    return found


def _matrix(value):
    """An array of 4 or 9 numbers, or None."""
    numbers = _numbers(value)
    return numbers if numbers.size in (4, 9) and numbers.any() else None


def _numbers(value):
    """Numbers of a list, or of a dict with `data`; zeros (1,) for anything else."""
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, list | tuple | np.ndarray) or len(value) > 100:
        return np.zeros(1)
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        return np.zeros(1)
    return numbers if numbers.size else np.zeros(1)


def _real(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _same_frame(key, frame):
    return bool(frame) and (key == frame or (key.isdecimal() and key.lstrip("0") == _digits(frame)))


def _digits(frame):
    return "".join(c for c in frame if c.isdecimal()).lstrip("0")
