import numpy as np
import pytest

from graspbook.perception.planes import clusters, depth_inside, dominant_plane, footprint, hull

SQUARE = np.random.default_rng(0).uniform(0, 1, (2000, 2))


@pytest.mark.parametrize("far", [1.0, 1e7])  # the latter has too many cells for one number each
def test_clusters_are_numbered_by_their_cells(far):
    groups = np.array([[0.0, 0, 0], [0.5, 0, 0], [0.3, 0.4, 0], [far, far, far]])
    points = np.repeat(groups, 5, axis=0) + np.random.default_rng(0).uniform(0, 0.01, (20, 3))
    order = np.random.default_rng(1).permutation(20)
    labels = clusters(points[order])
    assert (np.repeat([0, 2, 1, 3], 5)[order] == labels).all()
    assert len(clusters(points[:0])) == 0


def test_a_gap_parts_clusters():
    line = np.stack([np.arange(0, 0.1, 0.001)] * 3, axis=1) * [1, 0, 0]
    both = np.concatenate([line, line + [0.13, 0, 0]])
    assert set(clusters(both, 0.01)) == {0, 1} and set(clusters(both, 0.05)) == {0}


def test_the_outline_of_a_footprint():
    normal = np.array([0.6, 0, 0.8])
    flat = footprint(np.array([[0, 0, 0], normal, [0, 2, 0]]), normal)
    np.testing.assert_allclose(flat[1], 0, atol=1e-12)
    assert np.linalg.norm(flat[2]) == pytest.approx(2)
    faces, area = hull(SQUARE)
    assert area == pytest.approx(1, abs=0.02)
    inside = depth_inside(np.array([[0.5, 0.5], [0.5, 0.9], [0.5, 1.2]]), faces)
    np.testing.assert_allclose(inside, [0.5, 0.1, -0.2], atol=0.02)


def test_points_in_a_line_have_no_outline():
    faces, area = hull(np.array([[0, 0], [1, 1], [2, 2.0]]))
    assert area == 0 and (depth_inside(SQUARE[:3], faces) < 0).all()


def test_a_plane_needs_three_points():
    assert dominant_plane(np.zeros((2, 3)), np.random.default_rng(0))[2] == 0
    assert dominant_plane(np.zeros((9, 3)), np.random.default_rng(0))[2] == 0
