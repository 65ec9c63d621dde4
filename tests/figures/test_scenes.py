import numpy as np
import pytest
import trimesh

from graspbook import figures
from graspbook.objects.families import FAMILIES
from graspbook.objects.sets import FamilySet

OBJECTS = FamilySet(1)


def corners(trace):
    return np.stack([trace.x, trace.y, trace.z], axis=1)


def test_the_gallery_keeps_objects_apart_and_names_each_family_once():
    objects = [OBJECTS.load(name) for name in OBJECTS.names()] * 2
    figure = figures.mesh_figure(objects)
    assert [trace.text for trace in figure.data] == [obj.name for obj in objects]
    assert sum(bool(trace.showlegend) for trace in figure.data) == len(FAMILIES)
    boxes = [(corners(trace).min(axis=0), corners(trace).max(axis=0)) for trace in figure.data]
    for i, (low, high) in enumerate(boxes):
        assert low[2] == pytest.approx(0, abs=1e-6)
        for other_low, other_high in boxes[:i]:
            assert (low > other_high).any() or (high < other_low).any()


def test_parts_are_one_trace_each_and_move_apart():
    mug = OBJECTS.load("mug_0000")
    close, apart = figures.parts_figure(mug, spread=0), figures.parts_figure(mug, spread=0.5)
    assert len(close.data) == len(mug.parts)
    np.testing.assert_allclose(corners(close.data[3]), mug.parts[3].vertices, atol=1e-6)
    assert corners(apart.data[3]).tolist() != corners(close.data[3]).tolist()


def test_rows_of_the_gallery_have_as_many_objects_as_asked_for():
    figure = figures.mesh_figure([OBJECTS.load("mug_0000")] * 6, columns=2)
    places = np.array([corners(trace).min(axis=0) for trace in figure.data])
    assert len(np.unique(places[:, 0])) == 2 and len(np.unique(places[:, 1])) == 3


def test_a_hand_figure_has_object_hands_and_contacts_in_one_frame():
    box, hand = trimesh.creation.box([0.1, 0.1, 0.1]), trimesh.creation.box([0.02, 0.02, 0.2])
    contacts = np.array([[0.05, 0, 0], [-0.05, 0, 0]])
    figure = figures.hand_figure(box, [hand, hand], contacts)
    assert [trace.name for trace in figure.data] == ["object", "hand 1", "hand 2", "contacts"]
    np.testing.assert_allclose(corners(figure.data[1]), hand.vertices, atol=1e-6)
    np.testing.assert_allclose(corners(figure.data[3]), contacts, atol=1e-6)
    assert (
        figure.data[1].opacity < 1 and figure.data[0].opacity is None
    )  # the object shows through the hand
    alone = figures.hand_figure(box, [hand], contacts[:0])
    assert [trace.name for trace in alone.data] == ["object", "hand"]


def test_scenes_side_by_side_keep_their_size_and_what_is_in_them_stays_together():
    box = trimesh.creation.box([0.1, 0.1, 0.2])
    tips = np.array([[0.05, 0.0, 0.1], [0.0, 0.05, -0.1]])
    figure = figures.side_by_side(
        {"left": [(box, "#b8bec6"), (tips, "#d95f02")], "right": [(box, "#3b6ea5")]}
    )
    left, points, right, names = figure.data
    np.testing.assert_allclose(corners(points) - corners(left).mean(axis=0), tips, atol=1e-6)
    np.testing.assert_allclose(np.ptp(corners(right), axis=0), [0.1, 0.1, 0.2], atol=1e-6)
    assert corners(left)[:, 0].max() < corners(right)[:, 0].min()
    assert corners(left)[:, 2].min() == corners(right)[:, 2].min() == 0
    assert names.text == ("left", "right") and (names.z > 0.2).all()
    np.testing.assert_allclose(
        names.x, [corners(trace)[:, 0].mean() for trace in (left, right)], atol=1e-6
    )
    assert figure.layout.scene.aspectmode == "data" and figure.layout.scene.camera.eye.y < 0


def test_the_camera_goes_back_for_wider_scenes():
    box = [(trimesh.creation.box([0.1, 0.1, 0.1]), "#b8bec6")]
    near, far = (
        figures.side_by_side({str(i): box for i in range(count)}).layout.scene.camera.eye
        for count in (1, 8)
    )
    assert np.linalg.norm([far.x, far.y, far.z]) > 1.5 * np.linalg.norm([near.x, near.y, near.z])
