"""Typed parameters of the notebooks: one model each, whose defaults are the smoke values, and the
profiles that differ.

A section is named by the notebook's path with "/" turned into "_" (`graspnet/1_objects` is
`graspnet_1_objects`); the section `shared` reaches every notebook. To add a parameter, add a field
here and its line in the notebook's cell tagged `parameters`.
"""

import difflib
import itertools
import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from graspbook.errors import ParameterError

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
WITH_REGIONS = ("bowl", "mug", "cup", "pan", "jug")


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


class GraspnetObjects(Section):
    """What is grasped: objects by family. Section 4: 206 objects of the first five, with random
    scales.

    Every family named is trained on and held out, but one of a single object is trained on only.
    """

    counts: Annotated[dict[Family, Count], Field(min_length=1)] = {
        "box": 5,
        "cylinder": 5,
        "bowl": 5,
        "bottle": 5,
        "mug": 5,
    }
    held_out_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _every_family_on_both_sides(self):
        held_out = {
            family: round(self.held_out_fraction * count) for family, count in self.counts.items()
        }
        for family, count in self.counts.items():
            if not min(1, count - 1) <= held_out[family] < count:
                raise ValueError(
                    f"held_out_fraction {self.held_out_fraction} holds out {held_out[family]} of"
                    f" {count} objects of family {family}, expected"
                    f" {'1 to ' * (count > 2)}{count - 1}"
                )
        if not any(held_out.values()):
            raise ValueError(
                "counts are 1 in every family, expected at least one family of 2 or more, to hold"
                " out one of them"
            )
        return self


class GraspnetGraspData(Section):
    """Candidates and the simulated labels. Section 4, "Training Data for Grasping"."""

    grasps_per_object: Count = 300
    antipodal_per_object: Annotated[int, Field(ge=0)] = 300
    perturbed_per_object: Annotated[int, Field(ge=0)] = 300
    comparison_grasps: Count = 60


class Learning(Section):
    """How views are degraded, hard negatives drawn by geometry, and networks trained, wherever that
    is done.
    """

    noise: NotNegative = 0.0015
    holes: Annotated[int, Field(ge=0)] = 3
    hard_negatives: Count = 300
    hard_rotation: Literal["paper", "released"] = "paper"
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: NotNegative = 0.01
    clip: NotNegative = 1.0


class GraspnetTraining(Learning):
    """Sampler and evaluator. Sections 3.1 and 3.2, and section 4, "Training"."""

    network: Literal["paper", "released", "paper_shared", "ours"] = "ours"
    width: Positive = 0.25
    points: Annotated[int, Field(ge=128)] = 512
    probed: Annotated[int, Field(ge=128)] = 2048
    neighbours: Annotated[list[Count], Field(min_length=2, max_length=2)] = [16, 16]
    latent: Count = 2
    kl_weight: NotNegative = 0.003
    views: Count = 8
    sampler_steps: Count = 1000
    sampler_rate: Positive = 0.002
    sampler_clouds: Count = 8
    evaluator_steps: Count = 500
    evaluator_rate: Positive = 0.002
    evaluator_clouds: Count = 8
    validate_every: Annotated[int, Field(ge=0)] = 250
    patience: Annotated[int, Field(ge=0)] = 0
    explored_views: Annotated[int, Field(ge=0)] = 2
    explored_samples: Annotated[int, Field(ge=4)] = 80
    explored_steps: Count = 300
    validation_batches: Count = 20


class GraspnetRefinement(Section):
    """Refinement, success and coverage. Section 3.3 and section 4, "Evaluation Metrics"."""

    views: Count = 2
    samples: Count = 100
    latents: Literal["normal", "uniform"] = "normal"
    simulated_steps: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [
        0,
        2,
        5,
        10,
    ]
    metropolis_steps: Count = 20
    threshold: Share = 0.8

    @field_validator("simulated_steps")
    @classmethod
    def _from_the_samples_on(cls, steps):
        if steps[0] != 0 or any(later <= step for step, later in itertools.pairwise(steps)):
            raise ValueError("expected 0 (the samples) first, then steps that strictly rise")
        return steps


