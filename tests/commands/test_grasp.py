from pathlib import Path

import numpy as np
import pytest
import trimesh

from graspbook.cli import main
from graspbook.commands.grasp import grasp_input
from graspbook.errors import CaptureError, OutputError, ParameterError, WeightsError
from graspbook.grasp_files import read_grasps
from graspbook.graspnet.predict import PredictSettings

CAPTURES = Path(__file__).parents[3] / "shared" / "real" / "captures"
SETTINGS = PredictSettings(samples=12, steps=2)


def box_cloud(n=800):
    return trimesh.sample.sample_surface(trimesh.creation.box([0.05, 0.06, 0.1]), n, seed=0)[0] + [
        0,
        0,
        0.5,
    ]


def test_a_cloud_gives_ranked_grasps_and_a_page_without_network(weights, tmp_path):
    np.save(tmp_path / "box.npy", box_cloud())
    found = grasp_input(
        tmp_path / "box.npy",
        weights,
        tmp_path / "g.h5",
        tmp_path / "v.html",
        top=5,
        settings=SETTINGS,
    )
    grasps = read_grasps(tmp_path / "g.h5")
    np.testing.assert_array_equal(grasps.transforms, found.camera_T_hand[:5])
    np.testing.assert_array_equal(grasps.grades["score"], found.scores[:5])
    np.testing.assert_array_equal(grasps.grades["collides"], found.collides[:5])
    assert grasps.parameters["frame"] == "camera" and grasps.object_file == "box.npy"
    page = (tmp_path / "v.html").read_text()
    assert "Grasps for box.npy" in page and "plotly" in page
    assert 'src="http' not in page


def test_the_same_seed_gives_the_same_bytes(weights, tmp_path):
    np.save(tmp_path / "box.npy", box_cloud())
    for name in "ab":
        grasp_input(
            tmp_path / "box.npy",
            weights,
            tmp_path / f"{name}.h5",
            tmp_path / f"{name}.html",
            settings=SETTINGS,
        )
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_cannot_be_used_leaves_nothing(weights, tmp_path):
    np.save(tmp_path / "box.npy", box_cloud())
    out, html = tmp_path / "out" / "g.h5", tmp_path / "out" / "v.html"
    with pytest.raises(CaptureError, match="no such capture"):
        grasp_input(tmp_path / "none.npy", weights, out, html)
    with pytest.raises(WeightsError, match="sampler.safetensors"):
        grasp_input(tmp_path / "box.npy", tmp_path, out, html)
    with pytest.raises(OutputError, match="it is a folder"):
        grasp_input(tmp_path / "box.npy", weights, tmp_path, html)
    with pytest.raises(CaptureError, match="0.0001 m, expected at least 0.005 m"):
        grasp_input(tmp_path / "box.npy", weights, out, html, scale=0.001)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the real captures are not there")
@pytest.mark.parametrize("name", ["mustard", "red_mug"])
def test_a_capture_works_with_and_without_its_object_points(weights, tmp_path, name):
    with np.load(CAPTURES / f"{name}.npz") as content:
        np.savez(tmp_path / "bare.npz", depth=content["depth"], K=content["K"])
    for source in (CAPTURES / f"{name}.npz", tmp_path / "bare.npz"):
        found = grasp_input(
            source, weights, tmp_path / "g.h5", tmp_path / "v.html", top=5, settings=SETTINGS
        )
        assert (
            np.isfinite(found.camera_T_hand).all()
            and len(read_grasps(tmp_path / "g.h5").transforms) == 5
        )


def test_what_was_assumed_is_printed_shown_and_kept(weights, tmp_path, capsys):
    points = box_cloud()
    millimetres = np.rint(1000 * points * [1, -1, -1]).astype(np.int16)
    np.savez(tmp_path / "seen.npz", pc=millimetres, labels=np.full(len(points), 3))
    grasp_input(
        tmp_path / "seen.npz",
        weights,
        tmp_path / "g.h5",
        tmp_path / "v.html",
        settings=SETTINGS,
        reading={"target": 3},
    )
    printed = capsys.readouterr().err
    parameters = read_grasps(tmp_path / "g.h5").parameters
    page = (tmp_path / "v.html").read_text()
    for said in ("read as millimetres", "y and z were negated", "the object is id 3"):
        assert said in printed and said in page and said in " ".join(parameters["notes"])
    np.testing.assert_array_equal(parameters["file_T_camera"], np.diag([1, -1, -1, 1]))


def test_poses_of_a_mesh_are_in_its_frame_or_in_the_cameras_and_agree(weights, tmp_path):
    mesh = trimesh.creation.box([0.05, 0.06, 0.1])
    mesh.apply_translation([1, 2, 3])
    mesh.apply_scale(1000)
    mesh.export(tmp_path / "box.stl")
    found = {}
    for frame in (None, "object", "camera"):
        grasp_input(
            tmp_path / "box.stl",
            weights,
            tmp_path / f"{frame}.h5",
            tmp_path / f"{frame}.html",
            settings=SETTINGS,
            scale=0.001,
            frame=frame,
        )
        found[frame] = read_grasps(tmp_path / f"{frame}.h5")
        assert f"in the {frame or 'object'} frame" in (tmp_path / f"{frame}.html").read_text()
    assert [found[frame].frame for frame in found] == ["object", "object", "camera"]
    object_T_camera = np.array(found["camera"].parameters["object_T_camera"])
    np.testing.assert_array_equal(found[None].transforms, found["object"].transforms)
    np.testing.assert_allclose(
        object_T_camera @ found["camera"].transforms, found["object"].transforms, atol=1e-12
    )
    # The hand is near the object, and the camera looks at its middle from five of its sizes.
    assert np.linalg.norm(found["object"].transforms[:, :3, 3] - [1, 2, 3], axis=1).max() < 0.4
    eye, axis = object_T_camera[:3, 3] - [1, 2, 3], object_T_camera[:3, 2]
    np.testing.assert_allclose(eye, -0.5 * axis, atol=1e-6)


def test_a_cloud_has_no_object_frame(weights, tmp_path):
    np.save(tmp_path / "box.npy", box_cloud())
    files = tmp_path / "box.npy", weights, tmp_path / "g.h5", tmp_path / "v.html"
    with pytest.raises(ParameterError, match="box.npy: --frame object is for meshes"):
        grasp_input(*files, settings=SETTINGS, frame="object")


def test_a_mesh_goes_from_grasp_to_label(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trimesh.creation.box([0.05, 0.06, 0.1]).export("box.stl")
    assert main(["grasp", "box.stl", "--weights", str(weights), "--top", "6"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Next: open box_grasps.html in a browser, or test the grasps: graspbook")
    assert main(["grasp", "box.stl", "--weights", str(weights)]) == 2
    assert "box_grasps.h5 exists" in capsys.readouterr().err
    words = last.partition("graspbook ")[2].split()
    assert main([*words, "--threads", "1"]) == 0
    labelled = read_grasps("box_grasps_labelled.h5")
    assert labelled.success.shape == (6,) and {"score", "closing_width"} <= set(labelled.grades)
