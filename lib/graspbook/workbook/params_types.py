"""Types of the sections of all notebooks, the section `shared`, and that of the tour.

Defaults are the smoke values.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# The names in `objects.families.FAMILIES`.
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
    """Parameters of one notebook, without unknown names or silent conversion (an int may replace a
    float).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Shared(Section):
    """Parameters of every notebook: seed of all its generators, torch's device, threads per job,
    worker processes, and whether to open the polyscope viewer.
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
