import numpy as np
import pytest
import trimesh

from graspbook.objects.families import make_shape
from graspbook.perception.camera import (
    DepthRenderer,
    backproject,
    default_camera,
    random_view,
    render_depth,
)
from graspbook.pose import from_rt, inverse, random_rotations, transform

CAMERA = default_camera()


def looking_along_z(distance):
    return from_rt(np.eye(3), [0, 0, distance])


def test_the_default_camera_sees_30_degrees_from_top_to_bottom():
    edge = np.linalg.inv(CAMERA.K) @ [CAMERA.K[0, 2], -0.5, 1]  # the upper edge of the image
    assert np.degrees(np.arctan(-edge[1])) == pytest.approx(15)
    assert (CAMERA.width, CAMERA.height) == (640, 480)


def test_a_cube_ahead_has_its_front_face_at_the_right_depth_and_size():
    depth = render_depth(trimesh.creation.box([0.1, 0.1, 0.1]), CAMERA, looking_along_z(0.5))
    assert depth.shape == (480, 640) and depth.dtype == np.float32
    np.testing.assert_allclose(depth[np.isfinite(depth)], 0.45, atol=1e-6)
    side = 0.1 / 0.45 * CAMERA.K[0, 0]
    assert np.isfinite(depth).sum() == pytest.approx(side**2, rel=0.02)


def test_depth_of_a_sphere_is_the_root_of_the_quadratic():
    radius, distance = 0.05, 0.6
    depth = render_depth(
        trimesh.creation.icosphere(subdivisions=5, radius=radius), CAMERA, looking_along_z(distance)
    )
    v, u = np.nonzero(np.isfinite(depth))
    rays = np.stack([u, v, np.ones(len(u))], axis=1) @ np.linalg.inv(CAMERA.K).T
    a, b = (rays**2).sum(axis=1), -2 * distance * rays[:, 2]
    root = b**2 - 4 * a * (distance**2 - radius**2)
    inner = root > 1e-4  # away from the silhouette
    expected = (-b - np.sqrt(np.maximum(root, 0))) / (2 * a)
    np.testing.assert_allclose(depth[v, u][inner], expected[inner], atol=2e-4)


def test_backprojected_points_lie_on_the_surface_that_faces_the_camera():
    half = np.array([0.02, 0.03, 0.05])
    cloud, camera_T_object = DepthRenderer(trimesh.creation.box(2 * half)).observe(
        np.random.default_rng(2), points=300
    )
    assert cloud.shape == (300, 3) and cloud.dtype == np.float64
    points = transform(inverse(camera_T_object), cloud)
    ratio = np.abs(points) / half
    side = ratio.argmax(axis=1)
    np.testing.assert_allclose(ratio.max(axis=1), 1, atol=1e-5)
    outward = np.sign(points[np.arange(300), side])
    eye = inverse(camera_T_object)[:3, 3]
    assert (outward * eye[side] > half[side]).all()


def test_the_view_does_not_depend_on_where_the_objects_origin_is():
    mesh = make_shape("mug", np.random.default_rng(0)).mesh
    moved = mesh.copy()
    moved.apply_translation([3.0, -2.0, 1.0])
    one, two = (DepthRenderer(m).observe(np.random.default_rng(4), 500)[0] for m in (mesh, moved))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_random_views_look_at_the_centre_from_five_extents_in_all_directions():
    mesh = make_shape("bottle", np.random.default_rng(0)).mesh
    rng = np.random.default_rng(0)
    poses = np.stack([random_view(mesh, rng) for _ in range(400)])
    centres = transform(poses, mesh.bounds.mean(axis=0)[None])[:, 0]
    np.testing.assert_allclose(centres, [[0, 0, 5 * mesh.extents.max()]] * 400, atol=1e-9)
    assert (
        np.abs(poses[:, 2, :3].mean(axis=0)).max() < 0.1
    )  # optical axes in the object frame cancel out


def test_the_same_generator_gives_the_same_cloud_and_noise_moves_points_along_their_rays():
    renderer = DepthRenderer(make_shape("bowl", np.random.default_rng(0)).mesh)
    one, two = (renderer.observe(np.random.default_rng(1), 200)[0] for _ in range(2))
    assert one.tobytes() == two.tobytes()
    image = renderer.depth(CAMERA, random_view(renderer.mesh, np.random.default_rng(1)))
    noisy, _ = renderer.observe(np.random.default_rng(1), 20000, noise=0.003)
    clean, noisy = backproject(image, CAMERA.K), noisy
    assert abs(noisy[:, 2].mean() - clean[:, 2].mean()) < 1e-3
    assert noisy[:, 2].std() > clean[:, 2].std() * 0.99


def test_the_window_crops_nothing():
    mesh = make_shape("mug", np.random.default_rng(3)).mesh
    for rotation in random_rotations(5, np.random.default_rng(0)):
        pose = from_rt(rotation, [0.03, -0.02, 0.4])
        cropped = DepthRenderer(mesh)
        whole = DepthRenderer(mesh)
        whole._window = lambda camera, pose: (0, 0, camera.width, camera.height)
        np.testing.assert_array_equal(cropped.depth(CAMERA, pose), whole.depth(CAMERA, pose))


def test_an_object_behind_or_beside_the_camera_is_not_seen():
    mesh = trimesh.creation.box([0.1, 0.1, 0.1])
    assert np.isnan(render_depth(mesh, CAMERA, looking_along_z(-0.5))).all()
    assert np.isnan(render_depth(mesh, CAMERA, from_rt(np.eye(3), [2, 0, 0.5]))).all()


def test_backproject_inverts_projection_and_skips_holes():
    depth = np.full((480, 640), np.nan)
    depth[100, 200], depth[7, 9], depth[300, 20] = 0.5, 0.7, 0.0
    points = backproject(depth, CAMERA.K)
    assert points.shape == (2, 3)
    pixels = points @ CAMERA.K.T
    np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], [[9, 7], [200, 100]], atol=1e-9)
