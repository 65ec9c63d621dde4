import numpy as np

from graspbook.objects.solids import bow, placed, stack, union
from graspbook.pose import rotation_about


def test_placed_parts_are_turned_then_moved():
    turned = placed(
        stack([(0.01, 0.0), (0.01, 0.1)], 16), rotation_about([0, 1.0, 0], np.pi / 2), [0, 0, 1.0]
    )
    low, high = turned[0].bounds
    np.testing.assert_allclose([low[0], high[0]], [0, 0.1], atol=1e-12)
    assert abs((low[2] + high[2]) / 2 - 1) < 1e-12


def test_a_bow_spans_its_opening_and_touches_the_plane_it_starts_on():
    handle = union(bow(0.04, 0.05, 0.025, gap=0.03, thickness=0.01, half_width=0.006))
    assert handle.is_volume and handle.body_count == 1
    np.testing.assert_allclose(
        handle.bounds, [[0.04, -0.006, 0.015], [0.08, 0.006, 0.085]], atol=1e-9
    )
    assert not handle.contains([[0.055, 0, 0.05]])[0] and handle.contains([[0.075, 0, 0.05]])[0]
