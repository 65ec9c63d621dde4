import pytest
import torch

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.grouping import Grouper, ball_query, farthest_points, group, take

SMALL = BackboneSettings(points=64, centroids=(16, 8), neighbours=(8, 8), width=0.125)


def cloud(n, seed=0):
    return 0.05 * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def test_farthest_points_on_a_line():
    line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [10, 0, 0]]])
    # From 0: 10 is farthest, then 3 (3 from 0), then 1 and 2 (both 1 away from a chosen one: the
    # first is taken).
    assert farthest_points(line, 4).tolist() == [[0, 4, 3, 1]]


def test_farthest_points_of_a_batch_are_those_of_each_cloud():
    clouds = torch.stack([cloud(50, 1), cloud(50, 2)])
    alone = [farthest_points(c[None], 10)[0] for c in clouds]
    assert torch.equal(farthest_points(clouds, 10), torch.stack(alone))


def test_farthest_points_of_farthest_points_are_their_beginning():
    points = cloud(80)[None]
    first = take(points, farthest_points(points, 20))
    assert farthest_points(first, 6).tolist() == [list(range(6))]


def test_ball_query_takes_the_first_in_order_and_repeats_the_first_one():
    points = torch.tensor([[[5.0, 0, 0], [0.2, 0, 0], [0, 0, 0], [-0.5, 0, 0], [0.9, 0, 0]]])
    centres = torch.tensor([[[0.0, 0, 0], [5, 0, 0]]])
    assert ball_query(points, centres, 1.0, 3).tolist() == [[[1, 2, 3], [0, 0, 0]]]
    assert ball_query(points, centres, 1.0, 5).tolist() == [[[1, 2, 3, 4, 1], [0] * 5]]


def test_a_grouper_gives_what_group_gives_and_computes_it_once(monkeypatch):
    clouds, grouper = torch.stack([cloud(64, 1), cloud(64, 2)]), Grouper(SMALL, limit=2)
    expected = group(clouds, SMALL)
    first = grouper(clouds)
    monkeypatch.setattr("graspbook.graspnet.grouping.farthest_points", None)
    for levels in (first, grouper(clouds)):
        assert all(
            torch.equal(a, b)
            for pair in zip(levels, expected, strict=True)
            for a, b in zip(*pair, strict=True)
        )
    with pytest.raises(TypeError):
        grouper(cloud(64, 3)[None])


def test_take_matches_plain_indexing():
    values = torch.randn(3, 2, 7, 4)
    index = torch.randint(7, (2, 5, 6))
    expected = torch.stack([values[:, c][:, index[c]] for c in range(2)], dim=1)
    assert torch.equal(take(values, index), expected)
