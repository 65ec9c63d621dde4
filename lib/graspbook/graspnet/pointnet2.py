"""PointNet++ (Qi et al. 2017) in plain torch, as the paper's three networks use it (section 4,
"Network Architecture Details").

Three identities make it cheap without changing the result:

- The first layer of a set abstraction is linear in the concatenation [relative position, point
  features, condition]. Each column block is applied once per point, centroid or grasp, and the
  results are added.
- Repeated neighbours do not change a maximum, so only distinct pairs of centroid and neighbour are
  computed.
- Only pairs that are the maximum in some channel have a gradient, see `segment_max`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from graspbook.graspnet.backbone import BackboneSettings, scaled
from graspbook.graspnet.grouping import Groups, real_pairs, take
from graspbook.graspnet.segment_max import segment_max

CHANNELS = ((64, 64, 128), (128, 128, 256), (256, 256, 512))
FULLY_CONNECTED = 1024
# Grasps computed together: tensors of many more are allocated again each time, which costs a third.
_BLOCK = 32


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of the last dimension over all others."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalise.

        values: (..., F).
        """
        return super().forward(values.reshape(-1, values.shape[-1])).view_as(values)


def _normalise(settings, size):
    return BatchNorm(size) if settings.normalisation == "batch" else nn.Identity()


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with He initialisation, which keeps the size of signals through ReLU layers
    without normalisation.

    inputs, outputs: sizes.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def layers(*sizes: int) -> nn.Sequential:
    """Fully connected ReLU layers.

    sizes: from the input to the output.
    """
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    return nn.Sequential(*(part for pair in pairs for part in (linear(*pair), nn.ReLU())))


