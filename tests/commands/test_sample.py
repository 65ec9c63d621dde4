import pytest
import trimesh

from graspbook.cli import main
from graspbook.grasp_files import read_grasps


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
        assert "no grasp file has the suffix" in capsys.readouterr().err
    (tmp_path / "other.stl").write_bytes(box.read_bytes())
    meshes = [str(box), str(tmp_path / "other.stl")]
    assert main(["sample", *meshes, "--out", str(tmp_path / "a.hdf5")]) == 2
    assert "one grasp file for 2 meshes" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.stl", "other.stl"]
