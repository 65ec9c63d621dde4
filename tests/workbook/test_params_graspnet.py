"""Sections of the notebooks of paper 1: what is refused, and that their names are the library's."""

from pathlib import Path
from typing import get_args

import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet import evaluator, regions, sampler
from graspbook.graspnet.dataset import HARD_ROTATIONS
from graspbook.objects.families import FAMILIES, PAPER_FAMILIES
from graspbook.objects.sets import PAPER_COUNTS, FamilySet
from graspbook.training import SCHEDULES
from graspbook.workbook.params import load_profile
from graspbook.workbook.params_graspnet import WITH_REGIONS, GraspnetTraining
from graspbook.workbook.params_types import Family


@pytest.fixture(autouse=True)
def in_project(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])


def test_the_names_that_parameters_allow_are_those_of_the_library():
    assert get_args(Family) == FAMILIES and WITH_REGIONS == regions.FAMILIES
    allowed = {
        name: set(get_args(field.annotation))
        for name, field in GraspnetTraining.model_fields.items()
    }
    assert allowed["network"] == set(sampler.PRESETS) == set(evaluator.PRESETS)
    assert allowed["hard_rotation"] == set(HARD_ROTATIONS) and allowed["schedule"] == set(SCHEDULES)


def test_the_paper_profile_trains_as_the_paper():
    paper = load_profile("paper")
    for name in ("graspnet_3_training", "graspnet_5_ablations", "graspnet_5_baselines"):
        section = paper[name]
        assert (section.schedule, section.weight_decay, section.clip) == ("constant", 0, 0)
        assert (section.noise, section.holes) == (0, 0)
    for name in ("graspnet_3_training", "graspnet_5_ablations"):
        section = paper[name]
        assert (section.hard_negatives, section.hard_rotation, section.sampler_rate) == (
            10000,
            "paper",
            1e-4,
        )
    for name in ("graspnet_5_ablations", "graspnet_5_baselines"):
        assert paper[name].usual_refinement == "gradient"


def test_the_paper_profile_has_the_paper_s_objects():
    section = load_profile("paper")["graspnet_1_objects"]
    assert section.counts == PAPER_COUNTS and sum(section.counts.values()) == 206
    assert tuple(section.counts) == PAPER_FAMILIES


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["counts={}"], ["counts = {}", "at least 1 item"]),
        (["counts={spoon: 2}"], ["counts = {'spoon': 2}", "'box', 'cylinder'"]),
        (
            ["held_out_fraction=0.05"],
            ["held_out_fraction 0.05 holds out 0 of 5 objects of family box, expected 1 to 4"],
        ),
        (["held_out_fraction=0.95"], ["held_out_fraction 0.95 holds out 5 of 5"]),
        (
            ["counts={box: 9, cylinder: 9, bowl: 9, bottle: 9, mug: 2}"],
            ["holds out 0 of 2 objects of family mug, expected 1"],
        ),
        (
            ["counts={box: 1, cylinder: 9, bowl: 9, bottle: 9, mug: 9}", "held_out_fraction=0.6"],
            ["1 of 1", "box, expected 0"],
        ),
        (
            ["counts={box: 1, cylinder: 1, bowl: 1, bottle: 1, mug: 1}"],
            ["every family has 1 object", "one family of 2"],
        ),
    ],
)
def test_objects_that_cannot_be_split_are_refused(overrides, parts):
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", [f"graspnet_1_objects.{text}" for text in overrides])
    parts = [*(f"--set graspnet_1_objects.{text}" for text in overrides), *parts]
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_a_file_that_do_not_go_together_are_refused_with_its_path(tmp_path):
    path = tmp_path / "few.yaml"
    path.write_text("graspnet_1_objects: {held_out_fraction: 0.0}")
    with pytest.raises(
        ParameterError, match="few.yaml: graspnet_1_objects: held_out_fraction 0.0 holds out 0 of 5"
    ):
        load_profile(path)


def test_a_family_of_one_object_is_trained_on_only():
    overrides = [
        "counts={box: 1, cylinder: 1, bowl: 1, bottle: 2, mug: 2}",
        "held_out_fraction=0.5",
    ]
    section = load_profile("smoke", [f"graspnet_1_objects.{text}" for text in overrides])[
        "graspnet_1_objects"
    ]
    objects = FamilySet(section.counts, held_out_fraction=section.held_out_fraction)
    assert {name[:-5] for name in objects.names("train")} == set(PAPER_FAMILIES)
    assert {name[:-5] for name in objects.names("held_out")} == {"bottle", "mug"}


def test_held_out_objects_without_rims_or_handles_are_refused():
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", ["graspnet_5_baselines.held_out_objects={box: 1, bottle: 1}"])
    assert "held_out_objects = {'box': 1, 'bottle': 1}: expected at least one of bowl, mug" in str(
        caught.value
    )
    assert load_profile("smoke", ["graspnet_5_baselines.held_out_objects={box: 1, jug: 1}"])


@pytest.mark.parametrize("steps", [[2, 5], [0, 5, 5], [0, 5, 2]])
def test_simulated_steps_start_at_the_samples_and_rise(steps):
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", [f"graspnet_4_refinement.simulated_steps={steps}"])
    assert (
        f"graspnet_4_refinement.simulated_steps = {steps}: expected 0 (the samples) first"
        in str(caught.value)
    )
    assert load_profile("smoke", ["graspnet_4_refinement.simulated_steps=[0]"])


@pytest.mark.parametrize(
    "text", ["methods=[gpd, gpd]", "trial_objects=[red_bowl, spam_can, red_bowl]"]
)
def test_methods_and_objects_of_robot_trials_are_named_once(text):
    with pytest.raises(ParameterError, match="expected each only once"):
        load_profile("smoke", [f"graspnet_6_robot_trials.{text}"])


@pytest.mark.parametrize("profile", ["smoke", "desk", "paper"])
def test_ablations_and_baselines_are_measured_on_the_same_views(profile):
    sections = load_profile(profile)
    ablations, baselines = (sections[f"graspnet_5_{name}"] for name in ("ablations", "baselines"))
    shared = set(type(ablations).model_fields) & set(type(baselines).model_fields)
    assert len(shared) > 8
    assert all(getattr(ablations, name) == getattr(baselines, name) for name in shared)
    assert ablations.simulated_steps[-1] == baselines.refinement_steps
