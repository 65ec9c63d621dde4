from itertools import groupby

import numpy as np
import pytest

from graspbook.errors import ParameterError
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.trial_objects import CYLINDER_SIDES, TRIAL_OBJECTS, make_trial_object

ROUND = [name for name, trial in TRIAL_OBJECTS.items() if trial.category in ("bowl", "mug")]
# Published sizes (mm) and masses (g): Calli et al. 2015. The mustard bottle's mass is that of the
# grasping paper.
PUBLISHED = {
    "jello_chocolate": ((35, 110, 89), 187),
    "spam_can": ((50, 97, 82), 370),
    "jello_strawberry": ((28, 85, 73), 97),
    "cheezit_box": ((60, 158, 210), 411),
    "sugar_box": ((38, 89, 175), 514),
    "mustard_bottle": ((58, 95, 190), 618),
    "red_bowl": ((159, 53), 147),
    "red_ycb_mug": ((80, 82), 118),
}


def test_there_are_the_papers_17_in_its_order_and_its_range_of_masses():
    trials = TRIAL_OBJECTS.values()
    assert [
        (category, len(list(some)))
        for category, some in groupby(trials, lambda trial: trial.category)
    ] == [("box", 6), ("cylinder", 3), ("bowl", 3), ("mug", 5)]
    assert min(trials, key=lambda trial: trial.mass) == TRIAL_OBJECTS["pepper_shaker"]
    assert max(trials, key=lambda trial: trial.mass) == TRIAL_OBJECTS["mustard_bottle"]
    assert (
        TRIAL_OBJECTS["pepper_shaker"].mass == 0.042
        and TRIAL_OBJECTS["mustard_bottle"].mass == 0.618
    )


def test_products_of_the_ycb_set_have_its_sizes_and_the_others_say_that_they_are_assumed():
    for name, trial in TRIAL_OBJECTS.items():
        assert trial.source.startswith("YCB " if name in PUBLISHED else "assumed")
    for name, (size, mass) in PUBLISHED.items():
        trial = TRIAL_OBJECTS[name]
        np.testing.assert_allclose(np.multiply(trial.size[: len(size)], 1000), size)
        assert trial.mass == pytest.approx(mass / 1000)


@pytest.mark.parametrize("name", TRIAL_OBJECTS)
def test_an_object_is_one_watertight_body_that_its_convex_parts_fill(name):
    shape = make_trial_object(name)
    assert shape.name == name and shape.family == TRIAL_OBJECTS[name].category
    assert shape.mesh.is_volume and shape.mesh.body_count == 1
    volumes = np.array([part.volume for part in shape.parts])
    assert volumes.sum() / shape.mesh.volume == pytest.approx(1, abs=1e-9)
    centre = volumes @ [part.center_mass for part in shape.parts] / volumes.sum()
    np.testing.assert_allclose(centre, shape.mesh.center_mass, atol=1e-9)
    for part in shape.parts:
        assert part.is_volume and part.convex_hull.volume / part.volume == pytest.approx(
            1, abs=1e-9
        )


@pytest.mark.parametrize("name", TRIAL_OBJECTS)
def test_an_object_stands_on_the_origin_and_has_its_size(name):
    trial, (low, high) = TRIAL_OBJECTS[name], make_trial_object(name).mesh.bounds
    if trial.category in ("box", "cylinder"):
        x, y, z = trial.size
        expected = [[-x / 2, -y / 2, 0], [x / 2, y / 2, z]]
    else:
        radius, height = trial.size[0] / 2, trial.size[1]
        reach = trial.size[2] if trial.category == "mug" else 0.0
        expected = [[-radius, -radius, 0], [radius + reach, radius, height]]
    np.testing.assert_allclose([low, high], expected, atol=1e-12)


def test_volumes_of_boxes_and_cylinders_are_those_of_their_sections():
    polygon = (
        CYLINDER_SIDES / 4 * np.tan(np.pi / CYLINDER_SIDES)
    )  # area of a regular polygon, one wide across its flats
    for name, trial in TRIAL_OBJECTS.items():
        if trial.category in ("box", "cylinder"):
            section = 1.0 if trial.category == "box" else polygon
            assert make_trial_object(name).mesh.volume == pytest.approx(
                section * np.prod(trial.size), rel=1e-9
            )


def test_a_hand_of_80_mm_fits_around_some_side_of_every_box_and_cylinder():
    for trial in TRIAL_OBJECTS.values():
        if trial.category in ("box", "cylinder"):
            assert min(trial.size) < FRANKA.opening - 0.01


@pytest.mark.parametrize("name", ROUND)
def test_bowls_and_mugs_are_hollow_with_a_thin_wall_that_a_finger_reaches(name):
    trial, mesh = TRIAL_OBJECTS[name], make_trial_object(name).mesh
    # Along +y just below the rim, from the axis outwards: the wall's inside, its outside.
    hits, _, _ = mesh.ray.intersects_location(
        [[1e-4, 0, trial.size[1] - 0.001]], [[0, 1.0, 0]], multiple_hits=True
    )
    inside, outside = np.sort(hits[:, 1])
    assert (
        outside - inside == pytest.approx(trial.size[3], abs=1e-4)
        and 0.003 <= trial.size[3] <= 0.005
    )
    assert outside == pytest.approx(trial.size[0] / 2, abs=1e-3)
    assert (
        not mesh.contains([[0, 0, 0.02], [0, 0, trial.size[1] - 0.001]]).any()
        and mesh.contains([[0, 0, 0.002]])[0]
    )


def test_a_finger_fits_through_every_handle():
    for name, trial in TRIAL_OBJECTS.items():
        if trial.category == "mug":
            start = [[0, 1e-4, 0.51 * trial.size[1]]]
            hits, _, _ = make_trial_object(name).mesh.ray.intersects_location(
                start, [[1.0, 0, 0]], multiple_hits=True
            )
            wall, handle = np.sort(hits[:, 0])[1:3]
            assert handle - wall > 0.025


def test_an_object_is_the_same_every_time():
    first, again = make_trial_object("blue_mug"), make_trial_object("blue_mug")
    assert first.mesh.vertices.tobytes() == again.mesh.vertices.tobytes()
    assert first.mesh.faces.tobytes() == again.mesh.faces.tobytes()


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ParameterError, match="'teapot'.*jello_chocolate.*red_ycb_mug"):
        make_trial_object("teapot")
