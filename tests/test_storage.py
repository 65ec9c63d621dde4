import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from graspbook import imports, storage
from graspbook.errors import OutputError
from graspbook.objects import GraspObject


def test_a_hash_as_a_number_tells_names_apart():
    numbers = {
        storage.hash_number("box_0000"),
        storage.hash_number("box_0001"),
        storage.hash_number(1, "box_0000"),
    }
    assert len(numbers) == 3 and all(0 <= number < 2**32 for number in numbers)
    assert storage.hash_number("box_0000") == int(storage.content_hash("box_0000")[:8], 16)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    storage.write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), storage.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert storage.read_json(target) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (
        f".result-{dead.pid}-1.json",
        f".result-{os.getpid()}-1.json",
        f".other-{dead.pid}-1.json",
    ):
        (tmp_path / name).write_text("half")
    storage.write_json(tmp_path / "result.json", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f".other-{dead.pid}-1.json", f".result-{os.getpid()}-1.json", "result.json"]
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot write"),
        storage.atomic_path(tmp_path / "file" / "x.json"),
    ):
        pass


@pytest.mark.parametrize("place", [".", "/"])
def test_a_folder_without_a_name_is_no_file(place):
    with pytest.raises(OutputError, match="it is a folder"):
        storage.check_writable(place)
    with pytest.raises(OutputError, match="it is a folder"), storage.atomic_path(place):
        pass


def test_json_takes_numpy_and_refuses_objects(tmp_path):
    storage.write_json(tmp_path / "x.json", {"b": np.float64(1.5), "a": np.arange(3)})
    assert storage.read_json(tmp_path / "x.json") == {"a": [0, 1, 2], "b": 1.5}
    with pytest.raises(TypeError, match="not plain data"):
        storage.write_json(tmp_path / "y.json", {"a": object()})
    assert not (tmp_path / "y.json").exists()


def test_content_hash_tells_dtype_shape_and_value_apart():
    zeros = np.zeros(4)
    hashes = {
        storage.content_hash(v)
        for v in (zeros, zeros.astype(np.float32), zeros.reshape(2, 2), zeros + 1, "a", ["a"])
    }
    assert len(hashes) == 6
    assert storage.content_hash(zeros, "x") == storage.content_hash(np.zeros(4), "x")


def test_code_hash_tells_modules_apart():
    one, other = "graspbook.pose", "graspbook.hands.franka"
    assert storage.code_hash(one) != storage.code_hash(other)
    assert storage.code_hash(other) == storage.code_hash(other) == storage.code_hash(one, other)
    with pytest.raises(ValueError, match="no module 'graspbook.cellar'"):
        storage.code_hash("graspbook.cellar")


def test_code_hash_changes_with_what_the_code_does_and_not_with_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "LIBRARY", tmp_path)
    (tmp_path / "house.py").write_text("from graspbook.room import A\n")
    code = (
        '"""A room."""\n\nSIZE = 3\n\n\nclass A:\n    """Its."""\n\n    def f(self):\n       '
        ' """Do."""\n        return "it"\n'
    )

    def hashed(*changes):
        (tmp_path / "room.py").write_text(code.replace(*changes) if changes else code)
        imports._imports_of.cache_clear()
        return storage.code_hash("graspbook.house")

    first = hashed()
    for same in (
        ("A room.", "A larger room."),
        ("Its.", "Whose?"),
        ("Do.", "Do it."),
        ("SIZE = 3", "SIZE = 3  # of the room"),
        ("SIZE = 3", "\n\nSIZE = (3)"),
        ('        """Do."""\n', ""),
    ):
        assert hashed(*same) == first
    for other in (("SIZE = 3", "SIZE = 4"), ('"it"', '"her"'), ("f(self)", "f(self, x)")):
        assert hashed(*other) != first


def test_an_object_is_told_by_its_surface_and_its_parts():
    box, larger = (trimesh.creation.box([side] * 3) for side in (1.0, 2.0))
    objects = [
        GraspObject("a", "box", mesh, parts)
        for mesh in (box, larger)
        for parts in ((box,), (larger,), (box, larger))
    ]
    assert len({storage.object_hash(obj) for obj in objects}) == 6
    assert storage.object_hash(GraspObject("b", "other", box, (box,))) == storage.object_hash(
        objects[0]
    )


def test_weights_are_gathered(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    folder = storage.gather(tmp_path / "variant", sampler=tmp_path / "a", evaluator=tmp_path / "b")
    assert (folder / "sampler.safetensors").read_bytes() == b"one" and (
        folder / "evaluator.safetensors"
    ).read_bytes() == b"two"
    storage.gather(folder, evaluator=tmp_path / "a")
    assert (folder / "evaluator.safetensors").read_bytes() == b"one"


def test_one_file_for_two_results_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    storage.check_writable(tmp_path / "a", tmp_path / "b")
    with pytest.raises(OutputError, match="link: 2 results need different files"):
        storage.check_writable(tmp_path / "a", tmp_path / "link")


@pytest.mark.parametrize("variable", ["GRASPBOOK_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_that_cannot_be_written_is_replaced_with_a_warning(
    tmp_path, monkeypatch, capsys, variable
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRASPBOOK_CACHE", "")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "cache"))
    made = storage.cache_dir()
    assert made.is_dir() and not made.is_relative_to(tmp_path)
    assert str(tmp_path / "file" / "cache") in capsys.readouterr().err
    assert storage.cache_dir() == made and not capsys.readouterr().err


def test_the_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("GRASPBOOK_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert storage.cache_dir() == tmp_path / "graspbook"
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "own"))
    assert storage.cache_dir() == tmp_path / "own"