class SetAbstraction(nn.Module):
    """Shared layers over the neighbours of each centroid, then their maximum.

    Inputs of the first layer: 3 for the relative position in length units, `features` per point,
    `condition` per grasp.
    """

    def __init__(
        self, features: int, condition: int, channels: Sequence[int], settings: BackboneSettings
    ) -> None:
        super().__init__()
        a, b, c = channels
        self.blocks = [3, features, condition]
        self.batch_statistics = settings.normalisation == "batch"
        self.outputs = c
        self.first = linear(sum(self.blocks), a)
        self.rest = nn.Sequential(
            _normalise(settings, a),
            nn.ReLU(inplace=True),
            linear(a, b),
            _normalise(settings, b),
            nn.ReLU(inplace=True),
            linear(b, c),
            _normalise(settings, c),
        )

    def point_part(self, points: Tensor, features: Tensor) -> Tensor:
        """The first layer's part (..., A) for points, independent of their centroid.

        points: (..., 3), length units.
        features: (..., F), of the points.
        """
        position, feature, _ = self.first.weight.split(self.blocks, dim=1)
        return points @ position.T + features @ feature.T

    def centre_part(self, centres: Tensor) -> Tensor:
        """The first layer's part (..., A) for centroids.

        centres: (..., 3), length units.
        """
        return self.first.bias - centres @ self.first.weight[:, :3].T

    def pool(
        self, parts: tuple[Tensor, Tensor], rows: tuple[Tensor, Tensor], owner: Tensor, base: Tensor
    ) -> Tensor:
        """Maximum (S, H) of each row of the base and of the values of that row's pairs.

        parts: two tables (..., A); a pair's input is the sum of a row of each.
        rows: (E,) each, of either table.
        owner: (E,), ascending: each pair's row of the base.
        base: (S, H).
        """
        (first, second), (one, other) = parts, rows

        def values(pairs):
            return self.rest(
                first.index_select(0, one[pairs]) + second.index_select(0, other[pairs])
            )

        return segment_max(values, owner, base)

    def forward(
        self,
        points: Tensor,
        centres: Tensor,
        features: Tensor,
        neighbours: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Features (G, C, M, H) of the centroids.

        points: (C, N, 3), length units.
        centres: (C, M, 3), length units.
        features: (G or 1, C, N, F), of the points.
        neighbours: (C, M, K).
        condition: (G, C, D) or None.
        """
        of_points, of_centres = self.point_part(points, features), self.centre_part(centres)
        of_grasps = None
        if condition is not None:
            of_grasps = condition @ self.first.weight[:, sum(self.blocks[:2]) :].T
        if self.batch_statistics and self.training:  # of all pairs, with repeated ones
            hidden = take(of_points, neighbours) + of_centres[:, :, None]
            hidden = hidden if of_grasps is None else hidden + of_grasps[:, :, None, None]
            return self.rest(hidden).amax(dim=-2).relu()
        cloud, centre, point = real_pairs(neighbours)
        (clouds, n), m = points.shape[:2], centres.shape[1]
        grasps, centre = len(of_points if of_grasps is None else of_grasps), cloud * m + centre
        first, second = of_points.flatten(0, 2), of_centres.flatten(0, 1)
        if of_grasps is None:
            rows = _repeat(cloud * n + point, grasps, clouds * n), centre.repeat(grasps)
        else:
            first = first.index_select(0, cloud * n + point) + second.index_select(0, centre)
            second, every = of_grasps.flatten(0, 1), torch.arange(len(first), device=first.device)
            rows = every.repeat(grasps), _repeat(cloud, grasps, clouds)
        base = first.new_zeros(grasps * clouds * m, self.outputs)
        owner = _repeat(centre, grasps, clouds * m)
        return self.pool((first, second), rows, owner, base).view(grasps, clouds, m, -1)


def _repeat(index, times, stride):
    """Indices (times · E,) of copies of the rows that index (E,) points into, `stride` rows per
    copy.
    """
    return (index + stride * torch.arange(times, device=index.device)[:, None]).flatten()


class PointNet2(nn.Module):
    """Three set abstractions and two fully connected layers.

    features: channels of a point's own feature. condition: count of numbers per grasp (its pose or
        its latent), 0 for none. size: of the features of a grasp. place_size: channels of the
        features at the centroids of the second set abstraction.
    """

    def __init__(self, settings: BackboneSettings, features: int, condition: int = 0) -> None:
        super().__init__()
        self.settings = settings
        channels = [[scaled(c, settings) for c in level] for level in CHANNELS]
        inputs = [features, channels[0][-1], channels[1][-1]], [condition, 0, 0], channels
        self.levels = nn.ModuleList(
            SetAbstraction(*level, settings) for level in zip(*inputs, strict=True)
        )
        self.size, self.place_size = scaled(FULLY_CONNECTED, settings), channels[1][-1]
        self.head = nn.Sequential(
            linear(channels[2][-1], self.size),
            _normalise(settings, self.size),
            nn.ReLU(),
            linear(self.size, self.size),
            _normalise(settings, self.size),
            nn.ReLU(),
        )

    def forward(
        self, points: Tensor, groups: Groups, features: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Features (C, G, size) of G grasps of each of C clouds.

        points: (C, N, 3) of C clouds, in the object frame, metres.
        groups: what `grouping.group` made of them.
        features: (C, N, F), of the points.
        condition: (C, G, D), or None where G is 1.
        """
        blocks, pooled = [condition], []
        if condition is not None and self.settings.normalisation == "none":
            blocks = condition.split(max(1, _BLOCK // len(points)), dim=1)
        for block in blocks:
            places, found = self.places(points, groups, features, block)
            pooled.append(self.pool(places[None], found))
        return self.head(torch.cat(pooled)).transpose(0, 1)

    def places(
        self, points: Tensor, groups: Groups, features: Tensor, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Centroids (C, M, 3) of the second set abstraction, in length units, and features (G, C,
        M, place_size) there.

        points, groups, features, condition: as for `forward`.
        """
        if condition is not None:
            condition = condition.transpose(0, 1)
        points, features = points / self.settings.length_unit, features[None]
        for level, (centroids, neighbours) in zip(self.levels[:2], groups, strict=True):
            centres = take(points, centroids)
            features = level(points, centres, features, neighbours, condition)
            points, condition = centres, None
        return points, features

    def pool(self, points: Tensor, features: Tensor) -> Tensor:
        """The third set abstraction, of all points: (..., H).

        points: (..., N, 3), length units.
        features: (..., N, F), of the points.
        """
        last: Any = self.levels[2]
        return last.rest(last.point_part(points, features) + last.first.bias).amax(dim=-2).relu()
