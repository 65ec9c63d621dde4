"""The network of the high-DOF paper: an occupancy grid in, one grasp pose out (section IV-A, Fig.
2).
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector

KERNEL, LAYERS = 4, 3


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes. grid: voxels a side; width: kernels of each convolution; hidden: neurons between
    features and output.

    The defaults are the paper's, which names 21952 = 64 · 7³ features but no grid: 63 to 70 voxels
    give them, and 64 is meant.
    """

    grid: int = 64
    width: int = 64
    hidden: tuple = (4096, 1024)

    def __post_init__(self):
        if self.width < 1 or _side(self.grid) < 1 or not self.hidden or min(self.hidden) < 1:
            raise ParameterError(
                f"{self}: expected at least one kernel and neuron, and a grid of 15 voxels or more"
            )


class GraspNetwork(nn.Module):
    """f = NN_x ∘ NN_o: grids (B, n, n, n), bool or numbers, to pose vectors (B, 7 + J) of a hand of
    J joints.

    NN_o: three times a 3-D convolution of kernels of size 4 with padding 1, batch normalisation,
    ReLU and pooling by 2. NN_x: the features, normalised again, then linear layers with ReLU, of
    which the first is normalised before it: the paper's "first two". Quaternions leave with unit
    length and w >= 0; joints are not held to their limits. The frame is that of the grid's object,
    metres and rad.
    """

    def __init__(self, joints, settings):
        super().__init__()
        channels = [1] + [settings.width] * LAYERS
        self.features = nn.Sequential(
            *(
                layer
                for before, after in zip(channels, channels[1:], strict=False)
                for layer in (
                    nn.Conv3d(before, after, KERNEL, padding=1),
                    nn.BatchNorm3d(after),
                    nn.ReLU(),
                    nn.MaxPool3d(2),
                )
            )
        )
        sizes = [settings.width * _side(settings.grid) ** 3, *settings.hidden]
        head = [nn.BatchNorm1d(sizes[0])]
        for index, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
            head += [
                nn.Linear(before, after),
                *([nn.BatchNorm1d(after)] if index == 0 else []),
                nn.ReLU(),
            ]
        self.head = nn.Sequential(*head, nn.Linear(sizes[-1], 7 + joints))

    def forward(self, grids):
        parameter = self.head[-1].weight
        features = self.features(grids[:, None].to(parameter.dtype))
        return pose_vector.normalise(self.head(features.flatten(1)))


def fuse(network):
    """Make a GraspNetwork ready for predictions alone, in place, and return it: on a processor
    about 1.8 times as fast.

    Batch normalisation of NN_o is folded into its convolutions, pooling comes before ReLU, which it
    may, and channels last in memory. Answers differ by rounding.
    """
    network.eval()
    layers = list(network.features)
    fused = [
        layer
        for at in range(0, len(layers), 4)
        for layer in (fuse_conv_bn_eval(layers[at], layers[at + 1]), nn.MaxPool3d(2), nn.ReLU())
    ]
    network.features = nn.Sequential(*fused).to(memory_format=torch.channels_last_3d)
    return network


def _side(grid):
    """Voxels a side that are left of a grid after the convolutions and poolings."""
    for _ in range(LAYERS):
        grid = (grid + 2 - KERNEL + 1) // 2
    return grid
