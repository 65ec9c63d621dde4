import numpy as np
import pytest

from graspbook.perception.resample import farthest_points, resample


def test_enough_points_are_drawn_without_repeats():
    points = np.random.default_rng(0).normal(size=(100, 3))
    drawn = resample(points, 60, np.random.default_rng(1))
    assert len(np.unique(drawn, axis=0)) == 60


def test_too_few_points_are_all_kept_and_some_repeated():
    points = np.arange(15.0).reshape(5, 3)
    drawn = resample(points, 12, np.random.default_rng(1))
    assert drawn.shape == (12, 3)
    np.testing.assert_array_equal(np.unique(drawn, axis=0), points)


def test_the_first_of_few_points_are_a_draw_of_all():
    points = np.arange(100.0)[:, None]
    first = np.concatenate(
        [resample(points, 150, np.random.default_rng(seed))[:10] for seed in range(30)]
    )
    assert 40 < first.mean() < 60


def test_the_same_generator_draws_the_same_points():
    points = np.random.default_rng(0).normal(size=(100, 3))
    one, two = (resample(points, 10, np.random.default_rng(3)) for _ in range(2))
    assert one.tobytes() == two.tobytes()


def test_farthest_points_on_a_line_by_hand():
    line = np.array([[0.0], [1.0], [2.0], [10.0], [5.0]])
    assert farthest_points(line, 5).tolist() == [0, 3, 4, 2, 1]


def test_farthest_points_keep_their_distance_and_do_not_repeat():
    points = np.random.default_rng(0).uniform(size=(500, 3))
    chosen = points[farthest_points(points, 50)]
    between = np.linalg.norm(chosen[:, None] - chosen[None], axis=2) + np.eye(50)
    cover = np.linalg.norm(points[:, None] - chosen[None], axis=2).min(axis=1).max()
    assert (
        between.min() >= cover
    )  # the greedy choice: nobody is farther from the chosen than they from one another


def test_farthest_points_asks_for_no_more_than_there_are():
    with pytest.raises(ValueError, match="4 of 3"):
        farthest_points(np.zeros((3, 3)), 4)
