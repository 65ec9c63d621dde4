"""What needs a missing extra says which, in one line."""

import subprocess
import sys

import pytest

from graspbook.errors import GraspbookError
from graspbook.extras import require

HIDDEN = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
"""
ROBOT = ("franky", "franky_sim", "pinocchio", "ompl", "ruckig", "pyrealsense2")
WORKBOOK = ("papermill", "nbclient", "nbformat", "nbconvert", "jinja2", "snakemake")


def without(names, code):
    """Status and both outputs of Python code where packages are not installed."""
    hide = HIDDEN.format(names=set(names))
    return subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True)


def test_what_is_installed_passes():
    require("robot", "numpy", "json")


def test_what_is_missing_is_named_with_its_extra():
    with pytest.raises(GraspbookError, match=r"nowhere_1.*pip install 'graspbook\[robot\]'"):
        require("robot", "numpy", "nowhere_1")


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        (["pick", "realsense", "--out", "o.json"], ROBOT, "robot"),
        (["site"], WORKBOOK, "workbook"),
    ],
)
def test_a_command_without_its_extra_is_one_line(command, missing, extra):
    code = f"from graspbook.cli import main; sys.exit(main({command}))"
    done = without(missing, code)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert f"graspbook[{extra}]" in done.stderr


def test_grasps_need_no_extra():
    code = "import graspbook; graspbook.predict; graspbook.shake_test; graspbook.figures"
    done = without((*ROBOT, *WORKBOOK, "polyscope", "jupyterlab"), code)
    assert done.returncode == 0, done.stderr
