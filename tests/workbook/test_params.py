"""Profiles: what stands in the files, what is refused and how it is told."""

import ast
from pathlib import Path

import nbformat
import pytest

from graspbook.errors import ParameterError
from graspbook.workbook.params import (
    NOTEBOOKS,
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
    assert PROFILES == ["desk", "overnight", "paper", "smoke"]
    loaded = {profile: load_profile(profile) for profile in PROFILES}
    assert all(section == type(section)() for section in loaded["smoke"].values())
    assert loaded["paper"] != loaded["desk"] != loaded["smoke"]


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
        "profile": "smoke", "output_root": "there", "seed": 5, "device": "cpu", "torch_threads": 2,
        "workers": 2, "view": False, "count": 7, "rate": 1,
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
