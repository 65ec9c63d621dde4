"""Masks and label images choose the object."""

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.capture import load_capture
from graspbook.perception.masks import (
    has_table,
    is_rectangle,
    masked_object,
    nothing_around,
    one_object,
)

GRID = np.stack(
    [*np.meshgrid(np.linspace(-0.4, 0.4, 80), np.linspace(-0.3, 0.3, 60)), np.full((60, 80), 0.6)],
    axis=-1,
)
IDS = np.zeros((60, 80), np.uint8)
IDS[5:20, 5:20], IDS[25:40, 30:50], IDS[50:55, 60:63] = 2, 7, 9


def chosen(labels, target=None, points=GRID):
    notes = []
    return masked_object("segmap", labels, points, target, notes), " ".join(notes)


def test_the_target_or_the_object_in_the_middle_is_taken():
    found, notes = chosen(IDS)
    assert len(found) == 300 and "ids 2, 7, 9; id 7 was chosen" in notes and "--target" in notes
    found, notes = chosen(IDS, 2)
    assert len(found) == 225 and "id 2 of segmap (ids: 2, 7, 9)" in notes


@pytest.mark.parametrize(
    "mask",
    [
        IDS == 7,
        255 * (IDS == 7).astype(np.uint8),
        (IDS == 7).astype(float),
        np.repeat(np.uint8(255 * (IDS == 7))[..., None], 3, axis=2),
        np.dstack([np.uint8(255 * (IDS == 7))] * 3 + [np.full(IDS.shape, 255, np.uint8)]),
        (IDS == 7)[None],
        (IDS == 7)[..., None],
        (IDS == 7).ravel(),
        np.where(IDS == 7, 1, -1),
    ],
)
def test_masks_of_every_kind(mask):
    assert len(chosen(mask)[0]) == 300


def test_a_stack_of_masks_is_numbered_from_one():
    stack = np.stack([IDS == 2, IDS == 7, IDS == 9])
    assert len(chosen(stack, 1)[0]) == 225 and len(chosen(stack)[0]) == 300
    both = IDS == 7
    both[25:40, 50:52] = True
    stack = np.stack([IDS == 2, both, IDS == 7])
    assert [len(chosen(stack, i)[0]) for i in (1, 2, 3)] == [225, 330, 300]
    with pytest.raises(CaptureError, match="3 masks overlap; choose one with --target N"):
        chosen(stack)
    with pytest.raises(CaptureError, match="it has no id 4"):
        chosen(stack, 4)


@pytest.mark.parametrize(
    ("labels", "target", "message"),
    [
        (IDS, 3, "it has no id 3; the ids are 2, 7, 9"),
        (0 * IDS, None, "marks nothing"),
        (IDS[1:], None, r"shape \(59, 80\), expected \(60, 80\)"),
        (IDS, 9, "id 9 has 15 measured points, expected at least 50; depth is missing"),
        (IDS.T, None, r"shape \(80, 60\), expected \(60, 80\) like the points; it is transposed"),
        (IDS + 0.5, None, "fractions"),
        (np.dstack([IDS, IDS, 0 * IDS]), None, "image of colours"),
        (IDS.astype(str), None, "expected numbers as ids"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(labels, target, message):
    with pytest.raises(CaptureError, match=message):
        chosen(labels, target)


def test_the_bleeding_edge_of_a_mask_is_dropped():
    points = GRID.copy()
    points[25, 30:33, 2] = 1.4
    found, notes = chosen(IDS, 7, points)
    assert len(found) == 297 and "3 stray points" in notes


def test_labels_in_files_of_depth_and_of_points(tmp_path):
    K = np.array([[60, 0, 39.5], [0, 60, 29.5], [0, 0, 1.0]])
    np.savez(tmp_path / "depth.npz", depth=GRID[..., 2], K=K, segmap=IDS)
    assert len(load_capture(tmp_path / "depth.npz").points) == 300
    assert len(load_capture(tmp_path / "depth.npz", target=2).points) == 225
    np.savez(tmp_path / "cloud.npz", points=GRID.reshape(-1, 3), labels=IDS.ravel())
    assert len(load_capture(tmp_path / "cloud.npz", target=2).points) == 225
    np.savez(tmp_path / "none.npz", points=GRID.reshape(-1, 3))
    with pytest.raises(CaptureError, match="id 2 cannot be found without a segmap or mask"):
        load_capture(tmp_path / "none.npz", target=2)


def test_a_mask_with_hardly_any_depth_is_named():
    points = GRID * (np.arange(80) % 10 == 0)[:, None]
    with pytest.raises(CaptureError, match="^segmap: depth is missing on about 90% of the pixels"):
        chosen(np.ones((60, 80), bool), None, points)


def test_the_real_segmap(real_data):
    path = real_data / "inputs" / "segmap.npz"
    assert len(load_capture(path, target=3).points) == 24854
    with pytest.raises(CaptureError, match="it has no id 4; the ids are 3"):
        load_capture(path, target=4)


def scene(depth):
    K = np.array([[60, 0, 39.5], [0, 60, 29.5], [0, 0, 1.0]])
    v, u = np.mgrid[:60, :80]
    return np.stack([u, v, np.ones((60, 80))], axis=-1) @ np.linalg.inv(K).T * depth[..., None]


DISC = np.hypot(*np.meshgrid(np.arange(80) - 40, np.arange(60) - 30)) < 16


def test_what_is_zero_all_around_is_masked():
    disc = scene(np.where(DISC, 0.5, 0))
    assert nothing_around(disc) and not is_rectangle(disc)
    assert not nothing_around(scene(np.full((60, 80), 0.5)))
    assert not nothing_around(scene(np.zeros((60, 80))))
    rectangle = np.zeros((60, 80))
    rectangle[10:50, 20:60] = 0.5
    assert is_rectangle(scene(rectangle))  # cut out around an object, which is to be found yet


def test_a_turntable_is_a_table_and_a_flat_object_none():
    points = scene(np.where(DISC, 0.5, 0))[DISC]
    assert not has_table(points)
    small = np.hypot(*np.meshgrid(np.arange(80) - 40, np.arange(60) - 30)) < 6
    assert has_table(scene(np.where(small, 0.45, np.where(DISC, 0.5, 0)))[DISC])


def test_the_far_wall_in_a_loose_mask_is_dropped():
    depth = np.where(DISC, 0.5, 0)
    ring = DISC & (np.hypot(*np.meshgrid(np.arange(80) - 40, np.arange(60) - 30)) > 14)
    depth[ring] = 1.2
    notes = []
    found = one_object(scene(depth)[DISC], notes)
    assert (found[:, 2] == 0.5).all() and "stray points" in notes[0]


@pytest.mark.parametrize("name", ["cheezit", "green_bowl", "mustard", "pepper", "red_mug"])
def test_real_captures_with_depth_on_the_object_alone(name, real_data, tmp_path):
    with np.load(real_data / "captures" / f"{name}.npz") as stored:
        depth, K, points = stored["depth"], stored["K"], stored["object_points"]
    u, v = np.rint((points @ K.T)[:, :2] / points[:, 2:]).astype(int).T
    alone = np.zeros_like(depth)
    alone[v, u] = depth[v, u]
    np.savez(tmp_path / "alone.npz", depth=alone, K=K)
    found = load_capture(tmp_path / "alone.npz")
    assert len(found.points) > 0.99 * len(points)
    assert np.abs(found.points.mean(axis=0) - points.mean(axis=0)).max() < 0.001
