import numpy as np
import pytest

from graspbook.objects.everyday import MAKERS
from graspbook.objects.families import FAMILIES, PAPER_FAMILIES, make_shape


def test_the_papers_families_come_first_and_the_everyday_ones_follow():
    assert PAPER_FAMILIES == ("box", "cylinder", "bowl", "bottle", "mug")
    assert (*PAPER_FAMILIES, *MAKERS) == FAMILIES


@pytest.mark.parametrize("family", MAKERS)
def test_a_shape_is_one_watertight_body_of_convex_parts(family):
    for seed in range(20):
        shape = make_shape(family, np.random.default_rng(seed))
        assert shape.mesh.is_volume and shape.mesh.body_count == 1 and shape.mesh.volume > 0
        for part in shape.parts:
            assert part.is_volume and part.volume > 1e-9
            assert abs(part.convex_hull.volume / part.volume - 1) < 1e-6
        # parts may overlap, but each lies in the solid and together they are all of it
        assert sum(part.volume for part in shape.parts) >= shape.mesh.volume * (1 - 1e-9)
        assert max(part.volume for part in shape.parts) <= shape.mesh.volume * (1 + 1e-9)


@pytest.mark.parametrize("family", MAKERS)
def test_sizes_are_those_of_things_on_a_table(family):
    extents = np.array(
        [make_shape(family, np.random.default_rng(seed)).mesh.extents for seed in range(40)]
    )
    assert extents.min() > 0.012 and extents.max() < 0.3
    assert np.ptp(extents.max(axis=1)) > 0.02  # the scale varies
