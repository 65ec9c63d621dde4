from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, uniform_filter

from graspbook.errors import CaptureError, ParameterError
from graspbook.perception.camera import Camera, backproject
from graspbook.perception.depth_sensor import d415, measure
from graspbook.perception.extraction import dominant_plane

D415 = d415()
CLEAN = replace(D415, noise=0.0, step=1e-4)  # only holes
FB = D415.camera.K[0, 0] * D415.baseline


def flat(depth):
    return np.full((480, 640), depth, np.float32)


def slanted(tilt):
    """Exact depth of a plane through (0, 0, 0.6) that is turned by `tilt` about the camera's x
    axis.
    """
    v = np.arange(480)[:, None] - D415.camera.K[1, 2]
    y = np.broadcast_to(v / D415.camera.K[1, 1], (480, 640))
    return np.float32(0.6 / (1 + y * np.tan(tilt)))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_d415_has_its_published_fields_of_view_and_least_depths():
    for width, height, across in ((640, 480, None), (1280, 720, 69), (1920, 1080, 69)):
        camera = d415(width, height).camera
        edge = np.linalg.inv(camera.K) @ [-0.5, -0.5, 1]
        assert np.degrees(-2 * np.arctan(edge[1])) == pytest.approx(42, abs=0.05)
        if across:
            assert np.degrees(-2 * np.arctan(edge[0])) == pytest.approx(across, abs=1)
    assert d415().near == pytest.approx(0.31) and d415(1280, 720).near == pytest.approx(0.45)
    assert (D415.camera.width, D415.camera.height, D415.baseline) == (640, 480, 0.055)
    with pytest.raises(ParameterError, match="image of 0 x 480 pixels"):
        d415(0)


def test_a_wall_is_measured_but_for_the_band_that_the_right_imager_does_not_see():
    found = measure(CLEAN, flat(0.6), rng())
    assert found.shape == (480, 640) and found.dtype == np.float32
    band = int(np.ceil(FB / 0.6))
    assert np.isnan(found[:, :band]).all()
    np.testing.assert_allclose(found[:, band:], 0.6, atol=1e-5)


@pytest.mark.parametrize("distance", [0.4, 0.8, 1.6])
def test_the_noise_is_the_disparitys_and_grows_with_the_square_of_the_depth(distance):
    found = [
        measure(replace(D415, step=1e-4), flat(distance), rng(i))[:, 130:] - distance
        for i in range(4)
    ]
    expected = distance**2 * D415.noise / FB
    assert np.std(found) == pytest.approx(expected, rel=0.05)
    assert abs(np.mean(found)) < 0.1 * expected


def test_the_noise_is_correlated_over_the_matching_window_only():
    noise = 1 / measure(replace(D415, step=1e-4), flat(0.6), rng())[:, 130:]
    noise = (noise - noise.mean()) / noise.std()
    rows, columns = D415.window
    for lag in (1, 4, 8):  # a mean over a window shares what is in both
        assert (noise[lag:] * noise[:-lag]).mean() == pytest.approx(1 - lag / rows, abs=0.06)
        assert (noise[:, lag:] * noise[:, :-lag]).mean() == pytest.approx(
            1 - lag / columns, abs=0.06
        )
    assert abs((noise[2 * rows :] * noise[: -2 * rows]).mean()) < 0.06


def test_disparities_are_multiples_of_the_step():
    disparity = FB / measure(D415, slanted(0.5), rng()).astype(float) / D415.step
    disparity = disparity[np.isfinite(disparity)]
    assert len(np.unique(disparity.round())) > 100
    np.testing.assert_allclose(disparity, disparity.round(), atol=2e-3)


def test_behind_an_objects_left_edge_lies_a_shadow_as_wide_as_the_difference_of_disparities():
    depth = flat(0.8)
    depth[100:300, 300:400] = 0.5
    missing = np.isnan(measure(CLEAN, depth, rng()))
    shadow = round(FB / 0.5 - FB / 0.8)
    row = np.flatnonzero(missing[200, 100:]) + 100
    assert row.min() == pytest.approx(300 - shadow, abs=1)
    assert set(row) == {
        *range(row.min(), 300),
        300,
        399,
        400,
    }  # the shadow, and the pixels of the jumps
    assert not missing[50, 100:].any()
    column = np.flatnonzero(missing[:, 350])
    assert set(column) == {99, 100, 299, 300}


