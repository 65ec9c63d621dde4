"""Profiles: what stands in the files, what is refused and how it is told."""

import ast
from pathlib import Path
from typing import get_args

import nbformat
import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet import evaluator, regions, sampler
from graspbook.graspnet.dataset import HARD_ROTATIONS
from graspbook.objects.families import FAMILIES, PAPER_FAMILIES
from graspbook.objects.sets import PAPER_COUNTS, FamilySet
from graspbook.training import SCHEDULES
from graspbook.workbook.params import (
    NOTEBOOKS,
    WITH_REGIONS,
    Family,
    GraspnetTraining,
    load_profile,
    notebook_parameters,
    project_root,
    section_name,
)

ROOT = Path(__file__).parents[2]
PROFILES = sorted(path.stem for path in (ROOT / "params").glob("*.yaml"))
WRITTEN = [name for name in NOTEBOOKS if (ROOT / "notebooks" / f"{name}.ipynb").is_file()]


@pytest.fixture
def in_project(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_profiles_load_and_smoke_is_the_defaults(in_project):
    assert PROFILES == ["desk", "paper", "smoke"]
    loaded = {profile: load_profile(profile) for profile in PROFILES}
    assert all(section == type(section)() for section in loaded["smoke"].values())
    assert loaded["paper"] != loaded["desk"] != loaded["smoke"]


def test_the_names_that_parameters_allow_are_those_of_the_library():
    assert get_args(Family) == FAMILIES and WITH_REGIONS == regions.FAMILIES
    allowed = {
        name: set(get_args(field.annotation))
        for name, field in GraspnetTraining.model_fields.items()
    }
    assert allowed["network"] == set(sampler.PRESETS) == set(evaluator.PRESETS)
    assert allowed["hard_rotation"] == set(HARD_ROTATIONS) and allowed["schedule"] == set(SCHEDULES)


def test_the_paper_profile_trains_as_the_paper(in_project):
    paper = load_profile("paper")
    for name in ("graspnet_3_training", "graspnet_5_ablations"):
        section = paper[name]
        assert (section.schedule, section.weight_decay, section.clip) == ("constant", 0, 0)
        assert (section.hard_negatives, section.hard_rotation, section.sampler_rate) == (
            10000,
            "paper",
            1e-4,
        )
    assert paper["graspnet_5_ablations"].usual_refinement == "gradient"


def test_the_paper_profile_has_the_paper_s_objects(in_project):
    section = load_profile("paper")["graspnet_1_objects"]
    assert section.counts == PAPER_COUNTS and sum(section.counts.values()) == 206
    assert tuple(section.counts) == PAPER_FAMILIES


@pytest.mark.parametrize("name", WRITTEN)
def test_parameters_cell_repeats_the_model(name, in_project):
    """Same names, same defaults, each typed and commented."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    statements = ast.parse(cell.source).body
    assert all(isinstance(statement, ast.AnnAssign) for statement in statements)
    values = {statement.target.id: ast.literal_eval(statement.value) for statement in statements}
    assert values == notebook_parameters(load_profile("smoke"), name, "smoke", "outputs/smoke")
    for name, statement in zip(values, statements, strict=True):
        assert "#" in cell.source.splitlines()[statement.end_lineno - 1], f"{name} has no comment"
        annotated = ast.unparse(statement.annotation)
        assert isinstance(
            values[name],
            {"dict": dict, "list": list}.get(annotated.partition("[")[0]) or eval(annotated),
        )


def test_overrides_are_typed_and_win_over_the_file(toy_workbook):
    toy_workbook.write_profile("toy: {count: 7, rate: 1e-3}\nshared:\n  seed: 4\n")
    sections = load_profile("smoke", ["toy.rate=1", "shared.seed=5"])
    assert sections["toy"].model_dump() == {"count": 7, "rate": 1}
    assert notebook_parameters(sections, "toy", "smoke", "there") == {
        "profile": "smoke", "output_root": "there", "seed": 5, "device": "cpu", "torch_threads": 2, "workers": 2, "view": False,
        "count": 7, "rate": 1,
    }  # fmt: skip
    assert load_profile("smoke")["toy"].rate == 0.001


def test_a_profile_may_be_a_file_anywhere(toy_workbook):
    toy_workbook.write_profile("toy: {count: 9}", name="mine")
    assert load_profile(str(toy_workbook.root / "params" / "mine.yaml"))["toy"].count == 9


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "toy: {cuont: 7}",
            ["smoke.yaml", "unknown parameter", "cuont", "did you mean count?", "rate"],
        ),
        ("toys: {count: 7}", ["smoke.yaml", "unknown section toys", "did you mean toy?", "shared"]),
        ("toy: {count: '7'}", ["smoke.yaml", "toy.count = '7'", "integer"]),
        ("toy: {count: 7.0}", ["toy.count = 7.0", "integer"]),
        ("toy: {count: true}", ["toy.count = True", "integer"]),
        ("toy: {count: }", ["toy.count = None", "integer"]),
        ("toy: {count: 0}", ["toy.count = 0", "greater than or equal to 1"]),
        ("toy: {rate: 1.5}", ["toy.rate = 1.5", "less than or equal to 1"]),
        ("toy: {rate: .nan}", ["toy.rate = nan"]),
        ("toy: {1: 2}", ["unknown parameter", " 1;"]),
        ("shared: {device: gpu}", ["shared.device = 'gpu'", "'cpu' or 'cuda'"]),
        ("toy: [1]", ["smoke.yaml", "section toy", "[1]"]),
        ("- toy", ["smoke.yaml", "list"]),
        ("toy: {count: 1", ["smoke.yaml", "YAML"]),
    ],
)
def test_bad_profiles_are_refused_by_name(text, parts, toy_workbook):
    toy_workbook.write_profile(text)
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke")
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("toy.count", ["--set toy.count:", "section.key=value"]),
        ("count=3", ["--set count=3:", "section.key=value"]),
        ("toy.speed=3", ["--set toy.speed=3:", "unknown parameter", "count, rate"]),
        ("toi.count=3", ["--set toi.count=3:", "unknown section toi"]),
        ("toy.count=many", ["--set toy.count=many:", "'many'", "integer"]),
        ("toy.count=[1", ["--set toy.count=[1:", "YAML"]),
    ],
)
def test_bad_overrides_are_refused_by_name(text, parts, toy_workbook):
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", [text])
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


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
            ["counts are 1 in every family", "one family of 2"],
        ),
    ],
)
def test_objects_that_cannot_be_split_are_refused(overrides, parts, in_project):
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", [f"graspnet_1_objects.{text}" for text in overrides])
    parts = [*(f"--set graspnet_1_objects.{text}" for text in overrides), *parts]
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_a_file_that_do_not_go_together_are_refused_with_its_path(in_project, tmp_path):
    path = tmp_path / "few.yaml"
    path.write_text("graspnet_1_objects: {held_out_fraction: 0.0}")
    with pytest.raises(
        ParameterError, match="few.yaml: graspnet_1_objects: held_out_fraction 0.0 holds out 0 of 5"
    ):
        load_profile(path)


def test_a_family_of_one_object_is_trained_on_only(in_project):
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


def test_held_out_objects_without_rims_or_handles_are_refused(in_project):
    with pytest.raises(ParameterError) as caught:
        load_profile("smoke", ["graspnet_5_ablations.held_out_objects={box: 1, bottle: 1}"])
    assert "held_out_objects = {'box': 1, 'bottle': 1}: expected one at least of bowl, mug" in str(
        caught.value
    )
    assert load_profile("smoke", ["graspnet_5_ablations.held_out_objects={box: 1, jug: 1}"])


@pytest.mark.parametrize("steps", [[2, 5], [0, 5, 5], [0, 5, 2]])
def test_simulated_steps_start_at_the_samples_and_rise(steps, in_project):
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
def test_methods_and_objects_of_robot_trials_are_named_once(text, in_project):
    with pytest.raises(ParameterError, match="expected each once"):
        load_profile("smoke", [f"graspnet_6_robot_trials.{text}"])


def test_unknown_profiles_are_refused_with_the_known_ones(toy_workbook):
    with pytest.raises(ParameterError, match="unknown profile 'smoky'.*has smoke"):
        load_profile("smoky")
    with pytest.raises(ParameterError, match="there.yaml: no such profile"):
        load_profile("there.yaml")


def test_the_workbook_is_found_from_below_and_missed_outside(toy_workbook, monkeypatch):
    monkeypatch.chdir(toy_workbook.root / "notebooks")
    assert project_root() == toy_workbook.root
    monkeypatch.chdir("/")
    with pytest.raises(ParameterError, match="not inside the workbook"):
        project_root()


def test_section_names():
    assert section_name("graspnet/1_objects") == "graspnet_1_objects"
