"""PointNet++ (Qi et al. 2017) in plain torch, as the paper's three networks use it (section 4,
"Network Architecture Details").

Which points are centroids and neighbours depends on the cloud alone, so `group` chooses them once
and every grasp of the cloud shares them. Three identities make the rest cheap without changing what
is computed:

- The first layer of a set abstraction is linear in the concatenation [relative position, point features, condition]: each
  column block is applied where its input lives (a point, a centroid, a grasp) and the results are added.
- A maximum over neighbours does not notice repeated ones: only the real pairs of centroid and neighbour are computed.
- Only pairs that hold a maximum in some channel have a gradient: the maxima are found without a graph, in blocks that stay in
  the processor's cache, and the graph is made of those pairs alone.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from graspbook.errors import ParameterError, WeightsError

CHANNELS = ((64, 64, 128), (128, 128, 256), (256, 256, 512))
FULLY_CONNECTED = 1024
NORMALISATIONS, PRECISIONS = ("none", "batch"), ("float32", "bfloat16")
_BLOCK = 32  # grasps computed together: tensors of many more are mapped into memory anew each time, which costs a third


@dataclass(frozen=True)
class BackboneSettings:
    """Size of a PointNet++; the defaults are the paper's, but for what it does not say.

    points: cloud size. centroids, radii (metres), neighbours: of the first two set abstractions;
    the third takes all. width: factor on every channel count. length_unit: metres that count as one
    at the network's inputs and outputs; the paper's is 1, which leaves distances between neighbours
    near zero beside a pose's rotation of order one. normalisation: "batch" (released code) or
    "none". The paper does not name one; batch statistics over 64 grasps of one cloud differ from
    the running averages over all clouds that are used afterwards, so "none" is the default.
    precision: "bfloat16" has the widest layers of `probes` multiply in bfloat16 on devices that do
    (`training.multiplies_bfloat16`).
    """

    points: int = 1024
    centroids: tuple[int, int] = (128, 32)
    radii: tuple[float, float] = (0.02, 0.04)
    neighbours: tuple[int, int] = (64, 128)
    width: float = 1.0
    length_unit: float = 1.0
    normalisation: str = "none"
    precision: str = "float32"

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise ParameterError(
                f"precision {self.precision!r}, expected one of {', '.join(PRECISIONS)}"
            )
        if self.normalisation not in NORMALISATIONS:
            raise ParameterError(
                f"normalisation {self.normalisation!r}, expected one of {', '.join(NORMALISATIONS)}"
            )
        if (
            min(
                self.points,
                *self.centroids,
                *self.radii,
                *self.neighbours,
                self.width,
                self.length_unit,
            )
            <= 0
        ):
            raise ParameterError(f"PointNet++ sizes must be positive: {self}")


# A small network for a processor: its inputs are of order one, so that it learns in a minute.
QUICK = BackboneSettings(
    points=512, neighbours=(16, 16), width=0.25, length_unit=0.05, precision="bfloat16"
)


class Level(NamedTuple):
    """Indices of one set abstraction into the points of the level below: centroids (C, M),
    neighbours (C, M, K).
    """

    centroids: torch.Tensor
    neighbours: torch.Tensor


def farthest_points(points, count):
    """Indices (C, count) of the points (C, N, 3) that farthest point sampling visits, from the
    first point on.
    """
    chosen = torch.zeros(points.shape[0], count, dtype=torch.long, device=points.device)
    distance = torch.full(points.shape[:2], float("inf"), device=points.device)
    rows = torch.arange(points.shape[0], device=points.device)
    for i in range(1, count):
        latest = points[rows, chosen[:, i - 1]]
        distance = torch.minimum(distance, (points - latest[:, None]).square().sum(-1))
        chosen[:, i] = distance.argmax(-1)
    return chosen


def ball_query(points, centres, radius, count):
    """Indices (C, M, count) of the first `count` points (C, N, 3) within `radius` metres of each
    centre (C, M, 3).

    A ball with fewer points repeats its first one, which a maximum over neighbours does not notice.
    Every ball must hold a point, as balls around points of the cloud do.
    """
    n = points.shape[1]
    inside = (centres[:, :, None] - points[:, None]).square().sum(-1) <= radius * radius
    order = torch.where(inside, torch.arange(n, device=points.device), n)
    first = order.topk(min(count, n), largest=False, sorted=True).values
    return torch.where(first < n, first, first[..., :1])


@torch.no_grad()
def group(points, settings):
    """The two grouped levels of clouds (C, N, 3) in metres: farthest points as centroids, balls
    around them.
    """
    levels = []
    for count, radius, neighbours in zip(
        settings.centroids, settings.radii, settings.neighbours, strict=True
    ):
        centroids = farthest_points(points, min(count, points.shape[1]))
        centres = take(points, centroids)
        levels.append(Level(centroids, ball_query(points, centres, radius, neighbours)))
        points = centres
    return tuple(levels)


class Grouper:
    """`group`, which remembers the clouds it has seen, up to `limit` of them: training comes back
    to each view often.
    """

    def __init__(self, settings, limit=1024):
        self.settings, self.limit, self.known = settings, limit, {}

    def __call__(self, points):
        """The two levels of clouds (C, N, 3)."""
        found = [self._one(cloud) for cloud in points]
        return tuple(
            Level(*(torch.cat(indices) for indices in zip(*level, strict=True)))
            for level in zip(*found, strict=True)
        )

    def _one(self, cloud):
        key = cloud.cpu().numpy().tobytes()
        levels = self.known.get(key) or group(cloud[None], self.settings)
        if len(self.known) < self.limit:
            self.known[key] = levels
        return levels


def take(values, index):
    """Rows `index` (C, ...) of per-cloud values (..., C, N, F): (..., C, ..., F)."""
    clouds, n, size = values.shape[-3:]
    flat = values.reshape(*values.shape[:-3], clouds * n, size)
    offset = torch.arange(clouds, device=index.device).view(-1, *[1] * (index.dim() - 1)) * n
    rows = flat.index_select(-2, (index + offset).flatten())
    return rows.view(*values.shape[:-3], *index.shape, size)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of the last dimension over all others."""

    def forward(self, values):
        return super().forward(values.reshape(-1, values.shape[-1])).view_as(values)


