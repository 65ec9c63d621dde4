"""Files: atomic writes, JSON results, and grasp files in the ACRONYM HDF5 layout.

ACRONYM (Eppner et al. 2021) keeps the grasps of one object in one file: `grasps/transforms` (N, 4,
4) holds `object_T_hand` in the frame of the scaled mesh, `grasps/qualities/flex/object_in_gripper`
(N) the label, `object/*` and `gripper/*` what was grasped and by what.
"""

import ast
import glob
import hashlib
import json
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from graspbook.errors import GraspFileError, OutputError
from graspbook.imports import import_closure, module_file

SHIPPED = (
    Path(__file__).parent / "weights"
)  # networks that come with the package, see `workbook.ship`
LABEL = "grasps/qualities/flex/object_in_gripper"


@contextmanager
def atomic_path(path):
    """A temporary path beside `path`, renamed to it when the block ends well and removed when it
    does not.

    Folders on the way are made; what a killed process left of the same file goes. Raises
    OutputError where it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{threading.get_ident()}{path.suffix}")
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield temporary
        os.replace(temporary, path)
        _remove_leftovers(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(*paths):
    """Raise OutputError where files could not be written at all of `paths`, before the work that
    they are for; makes nothing.
    """
    for path in map(Path, paths):
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"cannot write {path}: no permission to write in {folder}")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise OutputError(
            f"cannot write {', '.join(map(str, paths))}: one file for {len(paths)} results"
        )


def gather(folder, **files):
    """Copy weights files into a folder as `<network>.safetensors`, and return the folder."""
    for network, file in files.items():
        with atomic_path(Path(folder) / f"{network}.safetensors") as temporary:
            shutil.copyfile(file, temporary)
    return Path(folder)


def _remove_leftovers(path):
    """Remove temporary files of `path` whose process is gone."""
    for leftover in path.parent.glob(f".{glob.escape(path.stem)}-*-*{glob.escape(path.suffix)}"):
        try:
            os.kill(int(leftover.name.split("-")[-2]), 0)
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, PermissionError):
            pass  # not ours, or of another user's living process


def write_json(path, value):
    """Write plain numbers, strings, lists and dicts (numpy scalars and arrays too) as sorted,
    indented JSON.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n")


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain data: {value!r}")


def read_json(path):
    """The value that `write_json` wrote."""
    return json.loads(Path(path).read_text())


def content_hash(*values):
    """Hexadecimal SHA-256 (32 digits kept) of arrays (dtype, shape, bytes) and of anything else by
    its JSON.
    """
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:32]


def hash_number(*values):
    """A whole number below 2³² by the content hash of values: what a name adds to a seed."""
    return int(content_hash(*values)[:8], 16)


def object_hash(obj):
    """Hash of a GraspObject's surface and convex parts: all of it that views, labels and grasps
    depend on.
    """
    return content_hash(obj.mesh.vertices, obj.mesh.faces, *(part.vertices for part in obj.parts))


def code_hash(*modules: str) -> str:
    """Hash of modules of the library ("graspbook.pose") and of all that they import: what a product
    depends on besides its parameters.

    An edit of the code so makes the product anew. Comments, docstrings and layout do not count.
    Raises ValueError for a module that is not there.
    """
    for module in modules:
        if module_file(module) is None:
            raise ValueError(f"no module {module!r} in the library")
    digest = hashlib.sha256()
    for file in import_closure(modules):
        digest.update(_syntax(file.read_bytes()))
    return digest.hexdigest()[:32]


@cache
def _syntax(source):
    """The syntax tree of Python source without its docstrings, as bytes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return ast.dump(tree).encode()


def cache_dir():
    """Where things that can be made again are kept: `$GRASPBOOK_CACHE`, or `graspbook` in the
    user's cache folder.
    """
    base = os.environ.get("GRASPBOOK_CACHE")
    return (
        Path(base)
        if base
        else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "graspbook"
    )


@dataclass(frozen=True)
class Grasps:
    """The grasps of one object.

    transforms: (N, 4, 4) `object_T_hand`, metres, in the frame of the mesh after scaling; ACRONYM's
    grasp frame. success: (N,) bool, or None where nobody has tested them. grades: further figures
    by name, each (N,). object_file, object_scale: the mesh, relative to the mesh root, and the
    factor to metres. parameters: what made them.
    """

    transforms: np.ndarray
    success: np.ndarray | None = None
    grades: dict = field(default_factory=dict)
    object_file: str = ""
    object_scale: float = 1.0
    physics: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)


def write_grasps(path, grasps):
    """Write a grasp file in the ACRONYM layout; our own additions are `grasps/grades/*` and the
    attribute `parameters`.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file["grasps/transforms"] = np.asarray(grasps.transforms, float)
        if grasps.success is not None:
            file[LABEL] = np.asarray(grasps.success).astype(np.int64)
        for name, values in sorted(grasps.grades.items()):
            file[f"grasps/grades/{name}"] = values
        file["object/file"] = grasps.object_file
        file["object/scale"] = float(grasps.object_scale)
        for name, value in sorted(grasps.physics.items()):
            file[f"object/{name}"] = value
        file["gripper/type"] = "panda"
        file["gripper/configuration"] = np.array([0.04])
        file.attrs["parameters"] = json.dumps(grasps.parameters, sort_keys=True, default=_plain)


def read_grasps(path):
    """Read a grasp file, ours or ACRONYM's own.

    Raises GraspFileError for a missing, truncated or foreign file, for poses of a wrong shape or
    not rigid, and for labels that do not match them.
    """
    path = Path(path)
    if not path.is_file():
        raise GraspFileError(f"{path}: no such grasp file")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except OSError as error:
        raise GraspFileError(
            f"{path}: not a readable HDF5 file (truncated, or of another kind)"
        ) from error


def _read(path, file):
    if "grasps/transforms" not in file:
        raise GraspFileError(f"{path}: no dataset grasps/transforms; it holds {sorted(file)}")
    transforms = np.asarray(file["grasps/transforms"], float)
    if transforms.ndim != 3 or transforms.shape[1:] != (4, 4):
        raise GraspFileError(
            f"{path}: grasps/transforms has shape {transforms.shape}, expected (N, 4, 4)"
        )
    rotation = transforms[:, :3, :3]
    deviation = np.abs(rotation @ rotation.swapaxes(1, 2) - np.eye(3)).max(initial=0.0)
    if not np.isfinite(transforms).all() or deviation > 1e-3:
        raise GraspFileError(
            f"{path}: grasps/transforms are not rigid poses (R·Rᵀ is off the identity by"
            f" {deviation:.2g})"
        )
    success = np.asarray(file[LABEL]).astype(bool) if LABEL in file else None
    if success is not None and success.shape != (len(transforms),):
        raise GraspFileError(
            f"{path}: {LABEL} has shape {success.shape}, expected ({len(transforms)},)"
        )
    group = file["object"] if "object" in file else {}
    name = group["file"][()] if "file" in group else ""
    return Grasps(
        transforms=transforms,
        success=success,
        grades=(
            {name: values[()] for name, values in file["grasps/grades"].items()}
            if "grasps/grades" in file
            else {}
        ),
        object_file=name.decode() if isinstance(name, bytes) else str(name),
        object_scale=float(group["scale"][()]) if "scale" in group else 1.0,
        physics={name: value[()] for name, value in group.items() if name not in ("file", "scale")},
        parameters=json.loads(file.attrs.get("parameters", "{}")),
    )
