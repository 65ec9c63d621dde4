from pathlib import Path

import pytest

from graspbook.errors import ParameterError
from graspbook.objects.names import object_files, object_names, stems


def test_a_name_is_the_stem_and_gets_folders_only_where_stems_are_the_same():
    files = ["ycb/003_box/textured.obj", "ycb/004_can/textured.obj", "mug.stl"]
    assert object_names(files) == ["003_box_textured", "004_can_textured", "mug"]
    assert object_names(["box.stl", "a/box2.stl"]) == ["box", "box2"]
    assert object_names([]) == []


def test_as_many_folders_are_used_as_it_takes():
    files = ["one/google/mesh.obj", "two/google/mesh.obj", "two/tsdf/mesh.obj"]
    assert object_names(files) == ["one_google_mesh", "two_google_mesh", "two_tsdf_mesh"]


@pytest.mark.parametrize("files", [["a.obj", "a.obj"], ["x/a.obj", "x/a.obj"]])
def test_a_file_given_twice_is_refused(files):
    with pytest.raises(ParameterError, match="would both be named"):
        object_names(files)


def test_files_of_one_folder_and_stem_are_told_apart_by_their_suffix():
    files = ["003/plain.ply", "003/plain.stl", "004/plain.ply", "mug.stl"]
    assert stems(files) == ["plain_ply", "plain_stl", "plain", "mug"]
    assert object_names(files) == ["003_plain_ply", "003_plain_stl", "004_plain", "mug"]


def test_a_grasp_file_names_its_mesh_from_the_given_folder(tmp_path):
    for name in ("a/x/m.obj", "b/m.obj", "b/n.obj"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = [tmp_path / "a/x/m.obj", tmp_path / "b/m.obj", tmp_path / "b/n.obj"]
    assert object_files(files, [tmp_path]) == ["a/x/m.obj", "b/m.obj", "b/n.obj"]
    assert object_files(files, files) == ["a/x/m.obj", "b/m.obj", "n.obj"]
    both = [tmp_path / "a/x", tmp_path / "b"]
    assert object_files(files, both) == ["a/x/m.obj", "b/m.obj", "n.obj"]
    assert object_files([Path("mug.stl")]) == ["mug.stl"]
