import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError, ParameterError
from graspbook.objects.families import FAMILIES, PAPER_FAMILIES
from graspbook.objects.mesh import load_mesh
from graspbook.objects.sets import PAPER_COUNTS, FamilySet, FolderSet, export


def test_the_default_set_has_the_papers_206_objects_and_holds_out_a_fifth_of_each_family():
    objects = FamilySet()
    assert sum(PAPER_COUNTS.values()) == len(objects.names()) == 206
    assert objects.names()[0] == "box_0000" and objects.names()[-1] == "mug_0041"
    train, held_out = objects.names("train"), objects.names("held_out")
    assert sorted(train + held_out) == sorted(objects.names()) and not set(train) & set(held_out)
    assert [sum(name.startswith(family) for name in held_out) for family in PAPER_FAMILIES] == [
        8,
        8,
        8,
        8,
        8,
    ]


def test_an_object_depends_on_seed_family_and_number_alone():
    small, large, other = FamilySet(2, seed=3), FamilySet({"mug": 9}, seed=3), FamilySet(2, seed=4)
    one, two, three = (s.load("mug_0001") for s in (small, large, other))
    assert one.name == "mug_0001" and one.family == "mug"
    assert (
        one.mesh.vertices.tobytes() == two.mesh.vertices.tobytes() != three.mesh.vertices.tobytes()
    )
    volumes = [small.load(name).volume for name in small.names()]
    assert len(set(volumes)) == 2 * len(FAMILIES)


def test_the_split_is_the_same_every_time_and_another_seed_splits_otherwise():
    assert FamilySet(10, seed=1).names("held_out") == FamilySet(10, seed=1).names("held_out")
    assert FamilySet(10, seed=1).names("held_out") != FamilySet(10, seed=2).names("held_out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"spoon": 3},), "unknown object family 'spoon'"),
        ((-1,), "-1 objects"),
        ((3, 0, 1.0), "held_out_fraction 1.0"),
    ],
)
def test_impossible_sets_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        FamilySet(*arguments)


def test_unknown_names_and_splits_are_refused():
    objects = FamilySet(2)
    with pytest.raises(ParameterError, match="no object 'mug_0002'"):
        objects.load("mug_0002")
    with pytest.raises(
        ParameterError, match="unknown split 'test'; available: all, train, held_out"
    ):
        objects.names("test")


def test_a_folder_is_an_object_set_too(tmp_path, monkeypatch):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "things"
    folder.mkdir()
    for name in ("b.stl", "a.ply", "c.obj"):
        trimesh.creation.box([40, 50, 60]).export(folder / name)
    (folder / "notes.txt").write_text("no mesh")
    objects = FolderSet(folder, scale=0.001, held_out_fraction=0.34)
    assert objects.names() == ["a", "b", "c"] and len(objects.names("held_out")) == 1
    brick = objects.load("b")
    assert brick.family == "things" and brick.volume == pytest.approx(0.04 * 0.05 * 0.06, rel=1e-3)
    assert brick.extent == pytest.approx(0.06)
    with pytest.raises(ParameterError, match="no object 'd' in this set; available: a, b, c"):
        objects.load("d")
    (folder / "more").mkdir()
    trimesh.creation.box([40, 50, 60]).export(folder / "more" / "d.stl")
    assert FolderSet(folder).names() == ["a", "b", "c"]  # subfolders count where it has no meshes
    (folder / "b.obj").write_text("")
    assert FolderSet(folder).names() == ["a", "b_obj", "b_stl", "c"]
    (folder / "b_obj.stl").write_text("")
    with pytest.raises(MeshError, match="both be named 'b"):
        FolderSet(folder)


def test_meshes_of_subfolders_are_named_by_their_folders(tmp_path):
    for name in ("cup/textured.obj", "bowl/textured.obj", "bowl/.hidden/a.stl", "can/can.stl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / name)
    objects = FolderSet(tmp_path)
    assert objects.names() == ["bowl_textured", "can", "cup_textured"]
    cup = objects.load("cup_textured")
    assert (cup.name, cup.family) == ("cup_textured", "cup")


def test_empty_and_missing_folders_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(MeshError, match="no meshes"):
            FolderSet(folder)


def test_export_writes_the_same_bytes_and_keeps_every_digit(tmp_path):
    mug = FamilySet(1).load("mug_0000")
    first, second = export(mug, tmp_path / "a"), export(mug, tmp_path / "b")
    assert first.name == "mug_0000.obj" and first.read_bytes() == second.read_bytes()
    mesh = load_mesh(first)
    assert mesh.is_volume and mesh.volume == pytest.approx(mug.mesh.volume, rel=1e-9)
    assert np.isin(mesh.vertices, mug.mesh.vertices).all()
