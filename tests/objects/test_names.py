import pytest

from graspbook.errors import ParameterError
from graspbook.objects.names import object_names


def test_a_name_is_the_stem_and_gets_folders_only_where_stems_are_the_same():
    files = ["ycb/003_box/textured.obj", "ycb/004_can/textured.obj", "mug.stl"]
    assert object_names(files) == ["003_box_textured", "004_can_textured", "mug"]
    assert object_names(["box.stl", "a/box2.stl"]) == ["box", "box2"]
    assert object_names([]) == []


def test_as_many_folders_are_used_as_it_takes():
    files = ["one/google/mesh.obj", "two/google/mesh.obj", "two/tsdf/mesh.obj"]
    assert object_names(files) == ["one_google_mesh", "two_google_mesh", "two_tsdf_mesh"]


@pytest.mark.parametrize("files", [["a.obj", "a.obj"], ["a.obj", "a.stl"], ["x/a.obj", "x/a.obj"]])
def test_a_file_given_twice_is_refused(files):
    with pytest.raises(ParameterError, match="would both be the object"):
        object_names(files)
