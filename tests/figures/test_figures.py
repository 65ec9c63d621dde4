import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
import trimesh

from graspbook import figures
from graspbook.errors import OutputError
from graspbook.hands.franka import MAX_OPENING, TIP_Z
from graspbook.objects.families import FAMILIES
from graspbook.objects.sets import FamilySet
from graspbook.pose import from_rt, random_rotations

OBJECTS = FamilySet(1)
CLOUD = np.random.default_rng(0).normal(0, 0.03, (200, 3))
POSES = from_rt(
    random_rotations(5, np.random.default_rng(0)), np.random.default_rng(1).normal(0, 0.1, (5, 3))
)


def corners(trace):
    return np.stack([trace.x, trace.y, trace.z], axis=1)


def forks(figure):
    return [trace for trace in figure.data if trace.mode == "lines"]


def test_a_fork_has_the_opening_and_length_of_the_hand():
    tips = figures.FORK[[0, -1]]
    np.testing.assert_allclose(tips, [[MAX_OPENING / 2, 0, TIP_Z], [-MAX_OPENING / 2, 0, TIP_Z]])
    assert (figures.FORK == 0).all(axis=1).sum() == 1  # the stroke goes to the flange once


def test_grippers_are_one_trace_of_strokes_that_gaps_part():
    figure = figures.cloud_and_grasps(CLOUD, POSES, [0.1, 0.3, 0.5, 0.7, 0.9], "score")
    (trace,) = forks(figure)
    strokes = corners(trace).reshape(5, 8, 3)
    assert np.isnan(strokes[:, 7]).all() and np.isfinite(strokes[:, :7]).all()
    np.testing.assert_allclose(strokes[:, 3], POSES[:, :3, 3], atol=1e-6)  # at the flange
    np.testing.assert_allclose(
        np.linalg.norm(strokes[:, 0] - strokes[:, 6], axis=1), MAX_OPENING, atol=1e-6
    )
    np.testing.assert_allclose(
        np.array(trace.line.color).reshape(5, 8)[:, 0], [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6
    )
    assert trace.line.colorbar.title.text == "score" and (trace.line.cmin, trace.line.cmax) == (
        0,
        1,
    )
    assert trace.x.dtype == np.float32


def test_limits_none_spans_the_values():
    (trace,) = forks(
        figures.cloud_and_grasps(
            poses=POSES, values=[2, 3, 4, 5, 9], label="mass [kg]", limits=None
        )
    )
    assert (trace.line.cmin, trace.line.cmax) == (2, 9)


def test_labels_are_drawn_as_held_and_dropped():
    held, dropped = forks(
        figures.cloud_and_grasps(poses=POSES, values=np.array([True, False, False, True, False]))
    )
    assert (held.name, dropped.name) == ("held", "dropped")
    assert (len(held.x), len(dropped.x)) == (16, 24)
    assert len(forks(figures.cloud_and_grasps(poses=POSES, values=np.ones(5, bool)))) == 1


def test_rgb_values_colour_each_gripper():
    (trace,) = forks(figures.cloud_and_grasps(poses=POSES, values=np.eye(3)[[0, 1, 2, 0, 1]]))
    assert list(trace.line.color[::8]) == [
        "rgb(255,0,0)",
        "rgb(0,255,0)",
        "rgb(0,0,255)",
        "rgb(255,0,0)",
        "rgb(0,255,0)",
    ]


def test_scenes_have_equal_axes_in_metres_and_the_camera_frame_has_y_down():
    figure = figures.cloud_and_grasps(
        CLOUD, POSES[:0], mesh=trimesh.creation.box([0.1, 0.1, 0.1]), camera_frame=True
    )
    assert len(figure.data) == 2
    scene = figure.layout.scene
    assert (
        scene.aspectmode == "data" and scene.xaxis.title.text == "x [m]" and scene.camera.up.y == -1
    )
    assert figures.cloud_and_grasps(CLOUD).layout.scene.camera.up.y is None


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


def test_a_heat_map_has_its_first_axis_along_x_and_white_at_zero():
    values = np.array([[-1.0, 2.0, 3.0], [-0.5, 1.0, 2.0]])
    figure = figures.heat_map(values, (0, 10, -20, 20), "x [mm]", "z [mm]", "o_s [mm]", "field")
    heat, contour = figure.data
    assert (
        list(heat.x) == [0, 10]
        and list(heat.y) == [-20, 0, 20]
        and heat.z.tolist() == values.T.tolist()
    )
    assert (heat.zmin, heat.zmax) == (-1, 3) and heat.colorbar.title.text == "o_s [mm]"
    assert heat.colorscale[1] == (0.25, "#f7f7f7")  # zero's place between -1 and 3
    assert (contour.contours.start, contour.contours.end) == (0, 0)
    assert figure.layout.xaxis.title.text == "x [mm]" and figure.layout.yaxis.scaleanchor == "x"
    one_sided = figures.heat_map(np.ones((2, 2)), (0, 1, 0, 1), "x", "y", "z").data[0]
    assert one_sided.zmin < 0 and one_sided.zmax == 1


def test_refinement_steps_show_one_step_at_a_time():
    scores = np.linspace(0, 1, 15).reshape(3, 5)
    figure = figures.refinement_steps(CLOUD, np.stack([POSES] * 3), scores, [0, 5, 10])
    assert [trace.visible for trace in figure.data] == [True, True, False, False]
    steps = figure.layout.sliders[0].steps
    assert [list(step.args[1]) for step in steps] == [
        [True, i == 0, i == 1, i == 2] for i in range(3)
    ]
    assert steps[1].label == "5: mean 0.50"


def test_curves_draw_their_intervals_behind_them():
    x = np.linspace(0, 1, 5)
    lines, bands = {"a": (x, x), "b": (x, 1 - x)}, {"a": (x - 0.1, x + 0.1)}
    figure = figures.curves(lines, "coverage", "success rate", bands, unit_square=True)
    band, line, other = figure.data
    assert band.fill == "toself" and len(band.x) == 10 and line.name == "a" and other.name == "b"
    np.testing.assert_allclose(band.y[:5], x + 0.1, atol=1e-6)
    np.testing.assert_allclose(band.y[5:], (x - 0.1)[::-1], atol=1e-6)
    assert figure.layout.yaxis.range == (0, 1.02) and figure.layout.xaxis.title.text == "coverage"
    assert (
        figures.curves({"loss": (x, x + 1)}, "step", "loss", log_y=True).layout.yaxis.type == "log"
    )


def test_bars_have_uneven_error_bars():
    figure = figures.bars(
        {"ours": [0.5, 0.8]}, ["box", "mug"], "success rate", {"ours": ([0.3, 0.7], [0.6, 0.95])}
    )
    np.testing.assert_allclose(figure.data[0].error_y.array, [0.1, 0.15])
    np.testing.assert_allclose(figure.data[0].error_y.arrayminus, [0.2, 0.1])


def test_a_funnel_gives_shares_and_counts():
    figure = figures.funnel(
        {
            "paper": {"candidates": 10_816_720, "held": 2_104_894},
            "ours": {"candidates": 200, "held": 50},
        }
    )
    assert figure.data[1].x.tolist() == [1.0, 0.25]
    assert figure.data[0].text[1] == "2,104,894"


def test_a_histogram_counts_shares():
    figure = figures.histogram({"good": [0.9, 0.9, 1.0, 0.0], "bad": [0.1]}, "score", bins=10)
    assert figure.data[0].y.sum() == pytest.approx(1) and figure.data[0].y[-1] == pytest.approx(
        0.75
    )
    assert figure.data[1].y.tolist() == [0, 1] + [0] * 8
    assert len(figures.histogram({"zeros": np.zeros(3)}, "x").data) == 1


def test_a_view_is_one_page_with_its_own_script(tmp_path):
    one = figures.cloud_and_grasps(CLOUD, POSES, np.linspace(0, 1, 5))
    figures.write_view(tmp_path / "view.html", [one, one], "Grasps <here>", "5 & more")
    page = (tmp_path / "view.html").read_text()
    assert "Grasps &lt;here&gt;" in page and "5 &amp; more" in page
    assert page.count('class="plotly-graph-div"') == 2
    assert page.count('"showSendToCloud": false') == 2  # and nothing leaves it
    assert len(page) > 3_000_000 and not re.search(
        r"<(script|link)[^>]+(src|href)=", page
    )  # nothing to fetch
    figures.write_view(tmp_path / "one.html", go.Figure(), "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        figures.write_view(tmp_path / "file" / "view.html", one, "title")


def test_a_thumbnail_is_a_small_svg_that_fits_its_frame(tmp_path):
    mug = OBJECTS.load("mug_0000").mesh
    figures.thumbnail_svg(
        tmp_path / "mug.svg", mug, CLOUD, POSES, [0, 0.2, 0.5, 0.8, 1], size=(300, 200)
    )
    text = (tmp_path / "mug.svg").read_text()
    root = ElementTree.fromstring(text)
    kinds = [child.tag.rpartition("}")[2] for child in root]
    assert kinds.count("polyline") == 5 and kinds.count("circle") == 200
    assert 0 < kinds.count("polygon") < len(mug.faces)  # those that face away are left out
    xy = np.array(
        [
            [float(c) for c in pair.split(",")]
            for pair in " ".join(re.findall(r'points="([^"]+)"', text)).split()
        ]
    )
    assert (xy >= 0).all() and (xy <= [300, 200]).all()
    figures.thumbnail_svg(
        tmp_path / "again.svg", mug, CLOUD, POSES, [0, 0.2, 0.5, 0.8, 1], size=(300, 200)
    )
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "mug.svg").read_bytes()


def test_a_thumbnail_sees_the_side_that_faces_the_viewer(tmp_path):
    box = trimesh.creation.box([0.1, 0.1, 0.1])
    figures.thumbnail_svg(tmp_path / "front.svg", box, view_T_object=np.eye(4))
    assert (tmp_path / "front.svg").read_text().count("<polygon") == 2  # one face of the six
    figures.thumbnail_svg(tmp_path / "above.svg", box)
    assert (tmp_path / "above.svg").read_text().count("<polygon") == 6
