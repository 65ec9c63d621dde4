"""What is recorded of code and machine."""

import json
import subprocess
from importlib.metadata import version

from graspbook import provenance as room
from graspbook.provenance import package_versions, provenance


def test_the_record_is_plain_and_names_the_direct_packages():
    record = json.loads(json.dumps(provenance()))
    assert record["packages"]["torch"] == version("torch")
    assert not set(record["packages"]) & {"pytest", "jupyterlab", "polyscope"}, (
        "extras are not asked for by a run"
    )
    assert list(package_versions())[0] == "graspbook"


def test_revision_and_local_changes_are_those_of_the_source_tree(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / "module.py").write_text("")
    monkeypatch.setattr(room, "__file__", str(tmp_path / "module.py"))
    assert (provenance()["revision"], provenance()["dirty"]) == (None, False)
    for command in (["init", "-q"], ["add", "module.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run(git + command, check=True)
    revision = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert (provenance()["revision"], provenance()["dirty"]) == (revision, False)
    (tmp_path / "module.py").write_text("changed")
    assert provenance()["dirty"] is True
