import pytest
import trimesh

from graspbook.cli import main
from graspbook.grasp_files import read_grasps
from graspbook.objects import sets


@pytest.fixture
def box(tmp_path):
    trimesh.creation.box([0.04, 0.06, 0.05]).export(tmp_path / "box.stl")
    return tmp_path / "box.stl"


@pytest.mark.parametrize("name", ["box.hdf5", "box.json"])
def test_a_file_is_written_in_the_format_of_its_suffix(tmp_path, box, name):
    out = tmp_path / name
    assert main(["sample", str(box), "--out", str(out), "--grasps", "4", "--threads", "1"]) == 0
    assert out.is_file() and len(read_grasps(out).transforms) == 4


def test_an_unknown_suffix_and_one_file_for_two_meshes_are_refused(tmp_path, box, capsys):
    for name in ("box.npz", "box.h6"):
        assert main(["sample", str(box), "--out", str(tmp_path / name)]) == 2
        assert "it has the suffix" in capsys.readouterr().err
    (tmp_path / "other.stl").write_bytes(box.read_bytes())
    meshes = [str(box), str(tmp_path / "other.stl")]
    assert main(["sample", *meshes, "--out", str(tmp_path / "a.hdf5")]) == 2
    assert "is one grasp file, but there are 2 meshes" in capsys.readouterr().err
    assert main(["sample", *meshes, "--out", str(tmp_path / "both.txt")]) == 2
    assert "expected a folder" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.stl", "other.stl"]


def test_a_rerun_continues_and_other_settings_need_force(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh,))
    for name in ("a/cup.stl", "b/cup.stl"):
        (tmp_path / name).parent.mkdir()
        trimesh.creation.box([0.04, 0.06, 0.05]).export(tmp_path / name)
    arguments = ["sample", str(tmp_path), "--threads", "1", "--grasps"]
    assert main([*arguments, "4"]) == 0
    out, err = capsys.readouterr()
    assert f"note: {tmp_path}: found 2 meshes" in err and out.splitlines()[-1].startswith("Next: ")
    made = [tmp_path / name / "cup_sampled.h5" for name in "ab"]
    before = [path.stat().st_mtime_ns for path in made]
    assert main([*arguments, "4"]) == 0
    assert [path.stat().st_mtime_ns for path in made] == before
    assert main([*arguments, "5"]) == 2
    assert f"{made[0]} exists" in capsys.readouterr().err
    assert main([*arguments, "5", "--force"]) == 0
    assert [len(read_grasps(path).transforms) for path in made] == [5, 5]
    assert [read_grasps(path).object_file for path in made] == ["a/cup.stl", "b/cup.stl"]
