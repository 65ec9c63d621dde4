"""Every notebook runs, through the real runner, with tiny parameters, in the order of its graph:
seconds each.
"""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from graspbook.errors import NotebookError
from graspbook.graspnet import mesh_evaluation
from graspbook.graspnet.predict import METHODS, PredictSettings, load_networks
from graspbook.hands.library import load_hand
from graspbook.highdof.mesh_grasp import weights_path
from graspbook.highdof.training import load_network
from graspbook.storage import read_json, write_json
from graspbook.weights_files import load_weights
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import NOTEBOOKS, section_name
from graspbook.workbook.roadmap import source_notebooks
from graspbook.workbook.run import run_notebook
from graspbook.workbook.ship import ship
from graspbook.workbook.site import PAPERS, build_site

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
COMPREHENSIONS = ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp

# In the order they run: each reads what the ones before it wrote.
TINY = {
    "graspnet/1_objects": [
        "counts={box: 1, cylinder: 1, bowl: 1, bottle: 2, mug: 2}",
        "held_out_fraction=0.5",
    ],
    "graspnet/2_grasp_data": [
        "grasps_per_object=60",
        "antipodal_per_object=60",
        "perturbed_per_object=40",
        "comparison_grasps=10",
    ],
    "graspnet/3_training": [
        "views=2",
        "points=128",
        "probed=256",
        "width=0.1",
        "sampler_steps=20",
        "evaluator_steps=20",
        "sampler_clouds=2",
        "evaluator_clouds=2",
        "validate_every=10",
        "explored_views=1",
        "explored_samples=8",
        "explored_steps=10",
        "validation_batches=2",
    ],
    "graspnet/4_refinement": [
        "views=1",
        "samples=12",
        "simulated_steps=[0, 3]",
        "metropolis_steps=3",
    ],
    "graspnet/5_ablations": [
        "held_out_objects={bottle: 1, mug: 1}",
        "samples=10",
        "simulated_steps=[0, 2]",
        "training_per_family=1",
        "sampler_steps=3",
        "sampler_clouds=1",
        "compared_sampler_steps=2",
        "compared_evaluator_steps=3",
        "metropolis_steps=2",
        "sample_counts=[6, 12]",
        "validation_batches=1",
    ],
    "graspnet/5_baselines": [
        "held_out_objects={bottle: 1, mug: 1}",
        "samples=10",
        "refinement_steps=2",
        "training_per_family=1",
        "gpd_candidates=12",
        "gpd_steps=2",
    ],
    "graspnet/6_robot_trials": [
        "trial_objects=[spam_can]",
        "methods=[graspnet]",
        "samples=60",
        "hold=0.1",
    ],
    "highdof/1_hands_and_objects": ["counts={bottle: 2, mug: 2}", "held_out_fraction=0.5"],
    "highdof/2_grasp_data": [
        "grasps=16",
        "rounds=2",
        "iterations=10",
        "tested=4",
        "kept=2",
        "fewest=1",
        "layout_grasps=2",
        "compared_objects=1",
        "compared_grasps=2",
        "held_objects=1",
        "held_grasps=2",
    ],
    "highdof/3_training": [
        "width=2",
        "hidden=[16]",
        "steps=2",
        "fewer=[2]",
        "datasets=1",
        "final_steps=2",
        "judged=1",
    ],
    "highdof/4_penetration": ["rotations=2", "tested=1", "compared=1"],
    "0_tour": ["samples=20", "refinement_steps=3"],
}

# Notebooks that are tried with two worker processes.
SPREAD = ("graspnet/2_grasp_data",)


@pytest.fixture(scope="module")
def output_root(tmp_path_factory):
    """The one folder that the whole chain writes to."""
    return tmp_path_factory.mktemp("outputs")


def source(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)


def code_cells(name):
    return [cell for cell in source(name).cells if cell.cell_type == "code"]


def test_every_notebook_is_tried_here_and_stands_in_the_graph():
    assert set(source_notebooks(ROOT)) == set(TINY) == set(snakefile_table()) <= set(NOTEBOOKS)


@pytest.mark.parametrize("name", TINY)
def test_notebook_runs(name, output_root, monkeypatch):
    monkeypatch.chdir(ROOT)
    workers = 2 if name in SPREAD else 1  # to start a process takes longer than most tiny tasks
    run_notebook(
        f"notebooks/{name}.ipynb",
        "smoke",
        [
            *(f"{section_name(name)}.{value}" for value in TINY[name]),
            f"shared.workers={workers}",
            "shared.torch_threads=1",
        ],
        output_root,
    )
    assert json.loads(Outputs(output_root).results(section_name(name)).read_text())


