import pytest

from graspbook.simulation.checks import slip_of_a_box
from graspbook.simulation.shake import ShakeSettings


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("settings", [ShakeSettings(), ShakeSettings(mass=0.2, friction=0.7, force=10.0)])
def test_a_box_slips_where_the_load_exceeds_twice_friction_times_force(axis, settings):
    limit = 2 * settings.friction * settings.force
    held, slides = slip_of_a_box(settings, [0.9 * limit, 1.1 * limit], axis)
    assert held < 0.0005
    # Newton by hand: the 10 % that friction does not carry accelerate the box for 0.2 s, or until the pads let go.
    assert slides > 0.7 * min(0.5 * 0.1 * limit / settings.mass * 0.2**2, 0.02)
