import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.evaluator_unified import UnifiedCloud, object_backbone
from graspbook.graspnet.grouping import group
from graspbook.hands.parallel_jaw import FRANKA

UNIT = 0.05
CLOUD = 0.03 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
# The cloud, how far the hands are from it in metres, and the neighbours of the two set
# abstractions.
CASES = {
    "around": (CLOUD, 0.08, (60, 60)),
    "far away": (CLOUD, 5.0, (60, 60)),
    "among dense points": (0.3 * CLOUD, 0.01, (60, 60)),
    "full neighbourhoods": (0.3 * CLOUD, 0.05, (8, 6)),
    "repeated points": (CLOUD[:20].repeat(3, 1), 0.05, (16, 16)),
    "no neighbours": (20 * CLOUD, 0.05, (16, 16)),
}


def poses(n, spread, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(n, rng), spread * rng.normal(size=(n, 3)))
    )


def make(neighbours, width=0.125):
    torch.manual_seed(0)
    settings = BackboneSettings(
        points=60, centroids=(20, 14), neighbours=neighbours, width=width, length_unit=UNIT
    )
    return UnifiedCloud(settings).double()


def plain(body, points, groups, grasp):
    """Features (size,) of one grasp: its own unified cloud, and each centroid's neighbours one by
    one.
    """
    gripper = pose.transform(grasp, torch.tensor(FRANKA.control_points))
    label = torch.cat([torch.ones(len(points), 1), torch.zeros(len(gripper), 1)]).double()
    places, network = torch.cat([points, gripper]), body.backbone
    features = torch.cat([places / UNIT, label], dim=-1)
    for level, radius, (centroids, neighbours) in zip(
        network.levels[:2], body.settings.radii, groups, strict=True
    ):
        n, found = len(places) - 6, []
        centres = [*centroids[0].tolist(), *range(n, n + 6)]
        for row, centre in enumerate(centres):
            near = ((places - places[centre]).norm(dim=-1) <= radius).tolist()
            from_object = set(neighbours[0, row].tolist()) if centre < n else range(n)
            chosen = [
                i for i in range(n + 6) if (i in from_object if centre < n and i < n else near[i])
            ]
            pairs = torch.cat([(places[chosen] - places[centre]) / UNIT, features[chosen]], dim=-1)
            found.append(level.rest(level.first(pairs)).amax(dim=0).relu())
        places, features = places[centres], torch.stack(found)
    last = network.levels[2]
    return network.head(
        last.rest(last.first(torch.cat([places / UNIT, features], dim=-1))).amax(dim=0).relu()
    )


@pytest.mark.parametrize("case", CASES)
def test_sharing_changes_neither_values_nor_gradients(case):
    cloud, spread, neighbours = CASES[case]
    body, grasps = make(neighbours), poses(6, spread)
    points, poses_of = cloud[None], grasps[None].requires_grad_()
    groups = group(points, object_backbone(body.settings))
    shared = body(points, groups, poses_of)[0]
    expected = torch.stack([plain(body, cloud, groups, grasp) for grasp in poses_of[0]])
    torch.testing.assert_close(shared, expected, rtol=1e-5, atol=1e-8)
    wanted, weights = [poses_of, *body.parameters()], torch.randn(shared.shape, dtype=torch.double)
    gradients = (torch.autograd.grad(features, wanted, weights) for features in (shared, expected))
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-8)
    with torch.no_grad():
        single = body.float()(points.float(), groups, grasps[None].float())[0]
    assert float((single - expected.detach()).abs().max()) < 1e-5 * float(
        expected.detach().abs().max()
    )


def test_at_the_papers_width_too():
    body, grasps = make((60, 60), width=1.0), poses(3, 0.05)
    groups = group(CLOUD[None], object_backbone(body.settings))
    expected = torch.stack([plain(body, CLOUD, groups, grasp) for grasp in grasps])
    torch.testing.assert_close(
        body(CLOUD[None], groups, grasps[None])[0], expected, rtol=1e-5, atol=1e-8
    )


def test_the_gripper_matters_where_it_touches_and_pushes_out_what_was_there():
    # A gripper point may change a centroid that held a maximum one level up: what it held there
    # without a gripper must go.
    body, grasps = make((60, 60)), poses(40, 0.03)
    groups = group(CLOUD[None], object_backbone(body.settings))
    expected = torch.stack([plain(body, CLOUD, groups, grasp) for grasp in grasps])
    assert float(expected.detach().std(dim=0).max()) > 1e-3
    torch.testing.assert_close(
        body(CLOUD[None], groups, grasps[None])[0], expected, rtol=1e-5, atol=1e-8
    )


def test_prepared_clouds_give_the_same_features_and_gradients():
    body = make((16, 16))
    points = torch.stack([CLOUD, CLOUD.flip(0)])
    grasps = torch.stack([poses(3, 0.05, 1), poses(3, 0.05, 2)]).requires_grad_()
    groups = group(points, object_backbone(body.settings))
    with torch.no_grad():
        prepared = body.prepare(points, groups)
    gradients = []
    for known in (groups, prepared):
        features = body(points, known, grasps)
        gradients.append(torch.autograd.grad(features.square().sum(), grasps)[0])
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(features, body(points, groups, grasps))


def test_batch_statistics_cannot_be_shared():
    with pytest.raises(ParameterError, match="'object_and_gripper' with normalisation 'batch'"):
        object_backbone(BackboneSettings(normalisation="batch"))
