import numpy as np
import torch
from scipy.spatial import cKDTree

from graspbook.graspnet.nearest_table import CELL, MARGIN, join, nearest_points, tabulate


def clouds(count=2, n=200):
    return 0.05 * torch.randn(count, n, 3, generator=torch.Generator().manual_seed(0))


def queries(points, n=500):
    low, high = points.amin(dim=1) - MARGIN, points.amax(dim=1) + MARGIN
    return (
        low[:, None]
        + torch.rand(len(points), n, 3, generator=torch.Generator().manual_seed(1))
        * (high - low)[:, None]
    )


def test_the_point_found_is_the_nearest_but_seldom_and_then_by_less_than_the_size_of_a_cell():
    points = clouds(n=2000)
    asked = queries(points)
    space, image = nearest_points(asked, points, join([tabulate(cloud) for cloud in points], 2000))
    for c in range(2):
        exact = cKDTree(points[c]).query(asked[c])[0]
        found = (space[c] - asked[c]).norm(dim=-1).numpy()
        assert (found >= exact - 1e-6).all() and (found <= exact + np.sqrt(3) * CELL + 1e-6).all()
        assert np.mean(found < exact + 1e-6) > 0.9
        exact = cKDTree(points[c, :, :2]).query(asked[c, :, :2])[0]
        found = (image[c] - asked[c])[:, :2].norm(dim=-1).numpy()
        assert (found >= exact - 1e-6).all() and (found <= exact + np.sqrt(2) * CELL + 1e-6).all()


def test_a_point_asked_for_in_its_own_cell_is_found():
    points = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0.1]]])
    space, image = nearest_points(points, points, tabulate(points[0]))
    assert torch.equal(space, points) and torch.equal(image, points)


def test_beyond_the_table_the_cell_at_its_edge_answers():
    points = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0]]])
    asked = torch.tensor([[[9.0, 0, 0], [-9.0, 5.0, -5.0]]])
    assert torch.equal(nearest_points(asked, points, tabulate(points[0]))[0], points[:, [1, 0]])


def test_clouds_joined_answer_as_each_by_itself():
    points = clouds(3)
    asked = queries(points)
    together = nearest_points(asked, points, join([tabulate(cloud) for cloud in points], 200))
    for c in range(3):
        alone = nearest_points(asked[c : c + 1], points[c : c + 1], tabulate(points[c]))
        assert all(torch.equal(a[c : c + 1], b) for a, b in zip(together, alone, strict=True))


def test_points_found_carry_the_gradient_of_the_cloud():
    points = clouds(1).requires_grad_()
    space, _ = nearest_points(queries(points.detach()), points, tabulate(points[0].detach()))
    space.sum().backward()
    assert float(points.grad.sum()) == 1500.0
