import numpy as np
import pytest

from graspbook import pose
from graspbook.graspnet.baselines.gpd import HANDS, GpdSettings, draw_candidates
from graspbook.graspnet.baselines.gpd_images import IMAGE, draw_images, occlusion
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.normals import estimate_normals

# Channels; the shadow's depth image has pixels of its own, so it turns but nearly.
SEEN, SHADOW = [c for c in range(15) if c % 5 < 4], [4, 9, 14]
EACH_HAND = pytest.mark.parametrize(
    "settings",
    [GpdSettings(), GpdSettings(hand="gpd"), GpdSettings(hand="robotiq_2f85")],
    ids=lambda s: s.hand,
)


def mug_view(points=2000):
    objects = FamilySet({"mug": 1}, held_out_fraction=0.0)
    return DepthRenderer(objects.load("mug_0000").mesh).observe(np.random.default_rng(0), points)[0]


@EACH_HAND
def test_candidates_and_images_turn_with_the_camera(settings):
    cloud = mug_view()
    turn = pose.from_rt(pose.rotation_about([0.3, 1.0, -0.2], 0.4), np.zeros(3))
    results = []
    for motion in (np.eye(4), turn):
        moved = pose.transform(motion, cloud)
        normals = estimate_normals(moved)
        # From exact frames: the sign of an eigenvector may turn either way.
        grasps = draw_candidates(
            pose.transform(pose.inverse(motion), moved),
            normals @ motion[:3, :3],
            20,
            settings,
            np.random.default_rng(0),
        )
        results.append((grasps, draw_images(moved, normals, motion @ grasps, settings).astype(int)))
    (grasps, images), (again, turned) = results
    np.testing.assert_allclose(grasps, again, atol=1e-6)
    assert (np.abs(images - turned)[:, SEEN] > 1).mean() < 1e-3
    assert np.abs(images - turned)[:, SHADOW].mean() < 4


def test_the_image_of_one_point_by_hand():
    low, high = HANDS["franka"].region
    cell = (high - low) / IMAGE
    inside = low + cell * [30.5, 10.5, 45.5]
    cloud = np.array([inside, high + 0.01])  # the second is outside
    normals = np.array([[0.6, 0.0, -0.8], [0, 0, 1.0]])
    grasp = pose.from_rt(pose.rotation_about([1.0, 2.0, 3.0], 0.3), [0.1, 0.0, 0.5])
    image = draw_images(
        pose.transform(grasp, cloud), normals @ grasp[:3, :3].T, grasp[None], GpdSettings()
    )[0]
    assert image.shape == (15, IMAGE, IMAGE) and image.dtype == np.uint8
    image = image.reshape(3, 5, IMAGE, IMAGE).astype(int)
    for axis, (row, column, depth) in enumerate([(10, 45, 30.5), (30, 45, 10.5), (30, 10, 45.5)]):
        lit = np.zeros((IMAGE, IMAGE), bool)
        lit[row - 1 : row + 2, column - 1 : column + 2] = True
        np.testing.assert_array_equal(
            image[axis, 0], np.where(lit, int(1 + 254 * depth / IMAGE), 0)
        )
        for channel, value in ((1, 128 + 76), (2, 128), (3, 128 - 102)):
            np.testing.assert_array_equal(image[axis, channel], np.where(lit, value, 128))


def test_points_of_one_pixel_are_averaged():
    low, high = HANDS["franka"].region
    cell = (high - low) / IMAGE
    points = low + cell * np.array([[10.5, 20.5, 0.0], [10.5, 20.5, 30.0]])
    normals = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    cloud = points + [0, 0, 0.5]
    image = draw_images(cloud, normals, pose.from_rt(np.eye(3), [0, 0, 0.5])[None], GpdSettings())[
        0
    ].astype(int)
    np.testing.assert_array_equal(
        image[10:14, 10, 20], [int(1 + 254 * 0.25), 128 + 64, 128 + 64, 128]
    )


def test_occluded_is_what_lies_behind_the_cloud():
    wall = np.stack(
        np.meshgrid(np.linspace(-0.05, 0.05, 60), np.linspace(-0.05, 0.05, 60), [0.5]), axis=-1
    ).reshape(-1, 3)
    occluded = occlusion(wall)
    queries = np.array(
        [[0, 0, 0.52], [0, 0, 0.48], [0, 0, 0.5], [0.02, 0.03, 0.9], [0.09, 0, 0.6], [0.2, 0, 0.6]]
    )
    # Rays through the fifth point cross the wall's plane at x = 0.075, beside it.
    np.testing.assert_array_equal(occluded(queries), [True, False, False, True, False, False])


def test_the_shadow_channel_is_the_average_depth_behind_a_wall():
    wall = np.stack(
        np.meshgrid(np.linspace(-0.06, 0.06, 120), np.linspace(-0.06, 0.06, 120), [0.5]), axis=-1
    ).reshape(-1, 3)
    hand = HANDS["franka"]
    middle = (hand.mount_z + hand.tip_z) / 2
    grasp = pose.from_rt(
        np.eye(3), [0, 0, 0.5 - middle]
    )  # the wall halves the space between the fingers
    image = draw_images(wall, np.tile([0, 0, -1.0], (len(wall), 1)), grasp[None], GpdSettings())[
        0
    ].astype(int)
    assert (
        np.abs(image[14] - 1 - 254 * 0.75) < 10
    ).all()  # along the approach: the mean of the far half, everywhere
    for side in (4, 9):  # from the sides: half of the image, its depth one half
        assert (image[side][:, : IMAGE // 2] == 0).all() and (
            np.abs(image[side][:, 40:] - 128) < 3
        ).all()


def test_no_grasps_have_no_images():
    cloud = normals = np.random.default_rng(0).normal(size=(100, 3)) + [0, 0, 3]
    assert draw_images(cloud, normals, np.zeros((0, 4, 4)), GpdSettings()).shape == (
        0,
        15,
        IMAGE,
        IMAGE,
    )
