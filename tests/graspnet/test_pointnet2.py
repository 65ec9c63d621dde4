import pytest
import torch

from graspbook.errors import ParameterError
from graspbook.graspnet.evaluator import Evaluator, EvaluatorSettings
from graspbook.graspnet.pointnet2 import (
    BackboneSettings,
    Grouper,
    PointNet2,
    SetAbstraction,
    ball_query,
    farthest_points,
    group,
    segment_max,
    take,
)
from graspbook.graspnet.sampler import Sampler, SamplerSettings

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
    monkeypatch.setattr("graspbook.graspnet.pointnet2.farthest_points", None)
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


def plain(network, points, features, condition):
    """The network as the paper has it: pairs with repeated neighbours, and a grasp's numbers at
    every point.
    """
    points = points / network.settings.length_unit
    features = torch.cat(
        [
            features.expand(len(condition), *features.shape),
            condition[:, :, None].expand(-1, -1, points.shape[1], -1),
        ],
        dim=-1,
    )
    for level, (centroids, neighbours) in zip(
        network.levels, group(points * network.settings.length_unit, network.settings), strict=False
    ):
        centres = take(points, centroids)
        relative = (take(points, neighbours) - centres[:, :, None]).expand(
            len(condition), -1, -1, -1, -1
        )
        pairs = torch.cat([relative, take(features, neighbours)], dim=-1)
        points, features = centres, level.rest(level.first(pairs)).amax(dim=-2).relu()
    last = network.levels[2]
    every = torch.cat([points.expand(len(condition), -1, -1, -1), features], dim=-1)
    return network.head(last.rest(last.first(every)).amax(dim=-2).relu()).transpose(0, 1)


CLOUDS = {
    "random": cloud(64),
    "repeated": cloud(32).repeat(2, 1),
    "full": 0.2 * cloud(64),
    "scattered": 20 * cloud(64),
    "few": cloud(5),
}


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize("width", [0.125, 1.0])
def test_the_network_and_its_gradients_are_the_plain_ones(kind, width):
    torch.manual_seed(0)
    settings = BackboneSettings(
        points=64, centroids=(16, 8), neighbours=(24, 8), width=width, length_unit=0.05
    )
    network = PointNet2(settings, 3, 2).double()
    points = torch.stack([CLOUDS[kind], CLOUDS[kind].flip(0)]).double()
    condition = torch.randn(2, 3, 2, dtype=torch.double, requires_grad=True)
    wanted = [condition, *network.parameters()]
    ours = network(points, group(points, settings), points / 0.05, condition)
    expected = plain(network, points, points / 0.05, condition.transpose(0, 1))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-8)
    weights = torch.randn(ours.shape, dtype=torch.double)
    gradients = (torch.autograd.grad(features, wanted, weights) for features in (ours, expected))
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-8)
    with torch.no_grad():
        single = network.float()(
            points.float(),
            group(points.float(), settings),
            points.float() / 0.05,
            condition.float(),
        )
    assert float((single - expected.detach()).abs().max()) < 1e-5 * float(
        expected.detach().abs().max()
    )


# With few elements a row all of them are in the graph, with many those that hold a maximum.
@pytest.mark.parametrize("elements", [6, 40])
def test_the_maximum_of_a_segment_is_shared_by_those_that_hold_it(elements):
    generator = torch.Generator().manual_seed(0)
    owner = torch.randint(3, (elements,), generator=generator).sort().values
    values = (
        torch.randint(-2, 4, (elements, 5), generator=generator).double().requires_grad_()
    )  # with many ties
    base = torch.tensor([0.0, 0, 2, 3, 0]).double().expand(4, -1).clone().requires_grad_()
    rows = [
        torch.cat([base[row, None], values[owner == row]]) for row in range(4)
    ]  # none owns to the last
    expected = torch.stack([row.amax(dim=0) for row in rows])
    found = segment_max(values.__getitem__, owner, base, block=7)
    assert torch.equal(found, expected)
    with torch.no_grad():
        assert torch.equal(segment_max(values.__getitem__, owner, base, block=7), expected)
    weights = torch.randn(4, 5, generator=generator, dtype=torch.double)
    own, other = (torch.autograd.grad(out, [values, base], weights) for out in (found, expected))
    held = expected > 0  # at zero, the gradient of a rectified maximum is nothing
    torch.testing.assert_close(own[0], torch.where(held[owner], other[0], 0))
    torch.testing.assert_close(own[1], other[1] * held)


