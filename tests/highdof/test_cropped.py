from copy import deepcopy

import numpy as np
import pytest
import torch

from graspbook.highdof import cropped
from graspbook.highdof.network import GraspNetwork, NetworkSettings


def made(side, kind):
    """Layers whose batch normalisation is not what it starts as, and grids of every sort: noise
    everywhere, nothing, a voxel, things at faces, edges and corners, and numbers in the middle.
    """
    torch.manual_seed(side)
    layers = GraspNetwork(4, NetworkSettings(side, 3, (8,))).features.to(kind)
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, torch.nn.BatchNorm3d):
                layer.weight.normal_()
                layer.bias.normal_()
    grids, half, third = torch.zeros(7, side, side, side, dtype=kind), side // 2, side // 3
    grids[0] = torch.rand(side, side, side) > 0.5
    grids[2, half, half, half] = 1
    grids[3, :3, side - 2 :, 5:9] = 1
    grids[4, -1, -1, -1] = 1
    grids[5, side - 2 :, 0, 0] = 1
    grids[6, third:half, third:half, 2:half] = torch.rand(half - third, half - third, half - 2)
    return layers, grids


def dense(layers, grids):
    return layers(grids[:, None])


def windowed(layers, grids):
    return cropped.features(layers, grids, cropped.occupied(grids))


def everything(function, layers, grids):
    """Features and statistics, then gradients."""
    layers = deepcopy(layers)
    found = function(layers, grids)
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).sin().view_as(found)
    (found * (1 + weights)).sum().backward()
    buffers = [buffer.double() for buffer in layers.buffers()]
    return [found.detach().double(), *buffers], [p.grad.double() for p in layers.parameters()]


@pytest.mark.parametrize("side", [15, 24, 41, 46])
@pytest.mark.parametrize("chosen", [slice(None), slice(1, 2), slice(1, 6)])
def test_crops_give_what_the_dense_layers_give(side, chosen):
    layers, grids = made(side, torch.float64)
    values, gradients = everything(windowed, layers, grids[chosen])
    expected, slopes = everything(dense, layers, grids[chosen])
    for ours, theirs in zip(values, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    scale = max(float(slope.abs().max()) for slope in slopes)
    for ours, theirs in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=1e-9)


def test_crops_round_no_worse_than_the_dense_layers():
    layers, grids = made(40, torch.float64)
    exact, slopes = everything(dense, layers, grids)
    values, gradients = everything(windowed, layers.float(), grids.float())
    theirs = everything(dense, layers.float(), grids.float())
    for ours, rounded, expected in zip(values, theirs[0], exact, strict=True):
        assert worst(ours, expected) < max(1e-5, 2 * worst(rounded, expected))
    scale = max(float(slope.abs().max()) for slope in slopes)
    for ours, rounded, expected in zip(gradients, theirs[1], slopes, strict=True):
        # The processor decides the order of these sums, and so their rounding.
        assert worst(ours, expected) / scale < max(1e-5, 2 * worst(rounded, expected) / scale)


def worst(found, expected):
    """The largest difference."""
    return float((found - expected).abs().max())


def test_crops_of_the_papers_grid_predict_what_the_dense_layers_do():
    layers, grids = made(64, torch.float64)
    with torch.no_grad():
        dense(layers, grids[2:4])
        layers.eval()
        torch.testing.assert_close(windowed(layers, grids[1:4]), dense(layers, grids[1:4]))


def test_boxes_hold_what_is_occupied():
    grids = torch.zeros(2, 20, 20, 20, dtype=torch.bool)
    grids[1, 3, 4:9, 19] = True
    boxes = cropped.occupied(grids)
    np.testing.assert_array_equal(boxes, [[[0, 0]] * 3, [[3, 4], [4, 9], [19, 20]]])


def test_windows_hold_what_a_kernel_sees_in_whole_cells_of_pooling():
    box = np.array([[10, 12], [0, 1], [30, 31]])
    np.testing.assert_array_equal(cropped.reached(box, 31), [[8, 14], [0, 2], [28, 30]])
    np.testing.assert_array_equal(cropped.reached(box, 32), [[8, 14], [0, 2], [28, 31]])


def test_windows_spare_most_of_small_things_and_nothing_of_whole_grids():
    whole, voxel = np.array([[[0, 64]] * 3]), np.array([[[30, 31]] * 3])
    assert cropped.spared(whole, 64, 8) == 0
    all_of_it = (63**3 + (30**3 + 14**3) * 8) * 8 * 64
    assert 0.95 * all_of_it < cropped.spared(voxel, 64, 8) < all_of_it


def test_a_network_takes_crops_where_they_are_worth_it(monkeypatch):
    network = GraspNetwork(4, NetworkSettings(24, 8, (8,))).eval()
    grids, asked = torch.zeros(2, 24, 24, 24, dtype=torch.uint8), []
    grids[:, 10:12, 9:14, 12] = 1
    found = cropped.features
    monkeypatch.setattr(cropped, "features", lambda *given: asked.append(1) or found(*given))
    answers = []
    for worth in (0, 1e12):
        monkeypatch.setattr("graspbook.highdof.network.WORTH", worth)
        answers.append(network(grids))
        assert len(asked) == 1
    torch.testing.assert_close(*answers)
