import numpy as np

from graspbook import pose
from graspbook.graspnet import evaluation
from graspbook.graspnet.predict import PredictSettings
from graspbook.objects.sets import FamilySet
from graspbook.simulation.shake import shake_test

SETTINGS = PredictSettings(samples=6, steps=2, min_points_between=1)


def evaluate(weights, path, objects=None, view=0):
    return evaluation.evaluate_view(objects or FamilySet(1, 0, 0.0), "box_0000", view, weights, SETTINGS, [0, 2], 0, path)


def test_labels_are_those_of_the_frozen_test(weights, tmp_path):
    found = evaluate(weights, tmp_path / "a.npz")
    obj = FamilySet(1, 0, 0.0).load("box_0000")
    assert found.grasps.shape == (2, 6, 4, 4) and found.scores.shape == found.success.shape == (2, 6)
    np.testing.assert_array_equal(found.success[1], shake_test(obj, found.grasps[1], grade=False).success)
    np.testing.assert_array_equal(found.final_success, shake_test(obj, found.final, grade=False).success)


def test_everything_is_in_the_object_frame(weights, tmp_path):
    found = evaluate(weights, tmp_path / "a.npz")
    mesh = FamilySet(1, 0, 0.0).load("box_0000").mesh
    low, high = mesh.bounds
    assert (found.cloud > low - 1e-3).all() and (found.cloud < high + 1e-3).all()
    on_a_side = np.minimum(np.abs(found.cloud - low), np.abs(found.cloud - high)).min(axis=1)
    assert on_a_side.max() < 1e-3


def test_the_same_task_gives_the_same_bytes_and_is_read_back(weights, tmp_path):
    first = evaluate(weights, tmp_path / "a.npz")
    evaluate(weights, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    before = (tmp_path / "a.npz").stat().st_mtime_ns
    np.testing.assert_array_equal(evaluate(weights, tmp_path / "a.npz").final, first.final)
    assert (tmp_path / "a.npz").stat().st_mtime_ns == before
    evaluate(weights, tmp_path / "a.npz", view=1)
    assert (tmp_path / "a.npz").stat().st_mtime_ns != before


def test_view_results_pick_the_right_rows():
    grasps = pose.from_rt(np.eye(3), np.arange(12.0).reshape(4, 3))
    labels = np.array([[True, False], [False, True]])
    found = evaluation.ViewEvaluation(
        cloud=np.zeros((1, 3)), steps=np.array([0, 5]), grasps=grasps.reshape(2, 2, 4, 4), scores=np.array([[1, 2], [3, 4.0]]),
        success=labels, collides=~labels, final=grasps[:2], final_scores=np.array([9, 8.0]), final_success=labels[0],
        final_collides=labels[1],
        gravity_held=labels[0], max_acceleration=np.zeros(2))
    view = found.at_step(5, grasps)
    np.testing.assert_array_equal(view.grasps, grasps[2:])
    assert view.scores.tolist() == [3, 4] and view.success.tolist() == [False, True]
