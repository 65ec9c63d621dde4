"""Openings of a surface: small holes are closed, and what is open by design gets walls.

A cup, a bowl or a tube of one sheet has openings too, and a lid over them makes another object. So
only what is small against the surface counts as a hole.
"""

import manifold3d
import numpy as np
import trimesh

# A hole has at most this share of the surface. Cracks of real meshes have 0.05 %, the bottom of a
# bottle 7 %, the end of a tube 10 %, the opening of a bowl 30 % and more.
MOST_FILLED = 0.02
WALL = 0.003  # thickness of walls that sheets get, metres; at most a twentieth of the longest side


def fill_holes(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, list[float], list[float]]:
    """Close small holes: simple loops of boundary edges, by triangles in the best-fitting plane.

    A hole is small with at most 2 % of the surface, or where one triangle fills it.

    mesh: wound consistently.

    Returns the mesh, and areas as shares of the surface: of what was filled, and of openings that
    stay.
    """
    new_faces: list[list[int]] = []
    filled, openings, surface = [], [], mesh.area
    for loop in _loops(mesh):
        faces = _triangulate(mesh.vertices, loop)
        if not faces:
            continue
        share = trimesh.triangles.area(mesh.vertices[np.array(faces)]).sum() / surface
        if len(loop) == 3 or share <= MOST_FILLED:
            new_faces += faces
            filled.append(float(share))
        else:
            openings.append(float(share))
    if new_faces:
        faces = np.concatenate([mesh.faces, new_faces])
        mesh = trimesh.Trimesh(mesh.vertices, faces, process=False)
    return mesh, filled, openings


def give_walls(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh | None, float]:
    """Thicken the open sheets of a mesh by half a wall to either side; closed bodies stay.

    mesh: wound consistently.

    Returns the closed mesh, None where that is not possible, and the thickness in metres.
    """
    wall = min(WALL, float(mesh.extents.max()) / 20)
    body = trimesh.graph.connected_component_labels(mesh.face_adjacency, len(mesh.faces))
    edge_body = body[mesh.edges_face]
    _, edge, counts = np.unique(mesh.edges_sorted, axis=0, return_inverse=True, return_counts=True)
    single = counts[edge.ravel()] == 1
    is_sheet = np.isin(body, edge_body[single])
    faces, rim = mesh.faces[is_sheet], mesh.edges[single]
    count, half = len(mesh.vertices), mesh.vertex_normals * wall / 2
    # At an edge or a corner the vertex moves further, so that each face moves by half a wall.
    cosines = (mesh.face_normals[:, None] * mesh.vertex_normals[mesh.faces]).sum(axis=2)
    uses = np.bincount(mesh.faces.ravel(), minlength=count)
    cosine = np.bincount(mesh.faces.ravel(), cosines.ravel(), count) / np.maximum(uses, 1)
    half = half / np.clip(cosine, 0.5, 1)[:, None]
    a, b = rim.T
    walls = [faces, faces[:, ::-1] + count]
    walls += [np.stack([b, a, a + count], axis=1), np.stack([b, a + count, b + count], axis=1)]
    closed = mesh.faces[~is_sheet] + 2 * count
    vertices = np.concatenate([mesh.vertices + half, mesh.vertices - half, mesh.vertices])
    solid = trimesh.Trimesh(vertices, np.concatenate([*walls, closed]), process=False)
    solid.remove_unreferenced_vertices()
    return (solid if solid.is_volume else None), wall


def _loops(mesh):
    """Simple loops of boundary edges, as lists of vertices."""
    _, inverse, counts = np.unique(
        mesh.edges_sorted, axis=0, return_inverse=True, return_counts=True
    )
    following = {}
    for a, b in mesh.edges[counts[inverse.ravel()] == 1].tolist():
        following.setdefault(a, []).append(b)
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
                yield loop
                for vertex in loop[1:]:
                    del position[vertex]
                walk = walk[: position[there] + 1]
            else:
                position[there] = len(walk)
                walk.append(there)


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