def _normalise(settings, size):
    return BatchNorm(size) if settings.normalisation == "batch" else nn.Identity()


def linear(inputs, outputs):
    """A linear layer with He initialisation, which keeps the size of signals through ReLU layers
    without normalisation.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def layers(*sizes):
    """Fully connected ReLU layers from the first size to the last."""
    return nn.Sequential(
        *(
            part
            for pair in zip(sizes[:-1], sizes[1:], strict=True)
            for part in (linear(*pair), nn.ReLU())
        )
    )


class SetAbstraction(nn.Module):
    """Shared layers over the neighbours of each centroid, then their maximum.

    Inputs of the first layer: 3 for the relative position in length units, `features` a point,
    `condition` a grasp.
    """

    def __init__(self, features, condition, channels, settings):
        super().__init__()
        a, b, c = channels
        self.blocks = [3, features, condition]
        self.batch_statistics = settings.normalisation == "batch"
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

    def point_part(self, points, features):
        """The first layer's share (..., A) of points (..., 3) with features (..., F), wherever
        their centroid is.
        """
        position, feature, _ = self.first.weight.split(self.blocks, dim=1)
        return points @ position.T + features @ feature.T

    def centre_part(self, centres):
        """The first layer's share (..., A) of centroids (..., 3)."""
        return self.first.bias - centres @ self.first.weight[:, :3].T

    def pool(self, first, second, rows, owner, base):
        """Maximum (S, H) of the base (S, H) and of the values of the pairs that each of its rows
        owns.

        A pair's input is first[rows[0]] + second[rows[1]], both (..., A); owner (E,) ascends.
        """

        def values(pairs):
            return self.rest(
                first.index_select(0, rows[0][pairs]) + second.index_select(0, rows[1][pairs])
            )

        return segment_max(values, owner, base)

    def forward(self, points, centres, features, neighbours, condition=None):
        """Features (G, C, M, H) of the centroids.

        points (C, N, 3) and centres (C, M, 3) in length units; features (G or 1, C, N, F) of the
        points; neighbours (C, M, K); condition (G, C, D) or None.
        """
        of_points, of_centres = self.point_part(points, features), self.centre_part(centres)
        of_grasps = (
            None
            if condition is None
            else condition @ self.first.weight[:, sum(self.blocks[:2]) :].T
        )
        if self.batch_statistics and self.training:  # of all pairs, the repeated ones too
            hidden = take(of_points, neighbours) + of_centres[:, :, None]
            hidden = hidden if condition is None else hidden + of_grasps[:, :, None, None]
            return self.rest(hidden).amax(dim=-2).relu()
        cloud, centre, point = real_pairs(neighbours)
        (clouds, n), m = points.shape[:2], centres.shape[1]
        grasps, centre = len(of_points if condition is None else condition), cloud * m + centre
        if condition is None:
            first, second = of_points.flatten(0, 2), of_centres.flatten(0, 1)
            rows = _repeat(cloud * n + point, grasps, clouds * n), centre.repeat(grasps)
        else:
            first = of_points.flatten(0, 2).index_select(0, cloud * n + point) + of_centres.flatten(
                0, 1
            ).index_select(0, centre)
            second = of_grasps.flatten(0, 1)
            rows = (
                torch.arange(len(first), device=first.device).repeat(grasps),
                _repeat(cloud, grasps, clouds),
            )
        base = first.new_zeros(grasps * clouds * m, self.rest[-2].out_features)
        return self.pool(first, second, rows, _repeat(centre, grasps, clouds * m), base).view(
            grasps, clouds, m, -1
        )


def real_pairs(neighbours):
    """Cloud, centroid and neighbour (E,) of every pair in neighbours (C, M, K) that does not repeat
    a ball's first.
    """
    real = neighbours != neighbours[..., :1]
    real[..., 0] = True
    cloud, centre, column = real.nonzero(as_tuple=True)
    return cloud, centre, neighbours[cloud, centre, column]