def test_repeated_neighbours_change_nothing():
    level = SetAbstraction(3, 0, (8, 8, 8), SMALL)
    points, index = torch.randn(1, 9, 3), torch.tensor([[[0, 1, 2], [3, 4, 5]]])
    twice = torch.cat([index, index[..., :1], index[..., :1]], dim=-1)
    torch.testing.assert_close(
        *(level(points, points[:, :2], points[None], neighbours) for neighbours in (index, twice))
    )


def test_grasps_of_a_batch_do_not_see_each_other():
    torch.manual_seed(0)
    network = PointNet2(SMALL, 3, 2)
    points = torch.stack([cloud(64, 1), cloud(64, 2)])
    condition = torch.randn(2, 3, 2)
    together = network(points, group(points, SMALL), points, condition)
    assert together.shape == (2, 3, 128)
    one = points[1:]
    alone = network(one, group(one, SMALL), one, condition[1:, 2:])
    torch.testing.assert_close(together[1:, 2:], alone)


def test_the_order_of_points_does_not_matter_when_no_ball_is_full():
    torch.manual_seed(0)
    settings = BackboneSettings(points=40, centroids=(16, 8), neighbours=(40, 16), width=0.125)
    network = PointNet2(settings, 3)
    points = cloud(40)[None]
    shuffled = points[:, torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(39)])]
    out = [network(p, group(p, settings), p) for p in (points, shuffled)]
    torch.testing.assert_close(*out)


def test_a_cloud_smaller_than_the_centroid_counts_still_passes():
    points = cloud(5)[None]
    assert PointNet2(SMALL, 3)(points, group(points, SMALL), points).isfinite().all()


def test_the_size_is_the_papers():
    networks = Sampler(SamplerSettings()), Evaluator(EvaluatorSettings())
    sampler, evaluator = (sum(p.numel() for p in network.parameters()) for network in networks)
    assert sampler == pytest.approx(3.9e6, rel=0.05)
    assert evaluator == pytest.approx(1.9e6, rel=0.05)


def test_batch_norm_forgets_the_batch_in_evaluation():
    torch.manual_seed(0)
    settings = BackboneSettings(**{**vars(SMALL), "normalisation": "batch"})
    network = PointNet2(settings, 3, 2)
    points = cloud(64)[None]
    condition = torch.randn(1, 4, 2)
    network(points, group(points, settings), points, condition)
    network.eval()
    out = [
        network(points, group(points, settings), points, c) for c in (condition, condition[:, :1])
    ]
    torch.testing.assert_close(out[0][:, :1], out[1])


def test_batch_norm_counts_repeated_neighbours_in_training():
    settings = BackboneSettings(**{**vars(SMALL), "normalisation": "batch"})
    network = PointNet2(settings, 3, 2).double()
    points, condition = cloud(64).double()[None], torch.randn(1, 4, 2).double()
    ours = network(points, group(points, settings), points, condition)
    torch.testing.assert_close(ours, plain(network, points, points, condition.transpose(0, 1)))


def test_impossible_settings_are_refused_by_name():
    with pytest.raises(ParameterError, match="layer"):
        BackboneSettings(normalisation="layer")
    with pytest.raises(ParameterError, match="precision 'half'"):
        BackboneSettings(precision="half")
    with pytest.raises(ParameterError, match="positive"):
        BackboneSettings(width=0)