def test_pages_of_the_chain_are_complete_and_local(output_root, monkeypatch):
    monkeypatch.chdir(ROOT)
    try:
        index, failures = build_site("smoke", output_root)
    except NotebookError:
        pytest.skip("no notebook ran before this test")
    assert failures == []
    assert all(f"<h2>{paper}</h2>" in index.read_text() for paper in PAPERS.values())
    pages = {"index.html"} | {f"{name}.html" for name in NOTEBOOKS}
    for page in index.parent.rglob("*.html"):
        html = page.read_text()
        for address in re.findall(
            r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="([^"]*)"', html
        ):
            assert address.startswith("data:") or (page.parent / address).is_file(), (
                f"{page.name}: {address}"
            )
        for address in re.findall(r'<a\b[^>]*href="([^"#:]+)"', html):
            target = (page.parent / address).resolve().relative_to(index.parent.resolve())
            assert str(target) in pages, f"{page.name} links to {address}, which is nowhere"


def test_the_networks_of_the_run_can_be_shipped(output_root, tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_evaluation, "TRUTH_CANDIDATES", 20)
    if not (Outputs(output_root).weights / "gpd.safetensors").is_file():
        pytest.skip("no notebook ran before this test")
    box = next(Outputs(output_root).objects.glob("box*.obj"))
    ship("smoke", output_root, folder=tmp_path / "weights")
    settings = PredictSettings(samples=10)
    report = mesh_evaluation.evaluate_meshes([box], tmp_path / "weights", settings, views=1).report
    write_json(tmp_path / "eval.json", report)
    reports = [tmp_path / "eval.json"]
    card = ship("smoke", output_root, evaluations=reports, folder=tmp_path / "weights").read_text()
    assert all(load_networks(tmp_path / "weights", method=method)[1] for method in METHODS)
    for network in ("sampler", "evaluator", "gpd"):
        file = f"{network}.safetensors"
        assert (tmp_path / "weights" / file).stat().st_size < 0.6 * (
            Outputs(output_root).weights / file
        ).stat().st_size
    run = read_json(tmp_path / "weights" / "run.json")
    assert (
        run["objects"]["counts"]["mug"] == 2
        and run["parameters"]["graspnet/3_training"]["sampler_steps"] == 20
    )
    assert (
        run["revision"] in card and "bottle 2, " in card and "mug 2)" in card and "holds | " in card
    )
    assert report["overall"]["counts"]["views"] == 0 or "method graspnet" in card


def test_the_networks_of_both_hands_can_be_shipped(output_root, tmp_path):
    if not Outputs(output_root).results("highdof_4_penetration").is_file():
        pytest.skip("no notebook ran before this test")
    card = ship("smoke", output_root, paper="highdof", folder=tmp_path / "weights").read_text()
    for hand in ("shadow", "barrett"):
        file = weights_path(tmp_path / "weights", hand)
        assert load_network(file, load_hand(hand))[1].grid == 16
        assert load_weights(file)[0]["head.1.weight"].element_size() == 2
        assert f"| {hand}, planner | " in card and f"| {hand}, held out | " in card
    run = read_json(tmp_path / "weights" / "run_highdof.json")
    assert run["counts"] == {"all": 4, "train": 2, "held_out": 2} and run["revision"] in card
    assert (
        run["parameters"]["highdof/3_training"]["final_steps"] == 2
        and "mug 2" in card
        and "bottle 2" in card
    )


@pytest.mark.parametrize("name", TINY)
def test_source_notebook_is_thin_and_stripped(name):
    """No outputs, no functions, no plotly or polyscope, little bookkeeping: at most 25
    comprehensions. A cell says in its first line what it does, and has at most 15 lines more.
    """
    comprehensions = 0
    for cell in code_cells(name):
        assert not cell.outputs and cell.execution_count is None
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [
            node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)
        ]
        comprehensions += sum(isinstance(node, COMPREHENSIONS) for node in nodes)
        assert not imported(cell.source) & {"plotly", "polyscope"}
        if "parameters" not in cell.metadata.get("tags", []):
            first, *lines = cell.source.splitlines()
            assert first.startswith("# ") and len(lines) <= 15, cell.source
    assert "papermill" not in source(name).metadata and comprehensions <= 25


def imported(code):
    """Dotted names of everything that some Python code imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def snakefile_table():
    """The table of notebooks at the top of the Snakefile, plain Python until its first rule."""
    values = {}
    exec((ROOT / "Snakefile").read_text().partition("\nPROFILE")[0], values)
    return values["NOTEBOOKS"]