def _repeat(index, times, stride):
    """Indices (times · E,) of `times` copies of the rows that index (E,) points into, `stride` rows
    a copy.
    """
    return (index + stride * torch.arange(times, device=index.device)[:, None]).flatten()


def segment_max(values, owner, base, block=8192):
    """Maximum (S, H) over each row of the base (S, H), which is at least 0, and the values of the
    elements it owns.

    values(elements) gives values (n, H) of a slice or of indices of the elements; owner (E,) is the
    row of each.
    """
    graph = base.requires_grad or values(slice(0, 0)).requires_grad
    if (
        graph and 4 * len(owner) < base.numel()
    ):  # few elements a row for its channels: nearly all hold a maximum
        return _SegmentMax.apply(values(slice(None)).to(base.dtype), owner, base)
    found, wins = base.detach().clone(), torch.zeros_like(owner, dtype=torch.bool)
    with torch.no_grad():
        for start in range(0, len(owner), block):
            mine, value = (
                owner[start : start + block],
                values(slice(start, start + block)).to(base.dtype),
            )
            found.scatter_reduce_(0, mine[:, None].expand_as(value), value, "amax")
            if graph:
                wins[start : start + block] = (
                    found.index_select(0, mine).sub_(value).amin(dim=-1) <= 0
                )
    if not graph:
        return found
    winners = wins.nonzero()[:, 0]
    return _SegmentMax.apply(values(winners).to(base.dtype), owner[winners], base)


class _SegmentMax(torch.autograd.Function):
    """Maximum of values (E, H) and the base's row that owns them; equal maxima share its gradient,
    at zero there is none.
    """

    @staticmethod
    def forward(ctx, values, owner, base):
        found = base.scatter_reduce(0, owner[:, None].expand_as(values), values, "amax")
        ctx.save_for_backward(values, owner, base, found)
        return found

    @staticmethod
    def backward(ctx, gradient):
        values, owner, base, found = ctx.saved_tensors
        won, kept = (
            (values == found.index_select(0, owner)).to(gradient),
            (base == found).to(gradient),
        )
        share = gradient * (found > 0) / kept.index_add(0, owner, won)
        return won.mul_(share.index_select(0, owner)), None, kept.mul_(share)


class PointNet2(nn.Module):
    """Three set abstractions and two fully connected layers.

    features: channels of a point's own feature; condition: numbers that belong to a grasp (its pose
    or its latent), 0 for none. place_size: channels of the features at the places that two set
    abstractions leave.
    """

    def __init__(self, settings, features, condition=0):
        super().__init__()
        self.settings = settings
        channels = [[scaled(c, settings) for c in level] for level in CHANNELS]
        inputs = zip(
            [features, channels[0][-1], channels[1][-1]], [condition, 0, 0], channels, strict=True
        )
        self.levels = nn.ModuleList(SetAbstraction(*level, settings) for level in inputs)
        self.size, self.place_size = scaled(FULLY_CONNECTED, settings), channels[1][-1]
        self.head = nn.Sequential(
            linear(channels[2][-1], self.size),
            _normalise(settings, self.size),
            nn.ReLU(),
            linear(self.size, self.size),
            _normalise(settings, self.size),
            nn.ReLU(),
        )

    def forward(self, points, groups, features, condition=None):
        """Features (C, G, size) of G grasps of each of C clouds.

        points (C, N, 3) in metres; groups: what `group` made of them; features (C, N, F); condition
        (C, G, D), or None where G is 1.
        """
        blocks, pooled = [condition], []
        if condition is not None and self.settings.normalisation == "none":
            blocks = condition.split(max(1, _BLOCK // len(points)), dim=1)
        for block in blocks:
            places, found = self.places(points, groups, features, block)
            pooled.append(self.pool(places[None], found))
        return self.head(torch.cat(pooled)).transpose(0, 1)

    def places(self, points, groups, features, condition=None):
        """Centroids (C, M, 3) of the second set abstraction, in length units, and features (G, C,
        M, place_size) there.

        Arguments as for `forward`.
        """
        if condition is not None:
            condition = condition.transpose(0, 1)
        points, features = points / self.settings.length_unit, features[None]
        for level, (centroids, neighbours) in zip(self.levels[:2], groups, strict=True):
            centres = take(points, centroids)
            features = level(points, centres, features, neighbours, condition)
            points, condition = centres, None
        return points, features

    def pool(self, points, features):
        """The third set abstraction: all points (..., N, 3), in length units, with features (...,
        N, F), to (..., H).
        """
        last = self.levels[2]
        return last.rest(last.point_part(points, features) + last.first.bias).amax(dim=-2).relu()


def scaled(channels, settings):
    """A channel count of the paper times the width, at least 8."""
    return max(8, round(channels * settings.width))


def settings_of(path, parameters, network, kind):
    """The settings dataclass `kind`, with its backbone, from the parameters in a weights file of a
    named network.
    """
    if parameters.get("network") != network:
        raise WeightsError(
            f"{path}: weights of {parameters.get('network', 'something else')!r}, expected"
            f" {network!r}"
        )
    values = parameters[network]
    backbone = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["backbone"].items()
    }
    return kind(**{**values, "backbone": BackboneSettings(**backbone)})
