import pytest
import torch

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.evaluator import Evaluator, EvaluatorSettings
from graspbook.graspnet.grouping import group, take
from graspbook.graspnet.pointnet2 import PointNet2, SetAbstraction
from graspbook.graspnet.sampler import SamplerSettings, make_sampler

SMALL = BackboneSettings(points=64, centroids=(16, 8), neighbours=(8, 8), width=0.125)


def cloud(n, seed=0):
    return 0.05 * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


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
    networks = make_sampler(SamplerSettings()), Evaluator(EvaluatorSettings())
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
