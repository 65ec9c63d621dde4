"""Names of results beside the input, and results that are not overwritten."""

import os
from argparse import Namespace
from pathlib import Path

import pytest

from graspbook.commands import _files
from graspbook.errors import OutputError, ParameterError


def asked(out=None, html=None, *, force=False):
    return Namespace(out=out, html=html, force=force)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/mug.stl", "in/bowl.stl"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("")
    return tmp_path


def test_results_are_named_after_the_input_in_its_folder(folder):
    def named(inputs, **options):
        return list(map(str, _files.results(asked(**options), inputs, "grasps", (".h5", ".json"))))

    assert named(["in/mug.stl"]) == ["in/mug_grasps.h5", "in/mug_grasps.html"]
    assert named(["in/mug.stl", "in/bowl.stl"]) == ["in/grasps.h5", "in/grasps.html"]
    assert named(["realsense:12"]) == ["realsense_12_grasps.h5", "realsense_12_grasps.html"]
    assert named(["in/mug.stl"], out="a/b.json") == ["a/b.json", "a/b.html"]
    assert named(["in/mug.stl"], html="v.html") == ["in/mug_grasps.h5", "v.html"]
    assert _files.results(Namespace(out=None, force=False), ["in/mug.stl"], "x") == [
        Path("in/mug_x.json")
    ]


def test_the_working_folder_is_used_where_the_inputs_cannot_be_written(folder, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "in")
    assert _files.folder_for("in/mug.stl") == Path()
    assert capsys.readouterr().err == (
        "note: in is not writable, so results go to the working folder\n"
    )


def test_results_that_exist_are_refused_without_force(folder):
    Path("in/mug_grasps.html").write_text("")
    with pytest.raises(OutputError, match=r"in/mug_grasps.html exists: .* --force"):
        _files.results(asked(), ["in/mug.stl"], "grasps")
    assert len(_files.results(asked(force=True), ["in/mug.stl"], "grasps")) == 2
    with pytest.raises(OutputError, match="it is an input of this command"):
        _files.refuse_existing([Path("in/../in/mug.stl")], ["in/mug.stl"], force=True)
    os.mkfifo("pipe.json")
    with pytest.raises(OutputError, match="pipe.json: it is not a regular file"):
        _files.results(asked(out="pipe.json", force=True), ["in/mug.stl"], "grasps")


def test_a_result_has_a_suffix_of_its_kind(folder):
    for options in ({"out": "a.h5"}, {"out": "a"}, {"html": "a.json"}):
        with pytest.raises(OutputError, match=r"has the suffix .*expected \.(json|html)"):
            _files.results(asked(**options), ["in/mug.stl"], "grasps")


@pytest.mark.parametrize("given", [".", "/", "..", "in"])
def test_a_folder_is_no_result(folder, given):
    for options in ({"out": given}, {"html": given}):
        with pytest.raises(OutputError, match="it is a folder"):
            _files.results(asked(**options), ["in/mug.stl"], "grasps")


def test_inputs_are_files_that_exist(folder):
    with pytest.raises(ParameterError, match="none.stl: no such file"):
        _files.check_inputs("in/mug.stl", "none.stl")
    with pytest.raises(ParameterError, match="in: it is a folder, expected a file"):
        _files.check_inputs("in")
    Path("in/metadata.yaml").write_text("")
    _files.check_inputs("in")  # the reader of recordings knows these


def test_a_folder_stands_for_its_meshes(folder, capsys):
    found = _files.mesh_inputs(["in", "in/mug.stl"])
    assert list(map(str, found)) == ["in/bowl.stl", "in/mug.stl", "in/mug.stl"]
    assert capsys.readouterr().err == "note: in: found 2 meshes\n"
