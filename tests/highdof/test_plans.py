import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import trimesh

from graspbook.errors import GraspFileError, MeshError, PlanError
from graspbook.hands.library import load_hand
from graspbook.highdof import plans
from graspbook.highdof.annealing import AnnealingSettings
from graspbook.highdof.planner import PlannerSettings, reach
from graspbook.highdof.plans import check_size, plan_files, read_plan, read_plan_of, write_plan

MESHES = {
    "box": trimesh.creation.box((0.04, 0.05, 0.12)),
    "ball": trimesh.creation.icosphere(radius=0.03),
    "rod": trimesh.creation.cylinder(0.02, 0.15),
}
SETTINGS = PlannerSettings(grasps=4, search=AnnealingSettings(iterations=40))


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(plans, "CHAINS", 8)  # two objects a group


def paths(folder):
    return {name: folder / f"{name}.h5" for name in MESHES}


def test_files_hold_what_was_planned(tmp_path):
    assert plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1) == 12
    hand = load_hand("barrett")
    for name, path in paths(tmp_path).items():
        found = read_plan(path, hand)
        assert (
            found.joints == hand.joints
            and found.states.shape == (4, 11)
            and found.closed.shape == (4, 4)
        )
        assert (np.diff(found.energies) >= 0).all() and found.epsilon.shape == (4,)
        np.testing.assert_allclose(found.history[-1], found.energies)
        np.testing.assert_allclose(found.com, MESHES[name].center_mass, atol=1e-3)
        assert found.length == pytest.approx(
            np.linalg.norm(MESHES[name].vertices, axis=1).max(), abs=1e-3
        )
        assert ((found.closed - found.states[:, 7:]) * hand.closing >= -1e-6).all()
        assert ((found.closed - found.pregrasp) * hand.closing >= -1e-6).all()
        assert found.squeeze.shape == found.closed.shape
    write_plan(tmp_path / "old.h5", replace(found, pregrasp=None, squeeze=None))
    assert read_plan(tmp_path / "old.h5").squeeze is None


def test_a_stopped_run_ends_with_the_same_bytes(tmp_path):
    plan_files(MESHES, paths(tmp_path / "whole"), "barrett", SETTINGS, workers=1)
    plan_files(MESHES, paths(tmp_path / "stopped"), "barrett", SETTINGS, workers=1)
    stopped = paths(tmp_path / "stopped")
    stopped["ball"].unlink()
    kept = stopped["box"].stat().st_mtime_ns
    assert plan_files(MESHES, stopped, "barrett", SETTINGS, workers=1) == 8
    assert stopped["box"].stat().st_mtime_ns == kept
    for name, path in paths(tmp_path / "whole").items():
        assert path.read_bytes() == stopped[name].read_bytes()
    assert plan_files(MESHES, stopped, "barrett", SETTINGS, workers=1) == 0


def test_other_parameters_plan_anew(tmp_path):
    plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1)
    first = read_plan(tmp_path / "rod.h5").states
    assert (
        plan_files(
            MESHES, paths(tmp_path), "barrett", replace(SETTINGS, energy="graspit"), workers=1
        )
        == 12
    )
    assert plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, seed=1, workers=1) == 12
    assert not np.array_equal(read_plan(tmp_path / "rod.h5").states, first)


def test_an_edit_of_the_code_plans_anew_what_it_was(tmp_path, monkeypatch):
    plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1)
    first = read_plan(tmp_path / "rod.h5").states
    monkeypatch.setattr(plans, "code_hash", lambda *modules: "of other code")
    assert plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1) == 12
    np.testing.assert_array_equal(read_plan(tmp_path / "rod.h5").states, first)


def test_what_no_hand_reaches_around_is_refused_before_anything_is_planned(tmp_path):
    hand = load_hand("barrett")
    wide = reach(hand) * 1.01
    check_size(hand, "slab", trimesh.creation.box((wide, wide, 0.05)))
    with pytest.raises(
        PlanError, match=f"crate is {1000 * wide:.0f} mm wide at its narrowest; the barrett hand"
    ):
        plan_files(
            MESHES | {"crate": trimesh.creation.box((wide,) * 3)},
            paths(tmp_path) | {"crate": tmp_path / "crate.h5"},
            "barrett",
            SETTINGS,
            workers=1,
        )
    assert not list(tmp_path.iterdir())


