"""A simulated camera."""

from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from graspbook.perception.camera import Camera, DepthRenderer
from graspbook.perception.depth_sensor import d415
from graspbook.pose import from_rt, rotation_about
from graspbook.robots import simulated_camera as module
from graspbook.robots.simulated_camera import SimulatedCamera

WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])
SENSOR = SimpleNamespace(camera=Camera(K, WIDTH, HEIGHT))
DOWN = from_rt(rotation_about([1, 0, 0], np.pi), [0.5, 0, 0.6])  # above (0.5, 0), looking down


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(module, "measure", lambda sensor, depth, rng: depth)


def box(size, centre):
    return trimesh.creation.box(size), from_rt(np.eye(3), centre)


def table_and_box():
    return [box([0.6, 0.6, 0.02], [0.5, 0, -0.01]), box([0.1, 0.1, 0.1], [0.5, 0, 0.05])]


def test_the_nearest_of_all_surfaces_is_seen(exact):
    scene = table_and_box()
    frame = SimulatedCamera(lambda: scene, lambda: DOWN, SENSOR, None).frame()
    assert frame.depth.dtype == np.float32 and frame.rgb is None
    np.testing.assert_array_equal(frame.K, K)
    assert frame.depth[24, 32] == pytest.approx(0.5, abs=1e-6) and frame.depth[
        2, 32
    ] == pytest.approx(0.6, abs=1e-6)
    on_top = np.isclose(frame.depth, 0.5, atol=1e-4)
    assert on_top.sum() == (0.1 / 0.5 * FOCAL) ** 2  # 12 x 12 pixels, about the middle
    assert np.isnan(frame.depth[24, 0])  # beside the table, half of which is 30 pixels at 0.6 m
    again = SimulatedCamera(lambda: scene[::-1], lambda: DOWN, SENSOR, None).frame()
    np.testing.assert_array_equal(again.depth, frame.depth)


def test_camera_and_scene_moved_together_give_the_same_image(exact):
    world = from_rt(rotation_about([1, 2, 3], 0.7), [2, -1, 0.5])
    scene = table_and_box()
    still = SimulatedCamera(lambda: scene, lambda: DOWN, SENSOR, None).frame().depth
    turned = (
        SimulatedCamera(
            lambda: [(m, world @ p) for m, p in scene], lambda: world @ DOWN, SENSOR, None
        )
        .frame()
        .depth
    )
    np.testing.assert_allclose(turned, still, atol=1e-5)


def test_it_sees_where_things_are_now_and_builds_each_mesh_once(exact, monkeypatch):
    built = []
    monkeypatch.setattr(
        module, "DepthRenderer", lambda mesh: built.append(mesh) or DepthRenderer(mesh)
    )
    scene, place = table_and_box(), [DOWN]
    with SimulatedCamera(lambda: scene, lambda: place[0], SENSOR, None) as camera:
        camera.frame()
        scene[1] = (scene[1][0], from_rt(np.eye(3), [0.5, 0, 0.15]))
        assert camera.frame().depth[24, 32] == pytest.approx(0.4, abs=1e-6)
        place[0] = from_rt(DOWN[:3, :3], [0.5, 0, 0.8])
        assert camera.frame().depth[24, 32] == pytest.approx(0.6, abs=1e-6)
        assert len(built) == 2
        scene.clear()
        assert np.isnan(camera.frame().depth).all()


def test_noise_comes_from_the_generator_alone():
    scene = table_and_box()

    def frames(seed):
        camera = SimulatedCamera(lambda: scene, lambda: DOWN, d415(), np.random.default_rng(seed))
        return [camera.frame().depth for _ in range(2)]

    one, same, other = frames(0), frames(0), frames(1)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[0], one[1], equal_nan=True) and not np.array_equal(
        one[0], other[0], equal_nan=True
    )
    assert one[0].shape == (480, 640) and np.nanmedian(one[0]) == pytest.approx(0.6, abs=0.005)
