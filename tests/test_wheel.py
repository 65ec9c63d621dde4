"""A built wheel works in an empty folder, without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Built from a copy, so that no build/ is left in the checkout.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "lib")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder of the wheel's files."""
    folder = tmp_path_factory.mktemp("wheel")
    copy, target = folder / "source", folder / "site"
    copy.mkdir()
    tracked = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*tracked, "--exclude-standard", *SOURCES], capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(copy)], check=True)
    (wheel,) = folder.glob("graspbook-*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def run(unpacked, empty, *arguments):
    """What Python prints in an empty folder, where the wheel alone is graspbook."""
    environment = os.environ | {"PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=empty, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_what_is_no_python(unpacked):
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    wanted = {"__init__.pyi", "py.typed", "weights/sampler.safetensors", "weights/README.md"}
    assert {f"graspbook/{name}" for name in wanted} <= names
    static = ROOT / "lib" / "graspbook" / "workbook" / "static"
    assert {f"graspbook/workbook/static/{path.name}" for path in static.iterdir()} <= names


def test_commands_and_python_work(unpacked, tmp_path):
    assert run(unpacked, tmp_path, "-m", "graspbook", "--help").startswith("usage: graspbook")
    version = run(unpacked, tmp_path, "-m", "graspbook", "--version")
    assert version.startswith("graspbook ") and "revision" not in version
    code = (
        "import graspbook, numpy as np\n"
        "u = np.linspace(-1, 1, 30)\n"
        "x, y = np.meshgrid(0.03 * u, 0.03 * u)\n"
        "points = np.stack([x, y, np.full_like(x, 0.5)], axis=-1).reshape(-1, 3)\n"
        "found = graspbook.predict(points, samples=8)\n"
        "graspbook.write_grasps('grasps.h5', found)\n"
        "print(graspbook.__file__, len(graspbook.read_grasps('grasps.h5')))\n"
    )
    told = run(unpacked, tmp_path, "-c", code).split()
    assert told == [str(unpacked / "graspbook" / "__init__.py"), "8"]
    assert [path.name for path in tmp_path.iterdir()] == ["grasps.h5"]
