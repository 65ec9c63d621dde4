"""What the sections of all notebooks are made of, the section `shared`, and that of the tour.

Defaults are the smoke values.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# `objects.families.FAMILIES`, and of these the `graspnet.regions.FAMILIES`.
Family = Literal[
    "box",
    "cylinder",
    "bowl",
    "bottle",
    "mug",
    "ball",
    "tube",
    "flashlight",
    "tool",
    "pan",
    "jug",
    "gadget",
    "cup",
]


class Section(BaseModel):
    """Parameters of one notebook: no unknown names, no silent conversion (an int is welcome where a
    float is meant).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Shared(Section):
    """What every notebook gets: seed of all its generators, where torch computes, threads of a job,
    worker processes, and whether to open the polyscope viewer too.
    """

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: Literal["cpu", "cuda"] = "cpu"
    torch_threads: Count = 2
    workers: Count = 2
    view: bool = False


class Tour(Section):
    """Grasps for one object with the networks that come with the package."""

    samples: Count = 200
    refinement_steps: Annotated[int, Field(ge=0)] = 10
    threshold: Share = 0.8
    family: Family = "mug"


NOTEBOOKS: dict[str, type[Section]] = {"0_tour": Tour}
