"""Pictures of robot trials."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from graspbook.errors import OutputError, ParameterError
from graspbook.figures import trial_pictures
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.pose import from_rt, rotation_about

BASE_T_OBJECT = from_rt(np.eye(3), np.array([0.5, 0.0, 0.0]))
BASE_T_HAND = from_rt(np.diag([1.0, -1.0, -1.0]), np.array([0.5, 0.0, 0.2]))
BOX = make_trial_object("sugar_box").mesh


def record(base_T_object=BASE_T_OBJECT, base_T_hand=BASE_T_HAND):
    """What a picture reads of a record."""
    poses = {"base_T_object": base_T_object, "base_T_hand": base_T_hand}
    return {
        "object": "sugar_box",
        "pose": 1,
        "method": "gpd",
        "seed": 0,
        "outcome": "success",
        **{key: None if pose is None else pose.tolist() for key, pose in poses.items()},
    }


@pytest.fixture
def drawn(tmp_path):
    """Draws a record and returns the pixels (H, W, 3) as numbers; skips where nothing can be
    rendered.
    """
    context = trial_pictures._gl_context()
    if context is None:
        pytest.skip("no EGL")
    context.free()

    def draw(record, mesh=BOX):
        path = trial_pictures.picture_of_trial(record, mesh, tmp_path / "trial.png")
        return np.asarray(Image.open(path).convert("RGB")).astype(int)

    return draw


def _blue(pixels):
    """How many pixels (H, W, 3) have the object's colour."""
    return (pixels[..., 2] > pixels[..., 0] + 40).sum()


def test_the_set_has_every_object_in_one_scale_with_mass_and_source():
    figure = trial_pictures.object_set_figure()
    assert [trace.text.partition(":")[0].replace(" ", "_") for trace in figure.data] == list(
        TRIAL_OBJECTS
    )
    mustard = figure.data[list(TRIAL_OBJECTS).index("mustard_bottle")]
    assert mustard.text.startswith("mustard bottle: 618 g, YCB 006")
    np.testing.assert_allclose(
        np.ptp(mustard.z), TRIAL_OBJECTS["mustard_bottle"].size[2], atol=1e-6
    )
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "box",
        "cylinder",
        "bowl",
        "mug",
    ]
    assert len(trial_pictures.object_set_figure(["red_bowl", "sponge"]).data) == 2
    with pytest.raises(ParameterError, match="teapot"):
        trial_pictures.object_set_figure(["teapot"])


def test_a_picture_shows_table_object_and_hand(drawn):
    both, alone = drawn(record()), drawn(record(base_T_hand=None))
    assert both.shape == (480, 640, 3)
    for pixels in (both, alone):
        wood = (pixels[..., 0] > pixels[..., 2] + 15).sum()
        assert _blue(pixels) > 1000 and wood > 50_000
    # The darkest of either picture is the dark grey hand's.
    dark = [
        (np.ptp(pixels, axis=-1) < 25) & (pixels.max(axis=-1) < 110) for pixels in (both, alone)
    ]
    assert dark[0].sum() > 5000 > 500 > dark[1].sum()
    assert both[0, 0].min() > 230  # a bright background


def test_the_same_record_gives_the_same_picture_and_what_is_moved_looks_different(drawn):
    first = drawn(record())
    np.testing.assert_array_equal(first, drawn(record()))
    turned = from_rt(rotation_about([0, 0, 1.0], 0.8), np.array([0.5, 0.0, 0.0]))
    assert (np.abs(first - drawn(record(turned))).max(axis=-1) > 40).sum() > 1000


def test_a_mesh_that_is_not_closed_is_drawn(drawn):
    sheet = trimesh.Trimesh(BOX.vertices, BOX.faces[: len(BOX.faces) // 2], process=False)
    assert (
        not sheet.is_watertight
        and _blue(drawn(record(), sheet)) > 300
        and _blue(drawn(record(None), sheet)) == 0
    )


def test_the_mesh_given_stays_where_it_is(drawn):
    before = BOX.vertices.copy()
    drawn(record())
    np.testing.assert_array_equal(BOX.vertices, before)


def test_without_gl_the_same_scene_is_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_pictures, "_gl_context", lambda: None)
    path = tmp_path / "trial.png"
    figure = trial_pictures.picture_of_trial(record(), BOX, path)
    mesh, hand = figure.data
    np.testing.assert_allclose(
        np.stack([mesh.x, mesh.y, mesh.z], axis=1), BOX.vertices + [0.5, 0, 0], atol=1e-6
    )
    np.testing.assert_allclose([hand.x[3], hand.y[3], hand.z[3]], BASE_T_HAND[:3, 3], atol=1e-6)
    assert (
        hand.name == "chosen (1)" and figure.layout.title.text == "sugar_box, pose 1, gpd: success"
    )
    assert [
        trace.name
        for trace in trial_pictures.picture_of_trial(record(base_T_hand=None), BOX, path).data
    ] == ["object"]
    assert not path.exists()


def test_a_missing_gl_library_is_no_context_and_no_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mujoco.egl", None)
    assert trial_pictures._gl_context() is None


def test_with_neither_pose_there_is_nothing_to_draw(tmp_path):
    assert trial_pictures.picture_of_trial(record(None, None), BOX, tmp_path / "trial.png") is None
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path, drawn):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        trial_pictures.picture_of_trial(record(), BOX, tmp_path / "file" / "trial.png")


def test_a_contact_sheet_begins_with_the_failures(tmp_path):
    records = [
        record() | {"pose": pose, "outcome": outcome}
        for pose, outcome in enumerate(("success", "fault", "success"))
    ]
    assert trial_pictures.contact_sheet(records, tmp_path) is None
    for colour, trial in zip(("red", "lime", "blue"), records, strict=True):
        Image.new("RGB", (640, 480), colour).save(trial_pictures.picture_path(trial, tmp_path))
    sheet = trial_pictures.contact_sheet(records, tmp_path, most=2, columns=2, width=240)
    assert sheet.size == (480, 206)
    assert sheet.getpixel((120, 90)) == (0, 255, 0) and sheet.getpixel((360, 90)) == (
        255,
        0,
        0,
    )  # the fault, then a success
