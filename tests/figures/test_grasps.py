import numpy as np
import trimesh

from graspbook import figures
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.pose import from_rt, random_rotations

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
    np.testing.assert_allclose(
        tips, [[FRANKA.opening / 2, 0, FRANKA.tip_z], [-FRANKA.opening / 2, 0, FRANKA.tip_z]]
    )
    assert (figures.FORK == 0).all(axis=1).sum() == 1  # the stroke goes to the flange once


def test_grippers_are_one_trace_of_strokes_that_gaps_part():
    figure = figures.cloud_and_grasps(CLOUD, POSES, [0.1, 0.3, 0.5, 0.7, 0.9], label="score")
    (trace,) = forks(figure)
    strokes = corners(trace).reshape(5, 8, 3)
    assert np.isnan(strokes[:, 7]).all() and np.isfinite(strokes[:, :7]).all()
    np.testing.assert_allclose(strokes[:, 3], POSES[:, :3, 3], atol=1e-6)  # at the flange
    np.testing.assert_allclose(
        np.linalg.norm(strokes[:, 0] - strokes[:, 6], axis=1), FRANKA.opening, atol=1e-6
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
    assert trace.showlegend is False  # plotly.js cannot draw a legend's line in many colours


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


def test_refinement_steps_show_one_step_at_a_time():
    scores = np.linspace(0, 1, 15).reshape(3, 5)
    figure = figures.refinement_steps(CLOUD, np.stack([POSES] * 3), scores, [0, 5, 10])
    assert [trace.visible for trace in figure.data] == [True, True, False, False]
    steps = figure.layout.sliders[0].steps
    assert [list(step.args[1]) for step in steps] == [
        [True, i == 0, i == 1, i == 2] for i in range(3)
    ]
    assert steps[1].label == "5: mean 0.50"
