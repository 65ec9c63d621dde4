"""Sizes of a PointNet++, and their names in a weights file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from graspbook.errors import ParameterError, WeightsError

NORMALISATIONS, PRECISIONS = ("none", "batch"), ("float32", "bfloat16")
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class BackboneSettings:
    """Size of a PointNet++; the defaults are the paper's, where it gives them.

    points: number of points in a cloud.
    centroids, radii, neighbours: of the first two set abstractions, radii in metres; the third
        takes all.
    width: factor on every channel count.
    length_unit: metres that count as one at the network's inputs and outputs. The paper's is 1:
        distances between neighbours are then near zero, while a pose's rotation is of order one.
    normalisation: "batch" (released code) or "none". The paper does not name one. Batch statistics
        over 64 grasps of one cloud differ from the running averages over all clouds, which are used
        later. The default is therefore "none".
    precision: with "bfloat16" the widest layers of `evaluator_probes` multiply in bfloat16 on
        devices that support it (`training.multiplies_bfloat16`).
    """

    points: int = 1024
    centroids: tuple[int, int] = (128, 32)
    radii: tuple[float, float] = (0.02, 0.04)
    neighbours: tuple[int, int] = (64, 128)
    width: float = 1.0
    length_unit: float = 1.0
    normalisation: str = "none"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("normalisation", NORMALISATIONS)):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"{name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        sizes = (self.points, self.width, self.length_unit)
        if min(*sizes, *self.centroids, *self.radii, *self.neighbours) <= 0:
            raise ParameterError(f"PointNet++ sizes must be positive: {self}")


# A small network for a CPU: its inputs are of order one, so that it learns in a minute.
QUICK = BackboneSettings(
    points=512, neighbours=(16, 16), width=0.25, length_unit=0.05, precision="bfloat16"
)


def scaled(channels: int, settings: BackboneSettings) -> int:
    """A channel count of the paper times the width, at least 8.

    channels: number of channels at width 1.
    settings: with the width.
    """
    return max(8, round(channels * settings.width))


def settings_of(
    path: Path | str, parameters: dict[str, Any], network: str, kind: type[Settings]
) -> Settings:
    """The settings, with their backbone, from the parameters in a weights file.

    path: of the file, for the error message.
    parameters: those that the file states.
    network: name of the network that is expected.
    kind: dataclass of the settings.

    Raises WeightsError for weights of another network.
    """
    if parameters.get("network") != network:
        found = parameters.get("network", "something else")
        raise WeightsError(f"{path}: these are weights of {found!r}, expected {network!r}")
    values = parameters[network]
    backbone: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["backbone"].items()
    }
    return kind(**{**values, "backbone": BackboneSettings(**backbone)})
