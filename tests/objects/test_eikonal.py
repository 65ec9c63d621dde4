import numpy as np
import trimesh

from graspbook.objects.eikonal import closest_on_triangles, distances, split


def test_the_closest_points_of_triangles():
    """No point of a fine sampling of each triangle is closer, and the sampling comes as close as
    its spacing lets it.
    """
    rng = np.random.default_rng(0)
    triangles, points = rng.normal(size=(200, 3, 3)), 2 * rng.normal(size=(200, 3))
    found = np.linalg.norm(points - closest_on_triangles(points, triangles), axis=1)
    s, t = np.meshgrid(np.linspace(0, 1, 101), np.linspace(0, 1, 101))
    weights = np.stack([1 - s, s * (1 - t), s * t], axis=-1).reshape(-1, 3)
    sampled = np.linalg.norm(points[:, None] - weights @ triangles, axis=2).min(axis=1)
    assert (found <= sampled + 1e-12).all() and np.abs(found - sampled).max() < 0.02


def test_a_triangle_without_area_has_a_closest_point():
    needle = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], [[1.0, 1, 1]] * 3])
    assert np.allclose(
        closest_on_triangles(np.array([[1.5, 1, 0], [0, 0, 0]]), needle), [[1.5, 0, 0], [1, 1, 1]]
    )


def test_split_triangles_cover_the_same_surface():
    mesh = trimesh.creation.box([30, 20, 1])
    pieces = split(mesh.triangles)
    edges = np.linalg.norm(np.roll(pieces, -1, axis=1) - pieces, axis=2)
    assert edges.max() <= 4.0
    split_mesh = trimesh.Trimesh(**trimesh.triangles.to_kwargs(pieces))
    assert (
        split_mesh.is_watertight
        and np.isclose(split_mesh.volume, 600)
        and np.isclose(split_mesh.area, mesh.area)
    )


def test_a_point_is_as_far_as_it_is():
    """From one small triangle distances grow to the corners of the grid with an error under a fifth
    of a node.
    """
    triangle = np.array([[[10.2, 11.1, 9.7], [10.3, 11.1, 9.7], [10.2, 11.2, 9.8]]])
    found = distances(triangle, np.zeros((24,) * 3, bool))
    nodes = np.stack(np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij"), axis=-1)
    error = found - np.linalg.norm(nodes - triangle.mean(axis=1), axis=-1)
    assert np.abs(error).max() < 0.2
