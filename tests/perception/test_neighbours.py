import numpy as np
import pytest

from graspbook.perception.neighbours import objects_in

UP = np.array([0, 0, 1.0])


def patch(x, width, step=0.001):
    x, y = np.meshgrid(np.arange(x, x + width, step), np.arange(0, 0.04, step))
    return np.stack([x, y, np.full(x.shape, 0.5)], axis=-1).reshape(-1, 3)


@pytest.mark.parametrize(("gap", "count"), [(0.015, 2), (0.006, 1)])
def test_outlines_apart_are_objects(gap, count):
    both = np.concatenate([patch(0, 0.05), patch(0.05 + gap, 0.05)])
    numbers = objects_in(both, UP)
    assert len(np.unique(numbers)) == count
    assert len(np.unique(numbers[: len(both) // 2])) == 1


def test_what_is_small_goes_to_the_nearest():
    all_three = np.concatenate([patch(0, 0.05), patch(0.07, 0.05), patch(0.135, 0.003)])
    numbers = objects_in(all_three, UP)
    assert set(numbers) == {0, 1} and (numbers[-120:] == numbers[2100]).all()


def test_gaps_are_measured_by_the_spacing_of_the_points():
    assert not objects_in(patch(0, 0.2, step=0.012), UP).any()


def test_an_outline_of_kilometres_is_one_object():
    both = np.concatenate([patch(0, 0.05), patch(9000, 0.05)]) * [1, 9000, 1]
    assert not objects_in(both, UP).any()
