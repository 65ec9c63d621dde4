import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.extraction import extract_object
from graspbook.perception.missing_depth import (
    SAID,
    check_depth,
    floor_within,
    missing_share,
    say_missing,
)

OBJECT = np.zeros((120, 160), bool)
OBJECT[40:80, 60:100] = True
ALL = np.ones_like(OBJECT)


def test_a_whole_object_lacks_nothing():
    assert missing_share(OBJECT, ALL) == pytest.approx(0, abs=0.01)


def test_patches_without_depth_of_the_object_are_missing():
    patches = OBJECT.copy()
    patches[:, ::10] = patches[:, 1::10] = patches[:, 2::10] = False
    assert missing_share(patches, ALL) == pytest.approx(0.3, abs=0.1)


def test_a_hole_around_what_is_left():
    rest = np.zeros_like(OBJECT)
    rest[58:63, 60:85] = True
    assert missing_share(rest, ~OBJECT | rest) > 0.8


def test_a_shadow_on_one_side_and_all_up_to_the_border_do_not_count():
    seen = ALL.copy()
    seen[40:80, 30:60] = False
    assert missing_share(OBJECT, seen) == pytest.approx(0, abs=0.05)
    assert missing_share(OBJECT, OBJECT) == pytest.approx(0, abs=0.05)


def test_what_is_said_and_refused():
    notes = []
    say_missing(0.2, 900, "the object's region", notes)
    assert not notes
    say_missing(0.5, 900, "the object's region", notes)
    assert "depth is missing on about 50% of the object's region" in notes[0]
    with pytest.raises(CaptureError, match="The 60 points that are left do not show the"):
        say_missing(0.95, 60, "the object's region", notes)


def test_transparent_objects_of_made_up_scenes(scenes):
    for kind, seed in (("glass", 1), ("glass3", 5)):
        scene, notes = scenes.make(kind, seed), []
        points, seen = scenes.points(scene), np.isfinite(scene.depth)
        found = extract_object(points)
        if kind == "glass3":
            with pytest.raises(CaptureError, match="depth is missing on about 9"):
                check_depth(points, found, seen, notes)
        else:
            check_depth(points, found, seen, notes)
            assert "depth is missing on about 6" in notes[0]


def test_the_floor_of_a_mug_seen_straight_down_is_not_missing(scenes):
    scene, notes = scenes.make("mug", 1), []
    points, seen = scenes.points(scene), np.isfinite(scene.depth)
    found = extract_object(points)
    pixels = np.zeros(seen.shape, bool)
    pixels[seen] = np.isin(points[:, 0], found[:, 0])
    assert missing_share(pixels, seen) > SAID  # its floor was removed with the table
    check_depth(points, found, seen, notes)
    assert not notes


@pytest.mark.parametrize(("height", "count"), [(0.004, 400), (0.0, 0)])
def test_a_floor_within_a_rim_is_higher_than_the_table(height, count):
    ring, grid = np.zeros((120, 160), bool), np.zeros((120, 160, 3))
    ring[40:80, 60:100], ring[50:70, 70:90] = True, False
    grid[..., :2] = np.stack(np.mgrid[:120, :160], axis=-1) / 1000
    grid[..., 2] = np.where(ring, 0.4, 0.5)
    grid[50:70, 70:90, 2] -= height
    assert floor_within(ring, grid).sum() == count
