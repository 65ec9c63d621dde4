import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.baselines.gpd import HANDS, GpdSettings, draw_candidates
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer
from graspbook.perception.normals import estimate_normals

EACH_HAND = pytest.mark.parametrize(
    "settings",
    [GpdSettings(), GpdSettings(hand="gpd"), GpdSettings(hand="robotiq_2f85")],
    ids=lambda s: s.hand,
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
    assert (np.abs(centre[:, 0]) < HANDS[settings.hand].opening / 2).all()
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
        assert not FRANKA.points_in_hand(local(grasps, cloud) + [0, 0, back]).any()


def test_what_a_thinned_cloud_leaves_out_is_not_touched_either():
    whole = mug_view(4000)
    cloud, normals = whole[:300], estimate_normals(whole)[:300]
    thin, free = (
        draw_candidates(
            cloud, normals, 50, GpdSettings(), np.random.default_rng(0), whole=obstacles
        )
        for obstacles in (None, whole)
    )
    assert FRANKA.points_in_hand(local(thin, whole)).any(axis=1).sum() > 5
    assert len(free) > 20 and not FRANKA.points_in_hand(local(free, whole)).any()


@pytest.mark.parametrize("cloud", [post()[0], mug_view(), plate()], ids=["post", "mug", "plate"])
def test_candidates_are_pushed_until_they_touch_or_have_the_last_point_at_their_grip(cloud):
    hand = HANDS["franka"]
    grasps = draw_candidates(
        cloud, estimate_normals(cloud), 60, GpdSettings(orientations=1), np.random.default_rng(0)
    )
    points = local(grasps, cloud)
    touches = FRANKA.points_in_hand(points - [0, 0, 0.004], margin=0.001).any(axis=1)
    between = (np.abs(points[..., 0]) < hand.opening / 2) & (
        np.abs(points[..., 1]) < hand.pad_half_width
    )
    last = np.where(between, points[..., 2], -np.inf).max(axis=1)
    assert len(grasps) > 30 and (touches | (np.abs(last - hand.grip_z) < 1e-4)).all()
    assert (np.where(between, points[..., 2], np.inf).min(axis=1) < hand.tip_z - 0.01 + 1e-6).all()


def test_a_flat_plate_stays_between_the_pads_where_nothing_stops_the_hand():
    cloud = plate()
    grasps = draw_candidates(
        cloud, estimate_normals(cloud), 50, GpdSettings(orientations=1), np.random.default_rng(0)
    )
    np.testing.assert_allclose(local(grasps, cloud)[..., 2], HANDS["franka"].grip_z, atol=1e-6)


def test_a_post_wider_than_the_hand_opens_has_no_candidates():
    cloud, normals = post(radius=0.3)
    assert draw_candidates(
        cloud, normals, 50, GpdSettings(orientations=1), np.random.default_rng(0)
    ).shape == (0, 4, 4)


def test_the_hand_of_gpd_has_its_sizes():
    hand = HANDS["gpd"]
    vertices = np.concatenate(hand.collision_parts())
    np.testing.assert_allclose(np.ptp(vertices[:, :2], axis=0), [0.12, 0.02])
    assert (
        hand.opening == pytest.approx(0.1)
        and hand.tip_z - hand.mount_z == pytest.approx(0.06)
        and hand.tip_z == FRANKA.tip_z
    )


def test_impossible_settings_are_refused():
    with pytest.raises(ParameterError, match="'three_finger'.*franka, gpd"):
        GpdSettings(hand="three_finger")
    with pytest.raises(ParameterError, match="orientations >= 1, and 1 to 40 placements"):
        GpdSettings(orientations=0)
