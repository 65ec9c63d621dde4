"""The network of the high-DOF paper: an occupancy grid in, one grasp pose out (section IV-A, Fig.
2).
"""

from dataclasses import dataclass

import torch
from torch import nn

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.highdof import cropped
from graspbook.highdof.cropped import KERNEL, PADDING, POOL

LAYERS = 3
# Least multiplications per grid that windows have to spare a CPU: below, their overhead is greater.
WORTH = 5e6


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes; the defaults are the paper's.

    It names 21952 = 64 · 7³ features but no grid. Grids of 63 to 70 voxels give this number, and 64
    is the likely one.

    grid: voxels per side.
    width: kernels of each convolution.
    hidden: neurons between features and output.
    heads: answers per grid, one of which is chosen. The paper has one; several are ours.
    """

    grid: int = 64
    width: int = 64
    hidden: tuple[int, ...] = (4096, 1024)
    heads: int = 1

    def __post_init__(self) -> None:
        counts = (self.width, self.heads, *self.hidden)
        if min(counts) < 1 or _side(self.grid) < 1 or not self.hidden:
            raise ParameterError(
                f"{self}: expected at least one kernel, neuron and head, and a grid of 15 voxels or"
                " more"
            )


class GraspNetwork(nn.Module):
    """f = NN_x ∘ NN_o: grids (B, n, n, n), bool or numbers, to pose vectors (B, 7 + J).

    NN_o has three blocks: a 3-D convolution of kernels of size 4 with padding 1, batch
    normalisation, ReLU and pooling by 2. NN_x normalises the features again, then has linear layers
    with ReLU. The first of these is normalised before its ReLU: the paper's "first two".
    Quaternions have unit length and w >= 0. Joints may exceed their limits. The frame is that of
    the grid's object, in metres and rad.

    With several heads (ours), the network gives several poses and a score for each. A grid can have
    several kinds of grasps, and their mean need not be one.

    joints: J, the hand's independent ones.
    settings: sizes.
    """

    def __init__(self, joints: int, settings: NetworkSettings) -> None:
        super().__init__()
        width, features, head = settings.width, [], []
        for before in (1, *[width] * (LAYERS - 1)):
            features += [nn.Conv3d(before, width, KERNEL, padding=PADDING), nn.BatchNorm3d(width)]
            features += [nn.ReLU(), nn.MaxPool3d(POOL)]
        sizes = [width * _side(settings.grid) ** 3, *settings.hidden]
        for index, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
            normalised = [nn.BatchNorm1d(after)] if index == 0 else []
            head += [nn.Linear(before, after), *normalised, nn.ReLU()]
        self.features = nn.Sequential(*features)
        self.heads, self.numbers = settings.heads, 7 + joints
        scores = self.heads if self.heads > 1 else 0
        last = nn.Linear(sizes[-1], self.heads * self.numbers + scores)
        self.head = nn.Sequential(nn.BatchNorm1d(sizes[0]), *head, last)

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        """Pose vectors (B, 7 + J) of grids: those of the largest score.

        grids: (B, n, n, n), bool or numbers.
        """
        several, scores = self.answers(grids)
        if self.heads == 1:
            return several[:, 0]
        return several[torch.arange(len(several)), scores.argmax(dim=1)]

    def answers(self, grids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pose vectors (B, H, 7 + J) of H heads for grids, and their scores (B, H), (B, 0) for one
        head.

        grids: (B, n, n, n), bool or numbers.
        """
        grids = grids.to(next(self.head.parameters()).dtype)
        found = self.head(self._features(grids).flatten(1))
        poses, scores = found.tensor_split([self.heads * self.numbers], dim=1)
        poses = pose_vector.normalise(poses.reshape(-1, self.numbers))
        return poses.reshape(len(found), self.heads, self.numbers), scores

    def _features(self, grids):
        """NN_o of grids. On a CPU it is computed near the objects alone, where that is faster."""
        if grids.device.type == "cpu":
            boxes = cropped.occupied(grids)
            if cropped.spared(boxes, grids.shape[1], self.features[0].out_channels) > WORTH:
                return cropped.features(self.features, grids, boxes)
        return self.features(grids[:, None])


def layer_sizes(settings: NetworkSettings, joints: int) -> dict[str, str]:
    """The sizes of the outputs of each stage of the network, by name (Fig. 2).

    settings: sizes.
    joints: J, the hand's independent ones.
    """
    side = settings.grid
    found = {"grid": f"{side}³"}
    for block in range(1, LAYERS + 1):
        side = (side + 2 * PADDING - KERNEL + 1) // POOL
        found[f"block {block}"] = f"{settings.width} · {side}³"
    found["features"] = str(settings.width * side**3)
    for number, neurons in enumerate(settings.hidden, 1):
        found[f"linear layer {number}"] = str(neurons)
    answer = f"{settings.heads} · {7 + joints}" if settings.heads > 1 else str(7 + joints)
    return found | {"answer": answer}


def _side(grid):
    """Voxels per side of a grid after the convolutions and poolings."""
    for _ in range(LAYERS):
        grid = (grid + 2 * PADDING - KERNEL + 1) // POOL
    return grid
