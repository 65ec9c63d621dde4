import numpy as np
import pytest
import trimesh

from graspbook.cli import main
from graspbook.objects.mesh import load_mesh
from graspbook.perception.arc import views_on_arc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four views of a can, and its mesh."""
    folder = tmp_path_factory.mktemp("views")
    can = trimesh.creation.cylinder(0.033, 0.1)
    can.apply_translation([0, 0, 0.05])
    can.export(folder / "can.stl")
    for i, view in enumerate(views_on_arc(can, 4, np.random.default_rng(0))):
        pose = view.world_T_camera
        np.savez(folder / f"{i}.npz", depth=view.depth, K=view.K, world_T_camera=pose)
    return folder


def test_a_mesh_of_several_views_is_written_and_compared(folder, tmp_path, capsys):
    views = [str(folder / f"{i}.npz") for i in range(4)]
    truth = ["--truth", str(folder / "can.stl")]
    assert main(["reconstruct", *views, "--out", str(tmp_path / "c.obj"), *truth]) == 0
    said = capsys.readouterr()
    assert "c.obj" in said.out and "4 views" in said.out and "cm³" in said.out
    overlap = float(said.out.split("intersection over union) ")[1].split(",")[0])
    assert overlap > 0.9 and "Chamfer distance" in said.out
    assert "Next: graspbook hand-grasp" in said.out
    mesh = load_mesh(tmp_path / "c.obj")
    assert mesh.volume == pytest.approx(np.pi * 0.033**2 * 0.1, rel=0.06)
    page = (tmp_path / "c.html").read_text()
    assert "A mesh of 4 views" in page and "they fit to" in page


def test_one_view_is_said_to_be_a_guess_and_nothing_is_overwritten(folder, capsys):
    view = str(folder / "0.npz")
    assert main(["reconstruct", view]) == 0
    assert "only one view was given" in capsys.readouterr().err
    before = (folder / "0_mesh.obj").read_bytes()
    assert main(["reconstruct", view]) == 2
    assert "0_mesh.obj exists" in capsys.readouterr().err
    assert main(["reconstruct", view, "--method", "hull", "--force"]) == 0
    assert (folder / "0_mesh.obj").read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0.npz", "0.npz"], "this view is given twice"),
        (["0.npz", "--method", "splat"], "--method splat: expected one of poisson, tsdf, hull"),
        (["none.npz"], "none.npz: no such file"),
        (["can.stl"], "this is a mesh, expected a depth capture"),
        (["0.npz", "--out", "a.step"], "suffix '.step', expected .obj or .stl or .ply"),
        (["0.npz", "--truth", "1.npz"], "1.npz"),
        (["0.npz", "--truth", "can.stl", "--out", "can.stl", "--force"], "it is an input"),
        (["0.npz", "1.npz", "--poses", "can.stl"], "can.stl"),
    ],
)
def test_bad_input_is_told_in_one_line(folder, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "x.obj")]
    assert main(["reconstruct", *arguments, *out]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
