import numpy as np
import pytest
import trimesh

from graspbook import grasp_files, pose
from graspbook.errors import MeshError
from graspbook.grasp_files import read_grasps
from graspbook.graspnet import candidates
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.hands.robotiq import ROBOTIQ_2F85
from graspbook.objects import GraspObject
from graspbook.objects.sets import FamilySet


def box(*sides):
    mesh = trimesh.creation.box(sides)
    return GraspObject("box", "box", mesh, (mesh,), "box.obj")


@pytest.mark.parametrize(
    "standoff, low, high", [("paper", 0.0584, 0.1122), ("released", 0.0670, 0.1122)]
)
def test_approach_standoff_and_roll_are_as_in_the_paper(standoff, low, high):
    mesh = trimesh.creation.icosphere(radius=0.04, subdivisions=4)
    grasps = candidates.propose(mesh, 4000, np.random.default_rng(0), standoff=standoff)
    origin, approach = grasps[:, :3, 3], grasps[:, :3, 2]
    # The approach runs against the normal, so through the sphere's centre.
    np.testing.assert_allclose(
        np.sum(-origin * approach, axis=1) / np.linalg.norm(origin, axis=1), 1, atol=2e-3
    )
    distance = np.linalg.norm(origin, axis=1) - 0.04
    assert low - 1e-3 < distance.min() and distance.max() < high + 1e-3
    assert np.histogram(distance, 5, (low, high))[0] == pytest.approx(800, rel=0.15)
    reference = pose.align_z(approach)
    roll = np.arctan2(
        np.sum(reference[..., 1] * grasps[:, :3, 0], 1),
        np.sum(reference[..., 0] * grasps[:, :3, 0], 1),
    )
    assert np.histogram(roll, 4, (-np.pi, np.pi))[0] == pytest.approx(1000, rel=0.15)


def test_closing_region_by_hand():
    surface = np.array([[0.0, 0.0, 0.0]])
    inside = pose.from_rt(np.eye(3), [0, 0, -FRANKA.pad_z])
    outside = pose.from_rt(np.eye(3), [0, 0.01, -FRANKA.pad_z])
    assert candidates.closing_region_filled(surface, np.stack([inside, outside])).tolist() == [
        True,
        False,
    ]


def test_labels_hold_both_classes_and_counts_add_up():
    grasps = candidates.sample_grasps(box(0.04, 0.06, 0.05), 60, seed=0)
    counts = grasps.parameters["counts"]
    assert (
        counts["candidates"]
        >= counts["not_colliding"]
        >= counts["simulable"]
        >= counts["simulated"]
        == 60
    )
    assert counts["successes"] == grasps.success.sum()
    assert 0 < grasps.success.sum() < 60
    assert not grasps.grades["max_acceleration"][~grasps.success].any()
    assert np.isfinite(grasps.grades["closing_width"][grasps.success]).all()


def test_same_seed_same_bytes_other_seed_other_grasps(tmp_path):
    obj = box(0.04, 0.06, 0.05)
    for name, seed, threads in (("a.h5", 0, 1), ("b.h5", 0, 2), ("c.h5", 1, 2)):
        candidates.sample_to_file(obj, tmp_path / name, 30, seed, threads=threads)
    assert (
        (tmp_path / "a.h5").read_bytes()
        == (tmp_path / "b.h5").read_bytes()
        != (tmp_path / "c.h5").read_bytes()
    )


def test_a_finished_file_is_left_alone_and_a_stale_one_made_anew(tmp_path):
    objects, path = FamilySet(1, seed=0, held_out_fraction=0.0), tmp_path / "box.h5"
    first = candidates.sample_task(objects, "box_0000", path, 20, 0)
    before = path.stat().st_mtime_ns
    assert candidates.sample_task(objects, "box_0000", path, 20, 0) == first
    assert path.stat().st_mtime_ns == before
    candidates.sample_task(objects, "box_0000", path, 25, 0)
    assert len(grasp_files.read_grasps(path).transforms) == 25


def test_too_few_candidates_are_an_error_with_the_sizes(monkeypatch):
    # As if the open hand were always inside the object.
    monkeypatch.setattr(
        candidates.Shaker, "collides", lambda shaker, poses: np.ones(len(poses), bool)
    )
    with pytest.raises(
        MeshError,
        match=("only 0 of 21504 candidates .* expected 10.* object measures 300 x 300 x 300 mm"),
    ):
        candidates.sample_grasps(box(0.3, 0.3, 0.3), 10, seed=0)


def test_a_stale_file_is_known_by_its_convex_parts_too(tmp_path):
    mesh = trimesh.creation.box((0.04, 0.06, 0.05))
    whole = GraspObject("box", "box", mesh, (mesh,), "box.obj")
    halves = tuple(
        trimesh.creation.box((0.04, 0.03, 0.05)).apply_translation([0, y, 0])
        for y in (-0.015, 0.015)
    )
    candidates.sample_to_file(whole, tmp_path / "box.h5", 20, 0)
    before = grasp_files.read_grasps(tmp_path / "box.h5").parameters["object"]
    candidates.sample_to_file(
        GraspObject("box", "box", mesh, halves, "box.obj"), tmp_path / "box.h5", 20, 0
    )
    assert grasp_files.read_grasps(tmp_path / "box.h5").parameters["object"] != before


def test_nothing_holds_what_is_wider_than_the_hand():
    assert not candidates.sample_grasps(
        GraspObject(
            "ball",
            "ball",
            trimesh.creation.icosphere(radius=0.15),
            (trimesh.creation.icosphere(radius=0.15),),
        ),
        20,
        seed=0,
    ).success.any()


def test_another_gripper_grasps_what_it_alone_spans_and_is_named_in_the_file(tmp_path):
    block, path = box(0.082, 0.2, 0.2), tmp_path / "block.h5"
    counts = candidates.sample_to_file(block, path, 30, 0, threads=1, gripper=ROBOTIQ_2F85)
    assert counts["simulated"] == 30
    grasps = read_grasps(path)
    assert grasps.gripper == "robotiq_2f85" and grasps.configuration == (0.0425,)
    distance = np.abs(grasps.transforms[:, :3, 3]).max(axis=1)
    assert distance.max() > FRANKA.tip_z + 0.041  # further off than the Franka Hand ever is
    again = candidates.sample_to_file(block, path, 30, 0, threads=1, gripper=ROBOTIQ_2F85)
    assert again == counts


def test_a_file_of_another_gripper_is_made_anew(tmp_path):
    obj, path = box(0.04, 0.06, 0.05), tmp_path / "box.h5"
    candidates.sample_to_file(obj, path, 10, 0, threads=1, gripper=ROBOTIQ_2F85)
    candidates.sample_to_file(obj, path, 10, 0, threads=1)
    assert read_grasps(path).gripper == "panda"


def test_antipodal_candidates_span_what_the_gripper_opens():
    block, counts = trimesh.creation.box([0.082, 1.0, 1.0]), []
    for gripper in (FRANKA, ROBOTIQ_2F85):
        rng = np.random.default_rng(0)
        counts.append(len(candidates.propose_antipodal(block, 200, rng, gripper=gripper)))
    assert counts[0] < 20 < 90 < counts[1]