def test_steps_lower_than_the_jump_leave_no_hole():
    depth = flat(0.6)
    depth[100:300, 300:400] = 0.6 - 0.9 * D415.jump
    missing = np.isnan(measure(CLEAN, depth, rng()))
    assert not missing[:, 400:].any() and not missing[200, 301:].any()


@pytest.mark.parametrize(
    ("tilt", "measured"), [(0.0, True), (70.0, True), (79.0, True), (81.0, False)]
)
def test_grazing_surfaces_are_not_measured(tilt, measured):
    found = measure(CLEAN, slanted(np.deg2rad(tilt)), rng())
    middle = np.isfinite(
        found[239:241, 300:340]
    )  # about the optical axis, where the incidence is the tilt
    assert middle.all() if measured else not middle.any()


def test_incidence_is_measured_from_the_ray_not_from_the_axis():
    tilt = np.deg2rad(70)
    ray = np.arctan((np.arange(480) - D415.camera.K[1, 2]) / D415.camera.K[1, 1])
    expected = np.abs(tilt - ray) < D415.grazing
    found = np.isfinite(measure(replace(CLEAN, near=0.1), slanted(tilt), rng())[:, 320])
    clear = np.abs(np.abs(tilt - ray) - D415.grazing) > np.deg2rad(0.2)
    assert 0 < expected.sum() < 480
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_what_is_too_near_too_far_or_not_there_is_a_hole():
    for depth in (D415.near - 0.02, D415.far + 2, 0.0, np.nan, np.inf, -1.0):
        assert np.isnan(measure(D415, flat(depth), rng())).all(), depth
    assert np.isfinite(measure(D415, flat(D415.near + 0.02), rng())[:, 130:]).all()


def test_the_same_generator_gives_the_same_bytes_whatever_was_seen_before():
    first, second, other = (
        measure(D415, flat(0.6), rng(1)),
        measure(D415, flat(0.6), rng(1)),
        measure(D415, flat(0.6), rng(2)),
    )
    assert first.tobytes() == second.tobytes() != other.tobytes()
    one, two = rng(1), rng(1)
    measure(D415, flat(0.6), one)
    measure(D415, flat(np.nan), two)
    assert one.random() == two.random()


def test_another_size_of_image_is_refused_and_no_input_is_changed():
    with pytest.raises(CaptureError, match=r"shape \(640, 480\), expected \(480, 640\)"):
        measure(D415, flat(0.6).T, rng())
    depth = flat(0.6)
    measure(D415, depth, rng())
    np.testing.assert_array_equal(depth, flat(0.6))


def local_noise(depth, K):
    """Standard deviation (pixels) of the disparity on the dominant plane, less its mean over 41 ×
    41 pixels, and exact depth.
    """
    normal, offset, _ = dominant_plane(backproject(depth, K), rng())
    v, u = np.mgrid[:480, :640]
    exact = -offset / (np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T @ normal)
    on = binary_erosion(np.abs(depth - exact) < 0.006, iterations=8)
    residual = np.where(on, K[0, 0] * D415.baseline * (1 / depth - 1 / exact), 0)
    mean = uniform_filter(residual, 41) / np.maximum(uniform_filter(on.astype(float), 41), 1e-9)
    return (residual - mean)[on].std(), np.where((exact > 0) & (exact < 5), exact, np.nan)


@pytest.mark.parametrize("name", ["cheezit", "green_bowl", "mustard", "pepper", "red_mug"])
def test_noise_and_holes_are_like_those_of_real_captures(name, real_data):
    stored = np.load(real_data / "captures" / f"{name}.npz")
    real, K = stored["depth"].astype(float), stored["K"].astype(float)
    assert D415.camera.K[0, 0] == pytest.approx(K[0, 0], rel=0.02)
    noise, table = local_noise(real, K)
    sensor = replace(D415, camera=Camera(K, 640, 480), far=float(np.nanmax(real)))
    simulated = measure(sensor, table, rng()).astype(float)
    assert local_noise(simulated, K)[0] == pytest.approx(noise, rel=0.2)
    bare = (table < sensor.far - 0.01) & ~binary_dilation(
        np.abs(real - table) > 0.01, iterations=60
    )  # of the table
    holes, expected = np.isnan(simulated)[bare].mean(), np.isnan(real)[bare].mean()
    assert holes == pytest.approx(expected, abs=0.04)
