import numpy as np
import pytest

from graspbook.hands.parallel_jaw import FRANKA
from graspbook.hands.robotiq import ROBOTIQ_2F85


def test_the_published_sizes():
    assert ROBOTIQ_2F85.opening == 0.085
    assert 2 * ROBOTIQ_2F85.pad_half_width == pytest.approx(0.022)
    assert 2 * ROBOTIQ_2F85.pad_half_height == pytest.approx(0.0375)
    assert np.ptp(ROBOTIQ_2F85.palm[:, 1]) == pytest.approx(0.075)


def test_an_object_of_83_mm_fits_between_its_pads_alone():
    for hand, fits in ((ROBOTIQ_2F85, True), (FRANKA, False)):
        corners = np.array([[x, y, hand.pad_z] for x in (-0.0415, 0.0415) for y in (-0.005, 0.005)])
        assert hand.points_in_hand(corners).any() != fits
