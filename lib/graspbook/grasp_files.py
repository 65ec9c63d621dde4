"""Grasp files: ACRONYM's HDF5, GraspGen's JSON and Isaac's YAML, by the suffix of the file."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from graspbook.errors import GraspFileError, OutputError
from graspbook.grasp_hdf5 import read_hdf5, write_hdf5
from graspbook.grasp_set import Grasps
from graspbook.grasp_text import read_json, read_yaml, write_json, write_yaml
from graspbook.storage import atomic_path

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class GraspFormat(NamedTuple):
    """One kind of grasp file.

    title: what it is called.
    suffixes: of its files, with the dot.
    read: function that reads a file. It raises GraspFileError without the path.
    write: function that writes a file.
    """

    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Grasps]
    write: Callable[[Path, Grasps], None]


FORMATS = (
    GraspFormat("ACRONYM's HDF5", (".h5", ".hdf5"), read_hdf5, write_hdf5),
    GraspFormat("GraspGen's JSON", (".json",), read_json, write_json),
    GraspFormat("Isaac's YAML", (".yaml", ".yml"), read_yaml, write_yaml),
)
SUFFIXES = {suffix: kind for kind in FORMATS for suffix in kind.suffixes}
EXPECTED = ", ".join(f"{' or '.join(kind.suffixes)} ({kind.title})" for kind in FORMATS)


def grasp_format(path: Path | str) -> GraspFormat:
    """The format that a file to be written has by its suffix.

    path: of the file.

    Raises OutputError for another suffix.
    """
    kind = SUFFIXES.get(Path(path).suffix.lower())
    if kind is None:
        raise OutputError(
            f"cannot write {path}: it has the suffix {Path(path).suffix!r}, expected {EXPECTED}"
        )
    return kind


def write_grasps(path: Path | str, grasps: Grasps) -> None:
    """Write a grasp file, in the format of its suffix.

    path: of the file; the suffix chooses the format.
    grasps: grasps of one object.

    Raises OutputError for an unknown suffix, and where it cannot be written.
    """
    kind = grasp_format(path)
    with atomic_path(path) as temporary:
        kind.write(temporary, grasps)


def read_grasps(path: Path | str) -> Grasps:
    """Read a grasp file: ACRONYM's HDF5, GraspGen's JSON or Isaac's YAML.

    HDF5 is recognised by its first bytes, under any suffix. A scale may be an array of one, or the
    same number per axis; labels may be (N, 1); transforms may be a group of (4, 4). A file without
    a gripper is assumed to be of the Franka Hand, which `notes` says.

    path: of the file.

    Raises GraspFileError for a missing, truncated or foreign file. It does so too for poses that
    are not rigid or of a wrong shape, for labels that do not fit, and for a scale that differs
    between the axes.
    """
    path = Path(path)
    if not path.is_file():
        raise GraspFileError(f"{path}: no such grasp file")
    with path.open("rb") as file:
        signature = file.read(len(_HDF5_SIGNATURE))
    kind = FORMATS[0]
    if signature != _HDF5_SIGNATURE:
        kind = SUFFIXES.get(path.suffix.lower(), kind)
    try:
        return kind.read(path)
    except GraspFileError as error:
        raise GraspFileError(f"{path}: {error}") from error
