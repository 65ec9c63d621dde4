"""Sections of the notebooks of 6-DOF GraspNet, by the path of each below `notebooks/`."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from graspbook.workbook.params_types import Count, Family, NotNegative, Positive, Section, Share

# The families of `graspnet.regions.FAMILIES`.
WITH_REGIONS = ("bowl", "mug", "cup", "pan", "jug")


class GraspnetObjects(Section):
    """Objects by family. Section 4: 206 objects of the first five families, with random scales.

    Every family has objects for training and held-out ones. A family of one object is for training
    only.
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
                "every family has 1 object, expected at least one family of 2 or more, so that one"
                " object can be held out"
            )
        return self


class GraspnetGraspData(Section):
    """Candidates and the simulated labels. Section 4, "Training Data for Grasping"."""

    grasps_per_object: Count = 300
    antipodal_per_object: Annotated[int, Field(ge=0)] = 300
    perturbed_per_object: Annotated[int, Field(ge=0)] = 300
    comparison_grasps: Count = 60


class Fitting(Section):
    """Settings of degraded views and of trainings."""

    noise: NotNegative = 0.0015
    holes: Annotated[int, Field(ge=0)] = 3
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: NotNegative = 0.01
    clip: NotNegative = 1.0


class Learning(Fitting):
    """The same, with hard negatives that are drawn by geometry."""

    hard_negatives: Count = 300
    hard_rotation: Literal["paper", "released"] = "paper"


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
            raise ValueError("expected 0 (the samples) first, then increasing steps")
        return steps


class GraspnetAblations(Learning):
    """Ablations, on the same clouds with one change each. Sections 3.2 and 4.1, Figs 8 to 10."""

    held_out_objects: Annotated[dict[Family, Count], Field(min_length=1)] = {"bowl": 1, "mug": 1}
    views: Count = 1
    samples: Count = 30
    simulated_steps: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 2, 5]
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
    validation_batches: Count = 4

    @field_validator("simulated_steps")
    @classmethod
    def _from_the_samples_on(cls, steps):
        return GraspnetRefinement._from_the_samples_on(steps)


class GraspnetBaselines(Fitting):
    """The VAE compared with the geometric sampler and GPD, on the same clouds. Section 4.1, Figs 11
    and 13.
    """

    held_out_objects: Annotated[dict[Family, Count], Field(min_length=1)] = {"bowl": 1, "mug": 1}
    views: Count = 1
    samples: Count = 30
    refinement_steps: Annotated[int, Field(ge=0)] = 5
    threshold: Share = 0.8
    usual_refinement: Literal["log_odds", "gradient"] = "log_odds"
    training_per_family: Count = 2
    gpd_views: Count = 1
    gpd_candidates: Count = 20
    gpd_steps: Count = 6
    gpd_rate: Positive = 0.001

    @field_validator("held_out_objects")
    @classmethod
    def _with_known_regions(cls, counts):
        if not set(counts) & set(WITH_REGIONS):
            raise ValueError(
                f"expected at least one of {', '.join(WITH_REGIONS)}, whose rims and handles are"
                " known"
            )
        return counts


class GraspnetRobotTrials(Section):
    """Robot trials, by the simulated arm or a real one. Section 4.2: 17 objects in three stable
    poses each, 200 grasps per view.
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
            raise ValueError(f"{', '.join(names)}: expected each only once")
        return names


NOTEBOOKS: dict[str, type[Section]] = {
    "graspnet/1_objects": GraspnetObjects,
    "graspnet/2_grasp_data": GraspnetGraspData,
    "graspnet/3_training": GraspnetTraining,
    "graspnet/4_refinement": GraspnetRefinement,
    "graspnet/5_ablations": GraspnetAblations,
    "graspnet/5_baselines": GraspnetBaselines,
    "graspnet/6_robot_trials": GraspnetRobotTrials,
}
