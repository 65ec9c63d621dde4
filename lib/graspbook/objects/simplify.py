"""Huge meshes made small enough to work with."""

import manifold3d
import numpy as np
import trimesh
from scipy.sparse import coo_matrix

MOST_FACES = 200_000  # of meshes that stay as they are
FACES = 30_000  # no more are left of a larger one that is closed
CLUSTERED = 12_000  # about as many are left of any other
# A surface is noisy where half of its edges bend by more, radians: those of fine faces do not.
NOISY = 0.5


def simplify(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """A mesh of 10 000 to 30 000 faces in place of a larger one.

    A closed mesh loses edges as long as the surface moves less than a tolerance. Vertices of any
    other are put together cell by cell of a grid, after noise is smoothed away: a note says so.

    mesh: with vertices merged.
    """
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(
            vert_properties=np.ascontiguousarray(mesh.vertices, float),
            tri_verts=np.ascontiguousarray(mesh.faces, np.uint64),
        )
    )
    if solid.status() != manifold3d.Error.NoError or solid.is_empty():
        return _cluster(mesh)
    for share in (3e-4, 1e-3, 3e-3, 1e-2):  # of the longest side
        solid = solid.simplify(share * float(mesh.extents.max()))
        if solid.num_tri() <= FACES:
            break
    else:
        return _cluster(mesh)
    out = solid.to_mesh64()
    vertices, faces = np.array(out.vert_properties)[:, :3], np.array(out.tri_verts, int)
    return trimesh.Trimesh(vertices, faces, process=False)


def _without_folds(faces):
    """Faces without repetitions, and without pairs of which one is the other's back."""
    a, b, c = faces.T.astype(np.int64)
    side = np.sign((b - a) * (c - a) * (c - b))
    faces, face = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True)
    side = np.bincount(face.ravel(), side)
    return np.where(side[:, None] < 0, faces[:, ::-1], faces)[side != 0]


def _smooth(mesh):
    """A mesh whose vertices move to the mean of their neighbours, until its area hardly falls."""
    edges = mesh.edges
    links = coo_matrix((np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel()))).tocsr()
    number = np.asarray(links.sum(axis=1))
    smooth, vertices = mesh, np.array(mesh.vertices)
    for _ in range(30):
        vertices = (links @ vertices + number * vertices) / (2 * number)
        area, smooth = smooth.area, trimesh.Trimesh(vertices, mesh.faces, process=False)
        if smooth.area > 0.98 * area:
            break
    moved = np.linalg.norm(vertices - mesh.vertices, axis=1)
    smooth.metadata["notes"] = (
        "the surface is noisy and was smoothed; its vertices moved by"
        f" {1000 * np.median(moved):.2g} mm (median)",
    )
    return smooth


def _cluster(mesh):
    """A mesh whose vertices are the means of those in each cell of a grid.

    Faces that fold onto each other vanish, so that a sheet stays one with two sides.
    """
    if np.median(mesh.face_adjacency_angles) > NOISY:
        mesh = _smooth(mesh)
    cell = float(np.sqrt(2 * mesh.area / CLUSTERED))
    keys = np.floor((mesh.vertices - mesh.bounds[0]) / cell).astype(np.int64)
    _, group, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    sums = [np.bincount(group, mesh.vertices[:, axis]) for axis in range(3)]
    faces = group[mesh.faces]
    faces = _without_folds(faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)])
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    faces = faces[(count[edge.ravel()] <= 2).reshape(-1, 3).all(axis=1)]
    vertices = np.stack(sums, axis=1) / counts[:, None]
    return trimesh.Trimesh(vertices, faces, process=False, metadata=mesh.metadata)