class GraspnetAblations(Learning):
    """Ablations and baselines, on the same clouds with one thing changed at a time. Sections 3.2
    and 4.1, Figs 8-11 and 13.
    """

    held_out_objects: Annotated[dict[Family, Count], Field(min_length=1)] = {"bowl": 1, "mug": 1}
    views: Count = 1
    samples: Count = 30
    simulated_steps: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 2, 5]
    threshold: Share = 0.8
    usual_refinement: Literal["log_odds", "gradient"] = "log_odds"
    training_per_family: Count = 2
    training_views: Count = 2
    latents: Annotated[list[Count], Field(min_length=1)] = [1, 2]
    sampler_seeds: Count = 1
    sampler_steps: Count = 120
    sampler_rate: Positive = 0.002
    sampler_clouds: Count = 4
    compared_width: Positive = 0.125
    compared_clouds: Count = 1
    compared_sampler_steps: Count = 20
    compared_evaluator_steps: Count = 40
    compared_rate: Positive = 0.001
    metropolis_steps: Count = 10
    sample_counts: Annotated[list[Count], Field(min_length=1)] = [15, 30, 60]
    many_views: Count = 1
    gpd_views: Count = 1
    gpd_candidates: Count = 20
    gpd_steps: Count = 6
    gpd_rate: Positive = 0.001
    validation_batches: Count = 4

    @field_validator("simulated_steps")
    @classmethod
    def _from_the_samples_on(cls, steps):
        return GraspnetRefinement._from_the_samples_on(steps)

    @field_validator("held_out_objects")
    @classmethod
    def _with_known_regions(cls, counts):
        if not set(counts) & set(WITH_REGIONS):
            raise ValueError(
                f"expected one at least of {', '.join(WITH_REGIONS)}, whose rims and handles are"
                " known"
            )
        return counts


class GraspnetRobotTrials(Section):
    """Robot trials, by the simulated arm or a real one. Section 4.2: 17 objects in three stable
    poses each, 200 grasps a view.
    """

    trial_objects: Annotated[list[str], Field(min_length=1)] = ["spam_can", "red_bowl"]
    poses: Count = 1
    methods: Annotated[list[Literal["graspnet", "gpd", "geometric"]], Field(min_length=1)] = [
        "graspnet",
        "gpd",
    ]
    samples: Count = 200
    hold: NotNegative = 2.0
    robot: str = ""
    camera: str = "realsense"
    hand_eye: str = ""
    execute: bool = False

    @field_validator("trial_objects", "methods")
    @classmethod
    def _each_once(cls, names):
        if len(set(names)) < len(names):
            raise ValueError(f"{', '.join(names)}: expected each once")
        return names


class HighdofObjects(Section):
    """Hands, and what they grasp: a folder of meshes in metres, or else families. Section V: 324
    objects, 80 % to train on.
    """

    counts: Annotated[dict[Family, Count], Field(min_length=1)] = {
        "box": 3,
        "cylinder": 3,
        "bottle": 3,
        "mug": 3,
    }
    held_out_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.34
    folder: str = ""


class HighdofGraspData(Section):
    """Planned grasps, and planners compared. Section V-A; 10000 iterations and 100 grasps an object
    in the paper.
    """

    grasps: Count = 8
    search: Literal["descent", "annealing", "annealing_candidates"] = "descent"
    energy: Literal["distance_sum", "graspit"] = "distance_sum"
    rounds: Count = 25
    iterations: Count = 300
    layout_grasps: Count = 4
    compared_objects: Count = 2
    compared_grasps: Count = 6
    held_objects: Count = 4
    held_grasps: Count = 6


class HighdofTraining(Section):
    """Networks and losses. Sections IV and V-C: a 64³ grid, 64 kernels, Adam at 1e-3, K = 100, β =
    0.75.
    """

    grid: Annotated[int, Field(ge=15)] = 16
    length: Positive = 0.32
    nodes: Annotated[int, Field(ge=16)] = 32
    width: Count = 8
    hidden: Annotated[list[Count], Field(min_length=1)] = [256, 128]
    steps: Count = 100
    rate: Positive = 0.001
    seeds: Count = 1
    beta: Share = 0.75
    betas: list[Share] = [0.5]
    fewer: list[Count] = [1, 4]
    datasets: Count = 2
    final_steps: Count = 400


class HighdofPenetration(Section):
    """Predicted grasps mended, and their quality. Sections IV-E and V-C3 to V-C5; the paper turns
    an object 3 to 5 times.
    """

    rotations: Annotated[int, Field(ge=1, le=27)] = 6
    tested: Count = 2
    compared: Annotated[int, Field(ge=1, le=27)] = 5


