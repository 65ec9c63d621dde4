"""Figures of robot trials."""

import numpy as np
import pytest
import trimesh

from graspbook.errors import ParameterError
from graspbook.figures import trials
from graspbook.metrics import wilson_interval
from graspbook.pose import from_rt, random_rotations

POSES = from_rt(
    random_rotations(6, np.random.default_rng(0)), np.random.default_rng(1).normal(0.5, 0.1, (6, 3))
)


def record(category="mug", method="graspnet", outcome="success", grasps=(200, 100, 10), times=None):
    """What the figures read of a record."""
    return {
        "category": category,
        "method": method,
        "outcome": outcome,
        "grasps": dict(zip(("predicted", "clear", "reachable"), grasps, strict=True)),
        "times": {"predict": 1.0} if times is None else times,
    }


def titles(figure):
    return figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


def test_success_stands_beside_the_paper_s_with_wilson_intervals():
    records = [
        record(),
        record(),
        record(outcome="fault"),
        record("own"),
        record("box", "geometric", "grasp failed"),
    ]
    figure = trials.success_figure(records)
    assert [bar.name for bar in figure.data] == ["graspnet", "paper, 6-DOF GraspNet", "geometric"]
    ours, paper, other = figure.data
    assert list(ours.x) == ["box", "cylinder", "bowl", "mug", "own", "all"]
    np.testing.assert_allclose(ours.y, [np.nan, np.nan, np.nan, 200 / 3, 100, 75])
    np.testing.assert_allclose(paper.y, [1500 / 18, 800 / 9, 100, 1300 / 15, np.nan, 4500 / 51])
    np.testing.assert_allclose(other.y, [0, np.nan, np.nan, np.nan, np.nan, 0])
    for bar, counts in ((ours, (3, 4)), (paper, (45, 51))):
        low, high = bar.y[-1] - bar.error_y.arrayminus[-1], bar.y[-1] + bar.error_y.array[-1]
        np.testing.assert_allclose([low, high], 100 * np.array(wilson_interval(*counts)))
    assert np.isnan(ours.error_y.array[:3]).all()  # no interval where there is no trial
    assert (ours.marker.color, ours.marker.pattern.shape) == (
        paper.marker.color,
        "",
    ) and paper.marker.pattern.shape == "/"
    assert other.marker.color != ours.marker.color
    assert titles(figure) == ("category of object", "success rate [%]") and figure.layout.showlegend


def test_grasps_are_medians_of_the_trials_that_came_to_the_prediction():
    records = [
        record(grasps=(200, 100, 10)),
        record(grasps=(200, 120, 30)),
        record(grasps=(100, 20, 20)),
        record(grasps=(0, 0, 0), times={"look": 1.0}),  # an empty view says nothing of the method
        record(method="gpd", grasps=(0, 0, 0)),
        record(method="gpd", grasps=(40, 10, 2)),  # that it found none does
        record(method="geometric", grasps=(0, 0, 0), times={}),
    ]
    graspnet, gpd, geometric = trials.grasp_figure(records).data
    assert list(graspnet.x) == ["predicted", "clear", "reachable"]
    assert (
        graspnet.y.tolist() == [200, 100, 20]
        and gpd.y.tolist() == [20, 5, 1]
        and np.isnan(geometric.y).all()
    )
    np.testing.assert_allclose(graspnet.error_y.arrayminus, [50, 40, 5])
    np.testing.assert_allclose(graspnet.error_y.array, [0, 10, 5])


def test_times_are_of_the_stages_that_were_reached():
    records = [
        record(
            times={"look": float(i), "total": 50.0, "put_back": 2.0 if i else None, "hold": None}
        )
        for i in range(21)
    ]
    (bar,) = trials.time_figure(records).data
    assert list(bar.x) == ["look", "put back"] and bar.y.tolist() == [
        10,
        2,
    ]  # the total would dwarf them
    assert bar.error_y.array.tolist() == [9, 0] and bar.error_y.arrayminus.tolist() == [0, 0]
    figure = trials.time_figure([*records, record(method="gpd", times={"look": 4.0})])
    assert np.isnan(figure.data[1].y[1]) and titles(figure) == (
        "stage of the trial",
        "time [s]: median and 95th percentile",
    )


@pytest.mark.parametrize("draw", [trials.success_figure, trials.grasp_figure, trials.time_figure])
def test_no_trials_make_no_empty_frame(draw):
    with pytest.raises(ParameterError, match="no trials recorded"):
        draw([])


@pytest.mark.parametrize(
    "seen",
    [trimesh.creation.box([0.1, 0.1, 0.1]), np.random.default_rng(0).normal(0.5, 0.03, (50, 3))],
)
def test_the_scene_tells_kinds_of_grasps_apart_with_the_chosen_on_top(seen):
    kinds = ["reachable", "chosen", "collides", "reachable", "unreachable", "collides"]
    figure = trials.scene_figure(seen, POSES, kinds)
    scene, *forks = figure.data
    assert scene.type == ("mesh3d" if hasattr(seen, "faces") else "scatter3d") and scene.name in (
        "object",
        "observed points",
    )
    assert [trace.name for trace in forks] == [
        "collides (2)",
        "unreachable (1)",
        "reachable (2)",
        "chosen (1)",
    ]
    for trace, chosen in zip(forks, ([2, 5], [4], [0, 3], [1]), strict=True):
        origins = np.stack([trace.x, trace.y, trace.z], axis=1).reshape(len(chosen), -1, 3)[:, 3]
        np.testing.assert_allclose(origins, POSES[chosen, :3, 3], atol=1e-6)
    assert len({trace.line.color for trace in forks}) == 4 and forks[-1].line.width == max(
        trace.line.width for trace in forks
    )
    assert (
        all(trace.showlegend for trace in forks) and figure.layout.scene.xaxis.title.text == "x [m]"
    )


def test_the_scene_draws_at_most_25_of_a_kind_and_counts_all():
    (forks,) = trials.scene_figure(
        np.zeros((0, 3)), np.repeat(POSES[:1], 30, axis=0), ["reachable"] * 30
    ).data[1:]
    assert forks.name == "reachable (30, 25 drawn)" and np.isnan(forks.x).sum() == 25


def test_a_scene_without_grasps_and_one_with_an_unknown_kind():
    points = np.zeros((3, 3))
    assert len(trials.scene_figure(points, POSES[:0], []).data) == 1
    with pytest.raises(ValueError, match="kinds .'lucky'., expected some of .'collides'"):
        trials.scene_figure(points, POSES[:2], ["chosen", "lucky"])
    with pytest.raises((IndexError, ValueError)):
        trials.scene_figure(points, POSES, ["chosen"])
