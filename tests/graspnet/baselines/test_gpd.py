import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.baselines.gpd import (
    HANDS,
    IMAGE,
    GpdSettings,
    draw_candidates,
    draw_images,
    occlusion,
)
from graspbook.hands.franka import TIP_Z, points_in_hand
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.normals import estimate_normals

# Channels; the shadow's depth image has pixels of its own, so it turns but nearly.
SEEN, SHADOW = [c for c in range(15) if c % 5 < 4], [4, 9, 14]
EACH_HAND = pytest.mark.parametrize(
    "settings", [GpdSettings(), GpdSettings(hand="gpd")], ids=lambda s: s.hand
)


def post(radius=0.02, n=3000, seed=0):
    """An upright post 0.4 m in front of the camera: the points (n, 3) that it sees, and their exact
    normals (n, 3).
    """
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-1.4, 1.4, n)
    normals = np.column_stack([np.sin(angle), np.zeros(n), -np.cos(angle)])
    return [0, 0, 0.4] + radius * normals + np.column_stack(
        [np.zeros(n), rng.uniform(-0.06, 0.06, n), np.zeros(n)]
    ), normals


def plate(n=1000):
    """A plate of 4 × 4 cm that faces the camera: points (n, 3)."""
    return np.column_stack([np.random.default_rng(0).uniform(-0.02, 0.02, (n, 2)), np.full(n, 0.4)])


def mug_view(points=2000):
    objects = FamilySet({"mug": 1}, held_out_fraction=0.0)
    return DepthRenderer(objects.load("mug_0000").mesh).observe(np.random.default_rng(0), points)[0]


def local(grasps, cloud):
    return pose.transform(pose.inverse(grasps), cloud)


@EACH_HAND
def test_a_post_is_grasped_across(settings):
    cloud, normals = post()
    grasps = draw_candidates(cloud, normals, 60, settings, np.random.default_rng(0))
    assert len(grasps) == 60
    np.testing.assert_allclose(np.linalg.det(grasps[:, :3, :3]), 1.0)
    np.testing.assert_allclose(
        np.abs(grasps[:, 1, 1]), 1.0, atol=1e-6
    )  # the hand's y, where it does not open, along the post
    centre = local(grasps, np.array([[0, 0, 0.4]]))[:, 0]
    assert (np.abs(centre[:, 0]) < HANDS[settings.hand].aperture / 2).all()
    region = HANDS[settings.hand].region
    inside = ((local(grasps, cloud) > region[0]) & (local(grasps, cloud) < region[1])).all(axis=-1)
    assert (inside.sum(axis=1) > 50).all()
    assert 0.2 < (grasps[:, 1, 1] > 0).mean() < 0.8  # either side of the hand up


def test_candidates_come_from_many_points_in_all_orientations():
    cloud, normals = post()
    settings = GpdSettings()
    grasps = draw_candidates(cloud, normals, 100, settings, np.random.default_rng(0))
    heights = grasps[
        :, 1, 3
    ]  # of their points: the hand is turned about the post's axis, shifted and advanced across it
    assert len(np.unique(heights.round(9))) > 80
    inward = [0, 0, 0.4] - grasps[:, :3, 3]
    sideways = np.arctan2(grasps[:, 0, 2], grasps[:, 2, 2])
    assert (
        len(np.unique(np.digitize(sideways, np.linspace(-np.pi, np.pi, 17))))
        >= settings.orientations
    )
    assert (np.einsum("ij,ij->i", inward, grasps[:, :3, 2]) > 0).all()
    few = draw_candidates(cloud[:40], normals[:40], 100, settings, np.random.default_rng(0))
    assert 40 < len(few) <= 100  # further orientations of the same points


def test_no_observed_point_is_inside_the_hand_of_a_candidate_nor_on_its_way():
    cloud = mug_view()
    grasps = draw_candidates(
        cloud, estimate_normals(cloud), 80, GpdSettings(), np.random.default_rng(0)
    )
    assert len(grasps) == 80
    for back in (0.0, 0.01, 0.05):
        assert not points_in_hand(local(grasps, cloud) + [0, 0, back]).any()


def test_what_a_thinned_cloud_leaves_out_is_not_touched_either():
    whole = mug_view(4000)
    cloud, normals = whole[:300], estimate_normals(whole)[:300]
    thin, free = (
        draw_candidates(cloud, normals, 50, GpdSettings(), np.random.default_rng(0), obstacles)
        for obstacles in (None, whole)
    )
    assert points_in_hand(local(thin, whole)).any(axis=1).sum() > 5
    assert len(free) > 20 and not points_in_hand(local(free, whole)).any()


@pytest.mark.parametrize("cloud", [post()[0], mug_view(), plate()], ids=["post", "mug", "plate"])
def test_candidates_are_pushed_until_they_touch_or_have_the_last_point_at_their_grip(cloud):
    hand = HANDS["franka"]
    grasps = draw_candidates(
        cloud, estimate_normals(cloud), 60, GpdSettings(orientations=1), np.random.default_rng(0)
    )
    points = local(grasps, cloud)
    touches = points_in_hand(points - [0, 0, 0.004], margin=0.001).any(axis=1)
    between = (np.abs(points[..., 0]) < hand.aperture / 2) & (
        np.abs(points[..., 1]) < hand.half_height
    )
    last = np.where(between, points[..., 2], -np.inf).max(axis=1)
    assert len(grasps) > 30 and (touches | (np.abs(last - hand.grip) < 1e-4)).all()
    assert (np.where(between, points[..., 2], np.inf).min(axis=1) < hand.tip - 0.01 + 1e-6).all()


def test_a_flat_plate_stays_between_the_pads_where_nothing_stops_the_hand():
    cloud = plate()
    grasps = draw_candidates(
        cloud, estimate_normals(cloud), 50, GpdSettings(orientations=1), np.random.default_rng(0)
    )
    np.testing.assert_allclose(local(grasps, cloud)[..., 2], HANDS["franka"].grip, atol=1e-6)


def test_a_post_wider_than_the_hand_opens_has_no_candidates():
    cloud, normals = post(radius=0.3)
    assert draw_candidates(
        cloud, normals, 50, GpdSettings(orientations=1), np.random.default_rng(0)
    ).shape == (0, 4, 4)


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
    middle = (hand.root + hand.tip) / 2
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
    cloud, normals = post(n=100)
    assert draw_images(cloud, normals, np.zeros((0, 4, 4)), GpdSettings()).shape == (
        0,
        15,
        IMAGE,
        IMAGE,
    )


def test_the_hand_of_gpd_has_its_sizes():
    hand = HANDS["gpd"]
    vertices = np.concatenate(hand.parts)
    np.testing.assert_allclose(np.ptp(vertices[:, :2], axis=0), [0.12, 0.02])
    assert (
        hand.aperture == pytest.approx(0.1)
        and hand.tip - hand.root == pytest.approx(0.06)
        and hand.tip == TIP_Z
    )


def test_impossible_settings_are_refused():
    with pytest.raises(ParameterError, match="'three_finger'.*franka, gpd"):
        GpdSettings(hand="three_finger")
    with pytest.raises(ParameterError, match="orientations >= 1 and 1 to 40 placements"):
        GpdSettings(orientations=0)
