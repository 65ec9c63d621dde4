"""Surfaces from mesh files as other programs write them."""

import re
from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.collada import read_collada
from graspbook.objects.ply_strips import read_strips
from graspbook.objects.urdf_object import read_urdf

SUFFIXES = (".obj", ".stl", ".ply", ".glb", ".gltf", ".off", ".dae", ".urdf")
_LARGEST_HEADER = 1 << 20  # bytes of a .ply header that are read
_DRACO = "KHR_draco_mesh_compression"


def read_mesh(path: Path) -> tuple[trimesh.Trimesh, list[str]]:
    """The surface in a file, in its own units, and notes on what was odd about the file.

    path: of one of SUFFIXES; all geometries of a scene become one mesh in the scene's frame.

    Raises MeshError where the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in (".drc", ".glb", ".gltf"):
        _refuse_draco(path)
    if suffix not in SUFFIXES:
        raise MeshError(
            f"{path}: unknown kind of mesh {path.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )
    try:
        mesh, notes = _READERS.get(suffix, _read_any)(path)
        _check_shapes(mesh)
        return mesh, notes
    except MeshError:
        raise
    except Exception as error:  # the readers raise whatever their format's parser raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise MeshError(f"{path}: not a readable {path.suffix} mesh ({reason})") from error


def ply_header(path: Path) -> bytes:
    """The header of a .ply file without its last line; empty where there is none.

    path: of the file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_LARGEST_HEADER)
    except OSError:
        return b""
    header, end, _ = start.partition(b"end_header")
    return header if end else b""


def has_faces(path: Path) -> bool:
    """Whether a .ply file declares faces or strips of them; False where it cannot be read.

    path: of the file.
    """
    return bool(re.search(rb"^element\s+(face|tristrips)\s+0*[1-9]", ply_header(path), re.M))


def _refuse_draco(path):
    """Refuse compression by Draco, which trimesh takes for an empty mesh."""
    try:
        with path.open("rb") as file:
            start = file.read(1 << 20)
    except OSError:
        return
    if start.startswith(b"DRACO") or _DRACO.encode() in start:
        raise MeshError(
            f"{path}: it is compressed by Draco, which cannot be read; decompress it first:"
            + (
                " draco_decoder -i IN.drc -o OUT.obj"
                if path.suffix.lower() == ".drc"
                else " npx @gltf-transform/cli copy IN.glb OUT.glb"
            )
        )


def _check_shapes(mesh):
    """Raise ValueError for vertices that are not in space, and faces of vertices not there."""
    if mesh.vertices.shape[1:] != (3,) or mesh.faces.shape[1:] != (3,):
        raise ValueError(
            f"vertices have shape {mesh.vertices.shape} and faces {mesh.faces.shape},"
            " expected 3 columns in both"
        )
    if len(mesh.faces) and not 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices):
        raise ValueError(f"a face refers to a vertex beyond the {len(mesh.vertices)} in the file")


def _read_any(path):
    """What trimesh reads."""
    return trimesh.load_scene(path, process=False, skip_materials=True).to_mesh(), []


def _read_dae(path):
    return read_collada(path), []


def _read_ply(path):
    strips = b"element tristrips" in ply_header(path)
    return (read_strips(path), []) if strips else _read_any(path)


def _read_stl(path):
    """A .stl; of a binary one whose count of faces does not fit its size, what is there."""
    data = path.read_bytes()
    said, (whole, rest) = int.from_bytes(data[80:84], "little"), divmod(len(data) - 84, 50)
    is_text = data[:5].lower() == b"solid" and b"facet" in data[:1000].lower()
    if is_text or whole < 1 or (said == whole and not rest):
        return _read_any(path)
    if rest and said > whole:
        raise MeshError(
            f"{path}: {len(data)} bytes, expected {84 + 50 * said} for a binary .stl with {said}"
            " faces: the file is cut off or is not an .stl"
        )
    count = said if rest and said else whole
    rows = np.frombuffer(data, np.uint8, 50 * count, 84).reshape(count, 50)
    corners = rows[:, 12:48].copy().view("<f4").reshape(-1, 3).astype(float)
    note = f"{len(data) - 84 - 50 * count} bytes after its {count} faces are ignored"
    if count != said:
        note = f"its header says {said} faces, but its size fits {count}, so {count} are read"
    return trimesh.Trimesh(corners, np.arange(3 * count).reshape(-1, 3), process=False), [note]


def _read_urdf(path):
    """The surface of a .urdf of one object, and which of its surfaces it is."""
    notes = []

    def read(file):
        mesh, odd = read_mesh(file)
        notes.extend(odd)
        return mesh

    mesh, kind = read_urdf(path, read)
    return mesh, [f"the {kind} surface of the URDF is used", *notes]


_READERS = {".urdf": _read_urdf, ".dae": _read_dae, ".stl": _read_stl, ".ply": _read_ply}
