import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.degrade import DENSE, degrade, degraded_view
from graspbook.perception.resample import resample

# A flat square of 20 x 20 cm, 1 m away and a little aslant, so that depth and distance differ.
PLANE = np.stack(
    [*np.meshgrid(np.linspace(0.3, 0.5, 60), np.linspace(-0.1, 0.1, 60)), np.ones((60, 60))], -1
).reshape(-1, 3)


def views(count=200, cloud=PLANE, n=600, **settings):
    rng = np.random.default_rng(0)
    return [degrade(cloud, n, rng, **settings) for _ in range(count)]


def rows(points):
    return {point.tobytes() for point in points}


def test_without_noise_every_point_is_one_of_the_cloud():
    for patches in (0, 3):
        for seen in views(5, noise=0, patches=patches):
            assert seen.shape == (600, 3) and rows(seen) <= rows(PLANE)


def test_one_point_stays_where_it_is_and_is_repeated():
    point = np.array([[0.1, 0.2, 0.7]])
    np.testing.assert_array_equal(
        degrade(point, 5, np.random.default_rng(0), noise=0), np.repeat(point, 5, axis=0)
    )


def test_the_number_of_points_is_log_uniform_from_a_third_to_all():
    kept = [len(np.unique(seen, axis=0)) for seen in views(400, n=3600, noise=0, patches=0)]
    assert 1200 <= min(kept) < 1230 and 3500 < max(kept) <= 3600
    assert np.median(kept) == pytest.approx(3600 / 3**0.5, rel=0.06)


def test_a_cloud_smaller_than_a_third_is_kept_whole():
    few = PLANE[:50]
    np.testing.assert_array_equal(
        np.unique(degrade(few, 600, np.random.default_rng(0), noise=0, patches=0), axis=0),
        np.unique(few, axis=0),
    )


def test_holes_are_round_and_leave_most_of_the_points(monkeypatch):
    # All points are kept and returned, so that what is missing is in holes alone.
    monkeypatch.setattr(
        "graspbook.perception.degrade.resample",
        lambda points, n, rng: resample(points, len(points), rng),
    )
    counts = []
    for seen in views(100, noise=0, patches=1):
        left = cKDTree(seen).query(PLANE)[0] == 0
        counts.append((~left).sum())
        if not left.all():
            low, high = PLANE[~left].min(axis=0), PLANE[~left].max(axis=0)
            assert (high - low).max() <= 0.03
            deep_inside = (
                np.linalg.norm(PLANE - (low + high) / 2, axis=1)
                < (high - low)[:2].min() / 2 - 0.004
            )
            assert not left[deep_inside].any()
    assert 30 < counts.count(0) < 70  # no hole or one, with equal chance
    tiny = PLANE * [0.05, 0.05, 1]  # 1 cm wide: most holes would swallow it
    left = [len(seen) for seen in views(100, tiny, noise=0, patches=10)]
    assert 0.7 * 3600 <= min(left) < 0.8 * 3600


def test_noise_moves_points_along_their_rays_by_a_spread_drawn_once_a_view():
    clouds = views(300, noise=0.004, patches=0)
    on_image = cKDTree(PLANE[:, :2])  # of depth 1
    assert max(on_image.query(seen[:, :2] / seen[:, 2:])[0].max() for seen in clouds) < 1e-12
    spreads = [
        1.4826 * np.median(np.abs(seen[:, 2] - 1)) for seen in clouds
    ]  # the median does not see the flying points
    assert np.mean(spreads) == pytest.approx(0.002, rel=0.08) and np.std(spreads) == pytest.approx(
        0.004 / 12**0.5, rel=0.1
    )
    assert max(spreads) < 0.005


def test_a_few_points_fly_behind_by_up_to_a_centimetre():
    shifts = [seen[:, 2] - 1 for seen in views(300, noise=1e-9, patches=0)]
    shares = [(shift > 1e-6).mean() for shift in shifts]
    assert np.mean(shares) == pytest.approx(0.01, rel=0.15) and max(shares) < 0.05
    shifts = np.concatenate(shifts)
    flying = shifts[shifts > 1e-6]
    assert (
        shifts.min() > -1e-7
        and 0.009 < flying.max() <= 0.01 + 1e-7
        and flying.mean() == pytest.approx(0.005, rel=0.05)
    )


def test_the_same_generator_gives_the_same_bytes_and_leaves_the_cloud_alone():
    before = PLANE.tobytes()
    one, two, other = views(1)[0], views(1)[0], views(2)[1]
    assert one.tobytes() == two.tobytes() != other.tobytes() and PLANE.tobytes() == before


@pytest.mark.parametrize(
    ("cloud", "message"),
    [
        (np.zeros((0, 3)), "0 points"),
        (np.full((4, 3), np.nan), "not finite"),
        (np.zeros((4, 2)), "shape"),
        (PLANE - PLANE.mean(axis=0), "depths from 0 m"),
    ],
)
def test_clouds_that_no_camera_sees_are_refused(cloud, message):
    with pytest.raises(CaptureError, match=message):
        degrade(cloud, 10, np.random.default_rng(0))


@pytest.mark.parametrize("width", [0.004, 0.1])
def test_of_a_view_each_pixel_is_degraded_once(width, monkeypatch):
    clean = []

    def recorded(cloud, n, rng, **how):
        clean.append(cloud)
        return degrade(cloud, n, rng, **how)

    monkeypatch.setattr("graspbook.perception.degrade.degrade", recorded)
    renderer = DepthRenderer(trimesh.creation.box((width, width, 0.1)))
    cloud, camera_T_object = degraded_view(
        renderer, 600, np.random.default_rng(0), noise=0.001, patches=3
    )
    assert cloud.shape == (600, 3) and camera_T_object.shape == (4, 4)
    assert len(rows(clean[0])) == len(clean[0]) <= DENSE
    assert (len(clean[0]) == DENSE) == (width == 0.1)