NOTEBOOKS = {
    "0_tour": Tour,
    "graspnet/1_objects": GraspnetObjects,
    "graspnet/2_grasp_data": GraspnetGraspData,
    "graspnet/3_training": GraspnetTraining,
    "graspnet/4_refinement": GraspnetRefinement,
    "graspnet/5_ablations": GraspnetAblations,
    "graspnet/6_robot_trials": GraspnetRobotTrials,
    "highdof/1_hands_and_objects": HighdofObjects,
    "highdof/2_grasp_data": HighdofGraspData,
    "highdof/3_training": HighdofTraining,
    "highdof/4_penetration": HighdofPenetration,
}


def section_name(notebook):
    """The section of a notebook's path, e.g. "graspnet_1_objects" of "graspnet/1_objects"."""
    return notebook.replace("/", "_")


def project_root():
    """The folder of the workbook at or above the working directory; ParameterError outside of one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise ParameterError(
        f"{here} is not inside the workbook: no folder at or above it holds params/ and notebooks/"
    )


def profile_name(profile):
    """The name of a profile, given by name or by the path of its file: that of its folder below
    `outputs/`.
    """
    return Path(profile).stem if str(profile).endswith(".yaml") else str(profile)


def profile_path(profile):
    """The file of a profile: `params/<profile>.yaml` of the workbook, or `profile` itself where it
    ends in .yaml.
    """
    if str(profile).endswith(".yaml"):
        path = Path(profile)
        if not path.is_file():
            raise ParameterError(f"{path}: no such profile file")
        return path
    folder = project_root() / "params"
    path = folder / f"{profile}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in folder.glob("*.yaml")))
        raise ParameterError(
            f"unknown profile {profile!r}; {folder} has {known} (or give the path of a .yaml file)"
        )
    return path


def load_profile(profile, overrides=()):
    """Every section of a profile, validated: {section name: model}.

    profile: a name in `params/` or the path of a .yaml file; overrides: "section.key=value"
    strings, the value in YAML. Raises ParameterError for an unknown profile, section or key, a
    wrong type, and a value out of bounds; the message names it, what is allowed and where it
    stands.
    """
    path = profile_path(profile)
    models = {"shared": Shared} | {
        section_name(notebook): model for notebook, model in NOTEBOOKS.items()
    }
    values = _read_profile(path, models)
    places = {}
    for text in overrides:
        section, key, value = _split_override(text, models)
        values[section][key] = value
        places[section, key] = f"--set {text}"
    return {
        name: _validate(name, model, values[name], path, places) for name, model in models.items()
    }


def notebook_parameters(sections, notebook, profile, output_root):
    """Everything a notebook's `parameters` cell names, as plain values: its section, `shared`, the
    profile and the folder.
    """
    own, shared = sections[section_name(notebook)], sections["shared"]
    return (
        {"profile": profile, "output_root": str(output_root)}
        | shared.model_dump()
        | own.model_dump()
    )


class _Loader(yaml.SafeLoader):
    """YAML as everybody reads it: 1e-3 is a number too (YAML 1.1 takes it for a string)."""


_Loader.yaml_implicit_resolvers = {
    key: list(items) for key, items in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def _read_profile(path, models):
    try:
        content = yaml.load(path.read_text(), _Loader) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"{path}: not readable as YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(content, dict):
        raise ParameterError(
            f"{path}: expected sections of parameters, found {type(content).__name__}"
        )
    for name, values in content.items():
        _known(name, models, "section", path)
        if not isinstance(values, dict | None):
            raise ParameterError(
                f"{path}: section {name} holds {values!r}, expected parameters and their values"
            )
    return {name: dict(content.get(name) or {}) for name in models}


def _split_override(text, models):
    target, equals, value = text.partition("=")
    section, dot, key = target.partition(".")
    if not (equals and dot and key):
        raise ParameterError(f"--set {text}: expected section.key=value, e.g. shared.seed=1")
    _known(section, models, "section", f"--set {text}")
    try:
        return section, key, yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise ParameterError(f"--set {text}: the value is not readable as YAML") from error


def _validate(name, model, values, path, places):
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # parameters that do not go together
            where = (
                ", ".join(place for (section, _), place in places.items() if section == name)
                or path
            )
            raise ParameterError(f"{where}: {name}: {message}") from error
        key = first["loc"][0]
        where = places.get((name, key), path)
        _known(key, model.model_fields, f"parameter in section {name}:", where)
        raise ParameterError(f"{where}: {name}.{key} = {values[key]!r}: {message}") from error


def _known(name, allowed, kind, where):
    if name not in allowed:
        close = difflib.get_close_matches(str(name), allowed, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ParameterError(f"{where}: unknown {kind} {name}{hint}; allowed: {', '.join(allowed)}")
