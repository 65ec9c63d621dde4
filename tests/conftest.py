"""A workbook in miniature: one profile and one notebook, whose cells a test writes."""

import nbformat
import pytest

from graspbook.workbook import params

PARAMETERS_CELL = """\
profile: str = "smoke"  # name
output_root: str = "outputs/smoke"  # folder
seed: int = 0  # seed
device: str = "cpu"  # device
torch_threads: int = 2  # threads
workers: int = 2  # processes
view: bool = False
count: int = 3  # how many
rate: float = 0.5  # how fast
"""


class ToySection(params.Section):
    """Parameters of the toy notebook."""

    count: params.Count = 3
    rate: params.Share = 0.5


class ToyWorkbook:
    """A folder with `params/smoke.yaml` and `notebooks/toy.ipynb`."""

    def __init__(self, root):
        self.root = root
        self.notebook = root / "notebooks" / "toy.ipynb"
        (root / "params").mkdir()
        (root / "notebooks").mkdir()
        self.write_profile("")

    def write_profile(self, text, name="smoke"):
        (self.root / "params" / f"{name}.yaml").write_text(text)

    def write_notebook(self, *sources, parameters=PARAMETERS_CELL):
        """Write the toy notebook: a title, the parameters cell, then one cell a source ("# ..."
        starts markdown).
        """
        v4 = nbformat.v4
        cells = [
            v4.new_markdown_cell("# Toy\n\nA toy of a notebook."),
            v4.new_code_cell(parameters),
        ]
        cells[1].metadata["tags"] = ["parameters"]
        cells += [
            v4.new_markdown_cell(s) if s.startswith("# ") else v4.new_code_cell(s) for s in sources
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), self.notebook)


@pytest.fixture
def toy_workbook(tmp_path, monkeypatch):
    """A toy workbook as working directory, its notebook declared in place of the real ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(params, "NOTEBOOKS", {"toy": ToySection})
    return ToyWorkbook(tmp_path)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder of untrained networks, for what does not depend on how good they are."""
    from dataclasses import asdict

    import torch

    from graspbook.graspnet.evaluator import Evaluator
    from graspbook.graspnet.experiments import network_settings
    from graspbook.graspnet.sampler import make_sampler
    from graspbook.training import save_weights

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for kind, make, settings in zip(
        ("sampler", "evaluator"),
        (make_sampler, Evaluator),
        network_settings("ours", 0.1, 128, [8, 8], 2, 0.01, 256),
        strict=True,
    ):
        save_weights(
            folder / f"{kind}.safetensors",
            make(settings),
            {"network": kind, kind: asdict(settings)},
        )
    return folder
