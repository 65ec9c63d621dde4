import torch

from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.grouping import group
from graspbook.graspnet.sampler import SamplerSettings, control_point_distance
from graspbook.graspnet.sampler_shared import Attention, SharedSampler
from graspbook.hands.parallel_jaw import FRANKA

SMALL = BackboneSettings(
    points=64, centroids=(16, 8), neighbours=(8, 8), width=0.125, length_unit=0.05
)


def clouds(count=2):
    return 0.05 * torch.randn(count, 64, 3, generator=torch.Generator().manual_seed(0))


def make():
    torch.manual_seed(0)
    return SharedSampler(SamplerSettings(conditioning="shared", backbone=SMALL)).eval()


def test_attention_to_one_place_answers_with_it():
    torch.manual_seed(0)
    ask = Attention(5, 8)
    features, places = torch.randn(1, 1, 5), torch.randn(1, 1, 3)
    found, place = ask(torch.randn(1, 4, 8), features, places)
    torch.testing.assert_close(found, ask.values(features).expand(1, 4, 8))
    torch.testing.assert_close(place, places.expand(1, 4, 3))


def test_attention_does_not_depend_on_the_order_of_places():
    torch.manual_seed(0)
    ask, questions, features, places = (
        Attention(5, 8),
        torch.randn(2, 4, 8),
        torch.randn(2, 6, 5),
        torch.randn(2, 6, 3),
    )
    order = torch.randperm(6)
    for one, other in zip(
        ask(questions, features, places),
        ask(questions, features[:, order], places[:, order]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_clouds_and_grasps_of_a_batch_do_not_see_each_other():
    model, points, latents = make(), clouds(), torch.randn(2, 6, 2)
    grasps, _ = model.decode(model.observe(points, group(points, SMALL)), latents)
    mean, _ = model.encode(model.observe(points, group(points, SMALL)), grasps)
    for c in range(2):
        seen = model.observe(points[c : c + 1], group(points[c : c + 1], SMALL))
        torch.testing.assert_close(model.decode(seen, latents[c : c + 1, :3])[0][0], grasps[c, :3])
        torch.testing.assert_close(model.encode(seen, grasps[c : c + 1, 2:])[0][0], mean[c, 2:])


def test_without_an_offset_the_pads_close_on_a_place_of_the_cloud():
    model, points = make(), clouds(1)
    torch.nn.init.zeros_(model.translation.weight)
    torch.nn.init.zeros_(model.translation.bias)
    grasps, _ = model.decode(model.observe(points, group(points, SMALL)), 3 * torch.randn(1, 50, 2))
    between = grasps[0, :, :3, 3] + FRANKA.pad_z * grasps[0, :, :3, 2]
    low, high = points[0].amin(dim=0), points[0].amax(dim=0)
    assert (between > low).all() and (between < high).all()


def test_a_decoded_grasp_depends_on_its_latent_and_on_the_cloud():
    model, points = make(), clouds()
    latents = torch.tensor([[0.0, 0.0], [1.0, -1.0]]).expand(2, 2, 2)
    grasps, _ = model.decode(model.observe(points, group(points, SMALL)), latents)
    assert float(control_point_distance(grasps[0, 0], grasps[0, 1]).detach()) > 1e-3
    assert float(control_point_distance(grasps[0, 0], grasps[1, 0]).detach()) > 1e-3
