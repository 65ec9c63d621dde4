import pytest
import torch

from graspbook.errors import ParameterError
from graspbook.highdof.network import GraspNetwork, NetworkSettings, layer_sizes


def test_the_papers_network_has_its_sizes():
    with torch.device("meta"):
        network = GraspNetwork(18, NetworkSettings())
        features = network.features(torch.empty(2, 1, 64, 64, 64))
    assert features.shape == (2, 64, 7, 7, 7) and features[0].numel() == 21952
    assert [
        (layer.in_features, layer.out_features)
        for layer in network.head
        if isinstance(layer, torch.nn.Linear)
    ] == [(21952, 4096), (4096, 1024), (1024, 25)]
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(94.7e6, abs=0.05e6)
    normalised = [
        layer.num_features for layer in network.head if isinstance(layer, torch.nn.BatchNorm1d)
    ]
    assert normalised == [21952, 4096]


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.float32])
def test_small_networks_answer_with_poses(kind):
    torch.manual_seed(0)
    network = GraspNetwork(4, NetworkSettings(grid=16, width=4, hidden=(32, 16)))
    x = network((torch.rand(5, 16, 16, 16) > 0.5).to(kind))
    assert x.shape == (5, 11)
    torch.testing.assert_close(x[:, 3:7].norm(dim=1), torch.ones(5))
    assert (x[:, 3] >= 0).all()


@pytest.mark.parametrize(
    "settings", [{"grid": 14}, {"width": 0}, {"hidden": ()}, {"hidden": (8, 0)}, {"heads": 0}]
)
def test_impossible_sizes_are_refused(settings):
    with pytest.raises(ParameterError, match="expected at least one kernel"):
        NetworkSettings(**settings)


def test_fifteen_voxels_are_enough():
    network = GraspNetwork(4, NetworkSettings(grid=15, width=2, hidden=(8,))).eval()
    assert network(torch.zeros(1, 15, 15, 15)).shape == (1, 11)


def test_of_several_heads_the_one_of_largest_score_answers():
    torch.manual_seed(0)
    network = GraspNetwork(4, NetworkSettings(grid=16, width=4, hidden=(32, 16), heads=3)).eval()
    grids = torch.rand(6, 16, 16, 16)
    several, scores = network.answers(grids)
    assert several.shape == (6, 3, 11) and scores.shape == (6, 3)
    torch.testing.assert_close(several[..., 3:7].norm(dim=2), torch.ones(6, 3))
    with torch.no_grad():
        network.head[-1].bias[-3:] = torch.tensor([0.0, 100.0, 0.0])
    torch.testing.assert_close(network(grids), several[:, 1])


def test_one_head_has_no_scores():
    network = GraspNetwork(4, NetworkSettings(grid=16, width=2, hidden=(8,))).eval()
    several, scores = network.answers(torch.zeros(2, 16, 16, 16))
    assert several.shape == (2, 1, 11) and scores.shape == (2, 0)
    assert network.head[-1].out_features == 11


def test_stages_have_the_sizes_of_the_papers_network():
    found = layer_sizes(NetworkSettings(), 18)
    assert list(found.values()) == [
        "64³",
        "64 · 31³",
        "64 · 15³",
        "64 · 7³",
        "21952",
        "4096",
        "1024",
        "25",
    ]
    with torch.device("meta"):
        value = torch.empty(2, 1, 64, 64, 64)
        layers = GraspNetwork(18, NetworkSettings()).features
        for block in range(3):
            value = layers[4 * block : 4 * block + 4](value)
            assert f"{value.shape[1]} · {value.shape[2]}³" == found[f"block {block + 1}"]
