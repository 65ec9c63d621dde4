"""What many tests need: real data, networks that have learned nothing, a workbook in miniature."""

import os
from functools import cache
from pathlib import Path

# Several tests at once on few cores lose more to threads that wait for each other than small
# networks gain. Read when numpy and torch are first imported, here and in child processes.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import nbformat
import pytest
from xdist.scheduler import LoadFileScheduling

from graspbook.workbook import params, params_types

ROOT = Path(__file__).parents[1]

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


class ToySection(params_types.Section):
    """Parameters of the toy notebook."""

    count: params_types.Count = 3
    rate: params_types.Share = 0.5


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


class OneRobotAtATime(LoadFileScheduling):
    """A worker takes a file at a time, and one worker all files with robots in real time."""

    def _split_scope(self, nodeid):
        return group_of(nodeid.partition("::")[0])


@cache
def group_of(file):
    return "timing" if "mark.timing" in (ROOT / file).read_text(encoding="utf-8") else file


def pytest_xdist_make_scheduler(config, log):
    return OneRobotAtATime(config, log)


def pytest_collection_modifyitems(items):
    """What takes long first, so that workers end at about the same time."""
    items.sort(
        key=lambda item: (group_of(item.nodeid.partition("::")[0]) != "timing", not is_slow(item))
    )


def is_slow(item):
    return item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session")
def real_data():
    """The folder of real meshes, captures and grasps, which are no part of the project.

    The environment variable GRASPBOOK_REAL_DATA names it; without it, it is looked for beside the
    project. Tests that need it are skipped where it is not.
    """
    named = os.environ.get("GRASPBOOK_REAL_DATA")
    folder = Path(named or ROOT.parent / "shared" / "real")
    if named and not folder.is_dir():
        pytest.fail(f"GRASPBOOK_REAL_DATA={named} is no folder")
    if not folder.is_dir():
        pytest.skip(
            "no real data: GRASPBOOK_REAL_DATA is not set, and none lies beside the project"
        )
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder of untrained networks, for what does not depend on how good they are."""
    from dataclasses import asdict

    import torch

    from graspbook.graspnet.evaluator import Evaluator
    from graspbook.graspnet.experiments import network_settings
    from graspbook.graspnet.sampler import make_sampler
    from graspbook.weights_files import save_weights

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for kind, make, settings in zip(
        ("sampler", "evaluator"),
        (make_sampler, Evaluator),
        network_settings(
            "ours", width=0.1, points=128, neighbours=[8, 8], latent=2, kl_weight=0.01, probed=256
        ),
        strict=True,
    ):
        save_weights(
            folder / f"{kind}.safetensors",
            make(settings),
            {"network": kind, kind: asdict(settings)},
        )
    return folder


@pytest.fixture(scope="session")
def hand_weights(tmp_path_factory):
    """A folder with an untrained network of the Barrett Hand."""
    from dataclasses import asdict

    import torch

    from graspbook.hands.library import load_hand
    from graspbook.highdof.dataset import DataSettings
    from graspbook.highdof.network import GraspNetwork, NetworkSettings
    from graspbook.weights_files import save_weights

    folder, joints = tmp_path_factory.mktemp("hand_weights"), load_hand("barrett").joints
    sizes, data = NetworkSettings(16, 4, (64, 32)), DataSettings(grid=16, length=0.3, nodes=32)
    torch.manual_seed(0)
    save_weights(
        folder / "highdof_barrett.safetensors",
        GraspNetwork(len(joints), sizes),
        {
            "network": "highdof",
            "hand": "barrett",
            "joints": list(joints),
            "sizes": asdict(sizes),
            "data": asdict(data),
        },
    )
    return folder
