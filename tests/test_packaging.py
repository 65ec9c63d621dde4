"""What pyproject.toml asks for, what constraints.txt pins and what environment.yml installs are one
and the same.
"""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    """Lines of constraints.txt without their comments, as {name: version}."""
    lines = [
        line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()
    ]
    return dict(line.split("==") for line in lines if line)


def pip_lines():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return next(item["pip"] for item in dependencies if isinstance(item, dict))


def test_constraints_are_plain_exact_pins():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"|#.*|[a-z0-9-]+==[0-9][0-9a-z.]*(\s+#.*)?", line), line
    assert not [name for name in pins() if name.startswith("nvidia")]


def test_every_direct_package_is_pinned_and_named_without_a_version():
    direct = PROJECT["dependencies"] + [name for names in EXTRAS.values() for name in names]
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in direct)
    assert set(direct) <= set(pins())


def test_the_core_is_small():
    core = set(PROJECT["dependencies"])
    assert not core & {name for names in EXTRAS.values() for name in names}
    assert not core & {
        "snakemake",
        "papermill",
        "franky-control",
        "ompl",
        "jupyterlab",
        "polyscope",
    }


def brings_along(name, extras=()):
    """Names of the packages that an installed one asks for on this machine."""
    found = [Requirement(line) for line in distribution(name).requires or []]
    wanted = [
        item
        for item in found
        if not item.marker or any(item.marker.evaluate({"extra": e}) for e in ("", *extras))
    ]
    return {(normal(item.name), tuple(sorted(item.extras))) for item in wanted}


def test_everything_that_is_installed_with_the_project_is_pinned_and_has_the_pinned_version():
    found, waiting = set(), {("graspbook", tuple(EXTRAS))}
    while waiting:
        found |= waiting
        waiting = set().union(*(brings_along(*item) for item in waiting)) - found
        waiting = {item for item in waiting if not item[0].startswith(("nvidia", "cuda", "triton"))}
    installed = {
        name: distribution(name).version.split("+")[0] for name, _ in found if name != "graspbook"
    }
    assert installed == pins()


def test_conda_environment_installs_the_same():
    torch, everything = f"torch=={pins()['torch']}", f"-e .[{','.join(EXTRAS)}]"
    assert pip_lines() == ["-c constraints.txt", torch, everything]
    assert everything.removeprefix("-e ") in (ROOT / "Makefile").read_text()


def test_conda_environment_has_a_python_that_the_package_accepts():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert "python=3.11" in dependencies and "pip" in dependencies
    assert PROJECT["requires-python"] == ">=3.11"
