"""Names, shapes and units of other programs give what the usual ones give."""

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception import arrays
from graspbook.perception.capture import load_capture

K = np.array([[60, 0, 39.5], [0, 60, 29.5], [0, 0, 1.0]])
DEPTH = np.zeros((60, 80), np.float32)
DEPTH[20:40, 30:50] = 0.4 + 0.001 * np.arange(20)
DEPTH[40:45, 38:42] = 0.41  # so that the object fills no rectangle
POINTS = np.random.default_rng(0).uniform(-0.05, 0.05, (300, 3)) + [0, 0, 0.5]


def load(folder, **stored):
    np.savez(folder / "made.npz", **stored)
    return load_capture(folder / "made.npz")


@pytest.mark.parametrize(
    "stored",
    [
        {"depth": DEPTH[..., None], "K": K.ravel()},
        {"depth": DEPTH[None], "K": K[None]},
        {"depth_image": DEPTH, "intrinsics_matrix": K},
        {"depth": DEPTH, "camera_matrix": K.T},
        {"depth": DEPTH, "intrinsics": [60, 60, 39.5, 29.5]},
        {
            "depth": DEPTH,
            "K": np.block([[K, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]),
        },
        {"Depth": DEPTH, "cam_K": np.c_[K, np.zeros(3)]},
        {"depth": DEPTH * np.float32(4000), "K": K, "factor_depth": 4000},
        {"depth": DEPTH * 1000, "K": K, "depth_scale": 0.001},
        {"depth": np.rint(DEPTH * 1000).astype(np.uint16), "K": K},
        {"depth": np.rint(DEPTH * 1000).astype(np.int32), "K": K},
        {"depth": DEPTH.astype(np.float16), "K": K},
        {"depth": np.where(DEPTH > 0, DEPTH, np.inf), "K": K},
    ],
)
def test_depth_under_other_names_shapes_and_units(tmp_path, stored):
    usual, found = load(tmp_path, depth=DEPTH, K=K), load(tmp_path, **stored)
    assert len(usual.points) == 420
    np.testing.assert_allclose(found.points, usual.points, atol=6e-4)


def test_what_is_assumed_is_said(tmp_path):
    notes = " ".join(load(tmp_path, depth=(DEPTH * 1000).astype("u2"), K=K, pose=K).notes)
    assert "whole numbers of about 410, read as millimetres (0.41 m)" in notes
    assert "not used: pose" in notes and "no plane is searched for" in notes
    assert load(tmp_path, points=POINTS).notes == ()


@pytest.mark.parametrize("factor", [0.001, 1.0, 10_000])
def test_a_factor_is_not_applied_to_floats_in_metres(tmp_path, factor):
    usual = load(tmp_path, depth=DEPTH, K=K)
    found = load(tmp_path, depth=DEPTH, K=K, depth_scale=factor)
    np.testing.assert_array_equal(found.points, usual.points)
    assert "floats in metres: the factor" in " ".join(found.notes)


@pytest.mark.parametrize(
    "extra",
    [
        {"labels": np.array(["mug", "box"])},
        {"labels": np.array([3, 7]), "masks": np.stack([DEPTH > 0, DEPTH > 9])},
        {"rgb": np.zeros((3, 80, 60), np.uint8)},
        {"rgb": np.zeros((30, 40, 3))},
        {"rgb": np.array(["red"])},
    ],
)
def test_labels_and_colours_that_do_not_fit_are_not_used(tmp_path, extra):
    found = load(tmp_path, depth=DEPTH, K=K, **extra)
    assert len(found.points) == 420 and found.rgb is None
    assert "not used" in " ".join(found.notes)


@pytest.mark.parametrize(
    "stored",
    [
        {"pc": POINTS.astype(np.float32), "pc_colors": np.zeros((300, 3), np.uint8)},
        {"xyz": POINTS.T},
        {"point_cloud": np.c_[POINTS, np.ones(300)]},
        {"cloud": np.c_[POINTS, 200 * np.ones((300, 3))]},
        {"points": POINTS.reshape(15, 20, 3)},
        {"points": POINTS[None]},
        {"points": np.rint(POINTS * 1000).astype(np.int16)},
        {"points": POINTS.astype(np.float16)},
        {"points": np.rec.fromarrays(POINTS.T, names="x,y,z")},
    ],
)
def test_clouds_under_other_names_shapes_and_units(tmp_path, stored):
    np.testing.assert_allclose(load(tmp_path, **stored).points, POINTS, atol=6e-4)


def test_an_array_file_is_a_cloud_or_a_depth_image_by_its_shape(tmp_path):
    np.save(tmp_path / "cloud.npy", np.c_[POINTS, POINTS])
    np.testing.assert_array_equal(load_capture(tmp_path / "cloud.npy").points, POINTS)
    np.save(tmp_path / "depth.npy", (DEPTH * 1000).astype(np.uint16))
    with pytest.raises(CaptureError, match=r"depth.npy: no camera matrix .*--camera FILE"):
        load_capture(tmp_path / "depth.npy")
    np.savetxt(tmp_path / "K.txt", K)
    found = load_capture(tmp_path / "depth.npy")
    assert len(found.points) == 420 and "was read from K.txt, next to the depth image" in " ".join(
        found.notes
    )


def test_organised_clouds_leave_out_what_was_not_measured(tmp_path):
    grid = POINTS.reshape(15, 20, 3).copy()
    grid[0], grid[1] = np.nan, 0
    assert len(load(tmp_path, points=grid).points) == 260


def test_pickles_are_refused_with_a_command_that_converts_them(tmp_path):
    import shlex
    import subprocess

    path = tmp_path / "the demo's.npy"
    np.save(path, {"depth": DEPTH, "intrinsics_matrix": K}, allow_pickle=True)
    with pytest.raises(CaptureError, match="pickled Python objects") as raised:
        load_capture(path)
    command = str(raised.value).partition("convert it once: ")[2].removesuffix(")")
    subprocess.run(shlex.split(command), check=True, timeout=60)
    assert len(load_capture(tmp_path / "the demo's_arrays.npz").points) == 420


@pytest.mark.parametrize(
    "colours",
    [np.full((4, 5, 4), 0.5), np.full((4, 5, 3), 127.0), np.full((4, 5), 127, np.uint8)],
)
def test_colours_become_bytes(colours):
    found = arrays.as_colours("file", colours, (4, 5))
    assert found.shape == (4, 5, 3) and found.dtype == np.uint8 and (found == 127).all()


def test_colours_may_have_the_channels_first():
    rgb = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    channels_first = np.moveaxis(rgb, 2, 0)
    np.testing.assert_array_equal(arrays.as_colours("file", channels_first, (4, 5)), rgb)
    floats = np.concatenate([channels_first, np.zeros((1, 4, 5))]) / 255
    np.testing.assert_allclose(arrays.as_colours("file", floats, (4, 5)), rgb, atol=1)
    cube = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)  # read as (H, W, 3)
    np.testing.assert_array_equal(arrays.as_colours("file", cube, (3, 3)), cube)


@pytest.mark.parametrize(
    ("number", "metres"), [(0.001, 0.001), (0.00025, 0.00025), (1, 0.001), (0.1, 1e-4), (1e4, 1e-4)]
)
def test_factors_of_depth_in_three_customs(number, metres):
    assert arrays.depth_factor("file", np.array(number)) == pytest.approx(metres)


@pytest.mark.parametrize("number", [0, -1, np.nan, np.inf, [1, 2], "big"])
def test_impossible_factors_are_refused(number):
    with pytest.raises(CaptureError, match="not one positive number"):
        arrays.depth_factor("file", np.array(number))


@pytest.mark.parametrize(
    "name",
    [
        *("depth_mm.npz", "depth_HxWx1_flatK.npz", "names_intrinsics_matrix.npz"),
        *("depth_masked.npz", "names_pc_pc_colors.npz", "xyzrgb_Mx6.npy", "segmap.npz"),
    ],
)
def test_real_files_show_the_bottle(name, real_data):
    usual = load_capture(real_data / "captures" / "mustard.npz").points
    found = load_capture(real_data / "inputs" / name)
    assert np.abs(found.points.mean(axis=0) - usual.mean(axis=0)).max() < 0.003
