import numpy as np
import pytest
import trimesh

from graspbook.errors import CaptureError, ParameterError
from graspbook.objects.families import make_shape
from graspbook.objects.likeness import chamfer, overlap
from graspbook.perception.arc import views_on_arc
from graspbook.perception.reconstruction import METHODS, reconstruct


@pytest.mark.parametrize("method", METHODS)
def test_a_mug_from_six_views(mug, mug_views, method):
    made = reconstruct(mug_views, method, align=False)
    assert made.mesh.is_watertight
    if method == "hull":  # it fills the mug
        assert overlap(made.mesh, mug) < 0.5 and made.solid is None
    else:
        assert overlap(made.mesh, mug) > (0.8 if method == "poisson" else 0.65)
        assert chamfer(made.mesh, mug) < 0.002
    np.testing.assert_allclose(made.mesh.bounds, mug.bounds, atol=0.008)
    assert made.notes == ()


def test_wrong_poses_are_corrected(mug):
    wrong = views_on_arc(mug, 6, np.random.default_rng(0), shift=0.002, turn=np.deg2rad(0.7))
    corrected, as_given = (reconstruct(wrong, align=align) for align in (True, False))
    assert overlap(corrected.mesh, mug) > max(0.7, overlap(as_given.mesh, mug) + 0.1)
    assert "views were moved" in corrected.notes[0]


def test_a_bowl_from_one_view_is_hollow():
    bowl = make_shape("bowl", np.random.default_rng(3)).mesh.copy()
    bowl.apply_translation([0, 0, -bowl.bounds[0, 2]])
    views = views_on_arc(bowl, 1, np.random.default_rng(0))
    made, hull = reconstruct(views), reconstruct(views, "hull")
    assert overlap(made.mesh, bowl) > overlap(hull.mesh, bowl) + 0.2
    assert "turned about its upright axis" in made.notes[0]


def test_a_box_from_one_view_is_filled_down_to_the_table():
    box = trimesh.creation.box((0.12, 0.07, 0.06))
    box.apply_translation([0, 0, 0.03])
    made = reconstruct(views_on_arc(box, 1, np.random.default_rng(0)))
    assert overlap(made.mesh, box) > 0.8 and made.mesh.is_watertight
    assert "filled from what was seen" in made.notes[0]


def test_what_cannot_be_reconstructed_is_refused(mug_views):
    with pytest.raises(ParameterError, match="method 'splat', expected one of poisson, tsdf, hull"):
        reconstruct(mug_views, "splat")
    with pytest.raises(CaptureError, match="no view was given"):
        reconstruct([])
