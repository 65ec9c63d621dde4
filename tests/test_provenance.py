"""What is recorded of code and machine."""

import json
import subprocess
from importlib.metadata import version

import pytest

from graspbook import __version__
from graspbook import provenance as room
from graspbook.provenance import package_versions, provenance


def test_the_record_is_plain_and_names_the_direct_packages():
    record = json.loads(json.dumps(provenance()))
    assert record["packages"]["torch"] == version("torch")
    assert not set(record["packages"]) & {"pytest", "jupyterlab", "polyscope"}, (
        "extras are not asked for by a run"
    )
    assert list(package_versions())[0] == "graspbook"


def git(folder, *command):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    call = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()


def checkout(folder, monkeypatch, *, name="graspbook", package="lib/graspbook"):
    """A repository with one commit, in which the module under test seems to lie; its revision."""
    module = folder / package / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    monkeypatch.setattr(room, "__file__", str(module))
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        git(folder, *command)
    return git(folder, "rev-parse", "HEAD")


def test_revision_and_local_changes_are_those_of_the_checkout(tmp_path, monkeypatch):
    revision = checkout(tmp_path, monkeypatch)
    assert (provenance()["revision"], provenance()["dirty"]) == (revision, False)
    assert room.version_text() == f"{__version__} (revision {revision[:12]})"
    (tmp_path / "pyproject.toml").write_text('name = "graspbook"\n')
    assert provenance()["dirty"] is True
    assert room.version_text().endswith(", with local changes)")


@pytest.mark.parametrize(
    "somebody",
    [{"package": ".venv/lib/python3.11/site-packages/graspbook"}, {"name": "other"}],
    ids=["installed below", "copied into"],
)
def test_a_repository_of_somebody_else_above_is_not_recorded(tmp_path, monkeypatch, somebody):
    checkout(tmp_path, monkeypatch, **somebody)
    assert (provenance()["revision"], provenance()["dirty"]) == (__version__, False)
    assert room.version_text() == __version__


def test_an_untracked_copy_is_not_of_the_repository(tmp_path, monkeypatch):
    checkout(tmp_path, monkeypatch)
    git(tmp_path, "rm", "-q", "--cached", "lib/graspbook/provenance.py")
    assert provenance()["revision"] == __version__


def test_without_a_repository_the_version_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "__file__", str(tmp_path / "provenance.py"))
    assert (provenance()["revision"], provenance()["dirty"]) == (__version__, False)


def test_variables_of_a_git_hook_do_not_mislead(tmp_path, monkeypatch):
    revision = checkout(tmp_path / "ours", monkeypatch)
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert provenance()["revision"] == revision