def test_files_of_other_kinds_and_hands_are_refused(tmp_path):
    with pytest.raises(GraspFileError, match="no such file"):
        read_plan(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text(json.dumps({}))
    with pytest.raises(GraspFileError, match="not a file of planned grasps"):
        read_plan(tmp_path / "text.h5")
    plan_files({"rod": MESHES["rod"]}, {"rod": tmp_path / "rod.h5"}, "barrett", SETTINGS, workers=1)
    with pytest.raises(
        GraspFileError,
        match="its grasps are for the barrett hand with joints spread, .*expected the shadow hand",
    ):
        read_plan(tmp_path / "rod.h5", load_hand("shadow"))


def test_joints_are_read_by_name_whatever_their_order(tmp_path):
    file = tmp_path / "rod.h5"
    plan_files({"rod": MESHES["rod"]}, {"rod": file}, "barrett", SETTINGS, workers=1)
    hand, order = load_hand("barrett"), [2, 0, 3, 1]
    expected = read_plan(file, hand)
    turned = replace(
        expected,
        joints=tuple(hand.joints[i] for i in order),
        states=expected.states[:, [*range(7), *(7 + i for i in order)]],
        closed=expected.closed[:, order],
    )
    write_plan(file, turned)
    found = read_plan(file, hand)
    assert found.joints == hand.joints
    np.testing.assert_array_equal(found.states, expected.states)
    np.testing.assert_array_equal(found.closed, expected.closed)
    write_plan(file, replace(turned, closed=turned.closed[:, 1:]))
    with pytest.raises(
        GraspFileError, match=r"rod.h5: .*closed has shape \(4, 3\), expected 4 columns"
    ):
        read_plan(file)


def test_arrays_without_attributes_are_no_plan(tmp_path):
    plan_files({"rod": MESHES["rod"]}, {"rod": tmp_path / "rod.h5"}, "barrett", SETTINGS, workers=1)
    whole = (tmp_path / "rod.h5").read_bytes()
    for spoil in (
        lambda file: file.attrs.pop("hand"),
        lambda file: file.attrs.pop("parameters"),
        lambda file: file.attrs.__setitem__("joints", "no list"),
        lambda file: file.pop("com"),
        lambda file: (file.pop("states"), file.create_group("states")),
    ):
        (tmp_path / "rod.h5").write_bytes(whole)
        with h5py.File(tmp_path / "rod.h5", "r+") as file:
            spoil(file)
        with pytest.raises(GraspFileError, match="rod.h5: not a file of planned grasps"):
            read_plan(tmp_path / "rod.h5")


def test_what_encloses_no_volume_is_refused_by_name_before_anything_is_planned(tmp_path):
    sheet = trimesh.creation.box((0.3, 0.3, 0.0002))
    with pytest.raises(MeshError, match="^sheet: .*it encloses no volume"):
        plan_files(
            MESHES | {"sheet": sheet},
            paths(tmp_path) | {"sheet": tmp_path / "sheet.h5"},
            "barrett",
            SETTINGS,
            workers=1,
        )
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    (tmp_path / "rod.h5").write_text("notes of mine")
    with pytest.raises(GraspFileError, match="rod.h5: not a file of planned grasps"):
        plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["rod.h5"] and (
        tmp_path / "rod.h5"
    ).read_text() == "notes of mine"


def test_the_plan_of_a_mesh_is_known_by_its_content(tmp_path):
    hand, ball = load_hand("barrett"), MESHES["ball"]
    plan_files(MESHES, paths(tmp_path), "barrett", SETTINGS, workers=1)
    assert read_plan_of(tmp_path / "ball.h5", hand, "b.stl", ball.copy()).com == pytest.approx(
        np.zeros(3), abs=1e-3
    )
    for mesh in (
        MESHES["box"],
        ball.copy().apply_scale(1.001),
    ):  # box and ball are planned together
        with pytest.raises(
            GraspFileError,
            match="ball.h5: its grasps were planned for another mesh .*mesh ball.* for b.stl",
        ):
            read_plan_of(tmp_path / "ball.h5", hand, "b.stl", mesh)
    (tmp_path / "rod.h5").rename(tmp_path / "mine.h5")
    assert read_plan_of(tmp_path / "mine.h5", hand, "rod.stl", MESHES["rod"]).states.shape == (
        4,
        11,
    )
    with pytest.raises(GraspFileError, match="expected the franka hand"):
        read_plan_of(tmp_path / "mine.h5", load_hand("franka"), "rod.stl", MESHES["rod"])
