"""Loading anybody's mesh: faults are repaired where they can be, refused with a reason elsewhere.

A surface that stays open after repair is kept: sampling and ray casting do not mind. Simulation and
mass properties use the convex parts (`objects.parts`), which are closed in any case.
"""

import sys
from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.holes import fill_holes, give_walls
from graspbook.objects.mesh_files import SUFFIXES, has_faces, read_mesh
from graspbook.objects.one_view import is_open_view
from graspbook.objects.parts import is_solid
from graspbook.objects.simplify import MOST_FACES, simplify

__all__ = ["SUFFIXES", "has_faces", "load_mesh", "notes_of", "repair"]
SMALLEST, LARGEST = 0.01, 1.0  # longest side of a graspable object, metres
LONG = 0.5  # a longer object is read, with a note
THINNEST = 0.001  # of what can be simulated, metres
_UNITS = {"millimetres": 0.001, "centimetres": 0.01, "inches": 0.0254, "kilometres": 1000.0}


def load_mesh(
    path: Path | str,
    scale: float = 1.0,
    *,
    surface: tuple[trimesh.Trimesh, list[str]] | None = None,
) -> trimesh.Trimesh:
    """Load, check and repair one mesh.

    Vertices are merged, degenerate and repeated faces dropped, windings made consistent and
    outward, and small holes filled. Sheets with larger openings are given walls, thin things are
    thickened, huge meshes simplified: `notes_of` says so. Raises MeshError when the file is
    missing, unreadable, of another kind or empty. Raises it too for NaN or infinite vertices, no
    volume, or a longest side that is not within 0.01 … 1 m. Raises it as well for the open surface
    of one view of a camera.

    path: of `mesh_files.SUFFIXES`; all geometries of a scene become one mesh in its frame.
    scale: factor from the file's units to metres.
    surface: what `read_mesh` returns for the file; read here if None.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES and not path.is_file():
        raise MeshError(f"{path}: no such mesh file")
    if not (np.isfinite(scale) and scale > 0):
        raise MeshError(f"{path}: scale {scale} is not a positive number")
    mesh, notes = surface or read_mesh(path)
    scaled = trimesh.Trimesh(mesh.vertices * scale, mesh.faces, process=False)
    graspable = len(mesh.faces) and SMALLEST <= scaled.extents.max() <= LARGEST
    if surface is None and graspable and is_open_view(scaled):
        raise MeshError(
            f"{path}: this surface was seen from one camera view only, expected an object from all"
            " sides. The commands grasp and hand-grasp use it as a cloud. If the file has an open"
            " object instead, move the object's middle to the origin"
        )
    mesh = repair(scaled, str(path), scale)
    if (size := float(mesh.extents.max())) > LONG:
        notes.append(
            f"it is {size:.2g} m long, which is large for one hand; if the unit is wrong,"
            f" try --scale {scale * 0.15 / size:.2g}, which makes it 0.15 m long"
        )
    return _with_notes(mesh, notes)


def repair(mesh: trimesh.Trimesh, source: str = "mesh", scale: float = 1.0) -> trimesh.Trimesh:
    """Check and repair a mesh as `load_mesh` does; `notes_of` the result says what was changed.

    mesh: in metres.
    source: what errors call it.
    scale: the factor that made it metres, for the errors alone.
    """
    if not len(mesh.faces):
        raise MeshError(f"{source}: the mesh is empty ({len(mesh.vertices)} vertices, no faces)")
    bad = ~np.isfinite(mesh.vertices[np.unique(mesh.faces)]).all(axis=1)
    if bad.any():
        raise MeshError(f"{source}: {bad.sum()} of {len(bad)} vertices are NaN or infinite")
    mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    mesh.remove_unreferenced_vertices()
    _check_size(mesh, source, scale)
    # Vertices nearer than a hundred-thousandth of the size count as one.
    mesh.merge_vertices(digits_vertex=int(np.ceil(5 - np.log10(mesh.extents.max()))))
    height = 1e-9 * mesh.extents.max()
    mesh.update_faces(mesh.nondegenerate_faces(height=height) & mesh.unique_faces())
    mesh.remove_unreferenced_vertices()
    notes: list[str] = []
    if len(mesh.faces) > MOST_FACES:
        before = len(mesh.faces)
        print(f"{source}: simplifying {before} faces", file=sys.stderr, flush=True)
        mesh = simplify(mesh)
        notes += notes_of(mesh)
        mesh.update_faces(mesh.nondegenerate_faces(height=height) & mesh.unique_faces())
        mesh.remove_unreferenced_vertices()
        notes.append(f"{before} faces were simplified to {len(mesh.faces)}")
    if _is_flat(mesh):
        raise MeshError(f"{source}: the mesh is flat and has no volume")
    trimesh.repair.fix_winding(mesh)
    mesh, closed = _close(mesh)
    trimesh.repair.fix_normals(mesh, multibody=mesh.is_watertight and mesh.body_count > 1)
    mesh, thickened = _thicken(mesh)
    mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    if not is_solid(mesh.faces):
        thickened.append(
            "many of its edges do not join exactly two faces, so its convex parts are made on a"
            f" grid; this thickens walls to about {1000 * mesh.extents.max() / 30:.1f} mm"
        )
    return _with_notes(mesh, [*notes, *closed, *thickened])


def _with_notes(mesh, notes):
    """The mesh itself, with notes before those that it has."""
    if notes:
        mesh.metadata["notes"] = (*notes, *notes_of(mesh))
    return mesh


def notes_of(mesh: trimesh.Trimesh) -> tuple[str, ...]:
    """What `load_mesh` changed of a mesh beyond cleaning it, one sentence each.

    mesh: as loaded.
    """
    return mesh.metadata.get("notes", ())


def _is_flat(mesh):
    if not len(mesh.faces):
        return True
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    sizes = np.linalg.svd(centred, compute_uv=False)
    return len(sizes) < 3 or sizes[2] <= 1e-6 * sizes[0]


def _check_size(mesh, source, scale):
    size = float(mesh.extents.max())
    if SMALLEST <= size <= LARGEST:
        return
    if size == 0:
        raise MeshError(f"{source}: all vertices are at one point, so the mesh has no volume")
    fits = [(unit, factor) for unit, factor in _UNITS.items() if 0.03 <= size * factor <= 0.6]
    unit, factor = fits[0] if fits else ("another unit", 0.1 / size)
    raise MeshError(
        f"{source}: the longest side is {size:.4g} m, expected {SMALLEST} to {LARGEST:g} m. Option"
        f" --scale {scale * 0.1 / size:.2g} would make it 0.1 m. The file does not say its unit; a"
        f" guess is {unit}: --scale {scale * factor:.3g}"
    )


def _thicken(mesh):
    """Stretch what is thinner than THINNEST along its principal axes; a mesh and what was done."""
    middle = mesh.vertices.mean(axis=0)
    axes = np.linalg.svd(mesh.vertices - middle, full_matrices=False)[2]
    along = (mesh.vertices - middle) @ axes.T
    sizes = np.ptp(along, axis=0)
    if sizes.min() >= THINNEST:
        return mesh, []
    vertices = middle + (along * np.maximum(THINNEST / sizes, 1.0)) @ axes
    mesh = trimesh.Trimesh(vertices, mesh.faces, process=False)
    return mesh, [
        f"it is only {1000 * sizes.min():.2g} mm thick and was thickened to {1000 * THINNEST:g} mm,"
        " because contacts of thinner objects cannot be simulated"
    ]


def _close(mesh):
    """Fill small holes and give sheets walls: a mesh, and what was done."""
    mesh, filled, openings = fill_holes(mesh)
    notes = []
    if sum(filled) > 1e-4:
        notes.append(f"{len(filled)} holes were filled, {sum(filled):.2%} of the surface")
    if not openings:
        return mesh, notes
    opened = (
        f"{len(openings)} opening{'s' * (len(openings) > 1)}, the largest of"
        f" {max(openings):.0%} of the surface"
    )
    solid, wall = give_walls(mesh)
    if solid is None:
        return mesh, [*notes, f"{opened}: not closed, since the surface cannot be given walls"]
    return solid, [
        *notes,
        f"{opened}: kept, and the sheet was given walls of {1000 * wall:.2g} mm, half on each side",
    ]
