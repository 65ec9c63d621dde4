"""Loading anybody's mesh: faults are repaired where they can be, refused with a reason elsewhere.

A surface that stays open after repair is kept: sampling and ray casting do not mind. Simulation and
mass properties use the convex parts (`objects.parts`), which are closed in any case.
"""

from pathlib import Path

import manifold3d
import numpy as np
import trimesh

from graspbook.errors import MeshError

SUFFIXES = (".obj", ".stl", ".ply", ".glb")
SMALLEST, LARGEST = 0.01, 1.0  # longest side of a graspable object, metres
_UNITS = {"millimetres": 0.001, "centimetres": 0.01, "inches": 0.0254, "kilometres": 1000.0}


def load_mesh(path: Path | str, scale: float = 1.0) -> trimesh.Trimesh:
    """Load, check and repair one mesh.

    Vertices are merged, degenerate and repeated faces dropped, windings made consistent and
    outward, and holes filled. Raises MeshError when the file is missing, unreadable, of another
    kind or empty. Raises it too for NaN or infinite vertices, no volume, or a longest side that is
    not within 0.01 … 1 m.

    path: .obj, .stl, .ply or .glb; all geometries of a scene become one mesh in the scene's frame.
    scale: factor from the file's units to metres.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(
            f"{path}: unknown kind of mesh {path.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise MeshError(f"{path}: no such mesh file")
    if not (np.isfinite(scale) and scale > 0):
        raise MeshError(f"{path}: scale {scale} is not a positive number")
    try:
        mesh = trimesh.load_scene(path, process=False, skip_materials=True).to_mesh()
    except Exception as error:  # the readers raise whatever their format's parser raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise MeshError(f"{path}: not a readable {path.suffix} mesh ({reason})") from error
    scaled = trimesh.Trimesh(mesh.vertices * scale, mesh.faces, process=False)
    return repair(scaled, str(path), scale)


def repair(mesh: trimesh.Trimesh, source: str = "mesh", scale: float = 1.0) -> trimesh.Trimesh:
    """Check and repair a mesh as `load_mesh` does.

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
    if _is_flat(mesh):
        raise MeshError(f"{source}: the mesh is flat, it has no volume")
    trimesh.repair.fix_winding(mesh)
    mesh = _fill_holes(mesh)
    trimesh.repair.fix_normals(mesh, multibody=mesh.is_watertight and mesh.body_count > 1)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


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
        raise MeshError(f"{source}: all vertices are one point, the mesh has no volume")
    fits = [(unit, factor) for unit, factor in _UNITS.items() if 0.03 <= size * factor <= 0.6]
    unit, factor = fits[0] if fits else ("another unit", 0.1 / size)
    raise MeshError(
        f"{source}: the longest side is {size:.4g} m, a graspable object has {SMALLEST} to"
        f" {LARGEST:g} m; the file looks written in {unit}: pass --scale {scale * factor:.3g}"
    )


def _fill_holes(mesh):
    """Close every simple loop of boundary edges by triangles in its best-fitting plane."""
    edges = mesh.edges_sorted
    _, inverse, counts = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    following = {}
    for a, b in mesh.edges[counts[inverse.ravel()] == 1].tolist():
        following.setdefault(a, []).append(b)
    new_faces = []
    while following:
        walk = [next(iter(following))]
        position = {walk[0]: 0}
        while walk[-1] in following:
            here = walk[-1]
            there = following[here].pop()
            if not following[here]:
                del following[here]
            if there in position:  # the loop from `there` to here is closed: cut it off the walk
                loop = walk[position[there] :]
                new_faces += _triangulate(mesh.vertices, loop)
                for vertex in loop[1:]:
                    del position[vertex]
                walk = walk[: position[there] + 1]
            else:
                position[there] = len(walk)
                walk.append(there)
    if not new_faces:
        return mesh
    return trimesh.Trimesh(mesh.vertices, np.concatenate([mesh.faces, new_faces]), process=False)


def _triangulate(vertices, loop):
    """Triangles that close a loop of vertex indices, wound against it; none for a loop of two."""
    if len(loop) < 3:
        return []
    loop = np.array(loop)[::-1]
    points = vertices[loop] - vertices[loop].mean(axis=0)
    area = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    across = np.cross(area, np.eye(3)[np.argmin(np.abs(area))])
    along = np.cross(area, across) / (np.linalg.norm(area) or 1.0)
    flat = points @ np.stack([across, along], axis=1)
    return loop[np.asarray(manifold3d.triangulate([flat]))].tolist()


def has_faces(path: Path) -> bool:
    """Whether a .ply file declares faces; False where it cannot be read.

    path: of the file.
    """
    try:
        header = path.read_bytes()[:4096].partition(b"end_header")[0]
    except OSError:
        return False
    return b"element face" in header and b"element face 0" not in header
