"""The object is found in made-up scenes that a largest plane and clusters alone get wrong."""

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.extraction import extract_object, holds_table, size_note
from graspbook.perception.planes import PLANE_DISTANCE, clusters, dominant_plane


@pytest.mark.parametrize(
    ("kind", "seed", "said"),
    [
        ("wall", 3, ""),
        ("pair", 7, "2 objects are close together"),
        ("tote", 1, ""),
        ("flat", 4, "the object is flat: about 4.5 mm"),
        ("down", 10, ""),
        ("upside", 4, ""),
    ],
)
def test_the_object_is_found(scenes, kind, seed, said):
    scene, notes = scenes.make(kind, seed), []
    found = extract_object(scenes.points(scene), notes)
    precision, recall = scenes.judge(scene, found)
    assert precision > 0.95 and recall > 0.85
    assert said in " ".join(notes) and bool(said) == bool(notes)


def test_the_trivial_rule_fails_there(scenes):
    """What is nearest the axis of the clusters above the largest plane: mostly something else."""
    for kind, seed in (("wall", 3), ("pair", 7), ("flat", 4)):
        scene = scenes.make(kind, seed)
        points = scenes.points(scene)
        normal, offset, _ = dominant_plane(points, np.random.default_rng(0))
        above = points[points @ normal + offset > PLANE_DISTANCE]
        labels = clusters(above)
        parts = [above[labels == i] for i in np.flatnonzero(np.bincount(labels) >= 50)]
        centres = [part.mean(axis=0) for part in parts]
        nearest = np.argmin([np.hypot(*c[:2]) / c[2] for c in centres]) if parts else None
        precision, recall = scenes.judge(scene, parts[nearest]) if parts else (0, 0)
        assert precision < 0.7 or recall < 0.5


def grid(low, high, step=0.003):
    """Points of a rectangle or a block's surface between two corners."""
    axes = [np.arange(a, b + 1e-9, step) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)


TABLE = grid([-0.15, -0.1, 0.6], [0.15, 0.1, 0.6])
THING = grid([-0.02, -0.02, 0.55], [0.02, 0.02, 0.592])


def test_a_table_holds_something_and_a_box_does_not():
    assert holds_table(np.concatenate([TABLE, THING]), 0.2, 0.07)
    assert not holds_table(TABLE, 0.2, 0.07)
    assert not holds_table(THING)
    assert not holds_table(np.concatenate([TABLE, THING]), 0.5)


def test_where_nothing_stands_out_the_least_height_is_said():
    noise = np.random.default_rng(0).normal(0, 1e-3, len(TABLE))
    with pytest.raises(CaptureError, match="more than 4.* mm above the largest plane"):
        extract_object(TABLE + noise[:, None] * [0, 0, 1])


def test_the_size_of_a_found_object_is_said_along_its_own_axes():
    block = np.random.default_rng(0).uniform(-1, 1, (4000, 3)) * [0.05, 0.02, 0.1]
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    said = size_note(block @ turn)
    assert "spans 20 x 10 x 4 cm; it may be several objects that touch" in said


@pytest.mark.parametrize(("step", "kept"), [(0.003, "ring"), (0.0007, "inner")])
def test_a_few_points_within_a_rim_are_not_an_object_in_a_tote(step, kept):
    turn = np.linspace(0, 2 * np.pi, 2000)[:, None]
    x, y, z = np.broadcast_arrays(0.06 * np.cos(turn), 0.06 * np.sin(turn), [0.5, 0.502, 0.504])
    ring = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    inner = grid([-0.01, -0.01, 0.56], [0.01, 0.01, 0.585], step)
    found = extract_object(np.concatenate([grid([-0.3, -0.3, 0.6], [0.3, 0.3, 0.6]), ring, inner]))
    assert len(found) == {"ring": len(ring) + len(inner), "inner": len(inner)}[kept]
